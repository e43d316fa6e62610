//! What could not be repaired where it lies is said before the incident: a line a watch when there comes to be any, and one
//! when there is none any more.

use std::collections::BTreeMap;

use super::Recover;
use crate::config::WatchName;
use crate::event::Fact;

impl Recover {
    /// Says of each watch what has changed.
    pub(super) async fn tell_unrepairable(&mut self) {
        let mut now = BTreeMap::<WatchName, (usize, &str)>::new();
        for tracked in self.documents.values() {
            if let Some(why) = &tracked.prospects.unrepairable {
                now.entry(tracked.watch.name.clone()).or_insert((0, why)).0 += 1;
            }
        }
        let begins = |watch: &WatchName| !self.unrepairable.contains(watch);
        let news = now.iter().filter(|(watch, _)| begins(watch)).map(|(watch, (documents, why))| Fact::Unrepairable {
            watch: watch.clone(),
            documents: *documents,
            why: (*why).to_owned(),
        });
        let ends = self.unrepairable.iter().filter(|watch| !now.contains_key(*watch));
        let facts: Vec<Fact> = news.chain(ends.map(|watch| Fact::Repairable { watch: watch.clone() })).collect();
        self.unrepairable = now.into_keys().collect();
        for fact in facts {
            self.say(fact).await;
        }
    }
}
