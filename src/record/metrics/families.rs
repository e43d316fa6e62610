//! Every family of series, with its help text and its labels.

use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

use super::labelled::Labelled;
use crate::verdict::{Finding, Kind};

/// Seconds: from a bare repair (0.4 ms) to the promise (30 s) and beyond.
const BUCKETS: [f64; 14] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

/// The labels of the verdicts, in `validations_total{result}`.
const RESULTS: [&str; 5] = ["valid", "corrupt", "suspicious", "told", "unreadable"];

/// The families, each named as in the contract, without the prefix and the unit.
pub(super) struct Families {
    pub(super) build_info: Arc<Labelled>,
    pub(super) files: Arc<Labelled>,
    pub(super) files_without_backup: Arc<Labelled>,
    pub(super) files_unrepairable: Arc<Labelled>,
    pub(super) file_valid: Arc<Labelled>,
    pub(super) validations: Arc<Labelled>,
    pub(super) findings: Arc<Labelled>,
    pub(super) corruptions: Arc<Labelled>,
    pub(super) restores: Arc<Labelled>,
    pub(super) incidents_open: Arc<Labelled>,
    pub(super) breakers_open: Arc<Labelled>,
    pub(super) detection_duration: Histogram,
    pub(super) restore_duration: Histogram,
    pub(super) repair_duration: Histogram,
    pub(super) validation_duration: Histogram,
    pub(super) sweep_duration: Histogram,
    pub(super) http_request_duration: Histogram,
    pub(super) last_sweep: Gauge,
    pub(super) event_source_up: Arc<Labelled>,
    pub(super) event_overflows: IntCounter,
    pub(super) backups: Arc<Labelled>,
    pub(super) backups_pruned: Arc<Labelled>,
    pub(super) backup_files: Arc<Labelled>,
    pub(super) backup_bytes: Arc<Labelled>,
    pub(super) rot: Arc<Labelled>,
    pub(super) quarantined: Arc<Labelled>,
    pub(super) quarantine_bytes: Arc<Labelled>,
    pub(super) state_dir_avail: IntGauge,
    pub(super) state_dir_full: Gauge,
    pub(super) health_check_ok: Arc<Labelled>,
    pub(super) reload_successful: IntGauge,
    pub(super) reload_success_time: Gauge,
    pub(super) http_requests: Arc<Labelled>,
    /// Those of the above that have labels; the others are in the registry.
    pub(super) labelled: Vec<Arc<Labelled>>,
}

impl Families {
    /// Makes them all, and the process collector; those without labels are registered.
    pub(super) fn register(to: &Registry) -> Result<Self, prometheus::Error> {
        to.register(Box::new(ProcessCollector::for_self()))?;
        let mut labelled = Vec::new();
        let own = &mut labelled;
        Ok(Self {
            build_info: gauges(own, "build_info", "What was built: always 1.", &["version", "revision"]),
            files: gauges(own, "files", "Guarded files by state.", &["watch", "state"]),
            files_without_backup: by_watch(own, "files_without_backup", "Files whose good content is in no backup."),
            files_unrepairable: by_watch(own, "files_unrepairable", "Files that could not be repaired where they are."),
            file_valid: gauges(own, "file_valid", "1 while the file is there and valid.", &["watch", "path"]),
            validations: counters(own, "validations_total", "Files judged, by result.", &["watch", "result"]),
            findings: counters(own, "findings_total", "What readers may stumble over, by kind.", &["watch", "kind"]),
            corruptions: counters(own, "corruptions_total", "Damage that was believed, by kind.", &["watch", "kind"]),
            restores: counters(own, "restores_total", "Repairs that ended, by outcome.", &["watch", "outcome"]),
            incidents_open: by_watch(own, "incidents_open", "Files with an incident that has not ended."),
            breakers_open: by_watch(own, "breakers_open", "Files held because they were repaired too often."),
            detection_duration: seconds(to, "detection_duration_seconds", "From the file's ctime to damage believed.")?,
            restore_duration: seconds(to, "restore_duration_seconds", "From damage believed to good bytes in place.")?,
            repair_duration: seconds(to, "repair_duration_seconds", "From the file's ctime to good bytes in place.")?,
            validation_duration: seconds(to, "validation_duration_seconds", "Judging one file.")?,
            sweep_duration: seconds(to, "sweep_duration_seconds", "Looking at all files once.")?,
            http_request_duration: seconds(to, "http_request_duration_seconds", "Answering one request.")?,
            last_sweep: moment(to, "last_sweep_timestamp_seconds", "When all files were looked at last.")?,
            event_source_up: by_watch(own, "event_source_up", "1 while the kernel tells when the files change."),
            event_overflows: counter(to, "event_overflows_total", "Times the kernel dropped events.")?,
            backups: counters(own, "backups_total", "Versions to be stored, by outcome.", &["watch", "outcome"]),
            backups_pruned: counters(own, "backups_pruned_total", "Old versions removed.", &["watch", "reason"]),
            backup_files: by_watch(own, "backup_files", "Stored versions."),
            backup_bytes: by_watch(own, "backup_bytes", "Bytes in stored versions."),
            rot: counters(own, "rot_total", "Stored versions that failed their digest.", &["watch"]),
            quarantined: counters(own, "quarantined_total", "Replaced versions kept in quarantine.", &["watch"]),
            quarantine_bytes: by_watch(own, "quarantine_bytes", "Bytes in quarantine."),
            state_dir_avail: gauge(to, "state_dir_avail_bytes", "Room left for the state directory.")?,
            state_dir_full: moment(to, "state_dir_full_seconds", "Until it is full, as the last hour went.")?,
            health_check_ok: gauges(own, "health_check_ok", "1 while the check is healthy.", &["check"]),
            reload_successful: gauge(to, "config_last_reload_successful", "0 when the last reload was refused.")?,
            reload_success_time: moment(
                to,
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read.",
            )?,
            http_requests: counters(own, "http_requests_total", "Requests answered.", &["handler", "code"]),
            labelled,
        })
    }

