//! What two documents differ in, by the path of each value: what was added, removed, changed, or only moved.
//!
//! Formatting, comments and the order of keys are no difference; neither is another spelling of the same number or
//! string (`1.0` and `1`, `"\u0041"` and `"A"`): what readers get counts. Of a key that an object has twice the last
//! counts, as it does for nearly every reader. The entries of arrays are matched by content, objects among them by what
//! identifies them; JSON Lines are an array of their lines.
//!
//! Both texts are read once into a flat tree of hashes, so that what is equal is seen at a glance and only what differs is
//! gone into. Nothing recurses. The time is linear but for arrays without anything to match by, where the work is capped:
//! then matches are missed, never differences.

mod align;
mod descent;
mod edits;
mod similar;
#[cfg(test)]
mod tests;

use crate::validate::{Content, Tree};

pub use crate::validate::{TooMany, Value};
use descent::Descent;

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is only in the new document.
    Added,
    /// It is only in the old one.
    Removed,
    /// Another value stands at its path.
    Changed,
    /// The same entry stands elsewhere in its array. What changed inside it is told beside.
    Moved,
}

impl How {
    /// Its word in documents.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }
}

/// One difference. What is added or removed whole is told once, at its topmost path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'t> {
    /// What became of it.
    pub how: How,
    /// Its JSON Pointer: in the new document, or in the old one if it was removed.
    pub path: String,
    /// Where it was, if it moved.
    pub from: Option<String>,
    /// What it was; `None`: it is new, or only moved.
    pub old: Option<Value<'t>>,
    /// What it is; `None`: it was removed, or only moved.
    pub new: Option<Value<'t>>,
}

/// How many paths differ: those of scalars and empty containers, however deep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Paths that only the new document has.
    pub added: u64,
    /// Paths that only the old one has.
    pub removed: u64,
    /// Paths at which another value stands.
    pub changed: u64,
    /// Entries of arrays that stand elsewhere in them.
    pub moved: u64,
}

impl Counts {
    /// Does nothing differ?
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The most values that a person waits for: 24 bytes of memory each.
pub const VALUES_MAX: usize = 16 << 20;

/// Tells every difference between two valid documents, in their order, and counts them. A text that is not valid is
/// compared as far as it reads: salvage it first.
///
/// # Errors
/// One of them holds more than `values_max` values.
pub fn compare<'t>(
    old: Content<'t>,
    new: Content<'t>,
    values_max: usize,
    each: &mut dyn FnMut(Change<'t>),
) -> Result<Counts, TooMany> {
    if old == new {
        return Ok(Counts::default());
    }
    let keys = std::hash::RandomState::new();
    let (old, new) = (Tree::of(old, &keys, values_max)?, Tree::of(new, &keys, values_max)?);
    Ok(Descent::new(&old, &new, each).run())
}

/// The counts alone, and the paths of the first few differences.
///
/// # Errors
/// As [`compare`].
pub fn summary(old: Content, new: Content, values_max: usize, paths: usize) -> Result<(Counts, Vec<String>), TooMany> {
    let mut first = Vec::new();
    let counts = compare(old, new, values_max, &mut |change| {
        if first.len() < paths {
            first.push(change.path);
        }
    })?;
    Ok((counts, first))
}
