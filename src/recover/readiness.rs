//! How far the first sweep has come.

use super::Recover;
use crate::document::DocumentId;
use crate::event::Fact;

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
}
