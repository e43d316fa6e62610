//! The whole lines of JSON Lines.

use crate::document::Dialect;
use crate::validate::{Extent, Reader, extent};

/// So many whole lines of objects or arrays, and most of all lines, show that a text is made of lines, where nothing else
/// says so.
const LINES_SHOWN: usize = 2;

/// The lines that read, each ended; `None`: it is not made of lines, or none reads.
pub(super) fn whole_lines(text: &[u8], reader: &Reader) -> Option<Vec<u8>> {
    let own = reader.dialect.or(reader.enrolled).or(reader.named);
    if !own.is_none_or(|own| own == Dialect::Jsonl) {
        return None;
    }
    let mut kept = Vec::with_capacity(text.len());
    let (mut containers, mut all) = (0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        all += usize::from(!line.trim_ascii().is_empty());
        if let Some(line) = whole_line(line) {
            containers += usize::from(matches!(line.first(), Some(b'{' | b'[')));
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    let is_made_of_lines = own.is_some() || (containers >= LINES_SHOWN && containers * 2 > all);
    (is_made_of_lines && !kept.is_empty()).then_some(kept)
}

/// A line without the NULs of what never reached the disk. A number at the very end may be torn.
fn whole_line(line: &[u8]) -> Option<&[u8]> {
    let is_ended = line.ends_with(b"\n");
    let is_blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let end = line.iter().rposition(|byte| !is_blank(byte))? + 1;
    let line = &line[start..end];
    let may_be_torn = !is_ended && line.first().is_some_and(|byte| matches!(byte, b'-' | b'0'..=b'9'));
    (!may_be_torn && extent(line, Dialect::Python) == Extent::Whole).then_some(line)
}
