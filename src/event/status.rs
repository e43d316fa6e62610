//! Where everything stands, as the facts have left it.

use std::ffi::OsString;
use std::sync::Arc;

use super::{Files, IncidentId, Subject};
use crate::document::Stored;
use crate::steer::Standing;
use crate::verdict::{Finding, Kind, Reason, State};

/// Where everything stands: what the probes, the status page and the gauges answer from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Every document, in order of its name.
    pub files: Files,
    /// How many of them have had their first look.
    pub judged: usize,
    /// Has the first sweep judged them all?
    pub first_sweep_done: bool,
    /// What people said of the guarding.
    pub standing: Standing,
}

/// Where one document stands. There may be a hundred thousand of them: what most have not is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Which, and whose.
    pub subject: Subject,
    /// Its state.
    pub state: State,
    /// Why it is held or unreadable.
    pub reason: Option<Reason>,
    /// How it is guarded at present.
    pub guarding: Guarding,
    /// What is wrong with its present bytes.
    pub kind: Option<Kind>,
    /// The newest version that a repair may put back.
    pub last_good: Option<Arc<Stored>>,
    /// Its incident, while one is open.
    pub incident: Option<IncidentId>,
    /// Has it every bit of its present content in a stored version?
    pub backed_up: bool,
    /// What the state directory holds of it.
    pub stock: Stock,
    /// What is out of the ordinary; see [`FileStatus::remarks`].
    pub remarks: Option<Box<Remarks>>,
}

/// How a document is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarding {
    /// Damage is repaired.
    Guard,
    /// Damage is only told.
    Observe,
    /// Somebody paused it.
    Paused,
}

/// What is out of the ordinary with a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What readers may stumble over, as far as its bytes were read since the start.
    pub findings: Vec<Finding>,
    /// Why it could not be repaired here, were it damaged now; `None` when it could.
    pub unrepairable: Option<Arc<str>>,
    /// What cannot be promised of it here, and is done as well as can be.
    pub best_effort: Option<&'static str>,
    /// The names, beside it, of replaced versions that could not be kept in quarantine yet.
    pub left_beside: Vec<OsString>,
}

static NOTHING: Remarks =
    Remarks { findings: Vec::new(), unrepairable: None, best_effort: None, left_beside: Vec::new() };

impl Guarding {
    /// Its word on `/api/v1/files`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Observe => "observe",
            Self::Paused => "paused",
        }
    }
}

impl FileStatus {
    /// A document of which nothing is known yet.
    #[must_use]
    pub fn unproven(subject: Subject) -> Self {
        Self {
            subject,
            state: State::Unproven,
            reason: None,
            guarding: Guarding::Guard,
            kind: None,
            last_good: None,
            incident: None,
            backed_up: false,
            stock: Stock::default(),
            remarks: None,
        }
    }

    /// What is out of the ordinary with it; mostly nothing.
    #[must_use]
    pub fn remarks(&self) -> &Remarks {
        self.remarks.as_deref().unwrap_or(&NOTHING)
    }

    /// Why it could not be repaired here, were it damaged now.
    #[must_use]
    pub fn unrepairable(&self) -> Option<&str> {
        self.remarks().unrepairable.as_deref()
    }
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
