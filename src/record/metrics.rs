//! The metrics: names and labels are those of the contract, and people's dashboards depend on them.
//!
//! Everything is registered at the start, and every series of a closed set exists with 0 from the start, so that `rate()`
//! sees the very first corruption. Labels come from the configuration and from closed sets only.

mod families;
mod forecast;
mod labelled;
mod standing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use prometheus::{Encoder, Registry, TextEncoder};

use crate::clock::{self, Timestamp};
use crate::config::{Watch, WatchName};
use crate::event::Status;
use crate::health::{Check, Standing};
use crate::verdict::{Finding, Kind};

use self::families::Families;
use self::forecast::Forecast;
use self::labelled::Labelled;

/// Beyond so many watches the rest share one label, so that a generated configuration cannot flood Prometheus.
const WATCH_LABELS_MAX: usize = 100;

/// The label that the rest share.
const OTHER: &str = "_other";

/// What an answer to HTTP was about: the closed set of `http_requests_total{handler}`.
pub const HANDLERS: [&str; 10] =
    ["livez", "readyz", "healthz", "metrics", "page", "files", "incidents", "events", "orders", "other"];

/// The status codes that our own answers have.
const CODES: [&str; 6] = ["200", "404", "405", "413", "421", "503"];

/// Every metric of the daemon.
pub struct Metrics {
    registry: Registry,
    families: Families,
    labels: RwLock<Arc<Labels>>,
    forecast: Mutex<Forecast>,
}

/// How the watches are shown.
type Labels = HashMap<WatchName, LabelledWatch>;

/// How a watch is shown.
struct LabelledWatch {
    /// Its own name, or the shared one.
    label: Arc<str>,
    /// One series a file, too?
    per_file: bool,
}

impl Metrics {
    /// Registers everything for these watches.
    ///
    /// # Errors
    /// When the library refuses a name; a test keeps this from happening.
    pub fn new(watches: &[Arc<Watch>], version: &str, revision: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let families = Families::register(&registry)?;
        let metrics =
            Self { registry, families, labels: RwLock::new(Arc::new(labels(watches))), forecast: Mutex::default() };
        metrics.families.build_info.set(&[version, revision], 1);
        metrics.begin_at_zero();
        metrics.families.state_dir_full.set(f64::INFINITY);
        metrics.reloaded(Some(clock::now()));
        Ok(metrics)
    }

    /// Other watches are guarded now: what stood for those that are gone is no longer shown. What was counted stays.
    pub fn watch_instead(&self, watches: &[Arc<Watch>]) {
        *self.labels.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(labels(watches));
        self.families.forget_watches();
        for watch in self.labels().values() {
            self.families.begin_watch_at_zero(&watch.label);
        }
    }

    /// The configuration was read: at this time; or was refused.
    pub fn reloaded(&self, at: Option<Timestamp>) {
        self.families.reload_successful.set(at.is_some().into());
        if let Some(at) = at {
            self.families.reload_success_time.set(at.as_duration().as_secs_f64());
        }
    }

    /// Some bytes were judged.
    pub fn judged(&self, watch: &WatchName, result: &str, took: Duration) {
        self.count(&self.families.validations, watch, result);
        self.families.validation_duration.observe(took.as_secs_f64());
    }

    /// A file has come to hold something that readers may stumble over.
    pub fn found(&self, watch: &WatchName, finding: Finding) {
        self.count(&self.families.findings, watch, finding.label());
    }

    /// Damage was believed.
    pub fn corrupted(&self, watch: &WatchName, kind: Kind, detection: Duration) {
        self.count(&self.families.corruptions, watch, kind.label());
        self.families.detection_duration.observe(detection.as_secs_f64());
    }

    /// A repair came to an end; `outcome` is `repaired`, `failed` or `yielded`.
    pub fn restored(&self, watch: &WatchName, outcome: &str) {
        self.count(&self.families.restores, watch, outcome);
    }

    /// Good bytes stand at a name again: `restore` since believed, `repair` since the file's ctime.
    pub fn repaired(&self, watch: &WatchName, restore: Duration, repair: Duration) {
        self.restored(watch, "repaired");
        self.families.restore_duration.observe(restore.as_secs_f64());
        self.families.repair_duration.observe(repair.as_secs_f64());
    }

