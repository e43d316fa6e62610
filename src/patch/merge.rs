//! JSON Merge Patch (RFC 7386), all of it in one set of edits.

use std::borrow::Cow;
use std::collections::HashMap;

use super::draft::{Draft, New};
use super::edit::Edit;
use super::operation::Value;
use super::outline::Outline;
use super::pointer::Pointer;
use super::{Content, Refusal};
use crate::validate::unquote;

/// Merges `patch` into the text.
pub(super) fn apply(draft: &mut Draft, patch: &Value) -> Result<(), Refusal> {
    let patch = patch.content();
    let target = Outline::of_root(draft.content());
    let is_object = patch.bytes.starts_with(b"{");
    match target {
        Some(target) if target.is_lines() && is_object => Err(Refusal::Wrong(
            "JSON Lines are an array of lines, which no object can be merged with; name a line: --set /0/key=1".into(),
        )),
        Some(target) if target.is_object() && is_object => {
            let edits = merged(draft, target, patch);
            draft.edit(edits);
            Ok(())
        }
        _ if is_object => draft.set(&Pointer::default(), &New::Merged(patch)),
        _ => draft.set(&Pointer::default(), &New::Json(patch)),
    }
}

fn merged(draft: &Draft, target: Outline, patch: Content) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut open = vec![(target, 0)];
    while let Some((target, offset)) = open.pop() {
        let Some(patch_object) = Outline::at(patch, offset) else { continue };
        let keys = keys(draft, &target);
        let (mut gone, mut added) = (Vec::new(), Vec::new());
        for entry in patch_object.entries {
            let key = unquote(entry.key.and_then(|range| patch.bytes.get(range)).unwrap_or_default());
            let text = Content { bytes: patch.bytes.get(entry.value.clone()).unwrap_or_default(), ..patch };
            let is_object = text.bytes.starts_with(b"{");
            let new = if is_object { New::Merged(text) } else { New::Json(text) };
            match keys.get(&key).copied() {
                None if text.bytes == b"null" => {}
                None => added.push(draft.member(&target, &key, &new)),
                Some(found) if text.bytes == b"null" => gone.extend(found.all(draft, &target)),
                Some(Found { last, .. }) => {
                    let inner = Outline::at(draft.content(), target.entries[last].value.start);
                    match inner.filter(|inner| is_object && inner.is_object()) {
                        Some(inner) => open.push((inner, entry.value.start)),
                        None => edits.push(draft.replacement(&target, last, &new)),
                    }
                }
            }
        }
        edits.extend(draft.view().rewrite(&target, &gone, added));
    }
    edits
}

/// Where a key stands in an object.
#[derive(Clone, Copy)]
struct Found {
    last: usize,
    is_alone: bool,
}

impl Found {
    fn all(self, draft: &Draft, target: &Outline) -> Vec<usize> {
        if self.is_alone { vec![self.last] } else { target.namesakes(draft.content().bytes, self.last) }
    }
}

fn keys<'t>(draft: &'t Draft, target: &Outline) -> HashMap<Cow<'t, str>, Found> {
    let mut keys = HashMap::with_capacity(target.entries.len());
    for (last, entry) in target.entries.iter().enumerate() {
        let raw = entry.key.clone().and_then(|range| draft.content().bytes.get(range));
        let is_alone = !keys.contains_key(&unquote(raw.unwrap_or_default()));
        keys.insert(unquote(raw.unwrap_or_default()), Found { last, is_alone });
    }
    keys
}
