//! `numbers.jsonl` beside a document's versions: the highest number that any event of the document ever had, so that none is
//! given twice, whatever older version the document goes back to. It is known from the newest versions; what they say is
//! noted here, one sealed line a pointer, before they are removed.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;

use serde_json::{Map, Value, json};

use super::events::number_of;
use super::folder::Folder;
use super::record;
use crate::disk::Durable;
use crate::document::{Stored, Version};
use crate::error::{Cause, Result};
use crate::line;
use crate::patch::{self, Pointer};
use crate::validate::Content;

/// Its name.
pub(super) const NAME: &str = "numbers.jsonl";

/// A file longer than this has little that is not out of date.
const LENGTH_LIMIT_BYTES: usize = 16 << 10;

/// A number from here on is a slip, and no reason to give none ever after: nobody counts so far, and beyond it JSON's readers
/// round (RFC 8259, section 6).
const SLIP: u64 = 1 << 53;

/// What is known of the events at one pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    /// The highest number.
    id: u64,
    /// The versions up to this one were looked through.
    up_to: Version,
    /// Is it durable, and so all that was noted before?
    is_durable: bool,
}

/// The lines about one pointer that matter: the last, and the last that is durable.
#[derive(Clone, Copy, Debug)]
struct Lines {
    last: Counted,
    durable: Option<Counted>,
}

/// The highest number of the events in a text.
#[must_use]
pub fn highest_in(content: Content, pointer: &Pointer) -> u64 {
    let texts = patch::elements_at(content, pointer).unwrap_or_default();
    texts.into_iter().filter_map(number_of).max().unwrap_or(0)
}

impl Folder {
    /// The highest number that an event at `pointer` is known to have had, by what is noted and by the versions stored since,
    /// but for that which whoever asks has read.
    ///
    /// # Errors
    /// The disk failed.
    pub fn highest_number(&self, pointer: &Pointer, read: Option<Version>) -> Result<u64> {
        let noted = self.numbers()?.get(&pointer.text()).map(|lines| lines.last);
        let (id, up_to) = noted.map_or((0, Version(0)), |noted| (noted.id, noted.up_to));
        Ok(id.max(self.highest_within(pointer, up_to, Version(u64::MAX), read)?))
    }

    /// Notes what is known of the events at `pointer`, up to a version. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn note_number(&self, pointer: &Pointer, id: u64, up_to: Version) -> Result<()> {
        let numbers = self.numbers()?;
        let is_known =
            numbers.get(&pointer.text()).is_some_and(|lines| lines.last.up_to >= up_to && lines.last.id >= id);
        if is_known { Ok(()) } else { self.append_number(&pointer.text(), Counted { id, up_to, is_durable: false }) }
    }

    /// Notes that events up to this number stood in the document, as this version, for somebody who no longer holds the lock:
    /// a line is added, and nothing else touched.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn note_seen(&self, pointer: &Pointer, id: u64, version: Version) -> Result<()> {
        let counted = Counted { id, up_to: version, is_durable: false };
        // A torn line before ours must not take ours with it.
        let line = format!("\n{}", format(&pointer.text(), counted));
        self.disk.append(&self.directory, OsStr::new(NAME), line.as_bytes(), Durable::Later)
    }

    /// Notes durably what only versions say that are about to be removed; those of which that cannot be noted are to stay, and
    /// are returned.
    pub(super) fn note_before_removal(&self, going: &[Version]) -> Result<Vec<Version>> {
        let Some(newest) = going.iter().max().copied() else { return Ok(Vec::new()) };
        let mut staying = Vec::new();
        for (pointer, lines) in self.numbers()? {
            let durable = lines.durable.map_or(Version(0), |durable| durable.up_to);
            let Some(at) = pointer.parse::<Pointer>().ok().filter(|_| durable < newest) else { continue };
            let id = lines.last.id.max(self.highest_within(&at, lines.last.up_to, newest, None)?);
            let up_to = lines.last.up_to.max(newest);
            match self.append_number(&pointer, Counted { id, up_to, is_durable: true }) {
                // Room must be made all the same.
                Err(error) if error.is_for_want_of_room() => {
                    staying.extend(going.iter().filter(|version| **version > durable));
                }
                noted => noted?,
            }
        }
        Ok(staying)
    }

    /// The highest number in the versions after one and up to another.
    fn highest_within(&self, pointer: &Pointer, after: Version, last: Version, but: Option<Version>) -> Result<u64> {
        let is_meant = |version: Version| version > after && version <= last && Some(version) != but;
        if !self.names()?.iter().any(|(_, found)| is_meant(found.version)) {
            return Ok(0);
        }
        let versions = self.versions()?;
        let unseen = unseen(&versions, &record::origins(self.catalogue()?.record.text()));
        let meant = versions.into_iter().filter(|stored| is_meant(stored.version) && !unseen.contains(&stored.version));
        // What cannot be read says nothing.
        let highest = |stored: Stored| {
            let bytes = self.bytes(stored.version).ok()?;
            Some(highest_in(Content { bytes: &bytes, dialect: stored.dialect }, pointer))
        };
        Ok(meant.filter_map(highest).filter(|id| *id < SLIP).max().unwrap_or(0))
    }

    fn numbers(&self) -> Result<BTreeMap<String, Lines>> {
        Ok(parse(&self.number_file()?))
    }

    fn number_file(&self) -> Result<Vec<u8>> {
        match self.whole(OsStr::new(NAME)) {
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(Vec::new()),
            text => text,
        }
    }

    fn append_number(&self, pointer: &str, counted: Counted) -> Result<()> {
        let text = self.number_file()?;
        if text.len() > LENGTH_LIMIT_BYTES {
            self.replace_number_file(&parse(&text))?;
        }
        // A torn line before ours must not take ours with it.
        let torn = text.last().is_some_and(|last| *last != b'\n');
        let line = format!("{}{}", if torn { "\n" } else { "" }, format(pointer, counted));
        let durable = if counted.is_durable { Durable::Now } else { Durable::Later };
        self.disk.append(&self.directory, OsStr::new(NAME), line.as_bytes(), durable)?;
        if counted.is_durable && text.is_empty() { self.disk.sync_directory(&self.directory) } else { Ok(()) }
    }

    fn replace_number_file(&self, numbers: &BTreeMap<String, Lines>) -> Result<()> {
        let lines = numbers.iter().map(|(pointer, lines)| format(pointer, Counted { is_durable: true, ..lines.last }));
        self.replace_note(OsStr::new(NAME), lines.collect::<String>().as_bytes())
    }
}

