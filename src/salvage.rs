//! What survives of a damaged document: a whole one that stands in the bytes, the whole lines of a log, or the longest
//! beginning, closed properly. Nothing is guessed: what was torn is left out, and the result is a document that reads.

mod close;
mod decode;
mod lines;
mod second;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::document::Dialect;
use crate::validate::{Content, Extent, Reader, extent};

/// What kind of piece survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The whole document: only what does not belong to it had to go.
    Whole,
    /// Of two documents, the later one.
    Second,
    /// The whole lines of JSON Lines.
    Lines,
    /// The beginning, up to the damage.
    Beginning,
}

impl Piece {
    /// Its word in documents.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Second => "second",
            Self::Lines => "lines",
            Self::Beginning => "beginning",
        }
    }

    /// Is the rest of the document missing from it? Then what it lacks says nothing about its writer.
    #[must_use]
    pub fn is_partial(self) -> bool {
        matches!(self, Self::Lines | Self::Beginning)
    }
}

/// What survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// A document that reads.
    pub bytes: Vec<u8>,
    /// The dialect that it reads in.
    pub dialect: Dialect,
    /// What kind of piece it is.
    pub piece: Piece,
    /// What its text was written in, where that was not UTF-8.
    pub decoded_from: Option<&'static str>,
}

impl Salvaged {
    /// As what may be compared.
    #[must_use]
    pub fn content(&self) -> Content<'_> {
        Content { bytes: &self.bytes, dialect: self.dialect }
    }
}

/// What survives of `bytes`, read as `reader` would; `None`: nothing. What reads as it is survives as it is. Linear but for
/// a bounded number of places where a second document may begin, and without recursion.
#[must_use]
pub fn salvage(bytes: &[u8], reader: &Reader) -> Option<Salvaged> {
    let (text, decoded_from) = decode::as_utf8(bytes);
    let text = without_nuls(&text);
    if text.trim_ascii().is_empty() {
        return None;
    }
    let dialects = dialects(reader);
    let (bytes, dialect, piece) = whole(text, &dialects)
        .or_else(|| lines::whole_lines(text, reader).map(|lines| (lines, Dialect::Jsonl, Piece::Lines)))
        .or_else(|| torn(text, &dialects))?;
    Some(Salvaged { bytes, dialect, piece, decoded_from })
}

type Found = (Vec<u8>, Dialect, Piece);

/// What a file is filled up with when its end, or its beginning, never reached the disk.
fn without_nuls(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != 0).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The dialects that it may be written in, the likeliest first.
fn dialects(reader: &Reader) -> Vec<Dialect> {
    if let Some(own) = reader.dialect {
        return vec![own];
    }
    let mut dialects: Vec<Dialect> = reader.enrolled.or(reader.named).into_iter().collect();
    let others = [Dialect::Json, Dialect::Python, Dialect::Jsonc, Dialect::Json5];
    dialects.extend(others.into_iter().filter(|other| dialects.first() != Some(other)).collect::<Vec<_>>());
    dialects
}

fn whole(text: &[u8], dialects: &[Dialect]) -> Option<Found> {
    let dialect = dialects.iter().find(|dialect| extent(text, **dialect) == Extent::Whole)?;
    Some((text.to_vec(), *dialect, Piece::Whole))
}

/// A text that does not read in any dialect: the one that gets furthest says what survives.
fn torn(text: &[u8], dialects: &[Dialect]) -> Option<Found> {
    let reach = |dialect: &Dialect| match extent(text, *dialect) {
        Extent::Whole => text.len(),
        Extent::Followed(at) | Extent::Ends(at) | Extent::Stops(at) => at,
    };
    // Of those that get as far, the first.
    let dialect = dialects.iter().rev().filter(|one| **one != Dialect::Jsonl).max_by_key(|one| reach(one))?;
    let extent = extent(text, *dialect);
    let beginning = close::closed(text, extent, *dialect);
    let least = beginning.as_ref().map_or(0, Vec::len);
    if let Some(second) = second::document(text, extent, *dialect, least) {
        return Some((second.to_vec(), *dialect, Piece::Second));
    }
    let piece = if matches!(extent, Extent::Followed(_)) { Piece::Whole } else { Piece::Beginning };
    beginning.map(|bytes| (bytes, *dialect, piece))
}

/// Text that had to be decoded, or the bytes themselves.
type Utf8<'a> = Cow<'a, [u8]>;
