//! What can be asked of a document, as people write it.

use super::draft::{Draft, New, inner_dialect};
use super::find::find_present;
use super::pointer::Pointer;
use super::sequence::{self, Step};
use super::{Content, Refusal, elements_at, is_same_value, merge};
use crate::document::Dialect;
use crate::validate::{findings, reads_as};
use crate::verdict::Finding;

/// A JSON text: one value, with the blanks around it taken off. Its numbers and strings stay as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// Reads a JSON text; `NaN` and its kin are left to the dialect of the document.
    ///
    /// # Errors
    /// It is none: where, and why.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, String> {
        let text = text.as_ref().trim_ascii();
        match reads_as(text, Dialect::Python) {
            Ok(()) => Ok(Self(text.to_vec())),
            Err(fault) => Err(format!("{}: {}: {}", fault.place, fault.kind, fault.cause)),
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn content(&self) -> Content<'_> {
        Content { bytes: &self.0, dialect: Dialect::Python }
    }
}

/// One change, or one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The value at a pointer becomes this one. The last step of the way may be new: a key, or `-` for the end of an array.
    Set(Pointer, Value),
    /// JSON Merge Patch (RFC 7386).
    Merge(Value),
    /// JSON Patch (RFC 6902).
    Sequence(Vec<Step>),
    /// Nothing is changed at all unless this value stands there.
    Test(Pointer, Value),
    /// Values are added to the end of an array.
    Append(Pointer, Vec<Value>),
    /// So many elements at the start of an array are taken out.
    RemoveFirst(Pointer, usize),
}

impl Operation {
    /// `POINTER=JSON`, to be set.
    ///
    /// # Errors
    /// It is not written so.
    pub fn set(text: &str) -> Result<Self, String> {
        pair(text).map(|(pointer, value)| Self::Set(pointer, value))
    }

    /// `POINTER=JSON`, to be tested.
    ///
    /// # Errors
    /// It is not written so.
    pub fn test(text: &str) -> Result<Self, String> {
        pair(text).map(|(pointer, value)| Self::Test(pointer, value))
    }

    /// A JSON Merge Patch.
    ///
    /// # Errors
    /// It is no JSON, or an object has a key twice.
    pub fn merge(text: &str) -> Result<Self, String> {
        let value = Value::new(text)?;
        let found = findings(value.content());
        match found.iter().find(|found| found.finding == Finding::DuplicateKey) {
            Some(twice) => Err(format!("{}: the key stands there twice", twice.place)),
            None => Ok(Self::Merge(value)),
        }
    }

    /// A JSON Patch.
    ///
    /// # Errors
    /// It is none.
    pub fn sequence(text: &str) -> Result<Self, String> {
        sequence::read(&Value::new(text)?).map(Self::Sequence)
    }

    pub(super) fn apply(&self, draft: &mut Draft) -> Result<(), Refusal> {
        match self {
            Self::Set(pointer, value) => draft.set(pointer, &New::Json(value.content())),
            Self::Merge(patch) => merge::apply(draft, patch),
            Self::Sequence(steps) => steps.iter().try_for_each(|step| step.apply(draft)),
            Self::Test(pointer, value) => test(draft, pointer, value),
            Self::Append(pointer, values) => {
                let outline = draft.array(pointer)?;
                let text = |value: &Value| draft.value(&outline, None, &New::Json(value.content()));
                let edits = draft.view().rewrite(&outline, &[], values.iter().map(text).collect());
                draft.edit(edits);
                Ok(())
            }
            Self::RemoveFirst(pointer, count) => {
                let outline = draft.array(pointer)?;
                let gone: Vec<usize> = (0..outline.entries.len().min(*count)).collect();
                let edits = draft.view().rewrite(&outline, &gone, Vec::new());
                draft.edit(edits);
                Ok(())
            }
        }
    }
}

/// Compares by value; JSON Lines as the array of their lines.
pub(super) fn test(draft: &Draft, pointer: &Pointer, value: &Value) -> Result<(), Refusal> {
    let range = find_present(draft.content(), pointer)?;
    let present = draft.part(range);
    let is_lines = pointer.segments().is_empty() && draft.content().dialect == Dialect::Jsonl;
    let is_same = if is_lines {
        let lines =
            [b"[".as_slice(), &elements_at(draft.content(), pointer).unwrap_or_default().join(&b','), b"]"].concat();
        is_same_value(Content { bytes: &lines, dialect: inner_dialect(Dialect::Jsonl) }, value.content())
    } else {
        is_same_value(present, value.content())
    };
    if is_same { Ok(()) } else { Err(Refusal::Differs(pointer.clone())) }
}

/// The first `=` with JSON behind it ends the pointer: a key may hold one, too.
fn pair(text: &str) -> Result<(Pointer, Value), String> {
    let mut first_problem = None;
    for (at, _) in text.match_indices('=') {
        let (pointer, value) = (&text[..at], &text[at + 1..]);
        match Value::new(value) {
            Ok(value) => return pointer.parse().map(|pointer| (pointer, value)),
            Err(why) => first_problem = first_problem.or(Some((value, why))),
        }
    }
    Err(match first_problem {
        None => format!("{text:?} has no equals sign; write POINTER=JSON, such as /lamp/level=7"),
        Some((value, why)) => format!("{value:?} is no JSON ({why}); a string needs its quotes: '/name=\"value\"'"),
    })
}
