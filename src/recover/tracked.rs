//! All that the recover stage remembers of one document.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beside::Leftovers;
use super::job::{Known, Odd, Task, Work};
use crate::config::{OnOpenWriter, Watch};
use crate::decide::Machine;
use crate::disk::directory::Directory;
use crate::disk::prospects::Prospects;
use crate::disk::signature::Signature;
use crate::document::{DocumentId, Version};
use crate::event::{FileStatus, IncidentId, Remarks, Subject};
use crate::read::OpenWriter;
use crate::steer::Standing;
use crate::verdict::{Finding, Kind, Reason, State};

/// A document under guard.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub(super) struct Tracked {
    pub document: DocumentId,
    pub watch: Arc<Watch>,
    pub literal: bool,
    pub directory: Arc<Directory>,
    pub machine: Machine,
    /// As its watch and people say, it is only observed.
    pub observes: bool,
    /// Somebody paused it.
    pub is_paused: bool,
    /// What the state directory holds; `None`: not asked yet, or it could not be.
    pub known: Option<Arc<Known>>,
    /// The time to look again that waits in the stage's queue: each waits there once.
    pub queued: Option<Instant>,
    pub is_looked_at: bool,
    pub is_in_flight: bool,
    /// It was seen while a job ran: look again when that is done.
    pub again: bool,
    pub incident: Option<Box<Incident>>,
    pub kind: Option<Kind>,
    pub is_backed_up: bool,
    /// The file at the last look.
    pub signature: Option<Signature>,
    /// Of the settings under which it was seen last.
    pub generation: u64,
    pub stored_at: Option<Instant>,
    /// When what a repair would put back was last found whole; at first, when the document was met.
    pub verified_at: Instant,
    /// What lies beside it; `None`: nothing.
    pub leftovers: Option<Box<Leftovers>>,
    /// It left its watch, and stays here only until nothing lies beside it any more.
    pub is_leaving: bool,
    /// Rotten versions that have been told.
    pub told_rotten: Vec<Version>,
    pub is_backup_failing: bool,
    /// No lease was to be had at the last look.
    pub lacks_leases: bool,
    /// A swap took more than one step.
    pub lacks_exchange: bool,
    /// What a repair would come to.
    pub prospects: Prospects,
    /// What the last look found suspicious.
    pub odd: Option<Box<Odd>>,
    /// What readers may stumble over in the bytes that were judged last.
    pub findings: Box<[Finding]>,
}

/// An incident that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident {
    pub id: IncidentId,
    pub believed: Instant,
    pub detection: Duration,
}

impl Tracked {
    pub(super) fn new(document: DocumentId, watch: Arc<Watch>, literal: bool, directory: Arc<Directory>) -> Self {
        Self {
            document,
            watch,
            literal,
            directory,
            machine: Machine::new(false),
            observes: false,
            is_paused: false,
            known: None,
            queued: None,
            is_looked_at: false,
            is_in_flight: false,
            again: false,
            incident: None,
            kind: None,
            is_backed_up: false,
            signature: None,
            generation: 0,
            stored_at: None,
            verified_at: Instant::now(),
            leftovers: None,
            is_leaving: false,
            told_rotten: Vec::new(),
            is_backup_failing: false,
            lacks_leases: false,
            lacks_exchange: false,
            prospects: Prospects::default(),
            odd: None,
            findings: Box::default(),
        }
    }

    /// Which it is, and whose.
    pub(super) fn subject(&self) -> Subject {
        Subject { document: self.document.clone(), watch: self.watch.name.clone() }
    }

    /// Notes whose it is by now, and where; says whether it is guarded by other rules than before.
    pub(super) fn belongs(
        &mut self,
        watch: Arc<Watch>,
        literal: bool,
        directory: Arc<Directory>,
        standing: &Standing,
    ) -> bool {
        self.directory = directory;
        let by_others = literal != self.literal || watch.rules != self.watch.rules;
        if literal != self.literal || !Arc::ptr_eq(&watch, &self.watch) {
            (self.watch, self.literal) = (watch, literal);
            self.steer(standing);
        }
        if by_others {
            // Weighed by these, it may come to something else.
            self.odd = None;
        }
        by_others
    }

