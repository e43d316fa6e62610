//! What is told of where everything stands: only what may have changed is asked again, and only what has is told.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Recover;
use crate::config::WatchName;
use crate::document::DocumentId;
use crate::event::{FileStatus, Status};

/// What may have changed since the status was told.
#[derive(Debug, Default)]
pub(super) struct Stale {
    documents: HashSet<DocumentId>,
    /// How far the first sweep has come, or what people said.
    is_progress: bool,
}

impl Stale {
    /// Something happened with a document.
    pub(super) fn add(&mut self, document: &DocumentId) {
        if !self.documents.contains(document) {
            self.documents.insert(document.clone());
        }
    }

    /// Something happened that concerns them all.
    pub(super) fn add_all<'a>(&mut self, documents: impl Iterator<Item = &'a DocumentId>) {
        self.is_progress = true;
        self.documents.extend(documents.cloned());
    }

    /// The first sweep has come further.
    pub(super) fn add_progress(&mut self) {
        self.is_progress = true;
    }

    /// Is there anything to tell?
    pub(super) fn is_any(&self) -> bool {
        self.is_progress || !self.documents.is_empty()
    }
}

impl Recover {
    /// Tells where everything stands, if that has changed; says whether other files than before could be repaired.
    pub(super) fn tell_status(&mut self) -> bool {
        let stale = std::mem::take(&mut self.stale);
        let told = Arc::clone(&self.status.borrow());
        let (mut changes, mut is_repair_news) = (BTreeMap::new(), false);
        for document in stale.documents {
            let before = told.files.find(&document);
            let now = self.documents.get(&document).map(|tracked| tracked.status());
            if before != now.as_ref() {
                is_repair_news |= before.and_then(unrepairable) != now.as_ref().and_then(unrepairable);
                changes.insert(document, now);
            }
        }
        let status = Status {
            files: if changes.is_empty() { told.files.clone() } else { told.files.with(changes) },
            judged: self.documents.len().saturating_sub(self.unlooked),
            first_sweep_done: self.is_swept && self.unlooked == 0,
            standing: self.standing.clone(),
        };
        if status != *told {
            self.status.send_replace(Arc::new(status));
        }
        is_repair_news
    }
}

fn unrepairable(file: &FileStatus) -> Option<(&WatchName, &str)> {
    Some((&file.subject.watch, file.unrepairable()?))
}
