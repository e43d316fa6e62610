//! The bytes of a document as text: without its byte order mark, as far as they are UTF-8.

use crate::verdict::Place;

/// The byte order mark of UTF-8. At the start it is a finding, not damage: many readers skip it.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a document, and how far they are text.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    /// All the bytes.
    pub(super) bytes: &'a [u8],
    /// Where the text begins: behind the byte order mark.
    start: usize,
    /// Where it stops being UTF-8: the end, if it does not.
    end: usize,
    /// Whether what stands at `end` is a character that the end of the bytes cuts.
    cut: bool,
}

impl<'a> Text<'a> {
    /// Looks how far `bytes` are text.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if simdutf8::basic::from_utf8(bytes).is_ok() {
            return Self { bytes, start, end: bytes.len(), cut: false };
        }
        // Only now does it matter where: the faster check does not know.
        let error = std::str::from_utf8(bytes).err();
        let end = error.map_or(bytes.len(), |error| error.valid_up_to().max(start));
        Self { bytes, start, end, cut: error.is_some_and(|error| error.error_len().is_none()) }
    }

    /// The text, as far as it is UTF-8.
    pub(super) fn body(&self) -> &'a [u8] {
        &self.bytes[self.start..self.end]
    }

    /// Is all of it UTF-8?
    pub(super) fn is_whole(&self) -> bool {
        self.end == self.bytes.len()
    }

    /// Is all of it UTF-8 but for a last character that is cut?
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Does the same object or array stand there twice, a line each, and nothing else? That is one document, written twice,
    /// rather than a log of two equal lines.
    pub(super) fn is_doubled(&self) -> bool {
        let mut lines =
            self.body().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let (first, second) = (lines.next(), lines.next());
        first.is_some_and(|line| matches!(line.first(), Some(b'{' | b'['))) && first == second && lines.next().is_none()
    }

    /// An offset in the body as an offset in the bytes.
    pub(super) fn in_bytes(&self, offset: usize) -> usize {
        self.start + offset
    }

    /// The place of an offset in the body.
    pub(super) fn place(&self, offset: usize) -> Place {
        place(self.bytes, self.in_bytes(offset))
    }
}

/// The line and column of an offset. Lines end with `\n`; a byte order mark takes no column. Looks at every byte before
/// `offset`, so it is asked only when something is wrong.
pub(super) fn place(bytes: &[u8], offset: usize) -> Place {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.split(|byte| *byte == b'\n').count();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let mut left = &before[line_start..];
    if line == 1 {
        left = left.strip_prefix(BYTE_ORDER_MARK).unwrap_or(left);
    }
    let column = left.iter().filter(|byte| !is_continuation(**byte)).count();
    Place { line: as_u64(line), column: as_u64(column) + 1, offset: as_u64(before.len()) }
}

/// Does this byte continue a character of UTF-8 (RFC 3629, section 3)?
pub(super) fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_line_feeds() {
        let bytes = "{\r\n \"größe\": x".as_bytes();
        assert_eq!(place(bytes, bytes.len() - 1), Place { line: 2, column: 11, offset: 15 });
        assert_eq!(place(bytes, 0), Place { line: 1, column: 1, offset: 0 });
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        assert_eq!(place(b"\xef\xbb\xbf{x", 4), Place { line: 1, column: 2, offset: 4 });
    }

    #[test]
    fn a_cut_character_is_told_from_a_wrong_one() {
        assert!(Text::new("é".as_bytes().split_last().unwrap().1).is_cut());
        assert!(!Text::new(b"\xe9 ").is_cut());
        assert!(Text::new(b"abc").is_whole());
    }
}
