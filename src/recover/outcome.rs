//! What a finished job means: the machine is stepped, and what is worth telling is told.

use std::path::PathBuf;
use std::time::Instant;

use super::Recover;
use super::beside::{Beside, UNKEPT_LIMIT};
use super::job::{Done, Known, Odd, Work};
use super::lanes::Finished;
use super::look::{self, Looked, Room};
use super::tracked::{Incident, Tracked};
use crate::decide::{Damage, Ended, Input, Next, Note, Seen, step};
use crate::document::{Digest, DocumentId};
use crate::error::Result;
use crate::event::{Fact, IncidentId, Subject};
use crate::repair::{Judged, Outcome, Report, Restored};
use crate::verdict::{Certainty, Found, Kind, Reason, State};

impl Recover {
    /// A job with this document is done.
    pub(super) async fn done(&mut self, document: &DocumentId, done: Done) {
        self.running = self.running.saturating_sub(1);
        self.is_status_stale = true;
        // A document that left its watch meanwhile is nobody's any more.
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.is_in_flight = false;
        match done {
            Done::Looked(looked) => self.looked(document, *looked).await,
            Done::Repaired(report, known) => self.repaired(document, report, known).await,
            Done::Disposed(name, disposal, known) => self.disposed(document, name, disposal, known).await,
            Done::Pruned(pruned, known) => self.pruned(document, pruned, known).await,
            Done::Accepted(accepted) => self.accepted(document, accepted),
            Done::Panicked(doing) => self.panicked(document, doing).await,
        }
        if self
            .documents
            .get_mut(document)
            .is_some_and(|tracked| !tracked.is_in_flight && std::mem::take(&mut tracked.again))
        {
            self.look(document);
        }
        self.next_leftover(document);
    }

    async fn looked(&mut self, document: &DocumentId, looked: Looked) {
        let now = Instant::now();
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject.clone();
        let mut seen = looked.seen.clone();
        tracked.note(&looked, now);
        if let Seen::Valid { is_stored: false, store_at, certainty: Certainty::Certified, .. } = &mut seen
            && looked.is_unstored
        {
            // A store that failed, or was put off: the interval, or a while.
            let later = now + std::time::Duration::from_secs(5);
            *store_at = Some(tracked.store_at().filter(|at| *at > now).unwrap_or(later));
        }
        let facts = tracked.told_by(&looked, &subject);
        self.is_stock_changed |= looked.stored.is_some();
        self.spares.is_stale |= looked.stored.is_some() || !tracked.is_looked_at;
        if let Some(room) = looked.room {
            self.room(room).await;
        }
        for fact in facts {
            self.say(fact).await;
        }
        self.answer_waiting(document, &looked);
        self.step(document, Input::Looked(seen)).await;
        self.looked_at(document).await;
    }

    /// Asks how much room there is, on a thread of its own: the disk may hang.
    pub(super) fn ask_for_room(&mut self) {
        if !self.is_asking_for_room {
            self.is_asking_for_room = self.lanes.aside(|tools| Finished::Room(look::room(tools).ok()));
        }
    }

    pub(super) async fn room_is(&mut self, room: Option<Room>) {
        self.is_asking_for_room = false;
        if let Some(room) = room {
            self.room(room).await;
        }
    }

    async fn room(&mut self, room: Room) {
        if std::mem::replace(&mut self.is_storage_low, room.is_low) == room.is_low {
            return;
        }
        let available = room.available_bytes;
        self.say(if room.is_low { Fact::StorageLow { available } } else { Fact::StorageBack }).await;
    }

