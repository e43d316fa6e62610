//! How differences are shown: a line a path for people, with the values cut to what fits; an object for programs.

use std::ffi::OsStr;
use std::io::{self, Write};

use owo_colors::OwoColorize;
use serde_json::{Value as Json, json};

use crate::difference::{Change, Counts, How, Value};
use crate::error::Escaped;

/// So much of a value is shown, in characters.
const SHOWN: usize = 100;

/// One line, coloured; of what was added or removed whole, the value says how much it holds.
pub(super) fn line(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    let path = path_text(&change.path);
    let (old, new) = (change.old.map(abbreviated), change.new.map(abbreviated));
    let text = |value: Option<String>| value.unwrap_or_default();
    match change.how {
        How::Added => writeln!(out, "{}", format!("+ {path}: {}", text(new)).green()),
        How::Removed => writeln!(out, "{}", format!("- {path}: {}", text(old)).red()),
        How::Changed => writeln!(out, "{}", format!("~ {path}: {} -> {}", text(old), text(new)).yellow()),
        How::Moved => {
            let from = path_text(change.from.as_deref().unwrap_or_default());
            writeln!(out, "{}", format!("~ {path}: moved from {from}").yellow())
        }
    }
}

/// A JSON Pointer, safe to print; that of the whole document is empty.
fn path_text(pointer: &str) -> String {
    if pointer.is_empty() { "(the whole document)".to_owned() } else { Escaped(OsStr::new(pointer)).to_string() }
}

/// A value on one line, cut to what fits.
fn abbreviated(value: Value) -> String {
    let mut shown = Vec::new();
    let mut quote = None;
    let mut bytes = value.text.iter();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', Some(_)) => shown.extend([byte].into_iter().chain(bytes.next())),
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                shown.push(byte);
            }
            (byte, open) if open == Some(byte) => {
                quote = None;
                shown.push(byte);
            }
            (byte, None) if byte.is_ascii_whitespace() => {}
            (byte, _) => shown.push(byte),
        }
        if shown.len() > 4 * SHOWN {
            break;
        }
    }
    let shown: Vec<u8> = shown.into_iter().copied().collect();
    let text = String::from_utf8_lossy(&shown);
    let mut line: String = text.chars().take(SHOWN).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    let line = Escaped(OsStr::new(&line)).to_string();
    if value.values > 1 { format!("{line} ({} values)", value.values) } else { line }
}

/// `3 added, 1 removed, 0 changed`.
pub(super) fn counts_text(counts: &Counts) -> String {
    let Counts { added, removed, changed, moved } = counts;
    let moved = if *moved > 0 { format!(", {moved} moved") } else { String::new() };
    format!("{added} added, {removed} removed, {changed} changed{moved}")
}

/// `+3 -1 ~0`.
pub(super) fn counts_in_short(counts: &Counts) -> String {
    let Counts { added, removed, changed, moved } = counts;
    let moved = if *moved > 0 { format!(" >{moved}") } else { String::new() };
    format!("+{added} -{removed} ~{changed}{moved}")
}

/// The members of a document that counts differences.
pub(super) fn counts_json(counts: &Counts) -> Json {
    json!({"added": counts.added, "removed": counts.removed, "changed": counts.changed, "moved": counts.moved})
}

/// One difference, with its values whole.
pub(super) fn change_json(change: &Change) -> Json {
    let mut told = json!({"how": change.how.label(), "path": change.path});
    if let Some(from) = &change.from {
        told["from"] = from.as_str().into();
    }
    for (name, value) in [("old", change.old), ("new", change.new)] {
        if let Some(value) = value {
            told[name] = value_json(value);
        }
    }
    if let Some(value) = change.new.or(change.old).filter(|_| change.how != How::Changed) {
        told["values"] = value.values.into();
    }
    told
}

/// A value as JSON; as a string of its text where JSON has no such thing (NaN, a comment), or it is nested too deep.
fn value_json(value: Value) -> Json {
    serde_json::from_slice(value.text).unwrap_or_else(|_| String::from_utf8_lossy(value.text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, values: u64) -> String {
        abbreviated(Value { text: text.as_bytes(), values })
    }

    #[test]
    fn a_value_takes_one_line_and_cannot_steer_a_terminal() {
        assert_eq!(shown("{\n  \"a b\": [1,\n  \"c\\\" d\"]\n}", 2), "{\"a b\":[1,\"c\\\" d\"]} (2 values)");
        assert_eq!(shown("\"\u{9b}31m\u{202e}x\"", 1), "\"\\xc2\\x9b31m\\xe2\\x80\\xaex\"");
        let long = shown(&format!("\"{}\"", "ö".repeat(5_000)), 1);
        assert_eq!(long.chars().count(), SHOWN + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn counts_are_told_in_words_and_in_signs() {
        let counts = Counts { added: 3, removed: 0, changed: 1, moved: 0 };
        assert_eq!(counts_text(&counts), "3 added, 0 removed, 1 changed");
        assert_eq!(counts_in_short(&Counts { moved: 2, ..counts }), "+3 -0 ~1 >2");
    }
}
