//! Rounds, medians and clocks.

use std::time::{Duration, Instant};

use crate::clock;

/// How much is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// For a look: fewer rounds, and nothing that takes minutes.
    Quick,
}

impl Effort {
    /// So many, or so few.
    pub(crate) fn rounds(self, full: usize, quick: usize) -> usize {
        if self == Self::Full { full } else { quick }
    }
}

/// The middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the values lies.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// What each candidate took, round by round; ours is the first.
pub(crate) struct Rounds(Vec<Vec<f64>>);

impl Rounds {
    /// Asks every candidate once a round. Whoever begins changes from round to round: the first may find things cold.
    pub(crate) fn of(count: usize, candidates: usize, mut time: impl FnMut(usize, usize) -> f64) -> Self {
        let round = |number: usize| {
            let mut times = vec![0.0; candidates];
            for place in 0..candidates {
                let candidate = (place + number) % candidates;
                times[candidate] = time(candidate, number);
            }
            times
        };
        Self((0..count).map(round).collect())
    }

    fn times(&self, candidate: usize) -> Vec<f64> {
        self.0.iter().map(|round| round[candidate]).collect()
    }

    /// The median of what this candidate took.
    pub(crate) fn median(&self, candidate: usize) -> f64 {
        median(&self.times(candidate))
    }

    /// What all but one in so many of its times were below.
    pub(crate) fn quantile(&self, candidate: usize, share: f64) -> f64 {
        quantile(&self.times(candidate), share)
    }

    /// How much more than this candidate ours took: the median of the rounds' ratios.
    pub(crate) fn ratio(&self, candidate: usize) -> f64 {
        median(&self.0.iter().map(|round| round[0] / round[candidate]).collect::<Vec<_>>())
    }
}

/// The CPU time of this thread, in seconds.
pub(crate) fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let before = clock::of_thread();
    work();
    clock::of_thread().saturating_sub(before).as_secs_f64()
}

/// The time that passed.
pub(crate) fn passed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}
