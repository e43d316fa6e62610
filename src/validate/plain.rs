//! How far a string goes on without anything that matters, a number with digits, an indentation with spaces: the hot loops of judging, eight
//! bytes a step in an ordinary register (Hacker's Delight, 6-1).

/// A one in each byte.
const ONES: u64 = u64::MAX / 255;
/// The top bit of each byte.
const TOPS: u64 = ONES * 0x80;

/// The offset of the first byte from `at` on that ends or interrupts a JSON string: a quotation mark, a backslash, a
/// control character below 0x20. The length of `text` if there is none.
#[inline]
pub(super) fn skip(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let special = special_bits(u64::from_le_bytes(*chunk));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| !is_special(*byte)) {
        at += 1;
    }
    at
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The top bit of each special byte, exact from the lowest up to and including the first: what a borrow does to the bits
/// above that one does not matter.
#[inline]
fn special_bits(bytes: u64) -> u64 {
    let quotes = bytes ^ (ONES * 0x22);
    let escapes = bytes ^ (ONES * 0x5c);
    let below = (quotes.wrapping_sub(ONES) & !quotes) | (escapes.wrapping_sub(ONES) & !escapes);
    (below | (bytes.wrapping_sub(ONES * 0x20) & !bytes)) & TOPS
}

/// The offset of the first byte from `at` on that is no space: the indentation of pretty-printed text.
#[inline]
pub(super) fn skip_spaces(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let others = u64::from_le_bytes(*chunk) ^ (ONES * 0x20);
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// The offset of the first byte from `at` on that is no ASCII digit. The length of `text` if there is none.
#[inline]
pub(super) fn skip_digits(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A digit becomes 0 to 9; from 10 on, adding 0x76 reaches the top bit. No sum reaches the next byte.
        let values = u64::from_le_bytes(*chunk) ^ (ONES * 0x30);
        let others = (((values & !TOPS) + ONES * 0x76) | values) & TOPS;
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart_at_every_place_of_a_chunk() {
        for byte in 0..=u8::MAX {
            for index in 0..8 {
                let mut chunk = *b"xxxxxxxx";
                chunk[index] = byte;
                assert_eq!(skip(&chunk, 0), if is_special(byte) { index } else { 8 }, "byte {byte:#x} at {index}");
                let mut chunk = *b"01234567";
                chunk[index] = byte;
                let expected = if byte.is_ascii_digit() { 8 } else { index };
                assert_eq!(skip_digits(&chunk, 0), expected, "byte {byte:#x} at {index}");
                let mut chunk = *b"        ";
                chunk[index] = byte;
                assert_eq!(skip_spaces(&chunk, 0), if byte == b' ' { 8 } else { index }, "byte {byte:#x} at {index}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_a_plain_loop(text in proptest::collection::vec(0x1d_u8..0x60, 0..80), at in 0_usize..80) {
            let at = at.min(text.len());
            let plainly = text[at..].iter().position(|byte| is_special(*byte)).map_or(text.len(), |found| at + found);
            proptest::prop_assert_eq!(skip(&text, at), plainly);
        }
    }
}
