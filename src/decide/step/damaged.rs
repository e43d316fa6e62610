//! What damage means: wait until it stays the same, believe it, repair it or hold it.

use std::time::Duration;

use super::Stepper;
use crate::decide::{CHANGING_LIMIT, Damage, Ended, Next, Note, OPEN_WRITER_PATIENCE, Phase, RETRY};
use crate::document::Digest;
use crate::verdict::{Certainty, Fault, Kind, Reason};

const CHANGING: &str = "it keeps changing, and none of it is valid";

/// How often a file that must be rewritten in place is tried before it is told that its readers keep it open: about 20 s,
/// for an attempt waits as well.
const READER_TRIES: u32 = 14;

impl Stepper<'_> {
    pub(super) fn corrupt(&mut self, digest: Digest, fault: Fault, certainty: Certainty) -> Next {
        self.machine.candidate = None;
        let was_open =
            self.machine.busy_since.is_some() || matches!(self.machine.phase, Phase::Held(Reason::OpenWriter, _));
        self.machine.is_disturbed |= was_open && certainty != Certainty::OpenWriter;
        self.read_with(certainty);
        if !self.machine.is_proven {
            return self.unproven(digest, fault);
        }
        if matches!(
            self.machine.phase,
            Phase::Missing(_) | Phase::DirectoryMissing | Phase::Unreadable(_) | Phase::Odd(..)
        ) {
            self.arrived();
        }
        let damage = self.damage(digest, fault);
        if certainty == Certainty::OpenWriter {
            return self.damaged_under_a_writer(damage);
        }
        if self.is_to_rest(&damage) {
            return self.rest(damage);
        }
        let left = self.left(damage.since, self.pair_gap(certainty));
        if left.is_zero() {
            return self.believe(damage);
        }
        if self.is_changing(&damage) {
            return self.hold(Reason::Changing, CHANGING, damage, Some(left));
        }
        self.machine.phase = Phase::Settling(Box::new(damage));
        self.machine.due = self.in_(left);
        Next::Rest
    }

    fn unproven(&mut self, digest: Digest, fault: Fault) -> Next {
        self.machine.due = None;
        // Told once, whatever it changes to: what was never valid may be no JSON at all, and change all day.
        if !matches!(self.machine.phase, Phase::Unproven(Some(_))) {
            self.arrived();
            self.notes.push(Note::Unproven(fault));
        }
        self.machine.phase = Phase::Unproven(Some(digest));
        Next::Rest
    }

    /// The damage as known by now: the same bytes keep their time, others start anew. So do bytes that somebody has been
    /// at, or had open, since they were seen. That nothing was there says nothing of bytes that are, though they be none.
    fn damage(&mut self, digest: Digest, fault: Fault) -> Damage {
        let was_absent = self.machine.damage().is_some_and(|damage| damage.fault.kind == Kind::Missing);
        let starts_anew = std::mem::take(&mut self.machine.is_disturbed) || was_absent;
        let was_settling =
            matches!(self.machine.phase, Phase::Settling(_) | Phase::Repairing(_) | Phase::Held(Reason::Changing, _));
        let now = self.now;
        match self.machine.damage() {
            Some(damage) if damage.digest == digest && !starts_anew => Damage { fault, ..damage.clone() },
            Some(Damage { changing, told, .. }) => {
                let changing = if was_settling { *changing } else { now };
                Damage { digest, fault, since: now, changing, told: told.clone() }
            }
            None => Damage { digest, fault, since: now, changing: now, told: Vec::new() },
        }
    }

    /// The same bytes as are held already, and neither has the time to try again come nor the reason gone.
    pub(super) fn is_to_rest(&self, damage: &Damage) -> bool {
        let Phase::Held(reason, held) = &self.machine.phase else { return false };
        let lasts = match reason {
            Reason::OpenWriter | Reason::Changing | Reason::Breaker => false,
            Reason::Observe => self.policy.observes && !self.policy.is_paused,
            Reason::Paused => self.policy.is_paused,
            _ => self.machine.held_until.is_some_and(|until| until > self.now),
        };
        lasts && held.digest == damage.digest
    }

    pub(super) fn rest(&mut self, damage: Damage) -> Next {
        if let Phase::Held(_, held) = &mut self.machine.phase {
            **held = damage;
        }
        self.machine.due = self.machine.held_until;
        Next::Rest
    }

    fn is_changing(&self, damage: &Damage) -> bool {
        self.now.saturating_duration_since(damage.changing) >= CHANGING_LIMIT
    }

    fn damaged_under_a_writer(&mut self, damage: Damage) -> Next {
        let is_there = |since| self.now.saturating_duration_since(since) >= CHANGING_LIMIT;
        let is_same = self.left(damage.since, OPEN_WRITER_PATIENCE).is_zero();
        if is_same && self.machine.busy_since.is_some_and(is_there) {
            if self.policy.repairs_over_writers {
                return if self.is_to_rest(&damage) { self.rest(damage) } else { self.believe(damage) };
            }
            self.open_incident(&damage);
        }
        let why = if self.policy.repairs_over_writers {
            "a program keeps it open for writing; as its rules allow, it is repaired all the same in a while (best effort)"
        } else {
            "a program keeps it open for writing; it is repaired once that closes it"
        };
        self.hold(Reason::OpenWriter, why, damage, Some(Duration::from_secs(1)))
    }

    /// Whoever cooperates is no accident: nothing is told of a save, and of a long one only that it is waited for.
    pub(super) fn edited(&mut self, digest: Digest, fault: Fault) -> Next {
        if !self.machine.is_proven {
            return self.unproven(digest, fault);
        }
        let since = *self.machine.busy_since.get_or_insert(self.now);
        if !self.left(since, OPEN_WRITER_PATIENCE).is_zero() {
            return self.busy();
        }
        let damage = self.damage(digest, fault);
        self.machine.is_disturbed = true;
        let why = "somebody is at it: its lock is held, or an editor has it open";
        self.hold(Reason::Editing, why, damage, Some(Duration::from_secs(1)))
    }

    fn open_incident(&mut self, damage: &Damage) {
        // One that began as a suspicion goes on as damage.
        if !self.machine.has_incident || std::mem::take(&mut self.machine.is_suspicion) {
            self.machine.has_incident = true;
            self.notes.push(Note::Corrupted(damage.clone()));
        }
    }

    pub(super) fn believe(&mut self, mut damage: Damage) -> Next {
        damage.changing = self.now;
        self.open_incident(&damage);
        if self.policy.is_paused {
            return self.hold(Reason::Paused, "somebody paused it; `jsonwarden resume` ends that", damage, None);
        }
        if self.policy.observes {
            return self.hold(Reason::Observe, "its watch only observes", damage, None);
        }
        if let Some(left) = self.machine.breaker.blocks_for(self.now, self.policy) {
            let why = "it was repaired too often: something damages it again and again";
            return self.hold(Reason::Breaker, why, damage, Some(left));
        }
        self.machine.phase = Phase::Repairing(Box::new(damage));
        self.machine.due = None;
        Next::Repair
    }

    fn hold(&mut self, reason: Reason, why: &str, mut damage: Damage, wait: Option<Duration>) -> Next {
        let before = self.machine.held_before.take();
        if before == Some(reason) {
            damage.told.push(reason);
        } else if !damage.told.contains(&reason) {
            self.notes.extend(before.map(Note::Released));
            damage.told.push(reason);
            self.notes.push(Note::Held(reason, why.to_owned()));
        }
        self.machine.phase = Phase::Held(reason, Box::new(damage));
        self.machine.held_until = wait.and_then(|wait| self.in_(wait));
        self.machine.due = self.machine.held_until;
        Next::Rest
    }

    /// Somebody is at the document, or was a moment ago: what was seen of it must be seen anew.
    pub(super) fn disturbed(&mut self, wait: Duration) {
        self.machine.is_disturbed = true;
        self.machine.due = self.in_(wait);
        match self.machine.phase.clone() {
            Phase::Settling(damage) | Phase::Repairing(damage) if self.is_changing(&damage) => {
                self.hold(Reason::Changing, CHANGING, *damage, Some(wait));
            }
            Phase::Repairing(damage) => self.machine.phase = Phase::Settling(damage),
            _ => {}
        }
    }

    pub(super) fn ended(&mut self, ended: Ended) -> Next {
        let Phase::Repairing(damage) = self.machine.phase.clone() else { return Next::Look };
        match ended {
            Ended::Restored(digest) => return self.restored(digest),
            Ended::Changed => {
                self.disturbed(self.backoff(Duration::from_millis(10), Duration::from_secs(1)));
            }
            Ended::Busy => {
                self.machine.busy_since.get_or_insert(self.now);
                self.disturbed(Duration::from_millis(10));
            }
            Ended::BeingRead(_) if self.machine.tries < READER_TRIES => {
                let wait = self.backoff(Duration::from_millis(100), Duration::from_secs(2));
                self.machine.phase = Phase::Settling(damage);
                self.machine.due = self.in_(wait);
            }
            Ended::BeingRead(why) => {
                let wait = self.backoff(Duration::from_secs(1), Duration::from_secs(30));
                self.hold(Reason::Linked, &why, *damage, Some(wait));
            }
            Ended::Held(reason, why) => {
                let wait = match reason {
                    Reason::Editing => Duration::from_secs(1),
                    // Until somebody says what the suspicious version is; until there is room.
                    Reason::Suspicious | Reason::NoRoom => RETRY,
                    _ => self.backoff(Duration::from_secs(1), Duration::from_secs(300)),
                };
                self.hold(reason, &why, *damage, Some(wait));
            }
        }
        self.machine.tries = self.machine.tries.saturating_add(1);
        Next::Rest
    }

    fn restored(&mut self, digest: Digest) -> Next {
        self.released();
        self.machine.breaker.repaired(Some(digest), self.now, self.policy);
        self.ends_incident();
        self.machine.tries = 0;
        self.machine.due = None;
        self.machine.phase = Phase::Healthy;
        Next::Look
    }

    fn backoff(&self, first: Duration, limit: Duration) -> Duration {
        first.saturating_mul(1 << self.machine.tries.min(16)).min(limit)
    }
}
