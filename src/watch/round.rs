//! When to sweep, and who has hung: pure, so that both can be tested without waiting.

use std::time::{Duration, Instant};

/// The rhythm of the sweeps.
#[derive(Debug)]
pub(super) struct Rounds {
    interval: Duration,
    next: Instant,
    /// When the present one began.
    began: Option<Instant>,
    is_stretched: bool,
    has_finished: bool,
}

/// A round that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finished {
    /// How long it took.
    pub(super) took: Duration,
    /// Is it the first?
    pub(super) first: bool,
    /// Is it the first, or the first again, that took longer than the interval?
    pub(super) stretches: bool,
}

impl Rounds {
    /// The first round is due at once.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, next: now, began: None, is_stretched: false, has_finished: false }
    }

    /// When the next round is due; `None`: one is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        self.began.is_none().then_some(self.next)
    }

    /// Has the first round been finished?
    pub(super) fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// A round begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// The round is over. One that took longer than the interval is followed by a whole interval of rest.
    pub(super) fn finish(&mut self, now: Instant) -> Option<Finished> {
        let began = self.began.take()?;
        let took = now.saturating_duration_since(began);
        let is_late = took > self.interval;
        self.next = if is_late { now + self.interval } else { began + self.interval };
        // The first one also enrols what it finds; that says nothing about the next.
        let stretches = is_late && !self.is_stretched && self.has_finished;
        self.is_stretched = is_late && self.has_finished;
        let first = !std::mem::replace(&mut self.has_finished, true);
        Some(Finished { took, first, stretches })
    }
}

/// How long a thread that touches the file system has shown no sign of life.
#[derive(Debug)]
pub(super) struct Silence {
    beats: Option<u64>,
    since: Instant,
}

impl Silence {
    /// It was heard just now.
    pub(super) fn new(now: Instant) -> Self {
        Self { beats: None, since: now }
    }

    /// Takes in how often it has beaten; `None`: it does not touch the file system.
    pub(super) fn listen(&mut self, beats: Option<u64>, now: Instant) -> Duration {
        if beats.is_none() || beats != self.beats {
            (self.beats, self.since) = (beats, now);
        }
        now.saturating_duration_since(self.since)
    }
}

/// A mount that has not answered for this long is given up, until it does.
pub(super) fn patience(interval: Duration) -> Duration {
    Duration::from_secs(30).max(interval.saturating_mul(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    #[test]
    fn a_round_that_takes_too_long_is_followed_by_a_rest_and_said_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rounds = Rounds::new(INTERVAL, start);
        rounds.begin(at(0));
        assert_eq!(rounds.due(), None);
        let first = rounds.finish(at(7)).unwrap();
        assert_eq!(first, Finished { took: Duration::from_secs(7), first: true, stretches: false });
        assert_eq!(rounds.due(), Some(at(12)));
        let mut stretches = Vec::new();
        for (begin, end) in [(12, 13), (17, 23), (28, 36), (41, 42), (46, 56)] {
            assert_eq!(rounds.due(), Some(at(begin)));
            rounds.begin(at(begin));
            stretches.push(rounds.finish(at(end)).unwrap().stretches);
        }
        assert_eq!(stretches, [false, true, false, false, true]);
    }

    #[test]
    fn only_a_thread_that_touches_the_disk_can_be_silent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut silence = Silence::new(start);
        assert_eq!(silence.listen(None, at(100)), Duration::ZERO);
        assert_eq!(silence.listen(Some(1), at(101)), Duration::ZERO);
        assert_eq!(silence.listen(Some(1), at(131)), Duration::from_secs(30));
        assert_eq!(silence.listen(Some(2), at(132)), Duration::ZERO);
        assert_eq!(patience(INTERVAL), Duration::from_secs(30));
        assert_eq!(patience(Duration::from_secs(60)), Duration::from_secs(180));
    }
}
