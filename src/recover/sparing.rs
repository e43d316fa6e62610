//! What goes over all documents takes little of the time, however many they are.

use std::time::{Duration, Instant};

/// When such work may be done again.
#[derive(Debug, Default)]
pub(super) struct Sparing(Option<Instant>);

/// It takes no more than this part of the time.
const SHARE: u32 = 50;

/// It is never put off for longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Sparing {
    /// Is it time?
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.0.is_none_or(|due| due <= now)
    }

    /// It was done, and took so long.
    pub(super) fn took(&mut self, begun: Instant, took: Duration) {
        self.0 = Some(begun + took.saturating_mul(SHARE).min(LONGEST_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_not_done_again_soon_but_surely() {
        let (mut sparing, begun) = (Sparing::default(), Instant::now());
        assert!(sparing.is_due(begun));
        let is_due_after = |sparing: &Sparing, seconds| sparing.is_due(begun + Duration::from_secs(seconds));
        sparing.took(begun, Duration::from_millis(1));
        assert!(is_due_after(&sparing, 1));
        sparing.took(begun, Duration::from_millis(100));
        assert!(!is_due_after(&sparing, 4) && is_due_after(&sparing, 5));
        sparing.took(begun, Duration::from_secs(9));
        assert!(!is_due_after(&sparing, 29) && is_due_after(&sparing, 30));
    }
}
