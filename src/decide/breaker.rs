//! The breaker: a document that is damaged again and again is not repaired for ever.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Policy;
use crate::document::Digest;

/// How often a document was repaired, and whether that is enough for now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// The repairs within the span, oldest first.
    repairs: VecDeque<Instant>,
    /// What the last repair put at the name.
    restored: Option<Digest>,
    /// How long it stays open after each repair; zero: it is closed.
    open_for: Duration,
    /// The document was whole before a restart: the first valid version is taken for the one that we put back.
    was_whole: bool,
}

/// The longest that an open breaker waits between two tries, unless the span itself is longer.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        !self.open_for.is_zero()
    }

    /// For how long no repair may be tried; `None`: one may be tried now.
    pub(super) fn blocks_for(&mut self, now: Instant, policy: &Policy) -> Option<Duration> {
        if policy.max_repairs == 0 {
            return None;
        }
        let last = *self.repairs.back()?;
        if self.open_for.is_zero() {
            self.repairs.retain(|repair| now.saturating_duration_since(*repair) < policy.max_repairs_within);
            if self.repairs.len() < policy.max_repairs as usize {
                return None;
            }
            self.open_for = policy.max_repairs_within;
        }
        let left = self.open_for.saturating_sub(now.saturating_duration_since(last));
        (!left.is_zero()).then_some(left)
    }

    /// Goes on after a restart; it was open before, or not.
    pub(super) fn recall(&mut self, repairs: &[Instant], was_whole: bool, is_open: bool, policy: &Policy) {
        let surplus = repairs.len().saturating_sub(policy.max_repairs.max(1) as usize);
        self.repairs.extend(&repairs[surplus..]);
        self.was_whole = was_whole && !self.repairs.is_empty();
        if is_open && policy.max_repairs > 0 {
            // It waited that long before the last repair; each one doubles it.
            let gap = match repairs {
                [.., before, last] => last.saturating_duration_since(*before),
                _ => Duration::ZERO,
            };
            let mut open_for = policy.max_repairs_within;
            while !open_for.is_zero() && open_for <= gap && open_for < LIMIT {
                open_for = open_for.saturating_mul(2);
            }
            self.open_for = open_for.min(LIMIT.max(policy.max_repairs_within));
        }
    }

    /// A repair succeeded. While the breaker is open each one doubles the span, up to a day.
    pub(super) fn repaired(&mut self, restored: Digest, now: Instant, policy: &Policy) {
        self.restored = Some(restored);
        self.was_whole = false;
        self.open_for = self.open_for.saturating_mul(2).min(LIMIT.max(self.open_for));
        self.repairs.push_back(now);
        while self.repairs.len() > policy.max_repairs.max(1) as usize {
            self.repairs.pop_front();
        }
    }

    /// Somebody else can still write.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// A valid version was seen. Any but the one that we put back closes the breaker: somebody can still write.
    pub(super) fn valid(&mut self, digest: Digest) {
        if std::mem::take(&mut self.was_whole) {
            self.restored = Some(digest);
        }
        if self.restored != Some(digest) {
            self.close();
        }
    }
}
