//! What every stage shares: how it says that it lives, that it has arrived, and that it cannot go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Why the daemon must end. Trouble with one document is never fatal; a stage that cannot go on is, and systemd starts
/// the daemon anew (crash-only software, Candea and Fox, `HotOS` 2003).
#[derive(Debug, thiserror::Error)]
#[error("{stage} ended: {why}")]
pub struct Fatal {
    /// The stage.
    pub stage: &'static str,
    /// Why.
    pub why: String,
}

/// A stage's sign of life. Liveness is progress: a stage beats each time round its loop, and at rest on a timer.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    stage: &'static str,
    started: Instant,
    beaten_after_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// How often a stage beats when it has nothing to do.
    pub const PERIOD: Duration = Duration::from_secs(1);

    /// After this long without a beat a stage is taken for stuck.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// A heartbeat for a stage, beating now.
    #[must_use]
    pub fn new(stage: &'static str) -> Self {
        Self { stage, started: Instant::now(), beaten_after_ms: Arc::default() }
    }

    /// The stage's name.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        self.stage
    }

    /// The stage is alive.
    pub fn beat(&self) {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beaten_after_ms.store(elapsed_ms, Ordering::Relaxed);
    }

    /// How long ago the last beat was.
    #[must_use]
    pub fn age(&self) -> Duration {
        let beaten = Duration::from_millis(self.beaten_after_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beaten)
    }

    /// Has the stage made progress lately?
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.age() < Self::LIMIT
    }
}

/// Something that must have happened before the daemon is ready. Dropping the latch says that it has.
#[derive(Debug)]
pub struct Latch {
    _held: watch::Sender<()>,
}

/// The other side of a [`Latch`].
#[derive(Clone, Debug)]
pub struct Latched {
    name: &'static str,
    dropped: watch::Receiver<()>,
}

impl Latch {
    /// A closed latch, and the side that sees it open.
    #[must_use]
    pub fn new(name: &'static str) -> (Self, Latched) {
        let (sender, receiver) = watch::channel(());
        (Self { _held: sender }, Latched { name, dropped: receiver })
    }
}

impl Latched {
    /// What is waited for.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Has it happened?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.dropped.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latch_opens_when_it_is_dropped() {
        let (latch, latched) = Latch::new("first sweep");
        assert!(!latched.is_open());
        drop(latch);
        assert!(latched.is_open());
    }

    #[test]
    fn a_stage_that_beats_is_alive() {
        let heartbeat = Heartbeat::new("watch");
        heartbeat.beat();
        assert!(heartbeat.is_alive());
    }
}
