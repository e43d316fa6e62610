//! What kind of damage a text shows that no dialect reads, and where.
//!
//! The bytes are asked first for what no grammar sees: nothing there, another encoding, NULs, merge markers. What is
//! left is told by where and why the document's own grammar stops.

use super::cause;
use super::syntax::Stop;
use super::text::{BYTE_ORDER_MARK, Text, is_continuation, place};
use super::token::Why;
use crate::document::Dialect;
use crate::verdict::{Fault, Kind, Verdict};

/// This many NULs in a row are no flipped bit, but a piece of the file that never reached the disk.
const NUL_RUN: usize = 4;

/// So many bytes behind the stop are looked at for binary data.
const BINARY_WINDOW: usize = 64;

/// Explains a text that no dialect reads; `stop` is where `own`, the document's dialect, stops.
pub(super) fn explain(text: &Text, stop: Stop, own: Dialect) -> Verdict {
    let bytes = text.bytes;
    if let Some(fault) = empty(bytes).or_else(|| wide_encoding(bytes)).or_else(|| nul_filled(bytes)) {
        return Verdict::Corrupt(fault);
    }
    match conflict_markers(bytes) {
        Some(fault) => Verdict::Told(fault),
        None => Verdict::Corrupt(by_stop(text, stop, own)),
    }
}

fn fault(kind: Kind, bytes: &[u8], offset: usize, cause: String) -> Fault {
    Fault { kind, place: place(bytes, offset), cause }
}

fn empty(bytes: &[u8]) -> Option<Fault> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let blank = text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x0b);
    blank.then(|| fault(Kind::Empty, bytes, 0, cause::empty(bytes.len())))
}

/// UTF-16 and UTF-32, by their byte order mark or by where the NULs of ASCII text stand in them.
fn wide_encoding(bytes: &[u8]) -> Option<Fault> {
    let head = &bytes[..bytes.len().min(512)];
    let name = match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        _ if mostly::<4>(head, |unit| matches!(unit, [1..=255, 0, 0, 0] | [0, 0, 0, 1..=255])) => "UTF-32",
        _ if mostly::<2>(head, |unit| matches!(unit, [1..=255, 0])) => "UTF-16",
        _ if mostly::<2>(head, |unit| matches!(unit, [0, 1..=255])) => "UTF-16",
        _ => return None,
    };
    Some(fault(Kind::Encoding, bytes, 0, format!("the text is {name}; JSON is UTF-8")))
}

/// Do at least three in four of the units look so? Of text in a wide encoding nearly all do.
fn mostly<const SIZE: usize>(head: &[u8], looks_so: fn(&[u8]) -> bool) -> bool {
    let units = head.chunks_exact(SIZE);
    let all = units.len();
    all >= 2 && units.filter(|unit| looks_so(unit)).count() * 4 >= all * 3
}

/// Nothing but NULs, NULs up to the end, or a run of them, in what is text otherwise.
fn nul_filled(bytes: &[u8]) -> Option<Fault> {
    let first = bytes.iter().position(|byte| *byte == 0)?;
    let tail = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let run = if tail < bytes.len() { Some(tail) } else { run_of_nuls(bytes, first) };
    let (start, known) = run.zip(Some(bytes)).filter(|_| is_text_between_nuls(bytes))?;
    let length = known[start..].iter().take_while(|byte| **byte == 0).count();
    Some(fault(Kind::NulFilled, bytes, start, cause::nul_filled(bytes.len(), start, length)))
}

fn run_of_nuls(bytes: &[u8], first: usize) -> Option<usize> {
    let mut start = first;
    for run in bytes[first..].chunk_by(|a, b| (*a == 0) == (*b == 0)) {
        if run[0] == 0 && run.len() >= NUL_RUN {
            return Some(start);
        }
        start += run.len();
    }
    None
}

/// Is what stands between the NULs text? Characters may be cut where the NULs begin and end.
fn is_text_between_nuls(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == 0).all(|piece| {
        let cut = piece.iter().take(3).take_while(|byte| is_continuation(**byte)).count();
        let piece = &piece[cut..];
        let utf8 = std::str::from_utf8(piece).map_or_else(|error| error.error_len().is_none(), |_| true);
        utf8 && !piece.iter().any(|byte| is_binary_control(*byte))
    })
}

/// Control characters that no text holds; log files hold escapes (0x1b), form feeds and backspaces.
fn is_binary_control(byte: u8) -> bool {
    matches!(byte, 0..=0x07 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)
}

/// The three markers of a merge at the starts of lines, in their order. In text that reads they would stand in a string.
fn conflict_markers(bytes: &[u8]) -> Option<Fault> {
    const MARKERS: [&[u8]; 3] = [b"<<<<<<< ", b"=======", b">>>>>>> "];
    let mut seen = 0;
    let mut first = 0;
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(MARKERS[seen]) {
            first = if seen == 0 { start } else { first };
            seen += 1;
        }
        if seen == MARKERS.len() {
            return Some(fault(Kind::ConflictMarkers, bytes, first, cause::conflict_markers()));
        }
        start += line.len();
    }
    None
}

/// What the stop of the document's own grammar tells.
fn by_stop(text: &Text, stop: Stop, own: Dialect) -> Fault {
    let bytes = text.bytes;
    let offset = text.in_bytes(stop.offset);
    let (kind, cause) = match stop.why {
        _ if bytes[offset..].starts_with(BYTE_ORDER_MARK) => (Kind::Encoding, cause::byte_order_mark()),
        Why::AfterContainer => (Kind::TrailingData, cause::trailing_data(bytes, offset, own)),
        Why::End if text.is_whole() || text.is_cut() => {
            let cause = cause::truncated(bytes.len(), stop.depth, text.is_cut());
            return fault(Kind::Truncated, bytes, bytes.len(), cause);
        }
        Why::End => (Kind::Encoding, cause::encoding(bytes)),
        _ if is_binary(&bytes[offset..]) => (Kind::Encoding, cause::encoding(bytes)),
        why => (Kind::Syntax, cause::syntax(text, offset, why, own)),
    };
    fault(kind, bytes, offset, cause)
}

/// Do these bytes begin with what is no text? One byte may be a flipped bit; two are not.
fn is_binary(rest: &[u8]) -> bool {
    let window = &rest[..rest.len().min(BINARY_WINDOW)];
    let chunks = window.utf8_chunks();
    let odd = |chunk: std::str::Utf8Chunk<'_>| {
        let controls = chunk.valid().bytes().filter(|byte| is_binary_control(*byte)).count();
        controls + usize::from(!chunk.invalid().is_empty())
    };
    chunks.map(odd).sum::<usize>() >= 2
}
