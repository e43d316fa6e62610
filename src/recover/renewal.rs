//! Other settings: documents that no watch has any more go, once the first sweep under them is over.

use tokio::sync::mpsc;

use super::{Recover, Renewal, tools};
use crate::document::DocumentId;
use crate::watch::Observation;

impl Recover {
    /// Guards by other settings from now on; returns where observations come from. What runs goes on to its end.
    pub(super) fn renew(&mut self, renewal: Renewal) -> mpsc::Receiver<Observation> {
        self.settings = renewal.settings;
        self.generation += 1;
        // Without another handle on the state directory the old limits hold.
        if let Ok(tools) = tools(&self.settings, self.disk.clone(), &self.state) {
            self.lanes.use_instead(tools);
        }
        self.is_stock_changed = true;
        // Whoever waits for it may be gone.
        let _ = renewal.done.send(());
        renewal.observations
    }

    /// What a whole sweep did not meet is no watch's any more.
    pub(super) async fn forget_the_unseen(&mut self) {
        let is_unseen = |generation| generation != self.generation;
        let unseen = self.documents.iter().filter(|(_, tracked)| is_unseen(tracked.generation));
        let unseen: Vec<DocumentId> = unseen.map(|(document, _)| document.clone()).collect();
        for document in unseen {
            if !self.stays_for_leftovers(&document).await {
                self.forget(&document).await;
            }
        }
    }
}
