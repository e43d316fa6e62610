//! The files and incidents, as JSON. Names from disk are escaped; what of them cannot be shown stands beside them in hex.
//! No file contents, ever.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::document::{DocumentId, Stored, Version};
use crate::error::Escaped;
use crate::event::{Comparison, FileStatus, IncidentId, Status};
use crate::record::incidents::path_bytes;
use crate::record::recent::Incident;
use crate::verdict::{Finding, Kind, Reason};

#[derive(Serialize)]
struct Name {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

impl Name {
    fn of(document: &DocumentId) -> Self {
        Self { path: document.to_string(), path_bytes: path_bytes(document) }
    }
}

#[derive(Serialize)]
struct FileEntry<'a> {
    #[serde(flatten)]
    name: Name,
    watch: &'a str,
    state: &'static str,
    reason: Option<&'static str>,
    guarding: &'static str,
    kind: Option<&'static str>,
    findings: Vec<&'static str>,
    last_good: Option<VersionEntry>,
    incident: Option<IncidentId>,
    backed_up: bool,
    unrepairable: Option<&'a str>,
    best_effort: Option<&'a str>,
    left_beside: Vec<String>,
    versions: u64,
}

#[derive(Serialize)]
struct VersionEntry {
    version: Version,
    time: String,
    bytes: u64,
    digest: String,
    mark: &'static str,
    dialect: &'static str,
}

#[derive(Serialize)]
struct IncidentEntry<'a> {
    incident: IncidentId,
    #[serde(flatten)]
    name: Name,
    watch: &'a str,
    kind: &'static str,
    began: String,
    ended: Option<String>,
    outcome: &'static str,
    seconds: Option<f64>,
    lost: Option<&'a Comparison>,
}

impl<'a> From<&'a FileStatus> for FileEntry<'a> {
    fn from(file: &'a FileStatus) -> Self {
        Self {
            name: Name::of(&file.subject.document),
            watch: file.subject.watch.as_str(),
            state: file.state.label(),
            reason: file.reason.map(Reason::label),
            guarding: file.guarding,
            kind: file.kind.map(Kind::label),
            findings: file.findings.iter().copied().map(Finding::label).collect(),
            last_good: file.last_good.as_ref().map(VersionEntry::from),
            incident: file.incident,
            backed_up: file.backed_up,
            unrepairable: file.unrepairable.as_deref(),
            best_effort: file.best_effort,
            left_beside: file.left_beside.iter().map(|name| Escaped(name).to_string()).collect(),
            versions: file.stock.versions,
        }
    }
}

impl From<&Stored> for VersionEntry {
    fn from(stored: &Stored) -> Self {
        Self {
            version: stored.version,
            time: stored.taken.to_string(),
            bytes: stored.bytes,
            digest: stored.digest.to_string(),
            mark: stored.mark.label(),
            dialect: stored.dialect.label(),
        }
    }
}

impl<'a> From<&'a Incident> for IncidentEntry<'a> {
    fn from(incident: &'a Incident) -> Self {
        let ended: Option<Timestamp> = incident.ended.map(|(at, _)| at);
        Self {
            incident: incident.id,
            name: Name::of(&incident.document),
            watch: &incident.watch,
            kind: incident.kind.label(),
            began: incident.began.to_string(),
            ended: ended.map(|at| at.to_string()),
            outcome: incident.ended.map_or("open", |(_, outcome)| outcome),
            seconds: ended.map(|at| at.duration_since(incident.began).as_secs_f64()),
            lost: incident.lost.as_ref(),
        }
    }
}

/// Every file, as a JSON array.
pub(super) fn files(status: &Status) -> Vec<u8> {
    array(status.files.iter().map(FileEntry::from))
}

/// The incidents of late, the newest first, as a JSON array.
pub(super) fn incidents(incidents: &[Incident]) -> Vec<u8> {
    array(incidents.iter().map(IncidentEntry::from))
}

fn array(entries: impl Iterator<Item = impl Serialize>) -> Vec<u8> {
    let mut text = Vec::from(b"[");
    for (number, entry) in entries.enumerate() {
        text.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
        // Writing to memory cannot fail, and every member is a string, a number or a truth value.
        let _ = serde_json::to_writer(&mut text, &entry);
    }
    text.extend_from_slice(b"\n]\n");
    text
}
