//! What `incidents.jsonl` remembers: where the numbers go on, which incidents and holds were open, which files were
//! repaired lately. A line that is damaged or unknown is skipped; the rest still counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::FILE_NAME;
use super::lines::each_line;
use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::document::{DocumentId, Version};
use crate::error::Result;
use crate::event::IncidentId;
use crate::line;
use crate::record::recent::{self, Incident};
use crate::record::steered;
use crate::steer::Standing;
use crate::verdict::{Kind, Reason};

/// Of so many documents and incidents is remembered what was open; a log with more of them has been tampered with.
const REMEMBERED_MAX: usize = 200_000;

/// So many moments of repair are remembered of a document: as many as a breaker can be told to count.
const REPAIRS_MAX: usize = 10_000;

/// What the incident log remembers.
#[derive(Debug)]
pub struct Recall {
    /// The number of the next line.
    pub next_seq: u64,
    /// The number of the next incident.
    pub next_incident: IncidentId,
    /// Lines that were skipped because they are damaged.
    pub rotten_lines: u64,
    /// Does the file end in the middle of a line?
    pub is_torn: bool,
    /// Incidents that had not ended.
    pub open: BTreeMap<DocumentId, IncidentId>,
    /// Those of them in which the document was only suspicious.
    pub suspicions: BTreeSet<IncidentId>,
    /// Documents that were held.
    pub held: BTreeMap<DocumentId, Hold>,
    /// When documents were repaired, with which version, and whether the breaker held what came after; the newest last:
    /// breakers go on counting.
    pub repairs: BTreeMap<DocumentId, Vec<(Timestamp, Version, bool)>>,
    /// The version that each document was repaired with last.
    put_back: BTreeMap<DocumentId, u64>,
    /// The newest incidents, the newest last.
    pub recent: Vec<Incident>,
    /// What people said of the guarding, and have not taken back.
    pub standing: Standing,
}

/// A hold that had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
}

impl Recall {
    fn nothing() -> Self {
        Self {
            next_seq: 1,
            next_incident: IncidentId(1),
            rotten_lines: 0,
            is_torn: false,
            open: BTreeMap::new(),
            suspicions: BTreeSet::new(),
            held: BTreeMap::new(),
            repairs: BTreeMap::new(),
            put_back: BTreeMap::new(),
            recent: Vec::new(),
            standing: Standing::default(),
        }
    }

    /// Reads the log from its beginning, a chunk at a time; no log is an empty one.
    pub(super) fn read(disk: &Disk, state_dir: &Directory) -> Result<Self> {
        let mut recall = Self::nothing();
        recall.is_torn = each_line(disk, state_dir, FILE_NAME, |members| match members {
            Some(members) if recall.take(&members).is_some() => {}
            _ => recall.rotten_lines += 1,
        })?;
        recall.rotten_lines += u64::from(recall.is_torn);
        Ok(recall)
    }

    /// Takes one fact; `None`: it lacks what every line has.
    fn take(&mut self, members: &Map<String, Value>) -> Option<()> {
        let seq = members.get("seq")?.as_u64()?;
        let at: Timestamp = members.get("time")?.as_str()?.parse().ok()?;
        let name = members.get("event")?.as_str()?;
        if seq < self.next_seq {
            return Some(());
        }
        self.next_seq = seq.saturating_add(1);
        let incident = members.get("incident").and_then(Value::as_u64).map(IncidentId);
        if let Some(incident) = incident {
            self.next_incident = self.next_incident.max(IncidentId(incident.0.saturating_add(1)));
        }
        if steered::recall(&mut self.standing, name, at, members).is_some() {
            return Some(());
        }
        if let Some(document) = document(members) {
            self.remember(name, at, document, incident, members);
        }
        Some(())
    }

    fn remember(
        &mut self,
        name: &str,
        at: Timestamp,
        document: DocumentId,
        incident: Option<IncidentId>,
        members: &Map<String, Value>,
    ) {
        match (name, incident) {
            ("corrupted" | "suspected", Some(id)) => {
                self.begin(at, document, id, members);
                if name == "corrupted" {
                    self.suspicions.remove(&id);
                } else if self.suspicions.len() < REMEMBERED_MAX {
                    self.suspicions.insert(id);
                }
            }
            ("repaired", Some(id)) => {
                self.end(at, &document, id, "repaired");
                let version = members.get("version").and_then(Value::as_u64);
                let before = version.and_then(|version| self.put_back.insert(document.clone(), version));
                let repairs = self.repairs.entry(document).or_default();
                // A newer one was there to put back: somebody wrote in between, and that closes a breaker.
                if before.is_some_and(|before| version > Some(before)) {
                    repairs.clear();
                }
                if repairs.len() >= REPAIRS_MAX {
                    repairs.remove(0);
                }
                let version = members.get("version").and_then(Value::as_u64).unwrap_or_default();
                repairs.push((at, Version(version), false));
            }
            ("compared", Some(id)) => self.compared(id, members),
            ("recovered", Some(id)) => self.end(at, &document, id, "recovered"),
            ("gone", Some(id)) => self.end(at, &document, id, "gone"),
            ("held", incident) if self.held.len() < REMEMBERED_MAX => {
                if let Some(reason) = members.get("reason").and_then(Value::as_str).and_then(Reason::from_label) {
                    let last = self.repairs.get_mut(&document).and_then(|repairs| repairs.last_mut());
                    if let Some((.., was_held_after)) = last.filter(|_| reason == Reason::Breaker) {
                        *was_held_after = true;
                    }
                    self.held.insert(document, Hold { reason, since: at, incident });
                }
            }
            ("released", _) => drop(self.held.remove(&document)),
            _ => {}
        }
    }

    fn begin(&mut self, at: Timestamp, document: DocumentId, id: IncidentId, members: &Map<String, Value>) {
        let Some(kind) = members.get("kind").and_then(Value::as_str).and_then(Kind::from_label) else { return };
        if self.open.len() < REMEMBERED_MAX {
            self.open.insert(document.clone(), id);
        }
        if let Some(incident) = self.recent.iter_mut().rev().find(|incident| incident.id == id) {
            incident.kind = kind;
            return;
        }
        if self.recent.len() >= 2 * recent::INCIDENTS_MAX {
            self.recent.drain(..recent::INCIDENTS_MAX);
        }
        let watch = members.get("watch").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.recent.push(Incident { id, document, watch, kind, began: at, ended: None, lost: None });
    }

    fn compared(&mut self, id: IncidentId, members: &Map<String, Value>) {
        if let Some(incident) = self.recent.iter_mut().rev().find(|incident| incident.id == id) {
            incident.lost = serde_json::from_value(Value::Object(members.clone())).ok();
        }
    }

    fn end(&mut self, at: Timestamp, document: &DocumentId, id: IncidentId, outcome: &'static str) {
        self.open.remove(document);
        self.suspicions.remove(&id);
        self.held.remove(document);
        if let Some(incident) = self.recent.iter_mut().rev().find(|incident| incident.id == id) {
            incident.ended = Some((at, outcome));
        }
    }
}

/// The document that a line is about.
pub(super) fn document(members: &Map<String, Value>) -> Option<DocumentId> {
    let path = match members.get("path_bytes") {
        Some(bytes) => PathBuf::from(OsString::from_vec(line::unhex(bytes.as_str()?)?)),
        None => PathBuf::from(members.get("path")?.as_str()?),
    };
    let directory = path.parent().filter(|directory| directory.is_absolute())?;
    Some(DocumentId::new(directory, path.file_name()?))
}
