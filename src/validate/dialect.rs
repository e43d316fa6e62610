//! Reading a text in one of the dialects.

use std::ffi::OsStr;
use std::path::Path;

use super::syntax::{Json, Json5, Jsonc, Python, Stop, Top, check};
use super::text::Text;
use super::token::Why;
use crate::document::Dialect;

/// The dialect that a file's name promises, by its extension; `None` for `.json` and everything else: plain JSON is no
/// promise, many a `settings.json` has comments.
#[must_use]
pub fn dialect_of_name(name: &OsStr) -> Option<Dialect> {
    match Path::new(name).extension()?.to_str()? {
        "jsonl" | "ndjson" => Some(Dialect::Jsonl),
        "jsonc" => Some(Dialect::Jsonc),
        "json5" => Some(Dialect::Json5),
        _ => None,
    }
}

/// Reads the text in `dialect`: what stands at its top level, or where and why it stops (offsets in the body).
///
/// No dialect reads text without a value, nor text that is not all UTF-8.
pub(super) fn read(text: &Text, dialect: Dialect) -> Result<Top, Stop> {
    let shape = read_body(text.body(), dialect)?;
    let why = match shape {
        _ if text.is_whole() => return Ok(shape),
        Top::Container => Why::AfterContainer,
        Top::Scalar => Why::AfterScalar,
    };
    Err(Stop { offset: text.body().len(), why, depth: 0 })
}

fn read_body(body: &[u8], dialect: Dialect) -> Result<Top, Stop> {
    match dialect {
        Dialect::Json => check::<Json>(body),
        Dialect::Python => check::<Python>(body),
        Dialect::Jsonl => lines(body),
        Dialect::Jsonc => check::<Jsonc>(body),
        Dialect::Json5 => check::<Json5>(body),
    }
}

/// Reads one value a line, and at least one; blank lines are passed over. The values may be Python's: what logs of numbers
/// write most is `NaN`.
fn lines(body: &[u8]) -> Result<Top, Stop> {
    let last = body.trim_ascii_end().len();
    let mut shape = None;
    let mut start = 0;
    for line in body.split(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            let one = check::<Python>(line).map_err(|stop| in_line(stop, start, start + line.len() < last))?;
            shape = Some(if shape == Some(Top::Scalar) { Top::Scalar } else { one });
        }
        start += line.len() + 1;
    }
    shape.ok_or(Stop { offset: body.len(), ..Stop::END })
}

/// A stop in the line that begins at `start`, as one in the whole text.
fn in_line(stop: Stop, start: usize, lines_follow: bool) -> Stop {
    let why = if stop.is_end() && lines_follow { Why::LineEnd } else { stop.why };
    Stop { offset: start + stop.offset, why, ..stop }
}

/// Are `bytes` a whole object or array in `dialect`?
pub(super) fn reads(bytes: &[u8], dialect: Dialect) -> bool {
    read(&Text::new(bytes), dialect) == Ok(Top::Container)
}