    /// Nothing stands for any watch any more, until it is said anew.
    pub(super) fn forget_watches(&self) {
        for family in [
            &self.files,
            &self.files_without_backup,
            &self.files_unrepairable,
            &self.incidents_open,
            &self.breakers_open,
            &self.event_source_up,
            &self.backup_files,
            &self.backup_bytes,
            &self.quarantine_bytes,
        ] {
            family.reset();
        }
    }

    /// Makes every series of one watch whose labels are a closed set.
    pub(super) fn begin_watch_at_zero(&self, watch: &str) {
        let events: [(&Labelled, Vec<&str>); 6] = [
            (&self.validations, RESULTS.to_vec()),
            (&self.findings, Finding::ALL.iter().copied().map(Finding::label).collect()),
            (&self.corruptions, [&Kind::CORRUPT.map(Kind::label)[..], &Kind::SUSPICIOUS.map(Kind::label)].concat()),
            (&self.restores, vec!["repaired", "failed", "yielded"]),
            (&self.backups, vec!["stored", "failed"]),
            (&self.backups_pruned, vec!["keep_last", "max_bytes", "keep_removed"]),
        ];
        for (family, values) in events {
            for value in values {
                family.add(&[watch, value], 0);
            }
        }
        for family in [&self.rot, &self.quarantined] {
            family.add(&[watch], 0);
        }
        self.event_source_up.set(&[watch], 1);
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("jsonwarden")
}

fn kept(own: &mut Vec<Arc<Labelled>>, family: Labelled) -> Arc<Labelled> {
    let family = Arc::new(family);
    own.push(Arc::clone(&family));
    family
}

fn gauges(own: &mut Vec<Arc<Labelled>>, name: &str, help: &str, labels: &'static [&'static str]) -> Arc<Labelled> {
    kept(own, Labelled::new(name, help, "gauge", labels))
}

fn by_watch(own: &mut Vec<Arc<Labelled>>, name: &str, help: &str) -> Arc<Labelled> {
    gauges(own, name, help, &["watch"])
}

fn counters(own: &mut Vec<Arc<Labelled>>, name: &str, help: &str, labels: &'static [&'static str]) -> Arc<Labelled> {
    kept(own, Labelled::new(name, help, "counter", labels))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::with_opts(options(name, help))?)
}

fn moment(registry: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    registered(registry, Gauge::with_opts(options(name, help))?)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    registered(registry, IntCounter::with_opts(options(name, help))?)
}

fn seconds(registry: &Registry, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts { common_opts: options(name, help), buckets: BUCKETS.to_vec() };
    registered(registry, Histogram::with_opts(options)?)
}
