//! A text while operations are applied to it.

use std::ops::Range;

use super::change::View;
use super::edit::{Edit, make, replace};
use super::find::{Spot, find, find_present, not_there};
use super::outline::{Outline, Shape};
use super::pointer::Pointer;
use super::style::{Style, indentation};
use super::{Content, Refusal, elements_at};
use crate::document::Dialect;

/// The text as the operations so far have left it.
pub(super) struct Draft {
    bytes: Vec<u8>,
    dialect: Dialect,
    style: Style,
}

/// A value to be put somewhere.
pub(super) enum New<'v> {
    /// JSON, to be laid out like its neighbours.
    Json(Content<'v>),
    /// The same, members that are `null` left out (RFC 7386).
    Merged(Content<'v>),
    /// A piece of the document itself, as it is written, and the indentation of the line that it came from.
    Piece(Vec<u8>, Vec<u8>),
}

impl Draft {
    pub(super) fn new(content: Content) -> Self {
        Self { bytes: content.bytes.to_vec(), dialect: content.dialect, style: Style::of(content) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn content(&self) -> Content<'_> {
        Content { bytes: &self.bytes, dialect: self.dialect }
    }

    /// The content of one of its values.
    pub(super) fn part(&self, range: Range<usize>) -> Content<'_> {
        Content { bytes: self.bytes.get(range).unwrap_or_default(), dialect: inner_dialect(self.dialect) }
    }

    pub(super) fn view(&self) -> View<'_> {
        View { content: self.content(), style: &self.style }
    }

    pub(super) fn edit(&mut self, edits: Vec<Edit>) {
        self.bytes = make(&self.bytes, edits);
    }

    /// Makes the value at a pointer this one; the last step may be new.
    pub(super) fn set(&mut self, pointer: &Pointer, new: &New) -> Result<(), Refusal> {
        let edits = match find(self.content(), pointer)? {
            Spot::Whole(range) => vec![replace(range.clone(), self.whole(range, new)?)],
            Spot::Entry(outline, position) => vec![self.replacement(&outline, position, new)],
            Spot::Free(outline) => self.view().rewrite(&outline, &[], vec![self.entry(&outline, pointer, new)]),
        };
        self.edit(edits);
        Ok(())
    }

    /// The same, but an array gets one element more (RFC 6902, "add").
    pub(super) fn add(&mut self, pointer: &Pointer, new: &New) -> Result<(), Refusal> {
        match find(self.content(), pointer)? {
            Spot::Entry(outline, position) if !outline.is_object() => {
                let edits = self.view().insert_before(&outline, position, self.value(&outline, None, new));
                self.edit(edits);
                Ok(())
            }
            _ => self.set(pointer, new),
        }
    }

    /// Makes the value at a pointer, which must be there, this one.
    pub(super) fn replace(&mut self, pointer: &Pointer, new: &New) -> Result<(), Refusal> {
        find_present(self.content(), pointer)?;
        self.set(pointer, new)
    }

    /// Takes out what a pointer leads to; of a key that stands there twice, both.
    pub(super) fn remove(&mut self, pointer: &Pointer) -> Result<(), Refusal> {
        let edits = match find(self.content(), pointer)? {
            Spot::Whole(_) => return Err(Refusal::Wrong("the whole document cannot be taken out of itself".into())),
            Spot::Free(outline) => return Err(not_there(&outline, pointer)),
            Spot::Entry(outline, position) => {
                let gone = outline.namesakes(&self.bytes, position);
                self.view().rewrite(&outline, &gone, Vec::new())
            }
        };
        self.edit(edits);
        Ok(())
    }

    /// What stands at a pointer, to be put elsewhere as it is written.
    pub(super) fn piece(&self, pointer: &Pointer) -> Result<New<'static>, Refusal> {
        let range = find_present(self.content(), pointer)?;
        let indent = indentation(&self.bytes, range.start).to_vec();
        Ok(New::Piece(self.bytes[range].to_vec(), indent))
    }

    /// The array at a pointer.
    pub(super) fn array(&self, pointer: &Pointer) -> Result<Outline, Refusal> {
        let outline = match find(self.content(), pointer)? {
            Spot::Whole(_) => Outline::of_root(self.content()),
            Spot::Free(outline) => return Err(not_there(&outline, pointer)),
            Spot::Entry(outline, position) => Outline::at(self.content(), outline.entries[position].value.start),
        };
        let no_array = || Refusal::Absent { pointer: pointer.below("-"), why: format!("{pointer} is no array") };
        outline.filter(|outline| !outline.is_object()).ok_or_else(no_array)
    }

    /// The text of a new value of a container.
    pub(super) fn value(&self, outline: &Outline, replaced: Option<usize>, new: &New) -> Vec<u8> {
        let view = self.view();
        let old = replaced.and_then(|position| outline.entries.get(position));
        let old = old.filter(|old| self.is_filled(&old.value));
        let indent = match old {
            Some(old) if self.has_lines(&old.value) => Some(indentation(&self.bytes, old.start()).to_vec()),
            _ => view.entry_indent(outline),
        };
        let like = old.or_else(|| outline.entries.iter().rev().find(|entry| self.is_filled(&entry.value)));
        let in_lines = like.is_none_or(|like| self.has_lines(&like.value));
        self.laid_out(new, indent, in_lines)
    }

    /// The text of a new entry of an object: key and value.
    pub(super) fn member(&self, outline: &Outline, key: &str, new: &New) -> Vec<u8> {
        let value = self.value(outline, None, new);
        [self.key(outline, key).as_bytes(), &self.style.colon, &value].concat()
    }

    /// Another value for an entry that is there.
    pub(super) fn replacement(&self, outline: &Outline, position: usize, new: &New) -> Edit {
        let range = outline.entries.get(position).map_or(0..0, |entry| entry.value.clone());
        replace(range, self.value(outline, Some(position), new))
    }

    fn entry(&self, outline: &Outline, pointer: &Pointer, new: &New) -> Vec<u8> {
        match pointer.segments().last() {
            Some(key) if outline.is_object() => self.member(outline, key, new),
            _ => self.value(outline, None, new),
        }
    }

    /// A new key; a plain name without quotes where its neighbours have none.
    fn key(&self, outline: &Outline, key: &str) -> String {
        let neighbour = outline.entries.last().and_then(|entry| entry.key.clone());
        let is_bare = neighbour.is_some_and(|range| !matches!(self.bytes.get(range.start), Some(b'"' | b'\'')));
        let is_name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if is_bare && is_name { key.to_owned() } else { serde_json::Value::from(key).to_string() }
    }

    fn whole(&self, range: Range<usize>, new: &New) -> Result<Vec<u8>, Refusal> {
        if self.dialect != Dialect::Jsonl {
            let in_lines = !self.is_filled(&range) || self.has_lines(&range);
            return Ok(self.laid_out(new, Some(Vec::new()), in_lines));
        }
        let text = self.laid_out(new, None, false);
        let content = Content { bytes: &text, dialect: inner_dialect(self.dialect) };
        let lines = elements_at(content, &Pointer::default()).filter(|lines| !lines.is_empty());
        let lines = lines.ok_or_else(|| Refusal::Wrong("JSON Lines are an array of at least one line".into()))?;
        let newline = self.style.newline.as_bytes();
        Ok(lines.into_iter().flat_map(|line| [line, newline].concat()).collect())
    }

    fn laid_out(&self, new: &New, indent: Option<Vec<u8>>, in_lines: bool) -> Vec<u8> {
        let indent = indent.filter(|_| in_lines);
        match new {
            New::Json(json) => self.style.lay_out(*json, indent.as_deref(), false),
            New::Merged(json) => self.style.lay_out(*json, indent.as_deref(), true),
            New::Piece(text, from) => match indent {
                // In JSON5 a string may go on in the next line, whose blanks are part of it.
                Some(to) if self.dialect != Dialect::Json5 => moved(text, from, &to),
                _ => text.clone(),
            },
        }
    }

    /// Is it a container with something in it?
    fn is_filled(&self, range: &Range<usize>) -> bool {
        match self.bytes.get(range.clone()) {
            Some([b'{' | b'[', inner @ .., _]) => !inner.iter().all(u8::is_ascii_whitespace),
            _ => false,
        }
    }

    fn has_lines(&self, range: &Range<usize>) -> bool {
        self.bytes.get(range.clone()).is_some_and(|text| text.contains(&b'\n'))
    }
}

/// The dialect of one value: a line of JSON Lines is a value of its own.
pub(super) fn inner_dialect(dialect: Dialect) -> Dialect {
    if dialect == Dialect::Jsonl { Dialect::Python } else { dialect }
}

/// A text of several lines, all but the first indented anew.
fn moved(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut moved = lines.next().unwrap_or_default().to_vec();
    for line in lines {
        moved.push(b'\n');
        match line.strip_prefix(from) {
            Some(rest) => moved.extend([to, rest].concat()),
            None => moved.extend_from_slice(line),
        }
    }
    moved
}

impl Outline {
    /// Are its entries lines of the file?
    pub(super) fn is_lines(&self) -> bool {
        self.shape == Shape::Lines
    }
}
