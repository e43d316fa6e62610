//! When the state directory will be full, if the next hours go as the last one went.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back is looked.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// Samples are at least this far apart, so that there are few.
const SPACING: Duration = Duration::from_secs(60);

/// Less than this says nothing: the first versions of many files fill it fast, and only once.
const SPAN_MIN: Duration = Duration::from_secs(10 * 60);

/// How much room there was, oldest first.
#[derive(Debug, Default)]
pub(super) struct Forecast(VecDeque<(Instant, u64)>);

impl Forecast {
    /// Notes how much room there is, and says in how many seconds there will be none; infinity: it does not fill.
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    pub(super) fn seconds_left(&mut self, available_bytes: u64, now: Instant) -> f64 {
        while self.0.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
        if self.0.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SPACING) {
            self.0.push_back((now, available_bytes));
        }
        let Some((begun, had_bytes)) = self.0.front() else { return f64::INFINITY };
        let (span, used_bytes) = (now.saturating_duration_since(*begun), had_bytes.saturating_sub(available_bytes));
        if span < SPAN_MIN || used_bytes == 0 {
            return f64::INFINITY;
        }
        available_bytes as f64 / (used_bytes as f64 / span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it says after each minute's room.
    fn after_minutes(room: impl IntoIterator<Item = u64>) -> (f64, usize) {
        let (mut forecast, begun) = (Forecast::default(), Instant::now());
        let said = (0..).zip(room).map(|(minute, bytes)| forecast.seconds_left(bytes, begun + SPACING * minute)).last();
        (said.unwrap(), forecast.0.len())
    }

    fn assert_about(seconds: f64, wanted: f64) {
        assert!((seconds / wanted - 1.0).abs() < 0.01, "{seconds} s, wanted {wanted} s");
    }

    #[test]
    fn what_fills_steadily_is_full_when_it_is_used_up() {
        let (seconds, _) = after_minutes((0..=30).map(|minute| 1_000_000 - minute * 10_000));
        assert_about(seconds, 70.0 * 60.0);
    }

    #[test]
    fn what_does_not_fill_is_never_full() {
        assert!(after_minutes([500; 40]).0.is_infinite());
        assert!(after_minutes((0..40).map(|minute| 500 + minute)).0.is_infinite());
    }

    #[test]
    fn a_few_minutes_say_nothing() {
        assert!(after_minutes((0..9).map(|minute| 1_000_000 - minute * 100_000)).0.is_infinite());
    }

    #[test]
    fn what_filled_it_once_is_over_after_an_hour() {
        let room = std::iter::once(1_000_000).chain(std::iter::repeat_n(500_000, 90));
        let (seconds, samples) = after_minutes(room);
        assert!(seconds.is_infinite() && samples <= 61, "{seconds} {samples}");
    }
}
