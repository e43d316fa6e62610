//! What is wrong with the guarding at present, kept from facts that say when trouble begins and when it ends.

use std::collections::{BTreeMap, BTreeSet};
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
    stalled: BTreeSet<PathBuf>,
    /// Why nothing new is stored.
    storage_low: Option<String>,
    /// What the last looks at ourselves found.
    failed: BTreeMap<Check, (Level, String)>,
}

impl Troubles {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self {
            health,
            unstored: BTreeMap::new(),
            without_events: BTreeMap::new(),
            stretched: None,
            short_of_room: BTreeMap::new(),
            stalled: BTreeSet::new(),
            storage_low: None,
            failed: BTreeMap::new(),
        }
    }

    pub(super) fn backup_failed(&mut self, document: &DocumentId, why: &str) {
        if self.unstored.len() < UNSTORED_MAX || self.unstored.contains_key(document) {
            self.unstored.insert(document.clone(), why.to_owned());
        }
        self.show(Check::Backups);
    }

    pub(super) fn backed_up(&mut self, document: &DocumentId) {
        self.forgotten(document);
    }

    pub(super) fn forgotten(&mut self, document: &DocumentId) {
        if self.unstored.remove(document).is_some() {
            self.show(Check::Backups);
        }
    }

    pub(super) fn event_source_lost(&mut self, watch: &WatchName, why: &str) {
        self.without_events.insert(watch.clone(), why.to_owned());
        self.show(Check::EventSource);
    }

    pub(super) fn event_source_back(&mut self, watch: &WatchName) {
        self.without_events.remove(watch);
        self.show(Check::EventSource);
    }

    /// Other watches are guarded, and what the kernel does not tell of them is told anew.
    pub(super) fn watches_anew(&mut self) {
        self.without_events.clear();
        self.stalled.clear();
        self.show(Check::EventSource);
        self.show(Check::Mounts);
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

    pub(super) fn storage_low(&mut self, detail: &str) {
        self.storage_low = Some(detail.to_owned());
        self.show(Check::StateDir);
    }

    pub(super) fn storage_back(&mut self) {
        self.storage_low = None;
        self.show(Check::StateDir);
    }

    pub(super) fn mount_stalled(&mut self, folder: &Path) {
        self.stalled.insert(folder.to_owned());
        self.show(Check::Mounts);
    }

    pub(super) fn mount_back(&mut self, folder: &Path) {
        self.stalled.remove(folder);
        self.show(Check::Mounts);
    }

    pub(super) fn check_failed(&mut self, check: Check, level: Level, why: &str) {
        self.failed.insert(check, (level, why.to_owned()));
        self.show(check);
    }

    pub(super) fn check_passed(&mut self, check: Check) {
        self.failed.remove(&check);
        self.show(check);
    }

    pub(super) fn room_short(&mut self, folder: &Path, detail: &str) {
        self.short_of_room.insert(folder.to_owned(), detail.to_owned());
        self.show(Check::Room);
    }

    pub(super) fn room_back(&mut self, folder: &Path) {
        self.short_of_room.remove(folder);
        self.show(Check::Room);
    }

    /// Shows the worst that is known of a check.
    fn show(&self, check: Check) {
        let told = self.told(check).map(|detail| (Level::Degraded, detail));
        match told.into_iter().chain(self.failed.get(&check).cloned()).max_by_key(|(level, _)| *level) {
            None => self.health.clear(check),
            Some((level, detail)) => self.health.set(check, level, detail),
        }
    }

    /// What the stages told of it.
    fn told(&self, check: Check) -> Option<String> {
        match check {
            Check::StateDir => self.storage_low.clone(),
            Check::Room => self.short_of_room.first_key_value().map(|(_, detail)| detail.clone()),
            Check::Mounts => self.stalled.first().map(|first| self.stalled_words(first)),
            Check::Backups => self.unstored.last_key_value().map(|(_, why)| {
                let files = words::count(self.unstored.len(), "file");
                format!("the present version of {files} is in no backup: {why}")
            }),
            Check::EventSource => self
                .without_events
                .first_key_value()
                .map(|(watch, why)| format!("the sweep alone looks at {} (first: {watch}: {why})", self.watches())),
            _ => None,
        }
    }

    fn stalled_words(&self, first: &Path) -> String {
        let first = words::path(first);
        match self.stalled.len() {
            1 => format!("the file system of {first} does not answer"),
            many => format!("{many} file systems do not answer (first: that of {first})"),
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
    fn of_two_troubles_with_one_check_the_worse_is_shown_until_both_are_over() {
        let health = Arc::new(Health::new());
        let mut troubles = Troubles::new(health.clone());
        troubles.storage_low("low");
        troubles.check_failed(Check::StateDir, Level::Unhealthy, "read-only");
        assert_eq!(health.of(Check::StateDir).detail, "read-only");
        troubles.check_passed(Check::StateDir);
        assert_eq!(health.of(Check::StateDir).level, Level::Degraded);
        troubles.storage_back();
        assert_eq!(health.of(Check::StateDir).level, Level::Healthy);
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
