//! The incidents of late, in memory, for whoever asks over HTTP. The full story is in `incidents.jsonl`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::document::DocumentId;
use crate::event::{Comparison, IncidentId, Subject};
use crate::verdict::Kind;

/// So many incidents are remembered.
pub(super) const INCIDENTS_MAX: usize = 200;

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Whose.
    pub document: DocumentId,
    /// The watch of the document.
    pub watch: String,
    /// What was wrong.
    pub kind: Kind,
    /// When the damage was believed.
    pub began: Timestamp,
    /// When it ended, and how: `repaired` or `recovered`.
    pub ended: Option<(Timestamp, &'static str)>,
    /// What was lost, once that is known.
    pub lost: Option<Comparison>,
}

/// The newest incidents. The lock is held for a copy, never over I/O.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Incident>>);

impl Recent {
    /// What the incident log remembers.
    #[must_use]
    pub fn new(incidents: impl IntoIterator<Item = Incident>) -> Self {
        let recent = Self::default();
        incidents.into_iter().for_each(|incident| recent.add(incident));
        recent
    }

    /// All of them, the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<Incident> {
        self.incidents().iter().rev().cloned().collect()
    }

    pub(super) fn began(&self, at: Timestamp, id: IncidentId, subject: &Subject, kind: Kind) {
        if let Some(incident) = self.incidents().iter_mut().rev().find(|incident| incident.id == id) {
            // It began as a suspicion, and goes on as damage.
            incident.kind = kind;
            return;
        }
        let (document, watch) = (subject.document.clone(), subject.watch.to_string());
        self.add(Incident { id, document, watch, kind, began: at, ended: None, lost: None });
    }

    pub(super) fn ended(&self, at: Timestamp, id: IncidentId, outcome: &'static str) {
        if let Some(incident) = self.incidents().iter_mut().rev().find(|incident| incident.id == id) {
            incident.ended = Some((at, outcome));
        }
    }

    pub(super) fn compared(&self, id: IncidentId, lost: &Comparison) {
        if let Some(incident) = self.incidents().iter_mut().rev().find(|incident| incident.id == id) {
            incident.lost = Some(lost.clone());
        }
    }

    /// Adds one; when there are too many, the eldest that has ended goes, and of open ones the eldest.
    fn add(&self, incident: Incident) {
        let mut incidents = self.incidents();
        if incidents.len() >= INCIDENTS_MAX {
            let ended = incidents.iter().position(|incident| incident.ended.is_some());
            incidents.remove(ended.unwrap_or(0));
        }
        incidents.push_back(incident);
    }

    fn incidents(&self) -> MutexGuard<'_, VecDeque<Incident>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WatchName;
    use std::ffi::OsStr;
    use std::path::Path;

    #[test]
    fn open_incidents_outlive_those_that_ended() {
        let document = DocumentId::new(Path::new("/srv"), OsStr::new("a.json"));
        let subject = Subject { document, watch: WatchName::new("w") };
        let recent = Recent::default();
        for number in 0..1_000 {
            recent.began(Timestamp::UNIX_EPOCH, IncidentId(number), &subject, Kind::Empty);
            if number != 0 {
                recent.ended(Timestamp::UNIX_EPOCH, IncidentId(number), "repaired");
            }
        }
        let all = recent.all();
        assert_eq!(all.len(), INCIDENTS_MAX);
        assert_eq!(all.first().map(|incident| incident.id), Some(IncidentId(999)));
        assert_eq!(all.last().map(|incident| incident.id), Some(IncidentId(0)));
    }
}
