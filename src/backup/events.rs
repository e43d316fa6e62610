//! `events.jsonl` beside a document's versions: events that no longer stand in the document, one a line, oldest first.

use std::ffi::OsStr;

use super::folder::Folder;
use crate::disk::{Durable, Opened};
use crate::error::{Cause, Error, Result};

/// Its name.
pub(super) const NAME: &str = "events.jsonl";

/// So much of its end is looked at for the last whole line. A longer line has no room in a document, by default.
const TAIL_BYTES: u64 = 64 << 20;

impl Folder {
    /// Appends events, durably. The caller holds the document's lock.
    ///
    /// # Errors
    /// The disk is full or failed: some of them may be there, the last of these torn.
    pub fn append_events(&self, events: &[Vec<u8>]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let before = self.event_file()?;
        let is_torn = before.as_ref().is_some_and(|last| last.last().is_some_and(|byte| *byte != b'\n'));
        let mut lines = if is_torn { b"\n".to_vec() } else { Vec::new() };
        for event in events {
            lines.extend_from_slice(event);
            lines.push(b'\n');
        }
        self.disk.append(&self.directory, OsStr::new(NAME), &lines, Durable::Now)?;
        if before.is_none() { self.disk.sync_directory(&self.directory) } else { Ok(()) }
    }

    /// The last lines that are whole, at least the last of them.
    ///
    /// # Errors
    /// The disk failed.
    pub fn last_events(&self) -> Result<Vec<u8>> {
        let end = self.event_file()?.unwrap_or_default();
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        Ok(end.get(..whole).unwrap_or_default().to_vec())
    }

    /// Calls `each` for every line, oldest first.
    ///
    /// # Errors
    /// The disk failed, or permission was denied.
    pub fn each_event(&self, mut each: impl FnMut(&[u8])) -> Result<()> {
        let path = self.directory.path().join(NAME);
        let Opened::File(file, _) = self.disk.open(&self.directory, OsStr::new(NAME))? else { return Ok(()) };
        let mut line = Vec::new();
        self.disk.read_chunks(&file, &path, |chunk| {
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    each(line.trim_ascii());
                    line.clear();
                }
            }
        })
    }

    /// The end of the file, from the beginning of a line on; `None`: there is no such file.
    fn event_file(&self) -> Result<Option<Vec<u8>>> {
        let path = self.directory.path().join(NAME);
        let (file, found) = match self.disk.open(&self.directory, OsStr::new(NAME))? {
            Opened::File(file, found) => (file, found),
            Opened::Missing => return Ok(None),
            Opened::Other(found) => {
                let why = Cause::Damaged(format!("a {} stands there", found.file_type()));
                return Err(Error::new("reading", path, why));
            }
        };
        let mut span = 64 << 10;
        loop {
            let start = found.bytes.saturating_sub(span);
            let end = self.disk.read_at(&file, &path, start, span)?;
            let is_all = start == 0 || span >= TAIL_BYTES;
            // A whole line: one break before it and one behind it.
            let first_break = end.iter().position(|byte| *byte == b'\n');
            let has_line = first_break != end.iter().rposition(|byte| *byte == b'\n');
            if is_all || has_line {
                let cut = if start == 0 { 0 } else { first_break.map_or(0, |at| at + 1) };
                return Ok(Some(end.get(cut..).unwrap_or_default().to_vec()));
            }
            span *= 4;
        }
    }
}
