//! The breaker: a document that is damaged again and again is not repaired for ever.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Policy;
use crate::document::{Digest, Version};

/// How often a document was repaired, and whether that is enough for now. Most never were: of them nothing is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker(Option<Box<History>>);

/// The repairs of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct History {
    /// The repairs within the span, oldest first.
    repairs: VecDeque<Instant>,
    /// What the last repair put at the name.
    restored: Option<Digest>,
    /// How long it stays open after each repair; zero: it is closed.
    open_for: Duration,
    /// The document was whole before a restart: the first valid version is taken for the one that we put back.
    was_whole: bool,
    /// The version that was put back last before a restart, until it is known what the store holds.
    recalled: Option<Version>,
}

/// A repair of before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// When.
    pub at: Instant,
    /// What was put back.
    pub version: Version,
    /// Was the next damage held by the breaker?
    pub was_held_after: bool,
}

/// The longest that an open breaker waits between two tries, unless the span itself is longer.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|history| history.is_open())
    }

    /// For how long no repair may be tried; `None`: one may be tried now.
    pub(super) fn blocks_for(&mut self, now: Instant, policy: &Policy) -> Option<Duration> {
        if policy.max_repairs == 0 {
            return None;
        }
        let history = self.0.as_mut()?;
        let last = *history.repairs.back()?;
        if !history.is_open() {
            history.repairs.retain(|repair| now.saturating_duration_since(*repair) < policy.max_repairs_within);
            if history.repairs.len() < policy.max_repairs as usize {
                return None;
            }
            history.open_for = policy.max_repairs_within;
        }
        let left = history.open_for.saturating_sub(now.saturating_duration_since(last));
        (!left.is_zero()).then_some(left)
    }

    /// Goes on after a restart: what it did is done again. A repair with a newer version than the one before says that somebody
    /// wrote in between, which closed it.
    pub(super) fn recall(&mut self, repairs: &[Repair], was_whole: bool, policy: &Policy) {
        for &Repair { at, version, was_held_after } in repairs {
            if self.0.as_ref().and_then(|history| history.recalled).is_some_and(|before| before < version) {
                self.close();
            }
            self.repaired(None, at, policy);
            let history = self.0.get_or_insert_default();
            history.recalled = Some(version);
            if was_held_after && !history.is_open() && policy.max_repairs > 0 {
                history.open_for = policy.max_repairs_within;
            }
            history.was_whole = was_whole;
        }
    }

    /// What the store holds is known again after a restart: a newer version than the one that was put back closes it.
    pub(super) fn knows(&mut self, version: Version, digest: Digest) {
        let Some(history) = &mut self.0 else { return };
        match history.recalled.take() {
            Some(restored) if restored < version => self.close(),
            Some(restored) if restored == version => (history.restored, history.was_whole) = (Some(digest), false),
            _ => {}
        }
    }

    /// A repair succeeded. While the breaker is open each one doubles the span, up to a day.
    pub(super) fn repaired(&mut self, restored: Option<Digest>, now: Instant, policy: &Policy) {
        let history = self.0.get_or_insert_default();
        (history.restored, history.recalled) = (restored, None);
        history.was_whole = false;
        history.open_for = history.open_for.saturating_mul(2).min(LIMIT.max(history.open_for));
        history.repairs.push_back(now);
        while history.repairs.len() > policy.max_repairs.max(1) as usize {
            history.repairs.pop_front();
        }
    }

    /// Somebody else can still write.
    pub(super) fn close(&mut self) {
        self.0 = None;
    }

    /// A valid version was seen. Any but the one that we put back closes the breaker: somebody can still write.
    pub(super) fn valid(&mut self, digest: Digest) {
        let Some(history) = &mut self.0 else { return };
        if std::mem::take(&mut history.was_whole) {
            history.restored = Some(digest);
        }
        if history.restored != Some(digest) {
            self.close();
        }
    }
}

impl History {
    fn is_open(&self) -> bool {
        !self.open_for.is_zero()
    }
}
