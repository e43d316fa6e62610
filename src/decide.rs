//! The decision: what a look at a document means, and what to do next. A pure state machine, stepped by `recover`; time is
//! an argument.
//!
//! *Invariants:* a repair is asked for only when the same damaged bytes were seen twice, `settle` apart, and nobody was
//! writing (or the rules allow it over a writer), or nothing was there for long enough; never without a good version; whoever waits has a time at which it looks again.

mod breaker;
mod input;
mod recall;
mod step;
#[cfg(test)]
mod tests;

pub use breaker::Repair;
pub use input::{Ended, Input, Next, Note, Seen};
pub use recall::Recalled;
pub use step::step;

use std::time::{Duration, Instant};

use crate::config::{Mode, OnMissing, OnOpenWriter, Rules};
use crate::document::Digest;
use crate::verdict::{Fault, Reason, State};
use breaker::Breaker;

/// What the machine must know of a document's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Only tell.
    pub observes: bool,
    /// Somebody paused it: nothing is repaired.
    pub is_paused: bool,
    /// How long damage must stay the same before it is believed.
    pub settle: Duration,
    /// Repairs within `max_repairs_within` before the document is held; 0: no limit.
    pub max_repairs: u32,
    /// The span of `max_repairs`.
    pub max_repairs_within: Duration,
    /// What a missing file means.
    pub on_missing: OnMissing,
    /// How long it must have been missing before it is put back.
    pub missing_for: Duration,
    /// May damage be repaired under a writer that keeps the file open?
    pub repairs_over_writers: bool,
}

impl Policy {
    /// The policy of a watch's rules, for a document that is named literally or not.
    #[must_use]
    pub fn of(rules: &Rules, is_literal: bool) -> Self {
        Self {
            observes: rules.mode == Mode::Observe,
            is_paused: false,
            settle: rules.settle,
            max_repairs: rules.max_repairs,
            max_repairs_within: rules.max_repairs_within,
            on_missing: rules.on_missing.unwrap_or(if is_literal { OnMissing::Alert } else { OnMissing::Ignore }),
            missing_for: rules.missing_for,
            repairs_over_writers: rules.on_open_writer != OnOpenWriter::Wait,
        }
    }
}

/// Damage that has been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The damaged bytes.
    pub digest: Digest,
    /// What is wrong with them.
    pub fault: Fault,
    /// Since when exactly these bytes.
    pub since: Instant,
    /// Since when the document has been damaged without staying the same for long enough.
    pub changing: Instant,
    /// The holds that were told, the last one last. Each is told once.
    pub told: Vec<Reason>,
}

/// Where the machine stands. Few documents are damaged, so what is known of damage is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not looked at yet, or never valid; what was told of its present bytes.
    Unproven(Option<Digest>),
    /// Valid.
    Healthy,
    /// Damaged, and waiting for it to stay the same.
    Settling(Box<Damage>),
    /// A repair is under way.
    Repairing(Box<Damage>),
    /// Damaged, and not to be repaired for now.
    Held(Reason, Box<Damage>),
    /// It reads, but is not what it should be: a person must look.
    Odd(Reason, Digest),
    /// No such file, since then.
    Missing(Instant),
    /// Its folder is not there, or not the one that it was in.
    DirectoryMissing,
    /// It cannot be read, or must not be.
    Unreadable(Reason),
}

/// All that is remembered of a document between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub struct Machine {
    /// Where it stands.
    pub phase: Phase,
    /// Is there a version that a repair may put back?
    pub is_proven: bool,
    /// Is an incident open?
    pub has_incident: bool,
    /// Was the document only suspicious when it began, and since?
    pub is_suspicion: bool,
    /// When to look again, whatever the kernel says. Every step sets it anew.
    pub due: Option<Instant>,
    /// Valid bytes that were read without certainty, and when first: the same again, later, may be stored.
    pub candidate: Option<Box<(Digest, Instant)>>,
    /// Since when somebody has had the file open for writing, or has kept changing it.
    pub busy_since: Option<Instant>,
    /// How often it was tried in vain.
    pub tries: u32,
    /// Until when the present hold lasts; `None`: as long as its reason does.
    held_until: Option<Instant>,
    /// Somebody was at the document after its damage was last seen: what was seen before proves nothing.
    is_disturbed: bool,
    /// The hold that was told before a restart, until it is known whether it goes on.
    held_before: Option<Reason>,
    breaker: Breaker,
}

