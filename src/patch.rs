//! Changing a document without rewriting it: operations edit the text, and every byte that they do not touch stays as it
//! was: the order of keys, the text of numbers, comments, indentation. Pure functions over bytes; nothing recurses.
//!
//! An operation finds its place in one reading of the text (`outline`), says what is to become of the entries there
//! (`change`) in the manner of their neighbours (`style`), and the edits are made in one go (`edit`). After the last
//! operation the whole text is read once more in the document's dialect.

mod change;
mod draft;
mod edit;
mod find;
mod lines;
mod meaning;
mod merge;
mod operation;
mod outline;
mod pointer;
mod sequence;
mod style;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod formatting;
#[cfg(test)]
mod properties;

use crate::error::{Cause, Error};
use crate::validate::{Content, Tokens, reads_as};
use draft::Draft;
use find::{Spot, find};
use outline::Outline;

pub use operation::{Operation, Value};
pub use pointer::Pointer;
pub use sequence::Step;

/// Why operations are not applied. Nothing of them is, then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The operation makes no sense, whatever the document says.
    #[error("{0}")]
    Wrong(String),
    /// It needs something that is not there.
    #[error("there is no {pointer}: {why}")]
    Absent {
        /// What is needed.
        pointer: Pointer,
        /// How far the document goes.
        why: String,
    },
    /// A test does not hold.
    #[error("the test of {0} does not hold: another value stands there")]
    Differs(Pointer),
    /// The result would be no document in the dialect of this one.
    #[error("the result would not read: {0}")]
    Unreadable(String),
}

impl Refusal {
    /// As the error of `doing` this to the document at `path`.
    #[must_use]
    pub fn into_error(self, doing: &'static str, path: &std::path::Path) -> Error {
        let why = self.to_string();
        let cause = match self {
            Self::Wrong(_) => Cause::Usage(why),
            Self::Absent { .. } | Self::Differs(_) | Self::Unreadable(_) => Cause::Absent(why),
        };
        Error::new(doing, path, cause)
    }
}

/// Applies operations to a valid text, each to what the one before it left. Linear in the length of the text for each.
///
/// # Errors
/// One of them cannot be applied, a test does not hold, or the result would not read.
pub fn apply(content: Content, operations: &[Operation]) -> Result<Vec<u8>, Refusal> {
    let mut draft = Draft::new(content);
    for operation in operations {
        operation.apply(&mut draft)?;
    }
    let bytes = draft.into_bytes();
    match reads_as(&bytes, content.dialect) {
        Ok(()) => Ok(bytes),
        Err(fault) => Err(Refusal::Unreadable(format!("{}: {}: {}", fault.place, fault.kind, fault.cause))),
    }
}

/// The text of the value at `pointer` in a valid text; of a key that stands there twice the last counts.
#[must_use]
pub fn value_at<'t>(content: Content<'t>, pointer: &Pointer) -> Option<&'t [u8]> {
    let range = find(content, pointer).ok()?.value()?;
    content.bytes.get(range)
}

/// The texts of the elements of the array at `pointer`; `None`: there is none.
#[must_use]
pub fn elements_at<'t>(content: Content<'t>, pointer: &Pointer) -> Option<Vec<&'t [u8]>> {
    let outline = match find(content, pointer).ok()? {
        Spot::Whole(_) => Outline::of_root(content)?,
        Spot::Entry(outline, position) => Outline::at(content, outline.entries.get(position)?.value.start)?,
        Spot::Free(_) => return None,
    };
    let texts = outline.entries.iter().map(|entry| content.bytes.get(entry.value.clone()));
    if outline.is_object() { None } else { texts.collect() }
}

/// A value in one line, without blanks between its tokens.
#[must_use]
pub fn in_one_line(value: Content) -> Vec<u8> {
    one_line(value, b":", b"")
}

/// A value in one line, for people: a blank behind every colon and comma.
#[must_use]
pub fn in_one_wide_line(value: Content) -> Vec<u8> {
    one_line(value, b": ", b" ")
}

fn one_line(value: Content, colon: &[u8], space: &[u8]) -> Vec<u8> {
    let style = style::Style { newline: "\n", unit: None, colon: colon.to_vec(), space: space.to_vec() };
    style.lay_out(value, None, false)
}

/// Do two texts say the same value? Objects are sets of members, numbers are compared by what they mean.
#[must_use]
pub fn is_same_value(one: Content, other: Content) -> bool {
    meaning::of(Tokens::new(one)) == meaning::of(Tokens::new(other))
}
