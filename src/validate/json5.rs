//! What JSON5 has beyond JSONC (spec.json5.org, ECMAScript 5.1): other quotes, keys, numbers and blanks.
//!
//! Two places differ from the letter, both towards the readers and away from damage. Keys without quotes may hold any
//! character beyond ASCII that is no blank, so no Unicode table decides about somebody's file. Strings may hold a raw tab, but no other
//! control character: the letter allows NUL bytes there, which no writer makes and every power cut does.

use super::token::{Halt, Step, Why, digits, exponent, halt, hex_digits, some_digits, word};

/// How long the blank is that begins at `at`; 0 if none does. ASCII blanks of plain JSON included.
pub(super) fn blank(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) => 1,
        Some(byte) if *byte >= 0x80 => wide_blank(&text[at..]),
        _ => 0,
    }
}

fn wide_blank(rest: &[u8]) -> usize {
    let character = first_character(rest);
    // U+FEFF is a blank to ECMAScript 5.1, though not to Unicode.
    character.filter(|one| (one.is_whitespace() && *one != '\u{85}') || *one == '\u{feff}').map_or(0, char::len_utf8)
}

fn first_character(rest: &[u8]) -> Option<char> {
    rest.get(..rest.len().min(4))?.utf8_chunks().next()?.valid().chars().next()
}

/// Does U+2028 or U+2029 begin here? They end a line.
pub(super) fn is_line_separator(rest: &[u8]) -> bool {
    rest.starts_with("\u{2028}".as_bytes()) || rest.starts_with("\u{2029}".as_bytes())
}

/// A string, from behind its quotation mark to behind the closing one.
pub(super) fn string(text: &[u8], mut at: usize, quote: u8) -> Step {
    loop {
        match text.get(at) {
            Some(byte) if *byte == quote => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at)?,
            Some(byte) if *byte < 0x20 && *byte != b'\t' => return Err(halt(text, at, Why::Control)),
            Some(_) => at += 1,
            None => return Err(halt(text, at, Why::End)),
        }
    }
}

/// An escape, from its backslash on: anything may be escaped but digits other than a lone 0; an escaped line end is a
/// string that goes on in the next line.
fn escape(text: &[u8], at: usize) -> Step {
    match text.get(at + 1) {
        Some(b'x') => hex_digits(text, at + 2, 2),
        Some(b'u') => hex_digits(text, at + 2, 4),
        Some(b'\r') if text.get(at + 2) == Some(&b'\n') => Ok(at + 3),
        Some(b'0') if !text.get(at + 2).is_some_and(u8::is_ascii_digit) => Ok(at + 2),
        Some(b'0'..=b'9') => Err(halt(text, at, Why::Escape)),
        Some(byte) if *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t') => Err(halt(text, at, Why::Control)),
        // The following bytes of a character beyond ASCII are ordinary to the string.
        Some(_) => Ok(at + 2),
        None => Err(halt(text, at + 1, Why::End)),
    }
}

/// A key: a string in either kind of quotes, or a name.
pub(super) fn key(text: &[u8], at: usize) -> Step {
    match text.get(at) {
        Some(quote @ (b'"' | b'\'')) => string(text, at + 1, *quote),
        _ => name(text, at),
    }
}

fn name(text: &[u8], start: usize) -> Step {
    let mut at = start;
    loop {
        at = match text.get(at) {
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$') => at + 1,
            Some(b'0'..=b'9') if at > start => at + 1,
            Some(b'\\') if text.get(at + 1) == Some(&b'u') => hex_digits(text, at + 2, 4)?,
            Some(byte) if *byte >= 0x80 && wide_blank(&text[at..]) == 0 => at + 1,
            _ if at > start => return Ok(at),
            _ => return Err(halt(text, at, Why::Key)),
        };
    }
}

/// A number: with either sign, in base ten or sixteen, with a point at either end, or not finite.
pub(super) fn number(text: &[u8], at: usize) -> Step {
    let first = if matches!(text.get(at), Some(b'+' | b'-')) { at + 1 } else { at };
    match (text.get(first), text.get(first + 1)) {
        (Some(b'I'), _) => word(text, first, b"Infinity"),
        (Some(b'N'), _) => word(text, first, b"NaN"),
        (Some(b'0'), Some(b'x' | b'X')) => base_sixteen(text, first + 2),
        (Some(b'0'), _) => fraction(text, first + 1),
        (Some(b'1'..=b'9'), _) => fraction(text, digits(text, first + 1)),
        (Some(b'.'), _) => exponent(text, some_digits(text, first + 1)?),
        _ => Err(halt(text, first, Why::Digit)),
    }
}

fn base_sixteen(text: &[u8], at: usize) -> Step {
    let behind = hex_digits(text, at, 1).map_err(|stop| Halt { why: digit_or_end(stop.why), ..stop })?;
    Ok(behind + text[behind..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count())
}

fn digit_or_end(why: Why) -> Why {
    if why == Why::End { Why::End } else { Why::Digit }
}

fn fraction(text: &[u8], at: usize) -> Step {
    match text.get(at) {
        Some(b'.') => exponent(text, digits(text, at + 1)),
        _ => exponent(text, at),
    }
}
