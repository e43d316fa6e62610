//! What a look leaves behind: what is remembered of the document, and the facts that need no decision.

use std::time::Instant;

use super::job::Odd;
use super::look::Looked;
use super::tracked::Tracked;
use crate::decide::Seen;
use crate::document::Digest;
use crate::event::{Fact, Subject};
use crate::verdict::{Certainty, Found, Kind, Reason};

impl Tracked {
    /// Remembers what a look showed.
    pub(super) fn note(&mut self, looked: &Looked, now: Instant) {
        if looked.signature.is_some() {
            self.signature = looked.signature;
        }
        if looked.known.is_some() {
            self.known.clone_from(&looked.known);
        }
        if let Some(last_good) = self.known.as_ref().and_then(|known| known.last_good.as_ref()) {
            self.machine.knows(last_good);
        }
        self.machine.is_proven |= self.known.as_ref().is_some_and(|known| known.last_good.is_some());
        if looked.stored.is_some() {
            self.stored_at = Some(now);
            // It was read back.
            self.verified_at = now;
        }
        if self.prospects.unrepairable.is_some() && looked.prospects.unrepairable.is_none() {
            self.machine.try_again();
        }
        self.prospects.clone_from(&looked.prospects);
        if let Seen::Valid { certainty, .. } | Seen::Corrupt { certainty, .. } = &looked.seen {
            self.lacks_leases = *certainty == Certainty::Unleased;
        }
        self.is_backed_up = match &looked.seen {
            Seen::Valid { is_stored, .. } => *is_stored,
            Seen::Busy => self.is_backed_up,
            Seen::Odd { digest, .. } => self.newest_digest() == Some(*digest),
            _ => false,
        };
        self.odd = self.odd_now(&looked.seen);
        self.kind = match &looked.seen {
            Seen::Corrupt { fault, .. } | Seen::Edited { fault, .. } | Seen::Odd { fault, .. } => Some(fault.kind),
            Seen::Unreadable(Reason::NotRegular, _) => Some(Kind::NotRegular),
            Seen::Unreadable(Reason::TooLarge, _) => Some(Kind::TooLarge),
            Seen::Unreadable(..) => Some(Kind::Unreadable),
            Seen::Missing { .. } | Seen::DirectoryMissing => Some(Kind::Missing),
            Seen::Valid { .. } => None,
            Seen::Busy => self.kind,
        };
    }

    fn odd_now(&self, seen: &Seen) -> Option<Box<Odd>> {
        let Seen::Odd { reason: Reason::Suspicious, digest, fault } = seen else { return None };
        let last_good = self.known.as_ref()?.last_good_version();
        Some(Box::new(Odd { digest: *digest, last_good, fault: fault.clone() }))
    }

    fn newest_digest(&self) -> Option<Digest> {
        Some(self.known.as_ref()?.newest.as_ref()?.digest)
    }

    /// The facts of a look that need no decision.
    pub(super) fn told_by(&mut self, looked: &Looked, subject: &Subject) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some((result, took)) = looked.judged {
            facts.push(Fact::Judged { subject: subject.clone(), result, took });
        } else if matches!(looked.seen, Seen::Unreadable(..)) {
            let took = std::time::Duration::ZERO;
            facts.push(Fact::Judged { subject: subject.clone(), result: "unreadable", took });
        }
        if let Some(findings) = &looked.findings {
            let is_new = |found: &&Found| !self.findings.contains(&found.finding);
            let new = findings.iter().filter(is_new).cloned();
            facts.extend(new.map(|found| Fact::Found { subject: subject.clone(), found }));
            self.findings = findings.iter().map(|found| found.finding).collect();
        }
        if let Some(stored) = &looked.stored {
            facts.push(Fact::BackedUp { subject: subject.clone(), stored: stored.clone() });
        }
        let (versions, bytes) = looked.pruned;
        if versions > 0 {
            facts.push(Fact::Pruned { subject: subject.clone(), versions, bytes, reason: "keep_last" });
        }
        let is_failing = looked.trouble.is_some();
        if let Some(error) = looked.trouble.as_ref().filter(|_| !self.is_backup_failing) {
            let (label, error) = (error.label(), error.to_string());
            facts.push(Fact::BackupFailed { subject: subject.clone(), label, error });
        }
        self.is_backup_failing = is_failing;
        facts
    }
}