/// After this long with the same open writer, uncertain reads are taken (protocol B, step 4).
pub const OPEN_WRITER_PATIENCE: Duration = Duration::from_secs(5);

/// Damage that keeps changing for this long is told.
const CHANGING_LIMIT: Duration = Duration::from_secs(20);

/// What cannot be known by waiting for the kernel is tried again after this long.
const RETRY: Duration = Duration::from_secs(5);

/// No time to look again is further away than this, whatever the rules say.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Uncertain reads must agree at least this far apart.
const PAIR_GAP: Duration = Duration::from_secs(1);

impl Machine {
    /// A document that has not been looked at; `is_proven` when the store has a good version of it.
    #[must_use]
    pub fn new(is_proven: bool) -> Self {
        Self {
            phase: Phase::Unproven(None),
            is_proven,
            has_incident: false,
            is_suspicion: false,
            due: None,
            candidate: None,
            busy_since: None,
            tries: 0,
            held_until: None,
            is_disturbed: false,
            held_before: None,
            breaker: Breaker::default(),
        }
    }

    /// Its state, and why.
    #[must_use]
    pub fn state(&self) -> (State, Option<Reason>) {
        match &self.phase {
            Phase::Unproven(_) => (State::Unproven, None),
            Phase::Healthy => (State::Healthy, None),
            Phase::Settling(_) => (State::Settling, None),
            Phase::Repairing(_) => (State::Repairing, None),
            Phase::Held(reason, _) | Phase::Odd(reason, _) => (State::Held, Some(*reason)),
            Phase::Missing(_) => (State::Missing, None),
            Phase::DirectoryMissing => (State::Missing, Some(Reason::Directory)),
            Phase::Unreadable(reason) => (State::Unreadable, Some(*reason)),
        }
    }

    /// Should the next look read although somebody has the file open?
    #[must_use]
    pub fn reads_anyway(&self, now: Instant) -> bool {
        self.busy_since.is_some_and(|since| now.saturating_duration_since(since) >= OPEN_WRITER_PATIENCE)
    }

    /// The digest that may be stored although the read proves little: it was read before, long enough ago.
    #[must_use]
    pub fn confirmed(&self, now: Instant, policy: &Policy) -> Option<Digest> {
        let gap = if self.reads_anyway(now) { OPEN_WRITER_PATIENCE } else { policy.settle.max(PAIR_GAP) };
        let (digest, since) = self.candidate.as_deref()?;
        (now.saturating_duration_since(*since) >= gap).then_some(*digest)
    }

    /// What stood in the way of a repair is gone: a hold that only waits need not wait.
    pub fn try_again(&mut self) {
        self.held_until = None;
    }

    /// The damage that it has now.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        match &self.phase {
            Phase::Settling(damage) | Phase::Repairing(damage) | Phase::Held(_, damage) => Some(damage.as_ref()),
            _ => None,
        }
    }

    /// What a hold waits for has come: the next look may end it. `false`: it is not held so.
    pub fn stop_waiting_for(&mut self, awaited: Reason) -> bool {
        let waits = matches!(self.phase, Phase::Held(reason, _) if reason == awaited);
        if waits {
            self.held_until = None;
        }
        waits
    }

    /// Is its breaker open?
    #[must_use]
    pub fn is_breaker_open(&self) -> bool {
        self.breaker.is_open()
    }
}
