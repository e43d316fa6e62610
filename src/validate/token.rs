//! The words of the grammar: blanks, strings, numbers, names. Each function takes the offset where its token begins and
//! gives the offset behind it, or says where and why it stops.

use super::json5;
#[cfg(not(target_arch = "x86_64"))]
use super::plain;
#[cfg(target_arch = "x86_64")]
use super::wide as plain;

/// What a text in one of the dialects may hold beyond RFC 8259.
pub(super) trait Grammar {
    /// Comments, and a comma behind the last entry: JSONC, and all of JSON5.
    const LAX: bool = false;
    /// `NaN`, `Infinity`, `-Infinity`: Python, and JSON5.
    const NON_FINITE: bool = false;
    /// All the rest of JSON5: single quotes, unquoted keys, other numbers, other blanks.
    const JSON5: bool = false;
}

/// Where a text stops being what it should be, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halt {
    /// The offset in bytes.
    pub(super) offset: usize,
    /// Why.
    pub(super) why: Why,
}

/// Why a text stops being what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The text ends.
    End,
    /// A whole object or array has ended, and more follows.
    AfterContainer,
    /// A whole scalar has ended, and more follows.
    AfterScalar,
    /// Something else stands where a value should.
    Value,
    /// Something else stands where a key should.
    Key,
    /// Something else stands where a colon should.
    Colon,
    /// Something else stands behind the entry of an object.
    CommaOrBrace,
    /// Something else stands behind the entry of an array.
    CommaOrBracket,
    /// No digit where a number needs one.
    Digit,
    /// A backslash and then nothing that JSON knows.
    Escape,
    /// A raw control character in a string, a line break for example.
    Control,
    /// A slash that begins no comment.
    Comment,
    /// The line ends before its value does, and further lines follow (JSON Lines).
    LineEnd,
}

/// The offset behind a token.
pub(super) type Step = Result<usize, Halt>;

/// Stops at `offset`: the text ends there, or something else than expected stands there.
#[cold]
pub(super) fn halt(text: &[u8], offset: usize, why: Why) -> Halt {
    Halt { offset, why: if offset < text.len() { why } else { Why::End } }
}

/// Skips blanks and, where they are allowed, comments.
#[inline]
pub(super) fn blanks<G: Grammar>(text: &[u8], mut at: usize) -> Step {
    // Behind most tokens stands nothing, a space, or a line break and an indentation.
    if text.get(at) == Some(&b' ') {
        at += 1;
    } else if text.get(at) == Some(&b'\n') {
        at = plain::skip_spaces(text, at + 1);
    }
    match text.get(at) {
        Some(byte) if *byte > b' ' && !(G::LAX && (*byte == b'/' || *byte > b'~')) => Ok(at),
        _ => more_blanks::<G>(text, at),
    }
}

fn more_blanks<G: Grammar>(text: &[u8], mut at: usize) -> Step {
    loop {
        match text.get(at) {
            Some(b' ' | b'\n' | b'\t' | b'\r') => at = plain::skip_spaces(text, at + 1),
            Some(b'/') if G::LAX => at = comment::<G>(text, at)?,
            Some(_) if G::JSON5 => match json5::blank(text, at) {
                0 => return Ok(at),
                length => at += length,
            },
            _ => return Ok(at),
        }
    }
}

fn comment<G: Grammar>(text: &[u8], at: usize) -> Step {
    match text.get(at + 1) {
        Some(b'/') => Ok(line_end::<G>(text, at + 2)),
        Some(b'*') => block_end(text, at + 2),
        _ => Err(halt(text, at + 1, Why::Comment)),
    }
}

fn line_end<G: Grammar>(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let ends = |index: &usize| match rest[*index] {
        b'\n' | b'\r' => true,
        0xe2 => G::JSON5 && json5::is_line_separator(&rest[*index..]),
        _ => false,
    };
    (0..rest.len()).find(ends).map_or(text.len(), |index| at + index)
}