    /// Was it this very file when it was looked at last, with nothing left to do?
    pub(super) fn is_as_it_was(&self, signature: Signature) -> bool {
        let rests = self.machine.state().0 == State::Healthy;
        self.is_looked_at && rests && self.is_reachable() && self.signature == Some(signature)
    }

    /// Is its folder open? Otherwise the handle is one through which nothing can be found.
    pub(super) fn is_reachable(&self) -> bool {
        self.directory.path() == self.document.directory()
    }

    /// The next look, as the machine wants it.
    pub(super) fn look(&self, now: Instant) -> Work {
        let open_writer = if self.machine.reads_anyway(now) { OpenWriter::ReadAnyway } else { OpenWriter::Wait };
        let confirmed = self.machine.confirmed(now, &self.policy());
        Work::Look { open_writer, confirmed, stores: self.store_at().is_none_or(|at| at <= now) }
    }

    /// When the next version may be stored; `None`: at once.
    pub(super) fn store_at(&self) -> Option<Instant> {
        self.stored_at.map(|at| at + self.watch.rules.min_interval)
    }

    pub(super) fn task(&self, work: Work) -> Task {
        Task {
            document: self.document.clone(),
            watch: Arc::clone(&self.watch),
            literal: self.literal,
            directory: Arc::clone(&self.directory),
            known: self.known.clone().filter(|_| !self.may_be_accepted()),
            odd: self.odd.clone(),
            work,
        }
    }

    /// Somebody may have accepted its suspicious version meanwhile: what the state directory holds must be asked again.
    fn may_be_accepted(&self) -> bool {
        self.machine.state().1 == Some(Reason::Suspicious)
    }

    /// The mount that it is on.
    pub(super) fn device(&self) -> u64 {
        self.signature.map_or(0, |signature| signature.device)
    }

    /// What cannot be promised here, in words.
    fn best_effort(&self) -> Option<&'static str> {
        if self.watch.rules.on_open_writer != OnOpenWriter::Wait {
            return Some("over open writers, without a lease: digests before and after");
        }
        match (self.lacks_leases, self.lacks_exchange || self.prospects.lacks_exchange) {
            (false, false) => None,
            (true, false) => Some("no lease: two equal reads stand for a certified one"),
            (false, true) => Some("no exchange: for a moment nothing stands at the name"),
            (true, true) => Some("no lease, no exchange: two equal reads, and for a moment nothing at the name"),
        }
    }

    pub(super) fn status(&self) -> FileStatus {
        let (state, reason) = self.machine.state();
        let is_wrong = !matches!(state, State::Healthy);
        FileStatus {
            state,
            reason,
            guarding: self.guarding(),
            kind: self.kind.filter(|_| is_wrong),
            last_good: self.known.as_ref().and_then(|known| known.last_good.clone()),
            incident: self.incident.as_ref().map(|incident| incident.id),
            backed_up: self.is_backed_up,
            stock: self.known.as_ref().map(|known| known.stock).unwrap_or_default(),
            remarks: self.remarks(),
            ..FileStatus::unproven(self.subject())
        }
    }

    fn remarks(&self) -> Option<Box<Remarks>> {
        let remarks = Remarks {
            findings: self.findings.to_vec(),
            unrepairable: self.prospects.unrepairable.clone(),
            best_effort: self.best_effort(),
            left_beside: self.unkept().to_vec(),
        };
        (remarks != Remarks::default()).then(|| Box::new(remarks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_takes_little_room() {
        assert!(size_of::<Tracked>() <= 376, "{}", size_of::<Tracked>());
        assert!(size_of::<FileStatus>() <= 96, "{}", size_of::<FileStatus>());
        assert!(size_of::<Known>() <= 88, "{}", size_of::<Known>());
        assert!(size_of::<Task>() <= 104, "{}", size_of::<Task>());
    }
}
