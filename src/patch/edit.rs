//! Edits: ranges of a text and what is to stand there instead.

use std::ops::Range;

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    range: Range<usize>,
    text: Vec<u8>,
}

/// Puts `text` in the place of a range.
pub(super) fn replace(range: Range<usize>, text: impl Into<Vec<u8>>) -> Edit {
    Edit { range, text: text.into() }
}

/// Puts `text` before what stands at an offset.
pub(super) fn insert(at: usize, text: impl Into<Vec<u8>>) -> Edit {
    replace(at..at, text)
}

/// Takes a range out.
pub(super) fn delete(range: Range<usize>) -> Edit {
    replace(range, Vec::new())
}

/// Makes all the edits. What several of them take out is out; what is put in at one place stands there in their order.
pub(super) fn make(bytes: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut made = Vec::with_capacity(bytes.len() + added);
    let mut behind = 0;
    for edit in edits {
        made.extend_from_slice(bytes.get(behind..edit.range.start).unwrap_or_default());
        made.extend_from_slice(&edit.text);
        behind = behind.max(edit.range.end);
    }
    made.extend_from_slice(bytes.get(behind..).unwrap_or_default());
    made
}

/// The range of an entry's text, and the whole line if nothing else stands on it; what follows an entry that begins its
/// line begins it then.
pub(super) fn with_blank_line(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let spaces_before = bytes[..range.start].iter().rev().take_while(is_space).count();
    let behind = range.end + bytes[range.end..].iter().take_while(is_space).count();
    let before = &bytes[..range.start - spaces_before];
    let ends_line = bytes[behind..].starts_with(b"\n") || bytes[behind..].starts_with(b"\r\n");
    match before.strip_suffix(b"\n") {
        Some(above) if ends_line => above.strip_suffix(b"\r").unwrap_or(above).len()..behind,
        Some(_) => range.start..behind,
        None => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_made_in_the_order_of_their_places() {
        let edits = vec![delete(4..6), insert(2, "x"), insert(2, "y"), replace(0..1, "AA"), delete(5..7)];
        assert_eq!(make(b"abcdefgh", edits), b"AAbxycdh");
    }

    #[test]
    fn a_line_that_would_be_empty_goes_whole() {
        let text = b"a\r\n  b \r\nc";
        assert_eq!(make(text, vec![delete(with_blank_line(text, 5..6))]), b"a\r\nc");
        assert_eq!(with_blank_line(b"a\n b, c\n", 3..5), 3..6);
        assert_eq!(with_blank_line(b"a, b, c\n", 3..5), 3..5);
    }
}
