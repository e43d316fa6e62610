//! What it means that nothing is there: told, or put back after a while. A folder that is gone, or another, as after an unmount,
//! is no deletion.

use super::Stepper;
use crate::config::OnMissing;
use crate::decide::{Damage, Next, Note, Phase};
use crate::document::Digest;
use crate::verdict::{Fault, Kind, Place};

const NOT_THERE: &str = "it is not there";

impl Stepper<'_> {
    pub(super) fn missing(&mut self, may_return: bool) -> Next {
        let may_return = may_return && self.machine.is_proven && self.policy.on_missing == OnMissing::Restore;
        if let Some(damage) = self.machine.damage().filter(|damage| damage.fault.kind == Kind::Missing).cloned()
            && may_return
        {
            return if self.is_to_rest(&damage) { self.rest(damage) } else { self.believe(damage) };
        }
        self.released();
        self.incident_is_gone();
        let since = match self.machine.phase {
            Phase::Missing(since) => since,
            _ => self.now,
        };
        if !matches!(self.machine.phase, Phase::Missing(_)) && self.tells_missing() {
            self.notes.push(Note::Told(Kind::Missing, NOT_THERE.to_owned()));
        }
        self.machine.phase = Phase::Missing(since);
        self.nothing_read();
        self.machine.due = None;
        if !may_return {
            return Next::Rest;
        }
        let left = self.left(since, self.policy.missing_for);
        if left.is_zero() {
            return self.believe(absence(since));
        }
        self.machine.due = self.in_(left);
        Next::Rest
    }

    /// Nothing is known of the file: what was begun goes on when its folder is back.
    pub(super) fn directory_missing(&mut self) -> Next {
        self.released();
        if self.machine.phase != Phase::DirectoryMissing && self.tells_missing() {
            let why = "its folder is not there, or is not the one that it was in";
            self.notes.push(Note::Told(Kind::Missing, why.to_owned()));
        }
        self.machine.phase = Phase::DirectoryMissing;
        self.nothing_read();
        self.machine.due = None;
        Next::Rest
    }

    pub(super) fn tells_missing(&self) -> bool {
        self.policy.on_missing != OnMissing::Ignore
    }

    /// Whoever removed it took the damage with it.
    fn incident_is_gone(&mut self) {
        if self.ends_incident() {
            self.notes.push(Note::Gone);
        }
    }
}

/// What is repaired when nothing is there.
fn absence(since: std::time::Instant) -> Damage {
    let fault = Fault { kind: Kind::Missing, place: Place::default(), cause: NOT_THERE.to_owned() };
    Damage { digest: Digest::of(b""), fault, since, changing: since, told: Vec::new() }
}
