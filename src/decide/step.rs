//! One step of the machine: what a look means. What damage means is in [`damaged`], what absence means in [`absent`].

mod absent;
mod damaged;

use std::time::{Duration, Instant};

use super::{Input, LONGEST_WAIT, Machine, Next, Note, OPEN_WRITER_PATIENCE, PAIR_GAP, Phase, Policy, RETRY, Seen};
use crate::document::Digest;
use crate::verdict::{Certainty, Fault, Kind, Reason};

/// Uncertain reads are never closer than this: a wish of the rules must not become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Steps the machine: what it is now, what to do, what to tell.
#[must_use]
pub fn step(machine: Machine, input: Input, now: Instant, policy: &Policy) -> (Machine, Next, Vec<Note>) {
    let mut stepper = Stepper { machine, now, policy, notes: Vec::new() };
    let next = match input {
        Input::Looked(seen) => stepper.looked(seen),
        Input::Ended(ended) => stepper.ended(ended),
    };
    (stepper.machine, next, stepper.notes)
}

struct Stepper<'a> {
    machine: Machine,
    now: Instant,
    policy: &'a Policy,
    notes: Vec<Note>,
}

impl Stepper<'_> {
    fn looked(&mut self, seen: Seen) -> Next {
        match seen {
            Seen::Valid { digest, certainty, is_stored, store_at } => {
                self.valid(digest, certainty, is_stored, store_at)
            }
            Seen::Corrupt { digest, fault, certainty } => self.corrupt(digest, fault, certainty),
            Seen::Edited { digest, fault } => self.edited(digest, fault),
            Seen::Odd { reason, digest, fault } => self.odd(reason, digest, &fault),
            Seen::Busy => self.busy(),
            Seen::Missing { may_return } => self.missing(may_return),
            Seen::DirectoryMissing => self.directory_missing(),
            Seen::Unreadable(reason, detail) => self.unreadable(reason, detail),
        }
    }

    fn valid(&mut self, digest: Digest, certainty: Certainty, is_stored: bool, store_at: Option<Instant>) -> Next {
        if matches!(self.machine.phase, Phase::Held(..)) {
            // Not by us: somebody mended it, be it with the very bytes that we put there before.
            self.machine.breaker.close();
        }
        self.arrived();
        self.incident_is_over();
        let is_confirmed = self.machine.confirmed(self.now, self.policy) == Some(digest);
        self.read_with(certainty);
        self.machine.is_proven |= is_stored;
        self.machine.tries = 0;
        self.machine.breaker.valid(digest);
        self.machine.candidate = match self.machine.candidate.take() {
            _ if is_stored || certainty == Certainty::Certified => None,
            Some(candidate) if candidate.0 == digest => Some(candidate),
            _ => Some(Box::new((digest, self.now))),
        };
        self.machine.due = match self.machine.candidate.as_deref() {
            None => store_at,
            Some(_) if is_confirmed => Some(store_at.unwrap_or(self.now + RETRY)),
            Some(&(_, since)) => self.in_(self.left(since, self.pair_gap(certainty)).max(SHORTEST_WAIT)),
        };
        self.machine.phase = if self.machine.is_proven { Phase::Healthy } else { Phase::Unproven(None) };
        Next::Rest
    }

    /// How far apart two equal reads must be.
    fn pair_gap(&self, certainty: Certainty) -> Duration {
        match certainty {
            Certainty::Certified => self.policy.settle,
            Certainty::Unleased => self.policy.settle.max(PAIR_GAP),
            Certainty::OpenWriter => OPEN_WRITER_PATIENCE,
        }
    }

    /// How much of a wait is left that began at `since`.
    fn left(&self, since: Instant, wait: Duration) -> Duration {
        wait.saturating_sub(self.now.saturating_duration_since(since))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what `due` takes")]
    fn in_(&self, wait: Duration) -> Option<Instant> {
        Some(self.now + wait.min(LONGEST_WAIT))
    }

    /// It could be read, and nobody had it open for writing, or else somebody still has.
    fn read_with(&mut self, certainty: Certainty) {
        if certainty == Certainty::OpenWriter {
            self.machine.busy_since.get_or_insert(self.now);
        } else {
            self.machine.busy_since = None;
        }
    }

    /// Whatever it is, it can be read: that ends these phases.
    fn arrived(&mut self) {
        match &self.machine.phase {
            Phase::Missing(_) | Phase::DirectoryMissing if !self.tells_missing() => {}
            Phase::Missing(_) | Phase::DirectoryMissing | Phase::Unreadable(_) => self.notes.push(Note::Returned),
            _ => self.released(),
        }
    }

    /// A hold that was told is over.
    fn released(&mut self) {
        let reason = match &self.machine.phase {
            Phase::Held(reason, _) | Phase::Odd(reason, _) => Some(*reason),
            Phase::Settling(damage) | Phase::Repairing(damage) => damage.told.last().copied(),
            Phase::Unproven(_)
            | Phase::Healthy
            | Phase::Missing(_)
            | Phase::DirectoryMissing
            | Phase::Unreadable(_) => None,
        };
        let before = self.machine.held_before.take();
        self.notes.extend(before.or(reason).map(Note::Released));
    }

    fn incident_is_over(&mut self) {
        if self.ends_incident() {
            self.notes.push(Note::Recovered);
        }
    }

    /// Was there an incident? There is none any more.
    fn ends_incident(&mut self) -> bool {
        self.machine.is_suspicion = false;
        std::mem::take(&mut self.machine.has_incident)
    }

    fn suspected(&mut self, digest: Digest, fault: &Fault) {
        if !std::mem::replace(&mut self.machine.has_incident, true) {
            self.machine.is_suspicion = true;
            self.notes.push(Note::Suspected(digest, fault.clone()));
        }
    }

    fn odd(&mut self, reason: Reason, digest: Digest, fault: &Fault) -> Next {
        // Somebody may accept what is suspicious: that shows in no signature.
        let may_be_accepted = reason == Reason::Suspicious;
        let seen_before = self.machine.candidate.take().filter(|candidate| candidate.0 == digest);
        self.machine.candidate = may_be_accepted.then(|| seen_before.unwrap_or_else(|| (digest, self.now).into()));
        self.machine.due = may_be_accepted.then(|| self.now + RETRY);
        self.machine.busy_since = None;
        if may_be_accepted {
            self.suspected(digest, fault);
        }
        // A suspicious file that is written further stays suspicious: told once, also across a restart.
        let was_held = self.machine.held_before.take_if(|before| *before == reason).is_some();
        if !was_held && !matches!(self.machine.phase, Phase::Odd(told, _) if told == reason) {
            self.arrived();
            let why = format!("{} at {}: {}", fault.kind, fault.place, fault.cause);
            self.notes.push(Note::Held(reason, why));
        }
        self.machine.phase = Phase::Odd(reason, digest);
        Next::Rest
    }

    fn busy(&mut self) -> Next {
        let since = *self.machine.busy_since.get_or_insert(self.now);
        let waited = self.now.saturating_duration_since(since);
        self.machine.candidate = None;
        self.disturbed((waited / 2).clamp(Duration::from_millis(10), Duration::from_secs(1)));
        Next::Rest
    }

    fn unreadable(&mut self, reason: Reason, detail: String) -> Next {
        self.released();
        let kind = match reason {
            Reason::NotRegular => Kind::NotRegular,
            Reason::TooLarge => Kind::TooLarge,
            _ => Kind::Unreadable,
        };
        if self.machine.phase != Phase::Unreadable(reason) {
            self.notes.push(Note::Told(kind, detail));
        }
        self.machine.phase = Phase::Unreadable(reason);
        self.nothing_read();
        // What can only be mended by changing the file shows in its signature; the rest is tried again.
        let shows = matches!(reason, Reason::NotRegular | Reason::TooLarge);
        self.machine.due = (!shows).then(|| self.now + Duration::from_secs(15));
        Next::Rest
    }

    fn nothing_read(&mut self) {
        self.machine.candidate = None;
        self.machine.busy_since = None;
        self.machine.tries = 0;
    }
}
