//! All that the recover stage remembers of one document.

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beside::Beside;
use super::job::{Known, Odd, Task, Work};
use super::orders::guarding;
use crate::config::{OnOpenWriter, Watch};
use crate::decide::{Machine, Policy};
use crate::disk::directory::Directory;
use crate::disk::prospects::Prospects;
use crate::disk::signature::Signature;
use crate::document::{DocumentId, Version};
use crate::event::{FileStatus, IncidentId, Subject};
use crate::read::OpenWriter;
use crate::steer::Standing;
use crate::verdict::{Finding, Kind, Reason, State};

/// A document under guard.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub(super) struct Tracked {
    pub subject: Subject,
    pub watch: Arc<Watch>,
    pub literal: bool,
    pub directory: Arc<Directory>,
    pub machine: Machine,
    pub policy: Policy,
    /// What the state directory holds; `None`: not asked yet, or it could not be.
    pub known: Option<Known>,
    /// The time to look again that waits in the stage's queue: each waits there once.
    pub queued: Option<Instant>,
    pub is_looked_at: bool,
    pub is_in_flight: bool,
    /// It was seen while a job ran: look again when that is done.
    pub again: bool,
    pub incident: Option<Incident>,
    pub kind: Option<Kind>,
    pub is_backed_up: bool,
    /// The file at the last look.
    pub signature: Option<Signature>,
    /// Of the settings under which it was seen last.
    pub generation: u64,
    pub stored_at: Option<Instant>,
    /// When what a repair would put back was last found whole; at first, when the document was met.
    pub verified_at: Instant,
    /// What lies beside it.
    pub leftovers: HashMap<OsString, Beside>,
    /// It left its watch, and stays here only until nothing lies beside it any more.
    pub is_leaving: bool,
    /// Those that were met and wait to be looked at.
    pub met: VecDeque<OsString>,
    /// Those that could not be copied to quarantine.
    pub unkept: Vec<OsString>,
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
    pub odd: Option<Odd>,
    /// What readers may stumble over in the bytes that were judged last.
    pub findings: Vec<Finding>,
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
        let policy = Policy::of(&watch.rules, literal);
        Self {
            subject: Subject { document, watch: watch.name.clone() },
            watch,
            literal,
            directory,
            machine: Machine::new(false),
            policy,
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
            leftovers: HashMap::new(),
            is_leaving: false,
            met: VecDeque::new(),
            unkept: Vec::new(),
            told_rotten: Vec::new(),
            is_backup_failing: false,
            lacks_leases: false,
            lacks_exchange: false,
            prospects: Prospects::default(),
            odd: None,
            findings: Vec::new(),
        }
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
            self.subject.watch = watch.name.clone();
            (self.watch, self.literal) = (watch, literal);
            self.policy = self.policy_under(standing);
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
        self.directory.path() == self.subject.document.directory()
    }

    /// Notes a leftover. Of many, some wait for the next sweep.
    pub(super) fn meet(&mut self, name: &OsStr) {
        const WAITING: usize = 64;
        if self.met.len() < WAITING && !self.met.iter().any(|met| met == name) {
            self.met.push_back(name.to_owned());
        }
    }

    /// The next look, as the machine wants it.
    pub(super) fn look(&self, now: Instant) -> Work {
        let open_writer = if self.machine.reads_anyway(now) { OpenWriter::ReadAnyway } else { OpenWriter::Wait };
        let confirmed = self.machine.confirmed(now, &self.policy);
        Work::Look { open_writer, confirmed, stores: self.store_at().is_none_or(|at| at <= now) }
    }

    /// When the next version may be stored; `None`: at once.
    pub(super) fn store_at(&self) -> Option<Instant> {
        self.stored_at.map(|at| at + self.watch.rules.min_interval)
    }

    pub(super) fn task(&self, work: Work) -> Task {
        Task {
            document: self.subject.document.clone(),
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

    pub(super) fn status(&self, standing: &Standing) -> FileStatus {
        let (state, reason) = self.machine.state();
        let is_wrong = !matches!(state, State::Healthy);
        FileStatus {
            subject: self.subject.clone(),
            state,
            reason,
            guarding: guarding(standing, self.subject.document.path(), self),
            kind: self.kind.filter(|_| is_wrong),
            findings: self.findings.clone(),
            last_good: self.known.as_ref().and_then(|known| known.last_good.clone()),
            incident: self.incident.map(|incident| incident.id),
            backed_up: self.is_backed_up,
            unrepairable: self.prospects.unrepairable.clone(),
            best_effort: self.best_effort(),
            left_beside: self.unkept.clone(),
            stock: self.known.as_ref().map(|known| known.stock).unwrap_or_default(),
        }
    }
}
