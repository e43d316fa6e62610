//! What is wrong with the guarding at present, kept from facts that say when trouble begins and when it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::words;
use crate::config::WatchName;
use crate::document::DocumentId;
use crate::health::{Check, Health, Level};

/// More documents that could not be stored than this are not told apart.
const UNSTORED_MAX: usize = 1_000;

/// The troubles that last, mirrored on the health board.
pub(super) struct Troubles {
    health: Arc<Health>,
    unstored: BTreeMap<DocumentId, String>,
    without_events: BTreeMap<WatchName, String>,
    stretched: Option<Duration>,
    short_of_room: BTreeMap<PathBuf, String>,
}

impl Troubles {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self {
            health,
            unstored: BTreeMap::new(),
            without_events: BTreeMap::new(),
            stretched: None,
            short_of_room: BTreeMap::new(),
        }
    }

    pub(super) fn backup_failed(&mut self, document: &DocumentId, why: &str) {
        if self.unstored.len() < UNSTORED_MAX || self.unstored.contains_key(document) {
            self.unstored.insert(document.clone(), why.to_owned());
        }
        self.show_backups();
    }

    pub(super) fn backed_up(&mut self, document: &DocumentId) {
        self.forgotten(document);
    }

    pub(super) fn forgotten(&mut self, document: &DocumentId) {
        if self.unstored.remove(document).is_some() {
            self.show_backups();
        }
    }

    pub(super) fn event_source_lost(&mut self, watch: &WatchName, why: &str) {
        self.without_events.insert(watch.clone(), why.to_owned());
        self.show_event_source();
    }

    pub(super) fn event_source_back(&mut self, watch: &WatchName) {
        self.without_events.remove(watch);
        self.show_event_source();
    }

    /// Other watches are guarded, and what the kernel does not tell of them is told anew.
    pub(super) fn watches_anew(&mut self) {
        self.without_events.clear();
        self.show_event_source();
    }

    /// A sweep that is faster than one which had to be stretched shows that the trouble is over; were it not, the next
    /// [`crate::event::Fact::SweepStretched`] says so again.
    pub(super) fn swept(&mut self, took: Duration) {
        if self.stretched.is_some_and(|stretched| took < stretched) {
            self.stretched = None;
            self.health.clear(Check::Sweep);
        }
    }

    pub(super) fn sweep_stretched(&mut self, took: Duration) {
        self.stretched = Some(took);
        self.health.set(Check::Sweep, Level::Degraded, format!("a sweep takes {}", words::span(took)));
    }

    pub(super) fn storage_low(&self, detail: &str) {
        self.health.set(Check::StateDir, Level::Degraded, detail);
    }

    pub(super) fn storage_back(&self) {
        self.health.clear(Check::StateDir);
    }

    pub(super) fn room_short(&mut self, folder: &Path, detail: &str) {
        self.short_of_room.insert(folder.to_owned(), detail.to_owned());
        self.show_room();
    }

    pub(super) fn room_back(&mut self, folder: &Path) {
        self.short_of_room.remove(folder);
        self.show_room();
    }

    fn show_room(&self) {
        match self.short_of_room.first_key_value() {
            None => self.health.clear(Check::Room),
            Some((_, detail)) => self.health.set(Check::Room, Level::Degraded, detail),
        }
    }

    fn show_backups(&self) {
        match self.unstored.last_key_value() {
            None => self.health.clear(Check::Backups),
            Some((_, why)) => {
                let files = words::count(self.unstored.len(), "file");
                let detail = format!("the present version of {files} is in no backup: {why}");
                self.health.set(Check::Backups, Level::Degraded, detail);
            }
        }
    }

    fn show_event_source(&self) {
        match self.without_events.first_key_value() {
            None => self.health.clear(Check::EventSource),
            Some((watch, why)) => {
                let detail = format!("the sweep alone looks at {} (first: {watch}: {why})", self.watches());
                self.health.set(Check::EventSource, Level::Degraded, detail);
            }
        }
    }

    fn watches(&self) -> String {
        match self.without_events.len() {
            1 => "1 watch".to_owned(),
            many => format!("{many} watches"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::path::Path;

    fn document(name: &str) -> DocumentId {
        DocumentId::new(Path::new("/srv"), OsStr::new(name))
    }

    #[test]
    fn a_failed_backup_is_trouble_until_that_very_file_is_stored_or_gone() {
        let health = Arc::new(Health::new());
        let mut troubles = Troubles::new(health.clone());
        troubles.backup_failed(&document("a.json"), "full");
        troubles.backed_up(&document("b.json"));
        assert_eq!(health.of(Check::Backups).level, Level::Degraded);
        troubles.backed_up(&document("a.json"));
        assert_eq!(health.of(Check::Backups).level, Level::Healthy);
    }

    #[test]
    fn a_slow_sweep_is_trouble_until_a_faster_one() {
        let health = Arc::new(Health::new());
        let mut troubles = Troubles::new(health.clone());
        let slow = Duration::from_secs(9);
        troubles.swept(slow);
        troubles.sweep_stretched(slow);
        troubles.swept(slow);
        assert_eq!(health.of(Check::Sweep).level, Level::Degraded);
        troubles.swept(Duration::from_secs(1));
        assert_eq!(health.of(Check::Sweep).level, Level::Healthy);
    }
}
