//! What a person did beside the daemon: documents whose versions were restored or forgotten are looked at again.

use std::time::{Duration, Instant};

use super::Recover;
use super::lanes::Finished;
use crate::document::DocumentId;

/// How often that is asked.
const INTERVAL: Duration = Duration::from_secs(2);

impl Recover {
    /// Asks, when it is time.
    pub(super) fn look_for_changes(&mut self) {
        let now = Instant::now();
        if self.changes_due.is_none_or(|due| due > now) {
            return;
        }
        // What cannot be asked now is asked the next time.
        let begun = self.lanes.aside(|tools| Finished::Changed(tools.backups.take_changed().unwrap_or_default()));
        self.changes_due = (!begun).then_some(now + INTERVAL);
    }

    pub(super) fn changed(&mut self, documents: Vec<DocumentId>) {
        self.changes_due = Some(Instant::now() + INTERVAL);
        for document in documents {
            self.changed_by_hand(&document);
        }
    }
}
