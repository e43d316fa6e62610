//! What a restart must not forget.

use super::{Machine, Policy, Repair};
use crate::document::Stored;
use crate::verdict::Reason;

/// What was known of a document before the restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// Was an incident open?
    pub has_incident: bool,
    /// Was it only a suspicion?
    pub is_suspicion: bool,
    /// The hold that had been told.
    pub held: Option<Reason>,
    /// How it was repaired, the newest last.
    pub repairs: Vec<Repair>,
}

impl Machine {
    /// Goes on where a daemon that ended has stopped: its incident is the same one, its hold is not told again, and its
    /// breaker counts on, or stays open.
    #[must_use]
    pub fn recalling(mut self, recalled: &Recalled, policy: &Policy) -> Self {
        self.has_incident = recalled.has_incident;
        self.is_suspicion = recalled.has_incident && recalled.is_suspicion;
        self.held_before = recalled.held;
        self.breaker.recall(&recalled.repairs, !recalled.has_incident, policy);
        self
    }

    /// The store holds this last good version: after a restart that says whether anybody has written since the last repair.
    pub fn knows(&mut self, last_good: &Stored) {
        self.breaker.knows(last_good.version, last_good.digest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::Rules;
    use crate::decide::{Input, Next, Note, Seen, step};
    use crate::document::{Dialect, Digest, Mark, Version};
    use crate::verdict::{Certainty, Fault, Kind, Place};

    const MINUTE: Duration = Duration::from_secs(60);

    fn policy() -> Policy {
        Policy::of(&Rules { settle: Duration::ZERO, ..Rules::default() }, true)
    }

    fn corrupt() -> Input {
        let fault = Fault { kind: Kind::Syntax, place: Place { line: 1, column: 1, offset: 0 }, cause: String::new() };
        Input::Looked(Seen::Corrupt { digest: Digest::of(b"{"), fault, certainty: Certainty::Certified })
    }

    fn valid(bytes: &[u8]) -> Input {
        let (digest, certainty) = (Digest::of(bytes), Certainty::Certified);
        Input::Looked(Seen::Valid { digest, certainty, is_stored: true, store_at: None })
    }

    fn machine(has_incident: bool, held: Option<Reason>, repairs: Vec<Instant>) -> Machine {
        let last = repairs.last().copied().filter(|_| held == Some(Reason::Breaker));
        let repair = |at| Repair { at, version: Version(1), was_held_after: last == Some(at) };
        let repairs = repairs.into_iter().map(repair).collect();
        let recalled = Recalled { has_incident, held, repairs, ..Recalled::default() };
        Machine::new(true).recalling(&recalled, &policy())
    }

    #[test]
    fn an_incident_goes_on_and_ends() {
        let now = Instant::now();
        let (_, next, notes) = step(machine(true, None, vec![]), corrupt(), now, &policy());
        assert_eq!((next, notes), (Next::Repair, vec![]), "the incident is told already");
        let (_, _, notes) = step(machine(true, None, vec![]), valid(b"1"), now, &policy());
        assert_eq!(notes, [Note::Recovered]);
    }

    #[test]
    fn a_breaker_counts_on_and_stays_open_and_a_hold_is_told_once() {
        let now = Instant::now();
        let repairs = vec![now, now + MINUTE, now + 2 * MINUTE];
        let later = now + 3 * MINUTE;
        // Three of three: the fourth is held, and that was told.
        let open = machine(true, Some(Reason::Breaker), repairs.clone());
        let (open, next, notes) = step(open, corrupt(), later, &policy());
        assert_eq!((next, notes), (Next::Rest, vec![]));
        assert!(open.is_breaker_open());
        // Not held yet: it is told now.
        // What it was repaired with, and was found with after the restart, is no reason to stop counting.
        let (counting, _, _) = step(machine(false, None, repairs), valid(b"restored"), later, &policy());
        let (counting, next, notes) = step(counting, corrupt(), later, &policy());
        assert_eq!((next, notes.len()), (Next::Rest, 2));
        // What somebody writes closes it.
        for open in [open, counting] {
            assert!(open.is_breaker_open());
            let (closed, _, _) = step(open, valid(b"new"), later, &policy());
            assert!(!closed.is_breaker_open());
        }
    }

    #[test]
    fn a_hold_that_is_over_is_told_so() {
        let now = Instant::now();
        let held = || machine(false, Some(Reason::Suspicious), vec![]);
        let (_, _, notes) = step(held(), valid(b"1"), now, &policy());
        assert_eq!(notes, [Note::Released(Reason::Suspicious)]);
        let fault = Fault { kind: Kind::Shrunk, place: Place { line: 1, column: 1, offset: 0 }, cause: String::new() };
        let recalled =
            Recalled { has_incident: true, is_suspicion: true, held: Some(Reason::Suspicious), ..Recalled::default() };
        let held = Machine::new(true).recalling(&recalled, &policy());
        let odd = Seen::Odd { reason: Reason::Suspicious, digest: Digest::of(b"2"), fault };
        let (machine, _, notes) = step(held, Input::Looked(odd), now, &policy());
        assert_eq!(notes, [], "it goes on");
        let (_, _, notes) = step(machine.clone(), valid(b"1"), now, &policy());
        assert_eq!(notes, [Note::Released(Reason::Suspicious), Note::Recovered]);
        let (_, next, notes) = step(machine, corrupt(), now, &policy());
        assert_eq!(next, Next::Repair);
        assert!(matches!(notes[..], [Note::Released(_), Note::Corrupted(_)]), "damage is told all the same");
    }

    fn stored(version: u64, bytes: &[u8]) -> Stored {
        let (taken, mark, dialect) = (crate::clock::now(), Mark::Good, Dialect::Json);
        Stored { version: Version(version), taken, digest: Digest::of(bytes), bytes: 1, mark, dialect }
    }

    /// The same repairs, lived through and recalled: a breaker that has been open and tried again must not differ.
    #[test]
    fn what_is_recalled_is_what_was_lived_through() {
        let begun = Instant::now();
        let mut now = begun;
        let mut lived = Machine::new(true);
        let mut repairs = Vec::new();
        for _ in 0..6 {
            loop {
                let (machine, next, _) = step(lived, corrupt(), now, &policy());
                lived = machine;
                if next == Next::Repair {
                    break;
                }
                now = lived.due.expect("it waits for something");
                repairs.last_mut().map(|last: &mut Repair| last.was_held_after = true).expect("it was repaired before");
            }
            let restored = Input::Ended(crate::decide::Ended::Restored(Digest::of(b"good")));
            lived = step(lived, restored, now, &policy()).0;
            lived = step(lived, valid(b"good"), now, &policy()).0;
            repairs.push(Repair { at: now, version: Version(1), was_held_after: false });
        }
        assert!(lived.is_breaker_open() && now - begun > 60 * MINUTE);
        let recalled = |repairs: &[Repair]| {
            let recalled = Recalled { repairs: repairs.to_vec(), ..Recalled::default() };
            Machine::new(true).recalling(&recalled, &policy())
        };
        let mut again = recalled(&repairs);
        again.knows(&stored(1, b"good"));
        assert_eq!(again.breaker, lived.breaker);
        // Somebody wrote a version since, or between two repairs: that closed it.
        again = recalled(&repairs);
        again.knows(&stored(2, b"new"));
        assert!(!again.is_breaker_open());
        repairs.push(Repair { at: now, version: Version(2), was_held_after: false });
        assert!(!recalled(&repairs).is_breaker_open());
    }
}
