//! The line that a fault shows in, as far as it fits on a terminal, and where a caret belongs below it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use crate::error::Escaped;
use crate::verdict::Place;

/// So many characters before the place are shown, and after it.
const BEFORE: usize = 50;
const AFTER: usize = 40;

/// The most bytes that a character of UTF-8 has.
const WIDEST: usize = 4;

/// The line around a place, control characters escaped and the far ends cut off; and how many characters stand in front
/// of the place in it.
pub(super) fn excerpt(bytes: &[u8], place: Place) -> (String, usize) {
    let at = usize::try_from(place.offset).unwrap_or(usize::MAX).min(bytes.len());
    let (before, after) = bytes.split_at(at);
    let before = &before[before.len().saturating_sub(BEFORE * WIDEST)..];
    let line = before.iter().rposition(|byte| *byte == b'\n').map(|newline| &before[newline + 1..]);
    let is_cut_before = line.is_none() && at > before.len();
    let (front, is_longer) = last_characters(line.unwrap_or(before));
    let front = front.strip_prefix('\u{feff}').unwrap_or(front.as_str()).to_owned();
    let (back, is_cut_after) = first_characters(&after[..after.len().min(AFTER * WIDEST)], after.len());
    let mut shown = if is_cut_before || is_longer { "…".to_owned() } else { String::new() };
    shown.push_str(&visible(&front));
    let caret = shown.chars().count();
    // Writing to a String cannot fail.
    let _ = write!(shown, "{}{}", visible(&back), if is_cut_after { "…" } else { "" });
    (shown, caret)
}

/// What is left of the last characters of a line's beginning, and whether there are more.
fn last_characters(bytes: &[u8]) -> (String, bool) {
    let text = text(bytes);
    let surplus = text.chars().count().saturating_sub(BEFORE);
    (text.chars().skip(surplus).collect(), surplus > 0)
}

fn first_characters(window: &[u8], all: usize) -> (String, bool) {
    let end = window.iter().position(|byte| *byte == b'\n');
    let line = text(&window[..end.unwrap_or(window.len())]);
    let line = line.strip_suffix('\r').unwrap_or(&line);
    let is_cut = line.chars().count() > AFTER || (end.is_none() && all > window.len());
    (line.chars().take(AFTER).collect(), is_cut)
}

/// Tabs are as wide as blanks here, so that the caret stands right.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\t', " ")
}

/// Nothing in it steers a terminal.
fn visible(text: &str) -> String {
    Escaped(OsStr::from_bytes(text.as_bytes())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &[u8], offset: usize) -> (String, usize) {
        excerpt(text, Place { line: 1, column: 1, offset: offset as u64 })
    }

    #[test]
    fn the_line_is_shown_and_the_caret_stands_below_the_place() {
        let text = b"{\n\t\"a\": x\r\n}";
        assert_eq!(at(text, 8), (" \"a\": x".to_owned(), 6));
        assert_eq!(at(text, text.len()), ("}".to_owned(), 1));
        assert_eq!(at("\u{feff}{x".as_bytes(), 4), ("{x".to_owned(), 1));
        assert_eq!(at(b"", 0), (String::new(), 0));
    }

    #[test]
    fn of_a_long_line_only_what_is_near_is_shown() {
        let line = "ä".repeat(1_000_000);
        let (shown, caret) = at(line.as_bytes(), 1_000_000);
        assert_eq!((shown.chars().count(), caret), (1 + BEFORE + AFTER + 1, 1 + BEFORE));
        assert!(shown.starts_with('…') && shown.ends_with("ä…"));
    }

    #[test]
    fn nothing_in_a_document_steers_the_terminal() {
        let (shown, caret) = at(b"\"\x1b[31m\x07\xff\" x", 10);
        assert_eq!(shown, "\"\\x1b[31m\\x07\u{fffd}\" x");
        assert_eq!(shown.chars().nth(caret), Some('x'));
    }
}
