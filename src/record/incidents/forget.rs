//! A document that is to be forgotten: its lines are overwritten where they stand, so that a daemon may go on appending.

use std::ffi::OsStr;

use serde_json::{Map, Value};

use super::FILE_NAME;
use super::recall::document as document_of;
use crate::disk::directory::Directory;
use crate::disk::{Disk, Opened};
use crate::document::DocumentId;
use crate::error::Result;
use crate::line;

/// Overwrites every line about a document; says how many. Their numbers stay, so that none is given out again.
///
/// # Errors
/// The disk failed: some lines may be gone.
pub fn forget(disk: &Disk, state_dir: &Directory, document: &DocumentId) -> Result<usize> {
    let name = OsStr::new(FILE_NAME);
    let Opened::File(file, _) = disk.open(state_dir, name)? else { return Ok(0) };
    let mut parts = Vec::new();
    let mut rest = Vec::new();
    let mut offset = 0;
    disk.read_chunks(&file, &state_dir.path().join(name), |chunk| {
        rest.extend_from_slice(chunk);
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for text in rest[..end].split_inclusive(|byte| *byte == b'\n') {
            parts.extend(blanked(text, document).map(|blank| (offset, blank)));
            offset += text.len() as u64;
        }
        rest.drain(..end);
    })?;
    if !parts.is_empty() {
        disk.overwrite(state_dir, name, &parts)?;
    }
    Ok(parts.len())
}

/// What is written over a line, just as long; `None`: it is not about the document.
fn blanked(text: &[u8], document: &DocumentId) -> Option<Vec<u8>> {
    let members = line::open(std::str::from_utf8(text).ok()?)?;
    if document_of(&members).as_ref() != Some(document) {
        return None;
    }
    let mut kept: Map<String, Value> = ["v", "seq", "time", "incident"]
        .iter()
        .filter_map(|name| Some(((*name).into(), members.get(*name)?.clone())))
        .collect();
    kept.insert("event".into(), "forgotten".into());
    kept.insert("was".into(), "".into());
    let shortest = line::seal(&kept).len();
    // A line that has no room for this is made one that readers skip.
    let Some(room) = text.len().checked_sub(shortest) else {
        return Some([&vec![b' '; text.len() - 1][..], b"\n"].concat());
    };
    kept.insert("was".into(), "-".repeat(room).into());
    Some(line::seal(&kept).into_bytes())
}
