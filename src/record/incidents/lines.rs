//! Sealed lines, read from the first to the last, a chunk at a time.

use std::ffi::OsStr;

use serde_json::{Map, Value};

use crate::disk::directory::Directory;
use crate::disk::{Disk, Opened};
use crate::error::{Cause, Error, Result};
use crate::line;

/// A line that is longer than this is none of ours.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Calls `each` with the members of every whole line of a file, or `None` for one that is damaged; says whether the file
/// ends in the middle of a line. No file is an empty one.
pub(super) fn each_line(
    disk: &Disk,
    state_dir: &Directory,
    name: &str,
    mut each: impl FnMut(Option<Map<String, Value>>),
) -> Result<bool> {
    let path = state_dir.path().join(name);
    let file = match disk.open(state_dir, OsStr::new(name))? {
        Opened::Missing => return Ok(false),
        Opened::Other(found) => {
            let why = format!("a {} stands there; move it away", found.file_type());
            return Err(Error::new("reading", path, Cause::Refused(why)));
        }
        Opened::File(file, _) => file,
    };
    let mut text = Vec::new();
    disk.read_chunks(&file, &path, |chunk| {
        text.extend_from_slice(chunk);
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for one in text[..end].split(|byte| *byte == b'\n').filter(|one| !one.is_empty()) {
            each(std::str::from_utf8(one).ok().and_then(line::open));
        }
        text.drain(..end);
        // What is too long to be a line is cut short, so that it is bounded and its checksum fails.
        text.truncate(LINE_BYTES_MAX);
    })?;
    Ok(!text.is_empty())
}
