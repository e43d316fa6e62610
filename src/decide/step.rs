//! One step of the machine.

use std::time::{Duration, Instant};

use super::{CHANGING_LIMIT, Damage, Machine, OPEN_WRITER_PATIENCE, PAIR_GAP, Phase, Policy};
use crate::document::Digest;
use crate::verdict::{Certainty, Fault, Kind, Reason};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The document was looked at.
    Looked(Seen),
    /// A repair ended.
    Ended(Ended),
}

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Readers accept it.
    Valid {
        /// Its bytes.
        digest: Digest,
        /// How sure it is that nobody was writing.
        certainty: Certainty,
        /// Is there a stored version with these bytes that a repair may put back?
        is_stored: bool,
        /// When to try again to store it, if it was put off.
        store_at: Option<Instant>,
    },
    /// No reader accepts it.
    Corrupt {
        /// Its bytes.
        digest: Digest,
        /// What is wrong.
        fault: Fault,
        /// How sure it is that nobody was writing.
        certainty: Certainty,
    },
    /// It reads, or nearly, but a person must look: suspicious, or full of merge markers.
    Odd {
        /// Why it is left alone.
        reason: Reason,
        /// Its bytes.
        digest: Digest,
        /// What is odd.
        fault: Fault,
    },
    /// Somebody is writing it.
    Busy,
    /// It is not there.
    Missing,
    /// It cannot be read, or must not be.
    Unreadable(Reason, String),
}

/// How a repair ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The good version with this digest stands at the name.
    Restored(Digest),
    /// Somebody was faster, or the bytes were others already.
    Changed,
    /// Somebody has the file open for writing.
    Busy,
    /// It must not be done, here or now; in words.
    Held(Reason, String),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until the document is seen again or [`Machine::due`].
    Rest,
    /// Look again now.
    Look,
    /// Repair it.
    Repair,
}

