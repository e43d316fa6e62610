//! `events.jsonl` beside a document's versions: events that no longer stand in the document, one a line, oldest first. Those
//! that stood elsewhere than is usual say where, in a first member that they did not have in the document.

use std::ffi::OsStr;

use super::folder::Folder;
use crate::disk::{Durable, Opened};
use crate::document::Dialect;
use crate::error::{Cause, Error, Result};
use crate::patch::{self, Pointer};
use crate::validate::{Content, reads_as};

/// Where the events of a document stand unless somebody says otherwise.
pub const EVENTS: &str = "/events";

/// The member that says where an event stood; in front of all others.
const STOOD: &str = "{\"@pointer\":";

/// What stands behind it where an element of the array is no object, and so no event.
const VALUE: &str = "\"@value\":";

/// Its name.
pub(super) const NAME: &str = "events.jsonl";

/// So much of its end is looked at for the last whole line. A longer line has no room in a document, by default.
const TAIL_BYTES: u64 = 64 << 20;

/// The number of an event; `None`: it has none.
#[must_use]
pub fn number_of(event: &[u8]) -> Option<u64> {
    let content = Content { bytes: event, dialect: Dialect::Python };
    std::str::from_utf8(patch::value_at(content, &Pointer::default().below("id"))?).ok()?.parse().ok()
}

/// The highest number that some lines of events have. A torn line has none.
#[must_use]
pub fn highest_of(lines: &[Vec<u8>]) -> u64 {
    let whole = lines.iter().filter(|line| reads_as(line, Dialect::Python).is_ok());
    whole.filter_map(|line| number_of(line)).max().unwrap_or(0)
}

/// The line of an event that stood at `pointer`.
fn line_of(pointer: &Pointer, event: &[u8]) -> Vec<u8> {
    if is_usual(pointer) && !event.starts_with(STOOD.as_bytes()) {
        return event.to_vec();
    }
    let stood = serde_json::Value::from(pointer.text());
    let Some(members) = event.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else {
        return [format!("{STOOD}{stood},{VALUE}").as_bytes(), event, b"}"].concat();
    };
    let comma = if members.starts_with(b"}") { "" } else { "," };
    [format!("{STOOD}{stood}{comma}").as_bytes(), members].concat()
}

/// The event of a line, if it stood at `pointer`.
fn event_of(pointer: &Pointer, line: &[u8]) -> Option<Vec<u8>> {
    let Some(rest) = line.strip_prefix(STOOD.as_bytes()) else {
        return is_usual(pointer).then(|| line.to_vec());
    };
    let stood = serde_json::Value::from(pointer.text()).to_string();
    let rest = rest.strip_prefix(stood.as_bytes())?;
    if let Some(value) = rest.strip_prefix(b",").and_then(|rest| rest.strip_prefix(VALUE.as_bytes())) {
        return value.strip_suffix(b"}").map(<[u8]>::to_vec);
    }
    let members = rest.strip_prefix(b",").or_else(|| rest.starts_with(b"}").then_some(rest))?;
    Some([b"{", members].concat())
}

/// At the top of JSON Lines there are no other events than the usual ones.
fn is_usual(pointer: &Pointer) -> bool {
    pointer.segments().is_empty() || pointer.text() == EVENTS
}

impl Folder {
    /// Appends events that stood at `pointer`, durably. The caller holds the document's lock.
    ///
    /// # Errors
    /// The disk is full or failed: some of them may be there, the last of these torn.
    pub fn append_events(&self, pointer: &Pointer, events: &[Vec<u8>]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let before = self.event_file()?;
        let is_torn = before.as_ref().is_some_and(|last| last.last().is_some_and(|byte| *byte != b'\n'));
        let mut lines = if is_torn { b"\n".to_vec() } else { Vec::new() };
        for event in events {
            lines.extend_from_slice(&line_of(pointer, event));
            lines.push(b'\n');
        }
        self.disk.append(&self.directory, OsStr::new(NAME), &lines, Durable::Now)?;
        if before.is_none() { self.disk.sync_directory(&self.directory) } else { Ok(()) }
    }

    /// Of the last lines that are whole, those whose events stood at `pointer`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn last_events(&self, pointer: &Pointer) -> Result<Vec<Vec<u8>>> {
        let end = self.event_file()?.unwrap_or_default();
        let whole = end.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let lines = end.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| event_of(pointer, line)).collect())
    }

    /// Calls `each` for every event that stood at `pointer`, oldest first.
    ///
    /// # Errors
    /// The disk failed, or permission was denied.
    pub fn each_event(&self, pointer: &Pointer, mut each: impl FnMut(&[u8])) -> Result<()> {
        let path = self.directory.path().join(NAME);
        let Opened::File(file, _) = self.disk.open(&self.directory, OsStr::new(NAME))? else { return Ok(()) };
        let mut line = Vec::new();
        self.disk.read_chunks(&file, &path, |chunk| {
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    if let Some(event) = event_of(pointer, line.trim_ascii()) {
                        each(&event);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_only_where_it_stood_and_as_it_was() {
        let [usual, lines, other, third] = [EVENTS, "", "/a\"b~1c", "/a"].map(|text| text.parse::<Pointer>().unwrap());
        for event in [&b"{\"id\":1}"[..], b"{}", b"[7]", b"{\"@pointer\":\"/a\",\"id\":2}"] {
            for at in [&usual, &other] {
                let line = line_of(at, event);
                assert!(reads_as(&line, Dialect::Python).is_ok());
                assert_eq!(event_of(at, &line).as_deref(), Some(event));
                assert_eq!(event_of(&third, &line), None);
            }
            assert_eq!(event_of(&usual, &line_of(&other, event)), None);
        }
        assert_eq!(line_of(&usual, b"{\"id\":1}"), b"{\"id\":1}", "where it is usual nothing is said");
        assert_eq!(line_of(&lines, b"{\"id\":1}"), b"{\"id\":1}");
    }

    #[test]
    fn the_highest_number_of_torn_lines_is_that_of_a_whole_one() {
        let lines = ["{\"id\":1}", "{\"id\":2}", "{\"id\":3"].map(|line| line.as_bytes().to_vec());
        assert_eq!((highest_of(&lines), highest_of(&[])), (2, 0));
    }
}
