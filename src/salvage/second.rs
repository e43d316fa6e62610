//! The later of two documents: written behind the first, into the middle of it, or behind a line that does not belong.

use crate::document::Dialect;
use crate::validate::{Extent, extent};

/// So many places before the damage, and so many behind it, are tried: a second document begins near it.
const TRIED: usize = 8;

/// So many documents behind one another are gone through.
const FOLLOWING: usize = 64;

/// A document is known again by so much of its beginning, or by its first key. In bytes.
const HEAD: usize = 24;

/// A second document that stands whole in `text`, of which `extent` is read. One in the middle must reach to the end, or be
/// longer than `least`, what survives of the first: what merely looks like it may be a part of it.
pub(super) fn document(text: &[u8], extent: Extent, dialect: Dialect, least: usize) -> Option<&[u8]> {
    match extent {
        Extent::Followed(at) => behind(text, at, dialect).filter(|second| says_something(second)),
        Extent::Stops(at) => {
            let fits =
                |second: &&[u8]| says_something(second) && (reaches_to_the_end(text, second) || second.len() > least);
            places(text, at).filter_map(|place| whole_at(text, place, dialect)).filter(fits).max_by_key(|one| one.len())
        }
        // Where the text only ends, all that looks like another document may be a part of this one.
        Extent::Whole | Extent::Ends(_) => None,
    }
}

/// The last of the documents that follow one another from `at` on, or one that begins like the first.
fn behind(text: &[u8], mut at: usize, dialect: Dialect) -> Option<&[u8]> {
    let mut last = None;
    for _ in 0..FOLLOWING {
        let Some(whole) = whole_at(text, at, dialect) else { break };
        last = Some(whole);
        at += whole.len() + blanks(text.get(at + whole.len()..).unwrap_or_default());
    }
    // What goes on as the middle of a document does is the rest of a longer one, whatever is whole in it.
    let rest = text.get(at..).unwrap_or_default();
    let is_rest = matches!(rest.get(blanks(rest)), Some(b',' | b':' | b'}' | b']'));
    if is_rest {
        return None;
    }
    last.or_else(|| {
        let behind = heads(text).filter(|place| *place >= at).take(TRIED);
        behind.filter_map(|place| whole_at(text, place, dialect)).max_by_key(|one| one.len())
    })
}

/// The object or array that begins at `place`, if it is whole.
fn whole_at(text: &[u8], place: usize, dialect: Dialect) -> Option<&[u8]> {
    let rest = text.get(place..)?;
    if !matches!(rest.first(), Some(b'{' | b'[')) {
        return None;
    }
    match extent(rest, dialect) {
        Extent::Whole => Some(rest.trim_ascii_end()),
        Extent::Followed(end) => Some(rest[..end].trim_ascii_end()),
        Extent::Ends(_) | Extent::Stops(_) => None,
    }
}

/// Where a second document may begin, the nearest to the damage first: where the text begins anew, and where a line
/// begins with a bracket.
fn places(text: &[u8], damage: usize) -> impl Iterator<Item = usize> {
    let mut all: Vec<usize> = heads(text).chain(lines(text)).filter(|place| *place > 0).collect();
    all.sort_unstable();
    all.dedup();
    let (before, behind) = all.split_at(all.partition_point(|place| *place <= damage));
    let near: Vec<usize> = before.iter().rev().take(TRIED).chain(behind.iter().take(TRIED)).copied().collect();
    near.into_iter()
}

/// Every place where the text goes on as it begins.
fn heads(text: &[u8]) -> impl Iterator<Item = usize> {
    let start = blanks(text);
    let head = head(text.get(start..).unwrap_or_default());
    let is_head = move |place: &usize| head.len() > 1 && text.get(*place..).is_some_and(|rest| rest.starts_with(head));
    (start + 1..text.len()).filter(is_head)
}

fn lines(text: &[u8]) -> impl Iterator<Item = usize> {
    let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    newlines.filter(|place| matches!(text.get(*place), Some(b'{' | b'[')))
}

/// What a document is known again by.
fn head(text: &[u8]) -> &[u8] {
    let head = &text[..text.len().min(HEAD)];
    let key = head.iter().position(|byte| *byte == b':').map(|colon| &head[..=colon]);
    key.filter(|_| matches!(head.first(), Some(b'{' | b'['))).unwrap_or(&head[..head.len().min(4)])
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count()
}

fn reaches_to_the_end(text: &[u8], part: &[u8]) -> bool {
    text.trim_ascii_end().as_ptr_range().end == part.as_ptr_range().end
}

fn says_something(document: &[u8]) -> bool {
    document.iter().filter(|byte| !byte.is_ascii_whitespace()).count() > 2
}
