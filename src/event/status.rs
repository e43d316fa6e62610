//! Where everything stands, as the facts have left it.

use std::ffi::OsString;

use super::{IncidentId, Subject};
use crate::document::Stored;
use crate::steer::Standing;
use crate::verdict::{Finding, Kind, Reason, State};

/// Where everything stands: what the probes, the status page and the gauges answer from.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Every document, in order of its name.
    pub files: std::sync::Arc<[FileStatus]>,
    /// How many of them have had their first look.
    pub judged: usize,
    /// Has the first sweep judged them all?
    pub first_sweep_done: bool,
    /// What people said of the guarding.
    pub standing: Standing,
}

/// Where one document stands.
#[derive(Clone, Debug)]
pub struct FileStatus {
    /// Which, and whose.
    pub subject: Subject,
    /// Its state.
    pub state: State,
    /// Why it is held or unreadable.
    pub reason: Option<Reason>,
    /// How it is guarded at present: `guard`, `observe` or `paused`.
    pub guarding: &'static str,
    /// What is wrong with its present bytes.
    pub kind: Option<Kind>,
    /// What readers may stumble over, as far as its bytes were read since the start.
    pub findings: Vec<Finding>,
    /// The newest version that a repair may put back.
    pub last_good: Option<Stored>,
    /// Its incident, while one is open.
    pub incident: Option<IncidentId>,
    /// Has it every bit of its present content in a stored version?
    pub backed_up: bool,
    /// Why it could not be repaired here, were it damaged now; `None` when it could.
    pub unrepairable: Option<String>,
    /// What cannot be promised of it here, and is done as well as can be.
    pub best_effort: Option<&'static str>,
    /// The names, beside it, of replaced versions that could not be kept in quarantine yet.
    pub left_beside: Vec<OsString>,
    /// What the state directory holds of it.
    pub stock: Stock,
}

/// What the state directory holds of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Stored versions.
    pub versions: u64,
    /// What they take on disk, in bytes.
    pub version_bytes: u64,
    /// Bytes in quarantine.
    pub quarantine_bytes: u64,
}
