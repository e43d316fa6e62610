//! What was lost, counted once the damage is over: the damaged bytes, as far as they survive, or a suspicious version are
//! compared with the last good one. One at a time, on a thread of its own, when no job runs; no repair ever waits for it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Recover;
use super::job::{Task, Tools, Work, reader};
use super::lanes::Finished;
use crate::difference::{How, compare};
use crate::document::{Digest, DocumentId, Version};
use crate::event::{Comparison, Fact, IncidentId};
use crate::read::{self, Look, OpenWriter};
use crate::salvage::{Salvaged, salvage};
use crate::validate::{Content, Reader};

/// So many comparisons wait; after a power cut that damaged more files, the rest is not counted.
const WAITING_MAX: usize = 1_000;

/// Larger documents are not compared, in bytes,
const BYTES_MAX: u64 = 8 << 20;

/// nor those that hold more values: the daemon stays small.
const VALUES_MAX: usize = 500_000;

/// So many paths are named,
const PATHS: usize = 3;

/// and so much of each, in characters: a key may be as long as a document.
const PATH_SHOWN: usize = 200;

/// The comparisons that wait.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    waiting: VecDeque<Asked>,
    is_running: bool,
}

/// What is to be compared with a good version.
#[derive(Debug)]
struct Asked {
    task: Task,
    incident: Option<IncidentId>,
    good: Version,
    other: Other,
}

#[derive(Debug)]
enum Other {
    /// The damaged bytes that are kept in quarantine under this name.
    Damaged(OsString),
    /// The suspicious version with these bytes.
    Suspicious(Digest),
}

/// A comparison that is over; `None`: it could not be made.
#[derive(Debug)]
pub(super) struct Compared {
    document: DocumentId,
    incident: Option<IncidentId>,
    comparison: Option<Comparison>,
}

impl Recover {
    /// Has the damaged bytes, kept in quarantine under `name`, compared with the version that was put back.
    pub(super) fn compare_damaged(
        &mut self,
        document: &DocumentId,
        incident: IncidentId,
        good: Version,
        name: OsString,
    ) {
        self.compare_later(document, Some(incident), good, Other::Damaged(name));
    }

    /// Has a suspicious version compared with the last good one.
    pub(super) fn compare_suspicious(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get(document) else { return };
        let incident = tracked.incident.as_ref().map(|incident| incident.id);
        if let Some((digest, good)) = tracked.odd.as_ref().and_then(|odd| Some((odd.digest, odd.last_good?))) {
            self.compare_later(document, incident, good, Other::Suspicious(digest));
        }
    }

    fn compare_later(&mut self, document: &DocumentId, incident: Option<IncidentId>, good: Version, other: Other) {
        let Some(tracked) = self.documents.get(document) else { return };
        if self.comparing.waiting.len() < WAITING_MAX {
            // What is done with it is said by `other`.
            let task = tracked.task(Work::Prune { max_bytes: u64::MAX });
            self.comparing.waiting.push_back(Asked { task, incident, good, other });
        }
    }

    /// Starts the next comparison, if none runs.
    pub(super) fn compare_next(&mut self) {
        if self.comparing.is_running {
            return;
        }
        let Some(asked) = self.comparing.waiting.pop_front() else { return };
        self.comparing.is_running = self.lanes.aside(move |tools| {
            let comparison = catch_unwind(AssertUnwindSafe(|| asked.compared(tools))).unwrap_or_default();
            let (document, incident) = (asked.task.document, asked.incident);
            Finished::Compared(Compared { document, incident, comparison })
        });
    }

    pub(super) async fn compared(&mut self, compared: Compared) {
        self.comparing.is_running = false;
        let Compared { document, incident, comparison } = compared;
        let subject = self.documents.get(&document).map(|tracked| tracked.subject());
        if let Some((subject, comparison)) = subject.zip(comparison) {
            self.say(Fact::Compared { subject, incident, comparison }).await;
        }
    }
}

impl Asked {
    fn compared(&self, tools: &Tools) -> Option<Comparison> {
        let folder = tools.backups.find(&self.task.document).ok()??;
        let versions = folder.versions().ok()?;
        let is_small = |bytes: u64| bytes <= BYTES_MAX;
        let good = versions.iter().find(|stored| stored.version == self.good).filter(|good| is_small(good.bytes))?;
        let nothing = Comparison { version: good.version, ..Comparison::default() };
        let reader = Reader { enrolled: Some(good.dialect), ..reader(&self.task, None) };
        let (bytes, survives) = match &self.other {
            Other::Damaged(name) => {
                let bytes = tools.quarantine.kept_as(&self.task.document, name, BYTES_MAX).ok()??;
                (bytes.len() as u64, salvage(&bytes, &reader))
            }
            Other::Suspicious(digest) => {
                let stored = versions.iter().find(|stored| stored.digest == *digest);
                let bytes = match stored.filter(|stored| is_small(stored.bytes)) {
                    Some(stored) => folder.bytes(stored.version).ok()?,
                    // Not stored yet: versions keep their interval.
                    None => self.live(tools, *digest)?,
                };
                (bytes.len() as u64, salvage(&bytes, &reader))
            }
        };
        let nothing = Comparison { bytes, is_suspicious: matches!(self.other, Other::Suspicious(_)), ..nothing };
        let Some(survives) = survives else { return Some(nothing) };
        let good_bytes = folder.bytes(good.version).ok()?;
        weighed(Content { bytes: &good_bytes, dialect: good.dialect }, &survives, &nothing)
    }

    fn live(&self, tools: &Tools, digest: Digest) -> Option<Vec<u8>> {
        let Task { directory, document, .. } = &self.task;
        let look = read::look(&tools.disk, directory, document, BYTES_MAX, OpenWriter::Wait);
        look.ok().and_then(|look| unchanged(look, digest))
    }
}

/// What stands at the name, if these are still the bytes.
fn unchanged(look: Look, digest: Digest) -> Option<Vec<u8>> {
    if let Look::Read(reading) = look { (reading.digest == digest).then_some(reading.bytes) } else { None }
}

/// What the surviving bytes have that the good version has not, and the other way round.
fn weighed(good: Content, survives: &Salvaged, nothing: &Comparison) -> Option<Comparison> {
    let mut paths = Vec::new();
    let counts = compare(good, survives.content(), VALUES_MAX, &mut |change| {
        // What is missing from a piece was torn off with the rest.
        let is_told = change.how != How::Removed || !survives.piece.is_partial();
        if is_told && paths.len() < PATHS {
            paths.push(shortened(change.path));
        }
    });
    let counts = counts.ok()?;
    Some(Comparison {
        piece: Some(survives.piece.label().to_owned()),
        is_partial: survives.piece.is_partial(),
        survived_bytes: survives.bytes.len() as u64,
        added: counts.added,
        removed: counts.removed,
        changed: counts.changed,
        moved: counts.moved,
        paths,
        ..nothing.clone()
    })
}

fn shortened(path: String) -> String {
    match path.char_indices().nth(PATH_SHOWN) {
        Some((end, _)) => format!("{}…", &path[..end]),
        None => path,
    }
}
