//! What people ask of the guarding: other ways to guard, and that a file is stored now.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::Recover;
use super::job::Work;
use super::look::Looked;
use super::tracked::Tracked;
use crate::clock;
use crate::config::{Mode, WatchName};
use crate::decide::{Policy, Seen};
use crate::document::{Digest, DocumentId, Mark, Stored};
use crate::error::{Cause, Result};
use crate::event::{Fact, Guarding};
use crate::steer::{Answer, Ask, Asker, Order, Scope, Standing, Steering, said};
use crate::verdict::{Kind, Reason};

/// Whoever wants a file stored waits so long: longer than a file is watched that a writer keeps open.
const STORE_LIMIT: Duration = Duration::from_secs(20);

/// So many wait at once; connections are fewer.
const WAITING_MAX: usize = 64;

/// Somebody who waits until a document is stored.
#[derive(Debug)]
pub(super) struct Waiting {
    document: DocumentId,
    digest: Option<Digest>,
    accepts: bool,
    deadline: Instant,
    /// A look that began before it was asked says nothing of what was written since.
    awaits_next_look: bool,
    answer: oneshot::Sender<Answer>,
}

impl Waiting {
    fn is_answered_by_a_look_at(&self, document: &DocumentId) -> bool {
        self.document == *document && !self.awaits_next_look
    }
}

/// What follows for somebody who waits.
enum Reply {
    /// It must be looked at again.
    Later,
    /// This version is to be accepted first.
    Accept(Digest),
    Now(Answer),
}

impl Tracked {
    /// How it is guarded, as its watch and people say.
    pub(super) fn policy(&self) -> Policy {
        let policy = Policy::of(&self.watch.rules, self.literal);
        Policy { is_paused: self.is_paused, observes: self.observes, ..policy }
    }

    /// Takes in what people say; is that news?
    pub(super) fn steer(&mut self, standing: &Standing) -> bool {
        let (path, watch) = (self.document.path(), &self.watch.name);
        let is_paused = standing.pause_of(path, watch).is_some();
        let observes = standing.observes(path, watch).unwrap_or(self.watch.rules.mode == Mode::Observe);
        let before = (self.is_paused, self.observes);
        (self.is_paused, self.observes) = (is_paused, observes);
        before != (is_paused, observes)
    }

    /// How it is guarded at present.
    pub(super) fn guarding(&self) -> Guarding {
        match (self.is_paused, self.observes) {
            (true, _) => Guarding::Paused,
            (false, true) => Guarding::Observe,
            (false, false) => Guarding::Guard,
        }
    }
}

impl Recover {
    pub(super) async fn asked(&mut self, ask: Ask) {
        match ask.order {
            Order::Steer(steering) => {
                let answer = self.steered(steering, &ask.asker).await;
                // Who asked may be gone; so below.
                let _ = ask.answer.send(answer);
            }
            Order::Store { document, digest, accepts } => {
                let awaits_next_look = self.documents.get(&document).is_some_and(|tracked| tracked.is_in_flight);
                let (deadline, answer) = (Instant::now() + STORE_LIMIT, ask.answer);
                self.store(Waiting { document, digest, accepts, deadline, awaits_next_look, answer });
            }
            Order::Look { document } => {
                self.changed_by_hand(&document);
                let _ = ask.answer.send(Ok(said("it is looked at")));
            }
            Order::Reload => {}
        }
    }

    async fn steered(&mut self, steering: Steering, asker: &Asker) -> Answer {
        let scope = steering.scope().clone();
        let meant = |tracked: &&Tracked| scope.covers(tracked.document.path(), &tracked.watch.name);
        let count = self.documents.values().map(Box::as_ref).filter(meant).count();
        let is_watch = |name: &WatchName| self.settings.watches.iter().any(|watch| watch.name == *name);
        match &scope {
            Scope::Watch(name) if !is_watch(name) => return Err(Cause::Absent(format!("there is no watch {name}"))),
            Scope::Path(_) if count == 0 => {
                return Err(Cause::Absent(format!("{scope} is not guarded by this daemon")));
            }
            _ => {}
        }
        self.standing.take(steering.clone(), asker.name.clone(), clock::now());
        if let Steering::Resume { .. } = steering
            && let Some(wider) = self.standing.all().iter().find(|one| one.steering.scope().contains(&scope))
            && matches!(wider.steering, Steering::Pause { .. })
        {
            return Err(Cause::Refused(format!(
                "{} is paused, and {scope} with it: resume that",
                wider.steering.scope()
            )));
        }
        self.say(Fact::Steered { steering: steering.clone(), asker: Some(asker.clone()) }).await;
        self.steer_all();
        Ok(said(words(&steering, count)))
    }

    /// Takes back the pauses whose time is over.
    pub(super) async fn end_pauses(&mut self) {
        let over = self.standing.expire(clock::now());
        if over.is_empty() {
            return;
        }
        for one in over {
            let scope = one.steering.scope().clone();
            self.say(Fact::Steered { steering: Steering::Resume { scope }, asker: None }).await;
        }
        self.steer_all();
    }

    /// Guards every document as is said now; those for which that is news are looked at.
    pub(super) fn steer_all(&mut self) {
        let mut news = Vec::new();
        for (document, tracked) in &mut self.documents {
            if tracked.steer(&self.standing) && tracked.machine.damage().is_some() {
                news.push(document.clone());
            }
        }
        self.stale.add_all(self.documents.keys());
        for document in news {
            self.look(&document);
        }
    }

    /// It may have nothing stored now, whenever something was stored last.
    pub(super) fn changed_by_hand(&mut self, document: &DocumentId) {
        if let Some(tracked) = self.documents.get_mut(document) {
            tracked.stored_at = None;
            self.look(document);
        }
    }