/// Versions, of these that are given newest first, that were stored to be written and then were not, for their writer died:
/// after each the document was found as it had been before, and stored again. What they say nobody has seen. If they did come
/// to stand there, and somebody took them back, their writer has noted their numbers.
fn unseen(versions: &[Stored], origins: &HashMap<Version, String>) -> Vec<Version> {
    let is = |stored: &Stored, origin| origins.get(&stored.version).is_some_and(|found| found == origin);
    let neighbours = versions.windows(3).filter(|three| is(&three[1], "write") && is(&three[0], "file"));
    neighbours.filter(|three| three[0].digest == three[2].digest).map(|three| three[1].version).collect()
}

fn format(pointer: &str, counted: Counted) -> String {
    let Counted { id, up_to, is_durable } = counted;
    let fields = json!({"v": 1, "pointer": pointer, "id": id, "version": up_to, "durable": is_durable});
    fields.as_object().map(line::seal).unwrap_or_default()
}

fn parse(text: &[u8]) -> BTreeMap<String, Lines> {
    let mut numbers: BTreeMap<String, Lines> = BTreeMap::new();
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    for (pointer, counted) in lines.filter_map(line::open).filter_map(|fields| counted(&fields)) {
        let entry = numbers.entry(pointer).or_insert(Lines { last: counted, durable: None });
        let id = counted.id.max(entry.last.id);
        entry.last = Counted { id, ..counted };
        if counted.is_durable {
            entry.durable = Some(entry.last);
        }
    }
    numbers
}

fn counted(fields: &Map<String, Value>) -> Option<(String, Counted)> {
    let number = |name: &str| fields.get(name)?.as_u64();
    let counted = Counted {
        id: number("id")?,
        up_to: Version(number("version")?),
        is_durable: fields.get("durable").and_then(Value::as_bool).unwrap_or(false),
    };
    Some((fields.get("pointer")?.as_str()?.to_owned(), counted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_survives_a_torn_line_and_a_lower_one() {
        let line = |id, version, is_durable| format("/e", Counted { id, up_to: Version(version), is_durable });
        let text = line(9, 2, true) + &line(7, 3, false) + "{\"v\":1,\"pointer\":\"/e\",\"id\":99";
        let lines = parse(text.as_bytes())["/e"];
        assert_eq!((lines.last.id, lines.last.up_to), (9, Version(3)));
        assert_eq!(lines.durable.unwrap().up_to, Version(2));
    }
}
