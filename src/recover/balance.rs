//! What the versions of many documents take together: within a watch's limit, and within the limit of all. Whoever uses
//! most gives first, so that a chatty file costs its neighbours nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::Recover;
use super::job::{Known, Work};
use super::tracked::Tracked;
use crate::backup::{User, level};
use crate::config::{Watch, WatchName};
use crate::document::DocumentId;
use crate::error::Result;
use crate::event::Fact;

impl Recover {
    /// Has documents give old versions, when something was stored since and it is too much.
    pub(super) fn balance(&mut self) {
        let begun = Instant::now();
        if self.is_stock_changed && self.balancing.is_due(begun) {
            self.is_stock_changed = false;
            self.balance_all();
            self.balancing.took(begun, begun.elapsed());
        }
    }

    fn balance_all(&mut self) {
        let mut used: HashMap<&WatchName, u64> = HashMap::new();
        for tracked in self.documents.values() {
            let used = used.entry(&tracked.watch.name).or_default();
            *used = used.saturating_add(tracked.user().bytes);
        }
        let is_beyond = |watch: &&Arc<Watch>| used.get(&watch.name).is_some_and(|used| *used > watch.rules.max_bytes);
        let beyond: Vec<Arc<Watch>> = self.settings.watches.iter().filter(is_beyond).cloned().collect();
        for watch in beyond {
            self.bring_down(watch.rules.max_bytes, |tracked| tracked.watch.name == watch.name);
        }
        let rest = self.settings.storage.max_bytes.saturating_sub(self.unguarded_bytes);
        self.bring_down(rest, |_| true);
    }

    fn bring_down(&mut self, max_bytes: u64, is_meant: impl Fn(&Tracked) -> bool) {
        let meant = || self.documents.values().map(Box::as_ref).filter(|tracked| is_meant(tracked));
        let usage: Vec<User> = meant().map(Tracked::user).collect();
        let Some(level) = level(&usage, max_bytes) else { return };
        let gives = |tracked: &&Tracked| tracked.user().bytes > level.max(tracked.user().needed_bytes);
        let users: Vec<DocumentId> = meant().filter(gives).map(|tracked| tracked.document.clone()).collect();
        for document in users {
            if self.documents.get(&document).is_some_and(|tracked| tracked.is_in_flight) {
                // Its turn comes when what runs with it is done.
                self.is_stock_changed = true;
            } else {
                self.start(&document, Work::Prune { max_bytes: level });
            }
        }
    }

    /// A document gave old versions.
    pub(super) async fn pruned(
        &mut self,
        document: &DocumentId,
        pruned: Result<(usize, u64)>,
        known: Result<Arc<Known>>,
    ) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.known = known.ok();
        let subject = tracked.subject();
        // What could not be removed goes after the next store.
        if let Ok((versions @ 1.., bytes)) = pruned {
            self.say(Fact::Pruned { subject, versions, bytes, reason: "max_bytes" }).await;
        }
    }
}

impl Tracked {
    /// What its versions take.
    pub(super) fn user(&self) -> User {
        let known = self.known.as_ref();
        User {
            bytes: known.map_or(0, |known| known.stock.version_bytes),
            needed_bytes: known.map_or(0, |known| known.needed_bytes),
        }
    }
}