    fn store(&mut self, waiting: Waiting) {
        let document = waiting.document.clone();
        let refusal = match self.documents.get(&document) {
            None => Some(Cause::Absent("it is not guarded by this daemon".to_owned())),
            Some(_) if self.waiting.len() >= WAITING_MAX => {
                Some(Cause::NoDaemon("too many wait; try again".to_owned()))
            }
            Some(_) => None,
        };
        if let Some(cause) = refusal {
            let _ = waiting.answer.send(Err(cause));
            return;
        }
        self.waiting.push(waiting);
        self.changed_by_hand(&document);
    }

    /// A document was looked at: who waits for that?
    pub(super) fn answer_waiting(&mut self, document: &DocumentId, looked: &Looked) {
        let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.is_answered_by_a_look_at(document));
        self.waiting = others;
        for waiting in mine {
            let Some(tracked) = self.documents.get_mut(document) else { return };
            match reply(&waiting, looked, tracked) {
                Reply::Now(answer) => drop(waiting.answer.send(answer)),
                Reply::Accept(digest) => {
                    self.waiting.push(waiting);
                    if !self.documents.get(document).is_some_and(|tracked| tracked.is_in_flight) {
                        self.start(document, Work::Accept { digest });
                    }
                }
                Reply::Later => {
                    if tracked.store_at().is_some_and(|at| at > Instant::now()) {
                        // Only `min_interval` was in the way.
                        tracked.stored_at = None;
                        tracked.again = true;
                    }
                    self.waiting.push(waiting);
                }
            }
        }
    }

    /// What was begun before they asked is over: the next look at the document is theirs.
    pub(super) fn await_next_look(&mut self, document: &DocumentId) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.document == *document) {
            waiting.awaits_next_look = false;
        }
    }

    /// A suspicious version was accepted on request, or could not be.
    pub(super) fn accepted(&mut self, document: &DocumentId, accepted: Result<Stored>) {
        if let Err(error) = accepted {
            for waiting in self.waiting.extract_if(.., |waiting| waiting.document == *document) {
                let _ = waiting.answer.send(Err(Cause::Refused(error.to_string())));
            }
        }
        // The next look finds it accepted, and answers.
        self.changed_by_hand(document);
    }

    /// Who has waited too long is told so.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        for waiting in self.waiting.extract_if(.., |waiting| waiting.deadline <= now) {
            let why = "it could not be stored in time: somebody keeps it open, or keeps changing it";
            let _ = waiting.answer.send(Err(Cause::Locked(why.to_owned())));
        }
    }
}

fn reply(waiting: &Waiting, looked: &Looked, tracked: &Tracked) -> Reply {
    let refused = |why: String| Reply::Now(Err(Cause::Refused(why)));
    let digest = match &looked.seen {
        Seen::Valid { digest, .. } | Seen::Odd { digest, .. } => *digest,
        // Whoever has it open in an editor may well be who accepts it.
        Seen::Edited { digest, fault } if Kind::SUSPICIOUS.contains(&fault.kind) => *digest,
        Seen::Corrupt { fault, .. } | Seen::Edited { fault, .. } => {
            return refused(format!("it is damaged ({}): {}", fault.kind, fault.cause));
        }
        Seen::Busy => return Reply::Later,
        Seen::Missing { .. } | Seen::DirectoryMissing => {
            return Reply::Now(Err(Cause::Absent("it is not there".to_owned())));
        }
        Seen::Unreadable(_, why) => return refused(why.clone()),
    };
    if waiting.digest.is_some_and(|wanted| wanted != digest) {
        return refused(format!("its present bytes have the digest {digest}"));
    }
    if let Some(error) = &looked.trouble {
        return refused(error.to_string());
    }
    if looked.room.is_some_and(|room| room.is_low) {
        return refused("the state directory has less room than `min_free`: nothing new is stored".to_owned());
    }
    if let Seen::Odd { reason, fault, .. } = &looked.seen
        && *reason != Reason::Suspicious
    {
        return refused(format!("{} at {}: {}", fault.kind, fault.place, fault.cause));
    }
    match tracked.known.as_ref().and_then(|known| known.newest.as_ref()).filter(|newest| newest.digest == digest) {
        Some(newest) if newest.mark == Mark::Suspicious && waiting.accepts => Reply::Accept(digest),
        Some(newest) => Reply::Now(Ok(stored(newest))),
        None => Reply::Later,
    }
}

fn stored(stored: &Stored) -> Map<String, Value> {
    let mut members = said(format!("version {} is stored", stored.version));
    members.insert("version".to_owned(), stored.version.0.into());
    members.insert("digest".to_owned(), stored.digest.to_string().into());
    members.insert("mark".to_owned(), stored.mark.label().into());
    members
}

fn words(steering: &Steering, documents: usize) -> String {
    let files = if documents == 1 { "1 file".to_owned() } else { format!("{documents} files") };
    match steering {
        Steering::Pause { scope, until: Some(until), .. } => {
            format!("{scope}: paused until {until:.0}; {files} will not be repaired, and still be backed up")
        }
        Steering::Pause { scope, until: None, .. } => {
            format!("{scope}: paused; {files} will not be repaired until `jsonwarden resume`, and still be backed up")
        }
        Steering::Resume { scope } => format!("{scope}: no longer paused ({files})"),
        Steering::Observe { scope } => format!("{scope}: only observed from now on ({files})"),
        Steering::Guard { scope } => format!("{scope}: guarded from now on ({files})"),
    }
}