/// What is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Damaged, and no good version is known: left alone.
    Unproven(Fault),
    /// Damage is believed: an incident begins.
    Corrupted(Damage),
    /// The incident ended without us.
    Recovered,
    /// It is not repaired, and why.
    Held(Reason, String),
    /// A hold ended.
    Released(Reason),
    /// It cannot be read, or is not there.
    Told(Kind, String),
    /// It is there, and can be read, again.
    Returned,
}

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
            Seen::Odd { reason, digest, fault } => self.odd(reason, digest, &fault),
            Seen::Busy => self.busy(),
            Seen::Missing => self.missing(),
            Seen::Unreadable(reason, detail) => self.unreadable(reason, detail),
        }
    }

    fn valid(&mut self, digest: Digest, certainty: Certainty, is_stored: bool, store_at: Option<Instant>) -> Next {
        self.arrived();
        if self.machine.has_incident {
            self.machine.has_incident = false;
            self.notes.push(Note::Recovered);
        }
        if certainty == Certainty::Certified {
            self.machine.busy_since = None;
        }
        self.machine.is_proven |= is_stored;
        self.machine.tries = 0;
        self.machine.breaker.valid(digest);
        self.machine.candidate = match self.machine.candidate {
            _ if is_stored || certainty == Certainty::Certified => None,
            Some(candidate) if candidate.0 == digest => Some(candidate),
            _ => Some((digest, self.now)),
        };
        let confirmed_at = self.machine.candidate.map(|(_, since)| since + self.pair_gap(certainty));
        self.machine.due = confirmed_at.map(|at| at.max(self.now + Duration::from_millis(100))).or(store_at);
        self.machine.phase = if self.machine.is_proven { Phase::Healthy } else { Phase::Unproven(None) };
        Next::Rest
    }

    fn pair_gap(&self, certainty: Certainty) -> Duration {
        match certainty {
            Certainty::Certified => self.policy.settle,
            Certainty::Unleased => self.policy.settle.max(PAIR_GAP),
            Certainty::OpenWriter => OPEN_WRITER_PATIENCE,
        }
    }

    /// Whatever it is, it can be read: that ends these phases.
    fn arrived(&mut self) {
        match &self.machine.phase {
            Phase::Missing | Phase::Unreadable(_) => self.notes.push(Note::Returned),
            Phase::Held(reason, _) | Phase::Odd(reason, _) => self.notes.push(Note::Released(*reason)),
            Phase::Unproven(_) | Phase::Healthy | Phase::Settling(_) | Phase::Repairing(_) => {}
        }
    }

    fn corrupt(&mut self, digest: Digest, fault: Fault, certainty: Certainty) -> Next {
        self.machine.candidate = None;
        if certainty == Certainty::Certified {
            self.machine.busy_since = None;
        }
        if !self.machine.is_proven {
            return self.unproven(digest, fault);
        }
        let is_waiting = self.machine.due.is_none_or(|due| due > self.now);
        match &self.machine.phase {
            // The same bytes, and the time to try again has not come.
            Phase::Held(reason, damage)
                if damage.digest == digest
                    && is_waiting
                    && *reason != Reason::OpenWriter
                    && *reason != Reason::Changing =>
            {
                return Next::Rest;
            }
            Phase::Missing | Phase::Unreadable(_) | Phase::Odd(..) => self.arrived(),
            _ => {}
        }
        let mut damage = self.damage(digest, fault);
        let was_open = matches!(self.machine.phase, Phase::Held(Reason::OpenWriter, _));
        if was_open && certainty != Certainty::OpenWriter {
            // The writer is gone only now: what was read before proves nothing.
            damage.since = self.now;
        }
        let stays_for = self.now.saturating_duration_since(damage.since);
        if certainty == Certainty::OpenWriter {
            return self.damaged_under_a_writer(damage, stays_for);
        }
        let wait = self.pair_gap(certainty);
        if stays_for >= wait {
            return self.believe(damage);
        }
        let is_old = self.now.saturating_duration_since(damage.first) >= CHANGING_LIMIT;
        let due = Some(damage.since + wait);
        if is_old {
            return self.hold(Reason::Changing, "it keeps changing, and none of it is valid", damage, due);
        }
        self.machine.phase = Phase::Settling(damage);
        self.machine.due = due;
        Next::Rest
    }

    fn unproven(&mut self, digest: Digest, fault: Fault) -> Next {
        self.machine.due = None;
        if self.machine.phase != Phase::Unproven(Some(digest)) {
            self.arrived();
            self.notes.push(Note::Unproven(fault));
            self.machine.phase = Phase::Unproven(Some(digest));
        }
        Next::Rest
    }

    /// The damage as known by now: the same bytes keep their time, others start anew.
    fn damage(&self, digest: Digest, fault: Fault) -> Damage {
        match self.machine.damage() {
            Some(damage) if damage.digest == digest => Damage { fault, ..damage.clone() },
            Some(damage) => Damage { digest, fault, since: self.now, ..damage.clone() },
            None => Damage { digest, fault, since: self.now, first: self.now, told: None },
        }
    }

    fn damaged_under_a_writer(&mut self, damage: Damage, stays_for: Duration) -> Next {
        if stays_for >= CHANGING_LIMIT {
            self.open_incident(&damage);
        }
        let due = Some(self.now + Duration::from_secs(1));
        self.hold(
            Reason::OpenWriter,
            "a program keeps it open for writing; it is repaired once that closes it",
            damage,
            due,
        )
    }

    fn open_incident(&mut self, damage: &Damage) {
        if !self.machine.has_incident {
            self.machine.has_incident = true;
            self.notes.push(Note::Corrupted(damage.clone()));
        }
    }

    fn believe(&mut self, damage: Damage) -> Next {
        self.open_incident(&damage);
        if self.policy.observes {
            return self.hold(Reason::Observe, "its watch only observes", damage, None);
        }
        if let Some(until) = self.machine.breaker.blocks_until(self.now, self.policy) {
            let why = "it was repaired too often: something damages it again and again";
            return self.hold(Reason::Breaker, why, damage, Some(until));
        }
        self.machine.phase = Phase::Repairing(damage);
        self.machine.due = None;
        Next::Repair
    }

    fn hold(&mut self, reason: Reason, why: &str, mut damage: Damage, due: Option<Instant>) -> Next {
        if damage.told != Some(reason) {
            damage.told = Some(reason);
            self.notes.push(Note::Held(reason, why.to_owned()));
        }
        self.machine.phase = Phase::Held(reason, damage);
        self.machine.due = due;
        Next::Rest
    }

    fn odd(&mut self, reason: Reason, digest: Digest, fault: &Fault) -> Next {
        self.machine.due = None;
        self.machine.candidate = None;
        if self.machine.phase != Phase::Odd(reason, digest) {
            self.arrived();
            self.machine.phase = Phase::Odd(reason, digest);
            self.notes.push(Note::Held(reason, format!("{} at {}: {}", fault.kind, fault.place, fault.cause)));
        }
        Next::Rest
    }

    fn busy(&mut self) -> Next {
        let since = *self.machine.busy_since.get_or_insert(self.now);
        if let Phase::Settling(damage) = &mut self.machine.phase {
            damage.since = self.now;
        }
        let waited = self.now.saturating_duration_since(since);
        self.machine.due = Some(self.now + (waited / 2).clamp(Duration::from_millis(10), Duration::from_secs(1)));
        Next::Rest
    }

    fn missing(&mut self) -> Next {
        if self.machine.phase != Phase::Missing && self.policy.tells_missing {
            self.notes.push(Note::Told(Kind::Missing, "it is not there".to_owned()));
        }
        if std::mem::take(&mut self.machine.has_incident) {
            self.notes.push(Note::Recovered);
        }
        self.machine.phase = Phase::Missing;
        self.machine.due = None;
        self.machine.candidate = None;
        self.machine.busy_since = None;
        Next::Rest
    }

    fn unreadable(&mut self, reason: Reason, detail: String) -> Next {
        let kind = match reason {
            Reason::NotRegular => Kind::NotRegular,
            Reason::TooLarge => Kind::TooLarge,
            _ => Kind::Unreadable,
        };
        if self.machine.phase != Phase::Unreadable(reason) {
            self.notes.push(Note::Told(kind, detail));
        }
        self.machine.phase = Phase::Unreadable(reason);
        self.machine.candidate = None;
        self.machine.busy_since = None;
        // What can only be mended by changing the file shows in its signature; the rest is tried again.
        let shows = matches!(reason, Reason::NotRegular | Reason::TooLarge);
        self.machine.due = (!shows).then(|| self.now + Duration::from_secs(15));
        Next::Rest
    }

    fn ended(&mut self, ended: Ended) -> Next {
        let Phase::Repairing(damage) = self.machine.phase.clone() else { return Next::Look };
        match ended {
            Ended::Restored(digest) => self.restored(digest),
            Ended::Changed => {
                self.settle_again(damage, self.backoff(Duration::from_millis(10), Duration::from_secs(1)))
            }
            Ended::Busy => {
                self.machine.busy_since.get_or_insert(self.now);
                self.settle_again(damage, Duration::from_millis(10))
            }
            Ended::Held(reason, why) => {
                let wait = match reason {
                    Reason::Editing => Duration::from_secs(1),
                    _ => self.backoff(Duration::from_secs(1), Duration::from_secs(300)),
                };
                self.machine.tries = self.machine.tries.saturating_add(1);
                self.hold(reason, &why, damage, Some(self.now + wait))
            }
        }
    }

    fn restored(&mut self, digest: Digest) -> Next {
        self.machine.breaker.repaired(digest, self.now, self.policy);
        self.machine.has_incident = false;
        self.machine.tries = 0;
        self.machine.due = None;
        self.machine.phase = Phase::Healthy;
        Next::Look
    }

    fn settle_again(&mut self, damage: Damage, wait: Duration) -> Next {
        self.machine.tries = self.machine.tries.saturating_add(1);
        self.machine.due = Some(self.now + wait);
        self.machine.phase = Phase::Settling(Damage { since: self.now, ..damage });
        Next::Rest
    }

    fn backoff(&self, first: Duration, limit: Duration) -> Duration {
        first.saturating_mul(1 << self.machine.tries.min(16)).min(limit)
    }
}
