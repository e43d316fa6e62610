//! What a finished job means: the machine is stepped, and what is worth telling is told.

use std::time::{Duration, Instant};

use super::Recover;
use super::beside::UNKEPT_LIMIT;
use super::job::{Done, Known, Work};
use super::lanes::Finished;
use super::look::{self, Looked, Room};
use super::tracked::Incident;
use crate::config::OnOpenWriter;
use crate::decide::{Damage, Ended, Input, Next, Note, Seen, step};
use crate::document::{Digest, DocumentId};
use crate::event::{Fact, IncidentId, Subject};
use crate::hint;
use crate::repair::Judged;
use crate::verdict::{Certainty, Fault, Kind, Reason, State};

/// An incident, as it begins.
struct Begun {
    subject: Subject,
    incident: IncidentId,
    /// How many bytes stand there.
    bytes: u64,
    /// From the file's ctime to now.
    detection: Duration,
}

impl Recover {
    /// A job with this document is done.
    pub(super) async fn done(&mut self, document: &DocumentId, done: Done) {
        self.running = self.running.saturating_sub(1);
        self.stale.add(document);
        // A document that left its watch meanwhile is nobody's any more.
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.is_in_flight = false;
        match done {
            Done::Looked(looked) => self.looked(document, *looked).await,
            Done::Repaired(report, known) => self.repaired(document, report, known).await,
            Done::BroughtBack(missing, known) => self.brought_back(document, missing, known).await,
            Done::Disposed(name, disposal, known) => self.disposed(document, name, disposal, known).await,
            Done::Pruned(pruned, known) => self.pruned(document, pruned, known).await,
            Done::Accepted(accepted) => self.accepted(document, accepted),
            Done::Panicked(doing) => self.panicked(document, doing).await,
        }
        self.await_next_look(document);
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
        let subject = tracked.subject();
        let mut seen = looked.seen.clone();
        tracked.note(&looked, now);
        if let Seen::Valid { is_stored: false, store_at, certainty: Certainty::Certified, .. } = &mut seen
            && looked.is_unstored
        {
            // A store that failed, or was put off: the interval, or a while.
            let later = now + Duration::from_secs(5);
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
        let policy = tracked.policy();
        let machine = std::mem::replace(&mut tracked.machine, crate::decide::Machine::new(false));
        let (machine, next, notes) = step(machine, input, now, &policy);
        tracked.machine = machine;
        if let Some(due) = tracked.machine.due.filter(|due| tracked.queued != Some(*due)) {
            tracked.queued = Some(due);
            self.due.push(std::cmp::Reverse((due, document.clone())));
        }
        self.stale.add(document);
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
        let subject = tracked.subject();
        let fact = match note {
            Note::Unproven(fault) => Fact::Unproven { subject, fault },
            Note::Suspected(digest, fault) => self.suspected(document, digest, fault, now),
            Note::Corrupted(damage) => self.corrupted(document, damage, now),
            Note::Recovered => match tracked.incident.take() {
                Some(incident) => Fact::Recovered { subject, incident: incident.id },
                None => return,
            },
            Note::Gone => match tracked.incident.take() {
                Some(incident) => Fact::Gone { subject, incident: incident.id },
                None => return,
            },
            Note::Held(reason, mut detail) => {
                let incident = tracked.incident.as_ref().map(|incident| incident.id);
                if reason == Reason::Suspicious && tracked.machine.damage().is_none() {
                    let good = tracked.known.as_deref().and_then(Known::last_good_version);
                    detail = format!("{detail}; {}", hint::suspicious(document, good));
                }
                if reason == Reason::Suspicious {
                    self.compare_suspicious(document);
                }
                Fact::Held { subject, incident, reason, detail }
            }
            Note::Released(reason) => Fact::Released { subject, reason },
            Note::Told(kind, detail) => Fact::Told { subject, kind, detail },
            Note::Returned => Fact::Returned { subject },
        };
        self.say(fact).await;
    }

    fn corrupted(&mut self, document: &DocumentId, damage: Damage, now: Instant) -> Fact {
        let Damage { digest, fault, since, .. } = damage;
        let Begun { subject, incident, bytes, detection } =
            self.begun(document, fault.kind != Kind::Missing, since, now);
        Fact::Corrupted { subject, incident, fault, digest, bytes, detection }
    }

    fn suspected(&mut self, document: &DocumentId, digest: Digest, fault: Fault, now: Instant) -> Fact {
        let Begun { subject, incident, bytes, detection } = self.begun(document, true, now, now);
        Fact::Suspected { subject, incident, fault, digest, bytes, detection }
    }

    /// Begins an incident, or goes on with the one that is open.
    fn begun(&mut self, document: &DocumentId, is_there: bool, since: Instant, now: Instant) -> Begun {
        let tracked = self.documents.get_mut(document);
        let signature = tracked.as_ref().and_then(|tracked| tracked.signature).filter(|_| is_there);
        let (detection, bytes) = match signature {
            Some(signature) => (signature.age(), signature.bytes),
            None => (now.saturating_duration_since(since), 0),
        };
        let open = tracked.as_ref().and_then(|tracked| tracked.incident.as_ref());
        let id = open.map_or(self.next_incident, |incident| incident.id);
        self.next_incident = self.next_incident.max(IncidentId(id.0.saturating_add(1)));
        let watch = tracked.as_ref().map(|tracked| tracked.watch.name.clone());
        if let Some(tracked) = tracked {
            tracked.incident = Some(Box::new(Incident { id, believed: now, detection }));
        }
        let watch = watch.unwrap_or_else(|| crate::config::WatchName::new(""));
        Begun { subject: Subject { document: document.clone(), watch }, incident: id, bytes, detection }
    }

    async fn repair(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let Some(damage) = tracked.machine.damage() else { return };
        if tracked.unkept().len() >= UNKEPT_LIMIT {
            let why = format!("{UNKEPT_LIMIT} replaced versions lie beside it that could not be kept in quarantine");
            return Box::pin(self.step(document, Input::Ended(Ended::Held(Reason::Leftovers, why)))).await;
        }
        if damage.fault.kind == Kind::Missing {
            return self.start(document, Work::BringBack);
        }
        let judged = Judged { digest: damage.digest, kind: damage.fault.kind, is_paired: true };
        let is_under_a_writer = tracked.machine.busy_since.is_some();
        let writer = if is_under_a_writer { tracked.watch.rules.on_open_writer } else { OnOpenWriter::Wait };
        self.start(document, Work::Repair(judged, writer));
    }

    async fn panicked(&mut self, document: &DocumentId, doing: &'static str) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject();
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
