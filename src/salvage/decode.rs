//! Text that is plainly in another encoding.

use std::borrow::Cow;

use super::Utf8;

/// So much of a text shows in what it is written. In bytes.
const HEAD: usize = 512;

/// The text as UTF-8, and what it was written in, if that was something else.
pub(super) fn as_utf8(bytes: &[u8]) -> (Utf8<'_>, Option<&'static str>) {
    if let Some((read_unit, start)) = wide(bytes) {
        return (Cow::Owned(from_utf16(bytes.get(start..).unwrap_or_default(), read_unit)), Some("UTF-16"));
    }
    if is_latin_1(bytes) {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        return (Cow::Owned(text.into_bytes()), Some("Latin-1"));
    }
    (Cow::Borrowed(bytes), None)
}

type ReadUnit = fn([u8; 2]) -> u16;

/// UTF-16, by its byte order mark or by where the NULs of ASCII text stand in it: how its units are read, and where they
/// begin.
fn wide(bytes: &[u8]) -> Option<(ReadUnit, usize)> {
    let head = bytes.get(..bytes.len().min(HEAD))?;
    let mostly = |is_ascii: fn(&[u8]) -> bool| {
        let units = head.len() / 2;
        units >= 2 && head.chunks_exact(2).filter(|unit| is_ascii(unit)).count() * 4 >= units * 3
    };
    match head {
        [0xff, 0xfe, ..] => Some((u16::from_le_bytes, 2)),
        [0xfe, 0xff, ..] => Some((u16::from_be_bytes, 2)),
        _ if mostly(|unit| matches!(unit, [1..=127, 0])) => Some((u16::from_le_bytes, 0)),
        _ if mostly(|unit| matches!(unit, [0, 1..=127])) => Some((u16::from_be_bytes, 0)),
        _ => None,
    }
}

/// A half character at the end is left out.
fn from_utf16(bytes: &[u8], read_unit: ReadUnit) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|unit| read_unit([unit[0], unit[1]]));
    let text: String =
        char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes()
}

/// Nothing in it that UTF-8 would write so, and every byte beyond ASCII a letter or sign of ISO 8859-1.
fn is_latin_1(bytes: &[u8]) -> bool {
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    std::str::from_utf8(bytes).is_err_and(|error| !is_cut(error))
        && bytes.iter().all(|byte| byte.is_ascii() || *byte >= 0xa0)
        && bytes.utf8_chunks().all(|chunk| chunk.valid().is_ascii())
}