    /// A version was stored, or could not be; `outcome` is `stored` or `failed`.
    pub fn backed_up(&self, watch: &WatchName, outcome: &str) {
        self.count(&self.families.backups, watch, outcome);
    }

    /// Old versions were removed; `reason` names the limit that they were over.
    pub fn pruned(&self, watch: &WatchName, reason: &str, versions: usize) {
        self.families.backups_pruned.add(&[&self.label(watch), reason], versions as u64);
    }

    /// A stored version failed its digest.
    pub fn rotten(&self, watch: &WatchName) {
        self.count_watch(&self.families.rot, watch);
    }

    /// Replaced bytes were kept in quarantine.
    pub fn quarantined(&self, watch: &WatchName) {
        self.count_watch(&self.families.quarantined, watch);
    }

    /// Does the kernel tell of every folder of this watch?
    pub fn event_source(&self, watch: &WatchName, up: bool) {
        self.families.event_source_up.set(&[&self.label(watch)], up.into());
    }

    /// The kernel dropped events.
    pub fn events_overflowed(&self) {
        self.families.event_overflows.inc();
    }

    /// All was looked at.
    pub fn swept(&self, at: Timestamp, took: Duration) {
        self.families.last_sweep.set(at.as_duration().as_secs_f64());
        self.families.sweep_duration.observe(took.as_secs_f64());
    }

    /// The bytes that the state directory's file system has left for us by now.
    pub fn state_dir_has(&self, available_bytes: u64, now: Instant) {
        self.families.state_dir_avail.set(i64::try_from(available_bytes).unwrap_or(i64::MAX));
        let mut forecast = self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        self.families.state_dir_full.set(forecast.seconds_left(available_bytes, now));
    }

    /// A request was answered.
    pub fn answered(&self, handler: &str, code: u16, took: Duration) {
        self.families.http_requests.add(&[handler, &code.to_string()], 1);
        self.families.http_request_duration.observe(took.as_secs_f64());
    }

    /// Everything as Prometheus reads it. The gauges that say how things stand are set from `status` and `health` first, so
    /// one thread at a time should ask.
    #[must_use]
    pub fn encode(&self, status: &Status, health: &[(&'static str, Standing)]) -> Vec<u8> {
        self.stand(status, health);
        let mut text = Vec::new();
        self.families.labelled.iter().for_each(|family| family.encode(&mut text));
        // Writing to memory cannot fail; the encoder's other error is an empty family, which it has then left out.
        for family in self.registry.gather() {
            let _ = TextEncoder::new().encode(&[family], &mut text);
        }
        text
    }

    fn labels(&self) -> Arc<Labels> {
        self.labels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn label(&self, watch: &WatchName) -> Arc<str> {
        self.labels().get(watch).map_or_else(|| OTHER.into(), |watch| watch.label.clone())
    }

    fn count(&self, family: &Labelled, watch: &WatchName, value: &str) {
        family.add(&[&self.label(watch), value], 1);
    }

    fn count_watch(&self, family: &Labelled, watch: &WatchName) {
        family.add(&[&self.label(watch)], 1);
    }

    /// Makes every series of the closed sets.
    fn begin_at_zero(&self) {
        for watch in self.labels().values() {
            self.families.begin_watch_at_zero(&watch.label);
        }
        self.stand(&Status::default(), &Check::ALL.map(|check| (check.label(), Standing::default())));
        for (handler, code) in HANDLERS.iter().flat_map(|handler| CODES.map(|code| (*handler, code))) {
            self.families.http_requests.add(&[handler, code], 0);
        }
    }
}

/// The label of each watch: the first hundred have their own.
fn labels(watches: &[Arc<Watch>]) -> HashMap<WatchName, LabelledWatch> {
    let labelled = watches.iter().enumerate().map(|(number, watch)| {
        let label = if number < WATCH_LABELS_MAX { watch.name.as_str() } else { OTHER };
        (watch.name.clone(), LabelledWatch { label: label.into(), per_file: watch.rules.per_file_metrics })
    });
    labelled.collect()
}

#[cfg(test)]
#[path = "metrics/tests.rs"]
mod tests;
