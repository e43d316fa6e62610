//! JSON Patch (RFC 6902).

use super::draft::{Draft, New};
use super::operation::{Value, test};
use super::outline::Outline;
use super::pointer::Pointer;
use super::{Content, Refusal};
use crate::validate::unquote;

/// One operation of a JSON Patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A value is put there; an array gets one element more.
    Add(Pointer, Value),
    /// What is there goes.
    Remove(Pointer),
    /// What is there becomes this.
    Replace(Pointer, Value),
    /// What is at the first place goes to the second.
    Move(Pointer, Pointer),
    /// What is at the first place is put to the second too.
    Copy(Pointer, Pointer),
    /// This must be there.
    Test(Pointer, Value),
}

impl Step {
    pub(super) fn apply(&self, draft: &mut Draft) -> Result<(), Refusal> {
        match self {
            Self::Add(pointer, value) => draft.add(pointer, &New::Json(value.content())),
            Self::Remove(pointer) => draft.remove(pointer),
            Self::Replace(pointer, value) => draft.replace(pointer, &New::Json(value.content())),
            Self::Move(from, to) => relocate(draft, from, to),
            Self::Copy(from, to) => {
                let piece = draft.piece(from)?;
                draft.add(to, &piece)
            }
            Self::Test(pointer, value) => test(draft, pointer, value),
        }
    }
}

fn relocate(draft: &mut Draft, from: &Pointer, to: &Pointer) -> Result<(), Refusal> {
    if to.is_inside(from) {
        return Err(Refusal::Wrong(format!("{from} cannot be moved into itself, to {to}")));
    }
    let piece = draft.piece(from)?;
    if from == to {
        return Ok(());
    }
    draft.remove(from)?;
    draft.add(to, &piece)
}

/// Reads a JSON Patch.
///
/// # Errors
/// It is none; which of its operations is wrong, and why.
pub(super) fn read(patch: &Value) -> Result<Vec<Step>, String> {
    let content = patch.content();
    let outline = Outline::of_root(content).filter(|outline| !outline.is_object());
    let outline = outline.ok_or("a JSON Patch is an array of operations; for an object use --merge")?;
    let step = |(number, entry): (usize, &super::outline::Entry)| {
        let object = Outline::at(content, entry.value.start).filter(Outline::is_object);
        let step = object.ok_or_else(|| "it is no object".to_owned()).and_then(|object| one(content, &object));
        step.map_err(|why| format!("operation {}: {why}", number + 1))
    };
    outline.entries.iter().enumerate().map(step).collect()
}

fn one(content: Content, object: &Outline) -> Result<Step, String> {
    let fields = Fields { content, object };
    let path = || fields.pointer("path");
    match fields.string("op")?.as_str() {
        "add" => Ok(Step::Add(path()?, fields.value("value")?)),
        "remove" => Ok(Step::Remove(path()?)),
        "replace" => Ok(Step::Replace(path()?, fields.value("value")?)),
        "move" => Ok(Step::Move(fields.pointer("from")?, path()?)),
        "copy" => Ok(Step::Copy(fields.pointer("from")?, path()?)),
        "test" => Ok(Step::Test(path()?, fields.value("value")?)),
        other => Err(format!("{other:?} is no operation; there are add, remove, replace, move, copy and test")),
    }
}

/// The members of an operation; those that RFC 6902 does not know are passed over.
struct Fields<'t> {
    content: Content<'t>,
    object: &'t Outline,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<&[u8], String> {
        let bytes = self.content.bytes;
        let position = self.object.position(bytes, name).ok_or_else(|| format!("it has no {name:?}"))?;
        match self.object.namesakes(bytes, position).as_slice() {
            [only] => Ok(&bytes[self.object.entries[*only].value.clone()]),
            _ => Err(format!("it has {name:?} twice")),
        }
    }

    fn value(&self, name: &str) -> Result<Value, String> {
        Value::new(self.text(name)?)
    }

    fn string(&self, name: &str) -> Result<String, String> {
        match self.text(name)? {
            raw @ [b'"', ..] => Ok(unquote(raw).into_owned()),
            _ => Err(format!("its {name:?} is no string")),
        }
    }

    fn pointer(&self, name: &str) -> Result<Pointer, String> {
        self.string(name)?.parse()
    }
}
