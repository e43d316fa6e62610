//! How far the first sweep has come, and where everything stands.

use std::sync::Arc;

use super::Recover;
use crate::document::DocumentId;
use crate::event::{Fact, Status};

impl Recover {
    /// The document's first look is done.
    pub(super) async fn looked_at(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        if !std::mem::replace(&mut tracked.is_looked_at, true) {
            self.unlooked = self.unlooked.saturating_sub(1);
            self.ready().await;
        }
    }

    /// Ready, once the first sweep is over and all that it found has been judged.
    pub(super) async fn ready(&mut self) {
        if !self.is_swept || self.unlooked > 0 || self.judged.is_none() {
            return;
        }
        for watch in self.settings.watches.clone() {
            let mine = || self.documents.values().filter(|tracked| tracked.watch.name == watch.name);
            let unproven = mine().filter(|tracked| !tracked.machine.is_proven).count();
            let (watch, documents) = (watch.name.clone(), mine().count());
            self.say(Fact::Enrolled { watch, documents, unproven }).await;
        }
        self.tell_unrepairable().await;
        self.say(Fact::Started { documents: self.documents.len() }).await;
        self.tell_status();
        self.judged = None;
    }

    pub(super) fn tell_status(&mut self) {
        let standing = &self.standing;
        let mut files: Vec<_> = self.documents.values().map(|tracked| tracked.status(standing)).collect();
        files.sort_unstable_by(|one, other| one.subject.document.cmp(&other.subject.document));
        let first_sweep_done = self.is_swept && self.unlooked == 0;
        let judged = files.len().saturating_sub(self.unlooked);
        self.status.send_replace(Arc::new(Status {
            files: files.into(),
            judged,
            first_sweep_done,
            standing: standing.clone(),
        }));
        self.is_status_stale = false;
    }
}
