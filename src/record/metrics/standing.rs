//! The gauges that say how things stand, counted anew from the status at each scrape: nothing can drift.

use std::collections::HashMap;
use std::sync::Arc;

use super::Metrics;
use crate::event::{FileStatus, Status};
use crate::health::{Level, Standing};
use crate::verdict::{Reason, State};

/// Beyond so many files with a series of their own the rest share one, so that a folder cannot flood Prometheus.
const FILE_SERIES_MAX: usize = 1_000;

/// What is added up for one label of a watch.
#[derive(Default)]
struct Totals {
    by_state: [i64; State::ALL.len()],
    without_backup: i64,
    unrepairable: i64,
    incidents: i64,
    breakers: i64,
    backup_files: u64,
    backup_bytes: u64,
    quarantine_bytes: u64,
}

impl Totals {
    fn add(&mut self, file: &FileStatus) {
        self.by_state[file.state as usize] += 1;
        self.without_backup += i64::from(!has_backup(file));
        self.unrepairable += i64::from(file.unrepairable().is_some());
        self.incidents += i64::from(file.incident.is_some());
        self.breakers += i64::from(file.state == State::Held && file.reason == Some(Reason::Breaker));
        self.backup_files += file.stock.versions;
        self.backup_bytes += file.stock.version_bytes;
        self.quarantine_bytes += file.stock.quarantine_bytes;
    }
}

impl Metrics {
    /// Sets every such gauge.
    pub(super) fn stand(&self, status: &Status, health: &[(&'static str, Standing)]) {
        self.stand_watches(status);
        self.stand_files(status);
        for (check, standing) in health {
            self.families.health_check_ok.set(&[check], i64::from(standing.level == Level::Healthy));
        }
    }

    fn stand_watches(&self, status: &Status) {
        let mut totals: HashMap<Arc<str>, Totals> = HashMap::new();
        for watch in self.labels().values() {
            totals.entry(watch.label.clone()).or_default();
        }
        for file in status.files.iter() {
            totals.entry(self.label(&file.subject.watch)).or_default().add(file);
        }
        for (watch, totals) in totals {
            self.stand_watch(&watch, &totals);
        }
    }

    fn stand_watch(&self, watch: &str, totals: &Totals) {
        for state in State::ALL {
            self.families.files.set(&[watch, state.label()], totals.by_state[*state as usize]);
        }
        self.families.files_without_backup.set(&[watch], totals.without_backup);
        self.families.files_unrepairable.set(&[watch], totals.unrepairable);
        self.families.incidents_open.set(&[watch], totals.incidents);
        self.families.breakers_open.set(&[watch], totals.breakers);
        self.families.backup_files.set(&[watch], totals.backup_files.try_into().unwrap_or(i64::MAX));
        self.families.backup_bytes.set(&[watch], totals.backup_bytes.try_into().unwrap_or(i64::MAX));
        self.families.quarantine_bytes.set(&[watch], totals.quarantine_bytes.try_into().unwrap_or(i64::MAX));
    }

    /// One series a file, where the watch asks for it. A file that is gone loses its series.
    fn stand_files(&self, status: &Status) {
        self.families.file_valid.reset();
        let labels = self.labels();
        let wanted = |file: &&FileStatus| labels.get(&file.subject.watch).is_some_and(|watch| watch.per_file);
        let mut rest: HashMap<Arc<str>, bool> = HashMap::new();
        for (number, file) in status.files.iter().filter(wanted).enumerate() {
            let watch = self.label(&file.subject.watch);
            if number < FILE_SERIES_MAX {
                let path = file.subject.document.to_string();
                self.families.file_valid.set(&[&*watch, &path], is_valid(file).into());
            } else {
                *rest.entry(watch).or_insert(true) &= is_valid(file);
            }
        }
        for (watch, all_valid) in rest {
            self.families.file_valid.set(&[&*watch, super::OTHER], all_valid.into());
        }
    }
}

/// Could what is good of this file be had from a backup?
fn has_backup(file: &FileStatus) -> bool {
    file.last_good.is_some() && (file.backed_up || file.state != State::Healthy)
}

fn is_valid(file: &FileStatus) -> bool {
    file.kind.is_none() && !matches!(file.state, State::Unproven | State::Missing | State::Unreadable)
}
