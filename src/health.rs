//! How the daemon itself is: a small board of named checks that the stages write and the probes read. What is wrong with
//! one guarded file stands in [`crate::event::Status`]; here stands what is wrong with the guarding.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    #[default]
    Healthy,
    /// Something is worse than it should be; files are guarded all the same.
    Degraded,
    /// Files are not guarded as promised.
    Unhealthy,
}

impl Level {
    /// Its word on `/healthz`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What is checked: a closed set, the label of `health_check_ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Every stage makes progress. Computed from the heartbeats when asked.
    Stages,
    /// The state directory can be written and has room.
    StateDir,
    /// The kernel tells when files change; otherwise the sweep alone sees it.
    EventSource,
    /// All files are looked at once an interval.
    Sweep,
    /// The file systems of the guarded files have room.
    Room,
    /// Every good version can be stored.
    Backups,
    /// What a repair would put back is there and whole, for every good file.
    Versions,
    /// No file system of guarded files hangs.
    Mounts,
    /// The process has the memory that it needs.
    Memory,
    /// Incidents can be written to `incidents.jsonl`.
    Record,
    /// Log lines reach stderr.
    Log,
    /// Every part of the configuration is in force.
    Config,
    /// No file is held, missing, damaged or unreadable. Computed from the status when asked.
    Files,
}

impl Check {
    /// Every check, in the order they are shown.
    pub const ALL: [Self; 13] = [
        Self::Stages,
        Self::StateDir,
        Self::EventSource,
        Self::Sweep,
        Self::Room,
        Self::Backups,
        Self::Versions,
        Self::Mounts,
        Self::Memory,
        Self::Record,
        Self::Log,
        Self::Config,
        Self::Files,
    ];

    /// Its name on `/healthz` and in `health_check_ok{check}`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Stages => "stages",
            Self::StateDir => "state_dir",
            Self::EventSource => "event_source",
            Self::Sweep => "sweep",
            Self::Room => "room",
            Self::Backups => "backups",
            Self::Versions => "versions",
            Self::Mounts => "mounts",
            Self::Memory => "memory",
            Self::Record => "record",
            Self::Log => "log",
            Self::Config => "config",
            Self::Files => "files",
        }
    }
}

/// What one check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How bad it is.
    pub level: Level,
    /// What is wrong, in words; empty when all is well.
    pub detail: String,
}

/// The board. The lock is held for the copy of a few short texts, never over I/O, so that a probe never waits.
#[derive(Debug, Default)]
pub struct Health(Mutex<[Standing; Check::ALL.len()]>);

impl Health {
    /// A board on which all is well.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes what a check came to.
    pub fn set(&self, check: Check, level: Level, detail: impl Into<String>) {
        self.board()[check as usize] = Standing { level, detail: detail.into() };
    }

    /// The check is well again.
    pub fn clear(&self, check: Check) {
        self.board()[check as usize] = Standing::default();
    }

    /// What a check came to last.
    #[must_use]
    pub fn of(&self, check: Check) -> Standing {
        self.board()[check as usize].clone()
    }

    /// The whole board, in the order of [`Check::ALL`].
    #[must_use]
    pub fn all(&self) -> [Standing; Check::ALL.len()] {
        self.board().clone()
    }

    fn board(&self) -> MutexGuard<'_, [Standing; Check::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_own_place_on_the_board() {
        let health = Health::new();
        for (place, check) in Check::ALL.into_iter().enumerate() {
            health.set(check, Level::Degraded, check.label());
            assert_eq!(health.all()[place].detail, check.label());
        }
        health.clear(Check::Sweep);
        assert_eq!(health.of(Check::Sweep).level, Level::Healthy);
        assert_eq!(health.of(Check::Record).level, Level::Degraded);
    }
}