fn block_end(text: &[u8], at: usize) -> Step {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.windows(2).position(|pair| pair == b"*/");
    end.map(|index| at + index + 2).ok_or_else(|| halt(text, text.len(), Why::End))
}

/// A string, from behind its quotation mark to behind the closing one.
#[inline]
pub(super) fn string<G: Grammar>(text: &[u8], mut at: usize) -> Step {
    if G::JSON5 {
        return json5::string(text, at, b'"');
    }
    loop {
        at = plain::skip(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at)?,
            _ => return Err(halt(text, at, Why::Control)),
        }
    }
}

/// An escape, from its backslash on. Half a surrogate pair is allowed: Node and Python write it and read it
/// (serde-rs/json#495).
fn escape(text: &[u8], at: usize) -> Step {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => hex_digits(text, at + 2, 4),
        Some(_) => Err(halt(text, at, Why::Escape)),
        None => Err(halt(text, at + 1, Why::End)),
    }
}

/// Exactly `count` hexadecimal digits.
pub(super) fn hex_digits(text: &[u8], at: usize, count: usize) -> Step {
    let wrong = (at..at + count).find(|offset| !text.get(*offset).is_some_and(u8::is_ascii_hexdigit));
    wrong.map_or(Ok(at + count), |offset| Err(halt(text, offset, Why::Escape)))
}

/// Any value that is neither object nor array.
#[inline]
pub(super) fn scalar<G: Grammar>(text: &[u8], at: usize) -> Step {
    match text.get(at) {
        Some(b'"') => string::<G>(text, at + 1),
        Some(b'-' | b'0'..=b'9') => number::<G>(text, at),
        Some(b't') => word(text, at, b"true"),
        Some(b'f') => word(text, at, b"false"),
        Some(b'n') => word(text, at, b"null"),
        Some(b'N') if G::NON_FINITE => word(text, at, b"NaN"),
        Some(b'I') if G::NON_FINITE => word(text, at, b"Infinity"),
        Some(b'\'') if G::JSON5 => json5::string(text, at + 1, b'\''),
        Some(b'+' | b'.') if G::JSON5 => json5::number(text, at),
        _ => Err(halt(text, at, Why::Value)),
    }
}

/// Exactly this word.
#[inline]
pub(super) fn word(text: &[u8], at: usize, word: &[u8]) -> Step {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    let offset = if word.starts_with(rest) { text.len() } else { at };
    Err(halt(text, offset, Why::Value))
}

#[inline]
fn number<G: Grammar>(text: &[u8], at: usize) -> Step {
    if G::JSON5 {
        return json5::number(text, at);
    }
    let first = if text.get(at) == Some(&b'-') { at + 1 } else { at };
    let behind = match text.get(first) {
        Some(b'0') => first + 1,
        Some(b'1'..=b'9') => digits(text, first + 1),
        Some(b'I') if G::NON_FINITE => return word(text, first, b"Infinity"),
        _ => return Err(halt(text, first, Why::Digit)),
    };
    match text.get(behind) {
        Some(b'.') => exponent(text, some_digits(text, behind + 1)?),
        Some(b'e' | b'E') => exponent(text, behind),
        _ => Ok(behind),
    }
}

/// An exponent, if there is one.
#[inline]
pub(super) fn exponent(text: &[u8], at: usize) -> Step {
    match (text.get(at), text.get(at + 1)) {
        (Some(b'e' | b'E'), Some(b'+' | b'-')) => some_digits(text, at + 2),
        (Some(b'e' | b'E'), _) => some_digits(text, at + 1),
        _ => Ok(at),
    }
}

#[inline]
pub(super) fn digits(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// At least one digit: a fraction, often long, or an exponent.
#[inline]
pub(super) fn some_digits(text: &[u8], at: usize) -> Step {
    let behind = plain::skip_digits(text, at);
    if behind > at { Ok(behind) } else { Err(halt(text, at, Why::Digit)) }
}
