//! What probably happened to a damaged document, in one plain sentence. It is told in logs and alerts, so it quotes
//! nothing: the values may be secrets.

use super::Content;
use super::dialect::reads;
use super::text::Text;
use super::token::Why;
use super::tokens::{Tokens, What};
use crate::document::Dialect;

/// The block of most file systems and the page of most processors: what a short write or a full disk cuts at.
const BLOCK_BYTES: usize = 4096;

/// A log line in front of a document is looked for in so many first lines.
const LOG_LINES: usize = 8;

/// So many first bytes of a document are looked for where it stops, to see whether it begins again there.
const HEAD_BYTES: usize = 8;

pub(super) fn empty(length: usize) -> String {
    match length {
        0 => "the file is empty: a rewrite that never finished, or a power cut before the data reached the disk".into(),
        _ => format!("nothing but blanks in {}", bytes(length)),
    }
}

pub(super) fn nul_filled(length: usize, start: usize, run: usize) -> String {
    let what = match (run == length, start + run == length) {
        (false, true) if run == 1 => format!("the last byte of {length} is NUL"),
        (true, _) => format!("all {} are NUL", bytes(length)),
        (_, true) => format!("the last {} of {length} are NUL", bytes(run)),
        _ => format!("{} of {length} are NUL", bytes(run)),
    };
    match start + run == length && run > 1 {
        true => format!("{what}: a power cut after the size was recorded and before the data reached the disk"),
        false if start.is_multiple_of(512) => {
            format!("{what}, from a block's beginning: a block that never reached the disk")
        }
        false => what,
    }
}

pub(super) fn conflict_markers() -> String {
    "a merge left its conflict markers: somebody has to choose".into()
}

pub(super) fn truncated(length: usize, depth: usize, in_character: bool) -> String {
    let inside = match (in_character, depth) {
        (true, _) => "in the middle of a character".into(),
        (_, 0) => "before its value does".into(),
        (_, 1) => "with 1 object or array still open".into(),
        (_, depth) => format!("with {depth} objects or arrays still open"),
    };
    if length.is_multiple_of(BLOCK_BYTES) {
        return format!("the text ends {inside}, after exactly {length} bytes: a full disk or a short write");
    }
    format!("the text ends {inside}: a write that was cut off")
}

/// `offset` is where something follows a whole object or array.
pub(super) fn trailing_data(all: &[u8], offset: usize, own: Dialect) -> String {
    let (document, rest) = all.split_at(offset);
    if reads(rest, own) {
        let same = document.trim_ascii() == rest.trim_ascii();
        let which = if same { "the same document stands there twice" } else { "two whole documents stand there" };
        return format!("{which}: appended instead of replaced, or two writers");
    }
    let begins = || matches!(rest.first(), Some(b'{' | b'['));
    match (begins() && !ends_what_was_longer(rest, own), rest.trim_ascii_end().last()) {
        (true, _) => "a whole document, and then a piece of another: two writers at once".into(),
        (_, Some(b'}' | b']')) => {
            "a whole document, and then the rest of a longer one: rewritten in place without cutting the file".into()
        }
        _ => format!("a whole document, and then {} that do not belong to it", bytes(rest.len())),
    }
}

/// Does more end in it than begins? Then it is no new document, but the rest of one, whatever it starts with.
fn ends_what_was_longer(rest: &[u8], own: Dialect) -> bool {
    let mut open = 0_u64;
    for token in Tokens::new(Content { bytes: rest, dialect: own }) {
        match token.what {
            What::Open(_) => open += 1,
            What::Close if open == 0 => return true,
            What::Close => open -= 1,
            What::Key | What::Scalar => {}
        }
    }
    false
}

pub(super) fn byte_order_mark() -> String {
    "a byte order mark in the middle: two texts were joined".into()
}

pub(super) fn encoding(all: &[u8]) -> String {
    let format = match all {
        [0x1f, 0x8b, ..] => "it is gzip data",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is zstd data",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive",
        [0x7f, b'E', b'L', b'F', ..] => "it is a program",
        _ if all.starts_with(b"SQLite format 3\0") => "it is an SQLite database",
        _ if one_wrong_byte(all) => "one byte is not UTF-8: a flipped bit, or a letter in Latin-1",
        _ if !all.contains(&0) && latin_one(all) => "not UTF-8; it looks like Latin-1 or Windows-1252",
        _ => "binary data stands where text should",
    };
    format.into()
}

fn one_wrong_byte(all: &[u8]) -> bool {
    let mut wrong = all.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty());
    wrong.next().is_some_and(|chunk| chunk.invalid().len() == 1) && wrong.next().is_none()
}

/// Text but for single bytes above 0x9f with ASCII around them: how Latin-1 looks to UTF-8.
fn latin_one(all: &[u8]) -> bool {
    all.utf8_chunks().all(|chunk| {
        let invalid = chunk.invalid();
        invalid.iter().all(|byte| *byte >= 0xa0) && !chunk.valid().bytes().any(|byte| byte < 0x09)
    })
}

/// `offset` is where the dialect stops because of `why`.
pub(super) fn syntax(text: &Text, offset: usize, why: Why, own: Dialect) -> String {
    if let Some(lines) = lines_in_front(text, offset, own) {
        let which = if lines == 1 { "a line stands" } else { "lines stand" };
        return format!("{which} in front of a whole document: a log message went into the file");
    }
    let expected = expected(why);
    if begins_again(text.bytes, offset) {
        return format!("{expected}; the document begins again there: two writers at once");
    }
    expected.into()
}

fn expected(why: Why) -> &'static str {
    match why {
        Why::AfterScalar => "more text follows the value",
        Why::Key => "a key should stand here",
        Why::Colon => "a colon should stand here",
        Why::CommaOrBrace => "a comma or a closing brace should stand here",
        Why::CommaOrBracket => "a comma or a closing bracket should stand here",
        Why::Digit => "a digit should stand here",
        Why::Escape => "no such escape exists",
        Why::Control => "a raw control character in a string, a line break for example: perhaps its end is missing",
        Why::Comment => "a slash begins no comment here",
        Why::LineEnd => "the line ends before its value does, and others follow: a write that was cut off",
        Why::End | Why::AfterContainer | Why::Value => "a value should stand here",
    }
}

/// How many lines stand in front of a whole document, if the first line is where it stops.
fn lines_in_front(text: &Text, offset: usize, own: Dialect) -> Option<usize> {
    let bytes = text.bytes;
    if bytes[..offset].contains(&b'\n') {
        return None;
    }
    let mut rest = bytes;
    for lines in 1..=LOG_LINES {
        let newline = rest.iter().position(|byte| *byte == b'\n')?;
        rest = &rest[newline + 1..];
        if matches!(rest.first(), Some(b'{' | b'[')) && reads(rest, own) {
            return Some(lines);
        }
    }
    None
}

/// Does the beginning of the document stand a second time just before or at `offset`?
fn begins_again(all: &[u8], offset: usize) -> bool {
    let Some(head) = all.first_chunk::<HEAD_BYTES>() else { return false };
    let from = offset.saturating_sub(4 * HEAD_BYTES).max(1);
    let to = (offset + HEAD_BYTES).min(all.len());
    matches!(head[0], b'{' | b'[')
        && all.get(from..to).is_some_and(|near| near.windows(HEAD_BYTES).any(|one| one == head))
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".into() } else { format!("{count} bytes") }
}
