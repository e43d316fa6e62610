//! What is answered from: snapshots, atomics and short copies. Nothing here waits for a disk or a stage.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::sync::watch;

use super::hosts::Hosts;
use crate::disk::Disk;
use crate::error::Escaped;
use crate::event::{FileStatus, Status};
use crate::health::{Check, Health, Level, Standing};
use crate::line;
use crate::record::feeds::Feeds;
use crate::record::metrics::Metrics;
use crate::record::recent::Recent;
use crate::stage::{Heartbeat, Latched};
use crate::steer::Orders;
use crate::verdict::State;

/// What is answered from.
#[derive(Clone)]
pub struct View {
    /// Where every document stands.
    pub status: watch::Receiver<Arc<Status>>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The incidents of late.
    pub recent: Arc<Recent>,
    /// What happens, as it happens.
    pub feeds: Arc<Feeds>,
    /// The board that the stages write.
    pub health: Arc<Health>,
    /// One for each stage: liveness.
    pub heartbeats: Vec<Heartbeat>,
    /// What must have happened: readiness.
    pub latches: Vec<Latched>,
    /// Was the daemon asked to end?
    pub draining: Arc<AtomicBool>,
    /// The names that we answer to.
    pub hosts: Hosts,
    /// Who we are.
    pub identity: Identity,
    /// Where orders go.
    pub orders: Orders,
    /// For finding out who may order what.
    pub disk: Disk,
}

/// Which daemon this is: several may run on one machine.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its state directory, canonical.
    pub state_dir: PathBuf,
}

impl Identity {
    /// As a JSON object. What cannot be shown of the path stands beside it in hex.
    pub(super) fn json(&self) -> String {
        let path = self.state_dir.as_os_str();
        let members = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uid": rustix::process::geteuid().as_raw(),
            "state_dir": Escaped(path).to_string(),
            "state_dir_bytes": line::hex(path.as_bytes()),
        });
        members.to_string() + "\n"
    }
}

impl View {
    /// Where every document stands, at this moment.
    pub(super) fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// Was the daemon asked to end?
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Every check by name: the board, and what is computed now.
    pub(super) fn checks(&self, status: &Status) -> Vec<(&'static str, Standing)> {
        let board = Check::ALL.into_iter().zip(self.health.all());
        let checks = board.map(|(check, standing)| match check {
            Check::Stages => (check.label(), stages(&self.heartbeats)),
            Check::Files => (check.label(), files(status)),
            _ => (check.label(), standing),
        });
        checks.collect()
    }
}

fn stages(heartbeats: &[Heartbeat]) -> Standing {
    let stuck: Vec<&str> = heartbeats.iter().filter(|beat| !beat.is_alive()).map(Heartbeat::stage).collect();
    if stuck.is_empty() {
        return Standing::default();
    }
    Standing { level: Level::Unhealthy, detail: format!("no progress: {}", stuck.join(", ")) }
}

/// Files that a person should look at.
fn files(status: &Status) -> Standing {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in status.files.iter() {
        let unrepairable = file.unrepairable().map(|_| "not to be repaired where they are");
        for what in [trouble(file), unrepairable].into_iter().flatten() {
            *counts.entry(what).or_default() += 1;
        }
    }
    let detail: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let level = if detail.is_empty() { Level::Healthy } else { Level::Degraded };
    Standing { level, detail: detail.join(", ") }
}

fn trouble(file: &FileStatus) -> Option<&'static str> {
    match file.state {
        State::Settling | State::Repairing => Some("damaged"),
        State::Held => Some("held"),
        State::Missing => Some("missing"),
        State::Unreadable => Some("unreadable"),
        State::Unproven if file.kind.is_some() => Some("damaged from the start"),
        State::Unproven | State::Healthy => None,
    }
}
