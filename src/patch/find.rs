//! Where a pointer leads in a text.

use std::ops::Range;

use super::outline::{Outline, Shape};
use super::pointer::{Pointer, index};
use super::{Content, Refusal};
use crate::validate::Tokens;

/// Where a pointer leads.
#[derive(Debug)]
pub(super) enum Spot {
    /// To the whole document, whose value stands here.
    Whole(Range<usize>),
    /// To the entry with this number of a container.
    Entry(Outline, usize),
    /// To an entry that the container does not have, and could have next: a new key, or the end of an array.
    Free(Outline),
}

impl Spot {
    /// The range of the value, if there is one.
    pub(super) fn value(self) -> Option<Range<usize>> {
        match self {
            Self::Whole(range) => Some(range),
            Self::Entry(outline, position) => outline.entries.get(position).map(|entry| entry.value.clone()),
            Self::Free(_) => None,
        }
    }
}

/// Follows a pointer.
///
/// # Errors
/// `Absent`: something on the way is not there, or an array has no such place, not even next.
pub(super) fn find(content: Content, pointer: &Pointer) -> Result<Spot, Refusal> {
    let segments = pointer.segments();
    let Some((last, way)) = segments.split_last() else { return Ok(Spot::Whole(whole(content))) };
    let absent = |depth, why| Refusal::Absent { pointer: pointer.first(depth), why };
    let mut outline = Outline::of_root(content).ok_or_else(|| absent(1, inside_of_scalar(pointer, 0)))?;
    for (depth, segment) in way.iter().enumerate() {
        let position = outline.position(content.bytes, segment);
        let position = position.ok_or_else(|| absent(depth + 1, ends_at(&outline, pointer, depth)))?;
        let inner = outline.entries.get(position).and_then(|entry| Outline::at(content, entry.value.start));
        outline = inner.ok_or_else(|| absent(depth + 2, inside_of_scalar(pointer, depth + 1)))?;
    }
    if let Some(position) = outline.position(content.bytes, last) {
        return Ok(Spot::Entry(outline, position));
    }
    let is_next = outline.is_object() || last == "-" || index(last) == Some(outline.entries.len());
    if is_next { Ok(Spot::Free(outline)) } else { Err(absent(segments.len(), ends_at(&outline, pointer, way.len()))) }
}

/// Follows a pointer to a value that is there.
///
/// # Errors
/// `Absent`: it is not.
pub(super) fn find_present(content: Content, pointer: &Pointer) -> Result<Range<usize>, Refusal> {
    match find(content, pointer)? {
        Spot::Free(outline) => Err(not_there(&outline, pointer)),
        spot => spot.value().ok_or_else(|| Refusal::Wrong(format!("{pointer} leads nowhere"))),
    }
}

/// That the last step of a pointer leads to nothing.
pub(super) fn not_there(outline: &Outline, pointer: &Pointer) -> Refusal {
    let depth = pointer.segments().len().saturating_sub(1);
    Refusal::Absent { pointer: pointer.clone(), why: ends_at(outline, pointer, depth) }
}

fn whole(content: Content) -> Range<usize> {
    match Outline::of_root(content) {
        Some(Outline { shape: Shape::Lines, inner, .. }) => inner,
        Some(Outline { inner, .. }) => inner.start - 1..inner.end + 1,
        None => Tokens::new(content).next().map_or(0..0, |token| token.offset..token.offset + token.raw.len()),
    }
}

/// What the container after `depth` steps of the way is, and why the next step leads nowhere.
fn ends_at(outline: &Outline, pointer: &Pointer, depth: usize) -> String {
    let reached = pointer.first(depth);
    match outline.shape {
        Shape::Object => format!("{reached} is an object without that key"),
        Shape::Array | Shape::Lines => {
            let count = outline.entries.len();
            let elements = if count == 1 { "1 element".to_owned() } else { format!("{count} elements") };
            format!("{reached} is an array of {elements}")
        }
    }
}

fn inside_of_scalar(pointer: &Pointer, depth: usize) -> String {
    format!("{} is neither object nor array", pointer.first(depth))
}
