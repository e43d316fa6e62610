//! Waiting for conditions, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// What the project promises: damage is repaired within this.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(2);

/// Waits until `condition` holds; fails, saying what was waited for, when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    wait_for(limit, what, || condition().then_some(()));
    begun.elapsed()
}

/// Waits until there is a value.
#[track_caller]
pub(crate) fn wait_for<T>(limit: Duration, what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(STEP);
    }
}
