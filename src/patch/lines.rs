//! The entries of JSON Lines: whole lines come and go.

use super::change::View;
use super::edit::{Edit, delete, insert};
use super::outline::{Entry, Outline};

/// Takes lines out, and adds others at the end.
pub(super) fn rewrite(view: &View, outline: &Outline, gone: &[usize], added: &[Vec<u8>]) -> Vec<Edit> {
    let bytes = view.content.bytes;
    let newline = view.style.newline.as_bytes();
    let gone = gone.iter().filter_map(|position| outline.entries.get(*position));
    let mut edits: Vec<Edit> = gone.map(|entry| delete(line_start(bytes, entry)..line_end(bytes, entry))).collect();
    let ends_line = bytes.is_empty() || bytes.ends_with(b"\n");
    let line = |text: &Vec<u8>| if ends_line { [text, newline].concat() } else { [newline, text].concat() };
    edits.push(insert(bytes.len(), added.iter().flat_map(line).collect::<Vec<_>>()));
    edits
}

/// Puts a line before that of an entry.
pub(super) fn insert_before(view: &View, entry: &Entry, added: &[u8]) -> Vec<Edit> {
    let line = [added, view.style.newline.as_bytes()].concat();
    vec![insert(line_start(view.content.bytes, entry), line)]
}

fn line_start(bytes: &[u8], entry: &Entry) -> usize {
    let newline = bytes[..entry.start()].iter().rposition(|byte| *byte == b'\n');
    newline.map_or_else(|| entry.start(), |newline| newline + 1)
}

fn line_end(bytes: &[u8], entry: &Entry) -> usize {
    let newline = bytes[entry.end()..].iter().position(|byte| *byte == b'\n');
    newline.map_or(bytes.len(), |newline| entry.end() + newline + 1)
}