    /// Steps the document's machine, tells what it notes, and does what it says.
    pub(super) async fn step(&mut self, document: &DocumentId, input: Input) {
        let now = Instant::now();
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let policy = tracked.policy;
        let machine = std::mem::replace(&mut tracked.machine, crate::decide::Machine::new(false));
        let (machine, next, notes) = step(machine, input, now, &policy);
        tracked.machine = machine;
        if let Some(due) = tracked.machine.due.filter(|due| tracked.queued != Some(*due)) {
            tracked.queued = Some(due);
            self.due.push(std::cmp::Reverse((due, document.clone())));
        }
        self.is_status_stale = true;
        for note in notes {
            self.tell(document, note, now).await;
        }
        match next {
            Next::Rest => {}
            Next::Look => self.look(document),
            Next::Repair => self.repair(document).await,
        }
    }

    async fn tell(&mut self, document: &DocumentId, note: Note, now: Instant) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject.clone();
        let fact = match note {
            Note::Unproven(fault) => Fact::Unproven { subject, fault },
            Note::Corrupted(damage) => self.corrupted(document, damage, now),
            Note::Recovered => match tracked.incident.take() {
                Some(incident) => Fact::Recovered { subject, incident: incident.id },
                None => return,
            },
            Note::Held(reason, detail) => {
                Fact::Held { subject, incident: tracked.incident.map(|incident| incident.id), reason, detail }
            }
            Note::Released(reason) => Fact::Released { subject, reason },
            Note::Told(kind, detail) => Fact::Told { subject, kind, detail },
            Note::Returned => Fact::Returned { subject },
        };
        self.say(fact).await;
    }

    fn corrupted(&mut self, document: &DocumentId, damage: Damage, now: Instant) -> Fact {
        let id = self.next_incident;
        self.next_incident = IncidentId(id.0.saturating_add(1));
        let tracked = self.documents.get_mut(document);
        let signature = tracked.as_ref().and_then(|tracked| tracked.signature);
        let detection = signature.map(|signature| signature.age()).unwrap_or_default();
        let watch = tracked.as_ref().map(|tracked| tracked.subject.watch.clone());
        if let Some(tracked) = tracked {
            tracked.incident = Some(Incident { id, believed: now, detection });
        }
        let watch = watch.unwrap_or_else(|| crate::config::WatchName::new(""));
        Fact::Corrupted {
            subject: Subject { document: document.clone(), watch },
            incident: id,
            fault: damage.fault,
            digest: damage.digest,
            bytes: signature.map_or(0, |signature| signature.bytes),
            detection,
        }
    }

    async fn repair(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let Some(damage) = tracked.machine.damage() else { return };
        if tracked.unkept.len() >= UNKEPT_LIMIT {
            let why = format!("{UNKEPT_LIMIT} replaced versions lie beside it that could not be kept in quarantine");
            return Box::pin(self.step(document, Input::Ended(Ended::Held(Reason::Leftovers, why)))).await;
        }
        let judged = Judged { digest: damage.digest, kind: damage.fault.kind, is_paired: true };
        self.start(document, Work::Repair(judged));
    }

    async fn repaired(&mut self, document: &DocumentId, report: Result<Report>, known: Result<Known>) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.known = known.ok();
        let subject = tracked.subject.clone();
        let incident = tracked.incident;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                if let Some(incident) = incident {
                    let (label, error) = (error.label(), error.to_string());
                    self.say(Fact::RepairFailed { subject, incident: incident.id, label, error }).await;
                }
                let why = "the repair failed; it is tried again".to_owned();
                return Box::pin(self.step(document, Input::Ended(Ended::Held(Reason::Failed, why)))).await;
            }
        };
        self.tell_rotten(document, &report).await;
        let ended = match report.outcome {
            Outcome::Restored(restored) => {
                let digest = restored.version.digest;
                self.restored(document, restored).await;
                Ended::Restored(digest)
            }
            Outcome::Yielded => {
                if let Some(incident) = incident {
                    self.say(Fact::RepairYielded { subject, incident: incident.id }).await;
                }
                Ended::Changed
            }
            Outcome::Changed => Ended::Changed,
            Outcome::Busy => Ended::Busy,
            Outcome::BeingRead(why) => Ended::BeingRead(why),
            Outcome::NothingGood => {
                Ended::Held(Reason::NoVersion, "no version is left that may be put back".to_owned())
            }
            Outcome::Held(reason, why) => Ended::Held(reason, why),
        };
        Box::pin(self.step(document, Input::Ended(ended))).await;
    }

    async fn tell_rotten(&mut self, document: &DocumentId, report: &Report) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let new = |version| !tracked.told_rotten.contains(version);
        let rotten: Vec<_> = report.rotten.iter().filter(|(version, _)| new(version)).cloned().collect();
        tracked.told_rotten.extend(rotten.iter().map(|(version, _)| *version));
        let subject = tracked.subject.clone();
        for (version, path) in rotten {
            self.say(Fact::Rotten { subject: subject.clone(), version, path }).await;
        }
    }

    async fn restored(&mut self, document: &DocumentId, restored: Restored) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject.clone();
        let damaged = tracked.machine.damage().map(|damage| damage.digest);
        if let Some(leftover) = &restored.leftover {
            let beside = Beside { put_aside: damaged, ..Beside::default() };
            tracked.leftovers.insert(leftover.clone(), beside);
        }
        tracked.kind = None;
        tracked.is_backed_up = true;
        let incident = tracked.incident.take();
        let Restored { version, kept, bytes, visible, leftover, in_one_step } = restored;
        tracked.lacks_exchange |= !in_one_step;
        let quarantine = match kept {
            Ok(path) => {
                self.say(Fact::Quarantined { subject: subject.clone(), path: path.clone(), bytes }).await;
                Some(path)
            }
            Err(error) => {
                let path = leftover.as_ref().map_or_else(PathBuf::new, |name| document.directory().join(name));
                if let Some(leftover) = &leftover {
                    tracked.cannot_keep(leftover);
                }
                self.say(Fact::LeftBeside { subject: subject.clone(), path, error: error.to_string() }).await;
                None
            }
        };
        if let Some(Incident { id: incident, believed, detection }) = incident {
            let restore = visible.saturating_duration_since(believed);
            let (mark, taken, version) = (version.mark, version.taken, version.version);
            let repair = detection + restore;
            let fact = Fact::Repaired { subject, incident, version, taken, mark, quarantine, bytes, restore, repair };
            self.say(fact).await;
        }
    }

    async fn panicked(&mut self, document: &DocumentId, doing: &'static str) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject.clone();
        let is_repairing = tracked.machine.state().0 == State::Repairing;
        self.say(Fact::Panicked { subject, doing }).await;
        let why = "a fault of ours; it is tried again".to_owned();
        let input = if is_repairing {
            Input::Ended(Ended::Held(Reason::Failed, why))
        } else {
            Input::Looked(Seen::Unreadable(Reason::Failed, why))
        };
        Box::pin(self.step(document, input)).await;
        self.looked_at(document).await;
    }
}

impl Tracked {
    /// Remembers what a look showed.
    fn note(&mut self, looked: &Looked, now: Instant) {
        if looked.signature.is_some() {
            self.signature = looked.signature;
        }
        if looked.known.is_some() {
            self.known.clone_from(&looked.known);
        }
        self.machine.is_proven |= self.known.as_ref().is_some_and(|known| known.last_good.is_some());
        if looked.stored.is_some() {
            self.stored_at = Some(now);
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
            Seen::Missing => Some(Kind::Missing),
            Seen::Valid { .. } => None,
            Seen::Busy => self.kind,
        };
    }

    fn odd_now(&self, seen: &Seen) -> Option<Odd> {
        let Seen::Odd { reason: Reason::Suspicious, digest, fault } = seen else { return None };
        let last_good = self.known.as_ref()?.last_good_version();
        Some(Odd { digest: *digest, last_good, fault: fault.clone() })
    }

    fn newest_digest(&self) -> Option<Digest> {
        Some(self.known.as_ref()?.newest.as_ref()?.digest)
    }

    /// The facts of a look that need no decision.
    fn told_by(&mut self, looked: &Looked, subject: &Subject) -> Vec<Fact> {
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
