//! The files and incidents, as JSON. Names from disk are escaped; what of them cannot be shown stands beside them in hex.
//! No file contents, ever.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::document::{DocumentId, Stored, Version};
use crate::error::Escaped;
use crate::event::{Comparison, FileStatus, Files, IncidentId, Remarks};
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
        let Remarks { findings, unrepairable, best_effort, left_beside } = file.remarks();
        Self {
            name: Name::of(&file.subject.document),
            watch: file.subject.watch.as_str(),
            state: file.state.label(),
            reason: file.reason.map(Reason::label),
            guarding: file.guarding.label(),
            kind: file.kind.map(Kind::label),
            findings: findings.iter().copied().map(Finding::label).collect(),
            last_good: file.last_good.as_deref().map(VersionEntry::from),
            incident: file.incident,
            backed_up: file.backed_up,
            unrepairable: unrepairable.as_deref(),
            best_effort: *best_effort,
            left_beside: left_beside.iter().map(|name| Escaped(name).to_string()).collect(),
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

/// Every file, as a JSON array: of a hundred thousand files some 40 MB, so it is written piece by piece, twice. The first
/// time it is only measured.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    files: Files,
    /// So many pieces have been written.
    place: usize,
    left_bytes: u64,
}

impl Listed {
    /// The list of these files.
    pub(super) fn new(files: Files) -> Self {
        let mut measured = Self { files: files.clone(), place: 0, left_bytes: u64::MAX };
        let bytes = std::iter::from_fn(|| measured.next()).map(|piece| piece.len() as u64).sum();
        Self { files, place: 0, left_bytes: bytes }
    }

    /// So much of it is still to come, in bytes.
    pub(super) fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// The next piece; `None`: that was all.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let (pieces, place) = (self.files.pieces(), self.place);
        if place > pieces.len() {
            return None;
        }
        let mut text = Vec::from(if place == 0 { "[" } else { "" });
        for (number, file) in pieces.get(place).iter().flat_map(|piece| piece.iter()).enumerate() {
            write(&mut text, place + number == 0, &FileEntry::from(file));
        }
        if place == pieces.len() {
            text.extend_from_slice(b"\n]\n");
        }
        self.place += 1;
        self.left_bytes = self.left_bytes.saturating_sub(text.len() as u64);
        Some(text)
    }
}

/// The incidents of late, the newest first, as a JSON array.
pub(super) fn incidents(incidents: &[Incident]) -> Vec<u8> {
    array(incidents.iter().map(IncidentEntry::from))
}

fn array(entries: impl Iterator<Item = impl Serialize>) -> Vec<u8> {
    let mut text = Vec::from(b"[");
    for (number, entry) in entries.enumerate() {
        write(&mut text, number == 0, &entry);
    }
    text.extend_from_slice(b"\n]\n");
    text
}

fn write(text: &mut Vec<u8>, is_first: bool, entry: &impl Serialize) {
    text.extend_from_slice(if is_first { b"\n" } else { b",\n" });
    // Writing to memory cannot fail, and every member is a string, a number or a truth value.
    let _ = serde_json::to_writer(text, entry);
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::*;
    use crate::config::WatchName;
    use crate::event::Subject;

    #[test]
    fn a_long_list_comes_in_pieces_that_make_one_document_of_the_length_that_was_said() {
        for count in [0, 1, 127, 1_000] {
            let document = |number: usize| DocumentId::new(Path::new("/srv"), OsStr::new(&format!("{number:04}")));
            let file =
                |number| FileStatus::unproven(Subject { document: document(number), watch: WatchName::new("w") });
            let mut listed = Listed::new((0..count).map(file).collect());
            let said = listed.left_bytes();
            let pieces: Vec<Vec<u8>> = std::iter::from_fn(|| listed.next()).collect();
            assert_eq!((pieces.concat().len() as u64, listed.left_bytes()), (said, 0));
            let files: Vec<serde_json::Value> = serde_json::from_slice(&pieces.concat()).unwrap();
            assert_eq!(files.len(), count);
            assert!((0..count).all(|number| files[number]["path"] == document(number).to_string().as_str()));
            assert!(pieces.iter().all(|piece| piece.len() < 128 << 10), "a piece stays small");
        }
    }
}
