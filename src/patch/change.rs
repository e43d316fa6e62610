//! What becomes of the entries of one container, as edits of the text around them.

use std::ops::Range;

use super::edit::{Edit, delete, insert, replace, with_blank_line};
use super::outline::{Entry, Outline, Shape};
use super::style::{Style, indentation};
use super::{Content, lines};
use crate::document::Dialect;
use crate::validate::behind_blanks;

/// A text to be changed.
#[derive(Clone, Copy)]
pub(super) struct View<'t> {
    /// The text.
    pub(super) content: Content<'t>,
    /// How it is laid out.
    pub(super) style: &'t Style,
}

impl View<'_> {
    /// The indentation of a container's entries; `None`: they stand in one line.
    pub(super) fn entry_indent(&self, outline: &Outline) -> Option<Vec<u8>> {
        if outline.shape == Shape::Lines {
            return None;
        }
        let bytes = self.content.bytes;
        match outline.entries.last() {
            Some(last) => self.begins_line(last).then(|| indentation(bytes, last.start()).to_vec()),
            None => self.style.unit.as_ref().map(|unit| [indentation(bytes, outline.inner.start), unit].concat()),
        }
    }

    fn begins_line(&self, entry: &Entry) -> bool {
        let before = self.content.bytes.get(..entry.start()).unwrap_or_default();
        let last = before.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        last == Some(&b'\n')
    }

    /// What stands before an entry of the container that is not the first of its line.
    fn gap(&self, outline: &Outline) -> Vec<u8> {
        match self.entry_indent(outline) {
            Some(indent) => [self.style.newline.as_bytes(), &indent].concat(),
            None => self.style.space.clone(),
        }
    }

    /// Adds entries behind all others, those in `gone` taken out.
    pub(super) fn rewrite(&self, outline: &Outline, gone: &[usize], mut added: Vec<Vec<u8>>) -> Vec<Edit> {
        if outline.shape == Shape::Lines {
            return lines::rewrite(self, outline, gone, &added);
        }
        let mut is_gone = vec![false; outline.entries.len()];
        for position in gone {
            is_gone[*position] = true;
        }
        let Some(survivor) = is_gone.iter().rposition(|is_gone| !is_gone) else {
            return match outline.entries.first() {
                None => self.fill(outline, &added),
                Some(_) if added.is_empty() => self.empty(outline),
                Some(first) => {
                    // The first new entry stands where the first old one stood.
                    is_gone[0] = false;
                    let mut edits = vec![replace(first.start()..first.end(), added.remove(0))];
                    edits.extend(self.append(outline, 0, &added));
                    edits.extend(self.remove(outline, &is_gone, 0));
                    edits
                }
            };
        };
        let mut edits = self.append(outline, survivor, &added);
        edits.extend(self.remove(outline, &is_gone, survivor));
        edits
    }

    /// Puts an entry before that at `position`.
    pub(super) fn insert_before(&self, outline: &Outline, position: usize, added: Vec<u8>) -> Vec<Edit> {
        let Some(entry) = outline.entries.get(position) else { return self.rewrite(outline, &[], vec![added]) };
        if outline.shape == Shape::Lines {
            return lines::insert_before(self, entry, &added);
        }
        let gap = if self.begins_line(entry) {
            [self.style.newline.as_bytes(), indentation(self.content.bytes, entry.start())].concat()
        } else {
            self.style.space.clone()
        };
        vec![insert(entry.start(), [added.as_slice(), b",", &gap].concat())]
    }

    /// Adds entries behind the one at `survivor`, behind which none stays.
    fn append(&self, outline: &Outline, survivor: usize, added: &[Vec<u8>]) -> Vec<Edit> {
        let (Some(last), false) = (outline.entries.get(survivor), added.is_empty()) else { return Vec::new() };
        let gap = self.gap(outline);
        let starts_line = gap.contains(&b'\n');
        let trailing = outline.entries.last().and_then(|last| self.comma_behind(last.end()));
        let behind = if trailing.is_some() { self.comma_behind(last.end()).map(|comma| comma + 1) } else { None };
        let place = |at| if starts_line { self.behind_comments_of_line(at) } else { at };
        if let Some(behind) = behind {
            let text = added.iter().flat_map(|text| [gap.as_slice(), text, b","].concat());
            return vec![insert(place(behind), text.collect::<Vec<_>>())];
        }
        let text = added.iter().map(|text| [gap.as_slice(), text].concat()).collect::<Vec<_>>().join(&b',');
        vec![insert(last.end(), ","), insert(place(last.end()), text)]
    }

    /// Puts the first entries into an empty container.
    fn fill(&self, outline: &Outline, added: &[Vec<u8>]) -> Vec<Edit> {
        if added.is_empty() {
            return Vec::new();
        }
        let gap = self.gap(outline);
        let starts_line = gap.contains(&b'\n');
        let joint = [b",".as_slice(), &gap].concat();
        let text = added.join(joint.as_slice());
        let bytes = self.content.bytes;
        let inner = &bytes[outline.inner.clone()];
        if !is_blank(inner) {
            // A comment: behind it, before the blanks that the bracket stands behind.
            let at = outline.inner.end - inner.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
            let own_line = if bytes[at..outline.inner.end].contains(&b'\n') && !starts_line { "\n" } else { "" };
            let gap = if own_line.is_empty() { gap.as_slice() } else { own_line.as_bytes() };
            return vec![insert(at, [gap, &text].concat())];
        }
        if !starts_line {
            return vec![replace(outline.inner.clone(), text)];
        }
        let closing = [self.style.newline.as_bytes(), indentation(bytes, outline.inner.start)].concat();
        vec![replace(outline.inner.clone(), [gap, text, closing].concat())]
    }

    /// Takes out all entries.
    fn empty(&self, outline: &Outline) -> Vec<Edit> {
        let starts = outline.entries.iter().map(Entry::start).chain([outline.inner.end]);
        let ends = [outline.inner.start].into_iter().chain(outline.entries.iter().map(Entry::end));
        if starts.zip(ends).all(|(start, end)| self.is_bare(end..start)) {
            return vec![delete(outline.inner.clone())];
        }
        outline.entries.iter().flat_map(|entry| self.delete_with_comma(entry)).collect()
    }

    /// Takes out entries; behind `survivor`, the last that stays, all go.
    fn remove(&self, outline: &Outline, is_gone: &[bool], survivor: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        let pairs = outline.entries.iter().zip(outline.entries.iter().skip(1));
        for ((entry, next), _) in pairs.zip(is_gone).take(survivor).filter(|(_, is_gone)| **is_gone) {
            if self.is_bare(entry.end()..next.start()) {
                edits.push(delete(entry.start()..next.start()));
            } else {
                edits.extend(self.delete_with_comma(entry));
            }
        }
        edits.extend(self.remove_behind(outline, survivor));
        edits
    }

    /// Takes out all entries behind one that stays, and the comma that is one too many then.
    fn remove_behind(&self, outline: &Outline, survivor: usize) -> Vec<Edit> {
        let tail = &outline.entries[survivor + 1..];
        let (Some(comma), Some(last)) = (self.comma_behind(outline.entries[survivor].end()), tail.last()) else {
            return Vec::new();
        };
        // A comma behind the last entry stays one.
        let (start, end) = match self.comma_behind(last.end()) {
            Some(trailing) => (comma + 1, trailing + 1),
            None => (comma, last.end()),
        };
        let ends = [comma + 1].into_iter().chain(tail.iter().map(Entry::end));
        let gaps_are_bare = ends.zip(tail.iter().map(Entry::start)).all(|(end, start)| self.is_bare(end..start));
        if gaps_are_bare && self.is_bare(last.end()..end) {
            return vec![delete(start..end)];
        }
        let comma = (start == comma).then(|| delete(comma..comma + 1));
        comma.into_iter().chain(tail.iter().flat_map(|entry| self.delete_with_comma(entry))).collect()
    }

    /// Takes out an entry and its comma, and keeps the comments around them.
    fn delete_with_comma(&self, entry: &Entry) -> Vec<Edit> {
        let whole_line = |range| delete(with_blank_line(self.content.bytes, range));
        match self.comma_behind(entry.end()) {
            Some(comma) if self.is_bare(entry.end()..comma) => vec![whole_line(entry.start()..comma + 1)],
            Some(comma) => vec![delete(entry.start()..entry.end()), delete(comma..comma + 1)],
            None => vec![whole_line(entry.start()..entry.end())],
        }
    }

    /// Where the comma behind an entry stands, if one does.
    fn comma_behind(&self, end: usize) -> Option<usize> {
        let at = behind_blanks(self.content, end);
        (self.content.bytes.get(at) == Some(&b',')).then_some(at)
    }

    /// Does nothing stand there but blanks and commas: no comment?
    fn is_bare(&self, range: Range<usize>) -> bool {
        let gap = self.content.bytes.get(range).unwrap_or_default();
        gap.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b',')
    }

    /// Behind the comments that follow in the same line.
    fn behind_comments_of_line(&self, at: usize) -> usize {
        let has_comments = matches!(self.content.dialect, Dialect::Jsonc | Dialect::Json5);
        if has_comments { comments_end(self.content.bytes, at) } else { at }
    }
}

fn comments_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let spaces = bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = &bytes[at + spaces..];
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
        } else {
            return at;
        };
        if rest[..length].contains(&b'\n') {
            return at;
        }
        at += spaces + length;
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}
