//! Updates of several threads, written in one step. One of those that wait leads: it takes the document's lock, hands the
//! value round so that each thread makes its own change in its own turn, writes what came of it, and says so to all.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Guarded, UpdateError, text};
use crate::error::{Cause, Error};
use crate::write::{Damaged, Present, WriteError};

/// So many updates are written in one step; those that come later are written in the next.
const MOST: usize = 256;

/// The updates of one document that wait.
#[derive(Debug)]
pub(super) struct Group<T> {
    inner: Mutex<Inner<T>>,
    /// Another update has come.
    arrived: Condvar,
}

/// An update's number in the queue.
type Ticket = u64;

#[derive(Debug)]
struct Inner<T> {
    next: Ticket,
    waiting: VecDeque<Ticket>,
    /// What wakes the thread of each update: only those whom it concerns.
    bells: HashMap<Ticket, Arc<Condvar>>,
    leader: Option<Ticket>,
    /// How many updates were written in the last step, and how long it took.
    last: (usize, Duration),
    /// The value, on its way to the update whose turn it is.
    offered: Option<(Ticket, T)>,
    /// What that update made of it.
    returned: Option<Made<T>>,
    /// What became of updates whose threads have not asked yet.
    ended: HashMap<Ticket, Result<(), WriteError>>,
}

/// What a change made of the value.
#[derive(Debug)]
enum Made<T> {
    This(T),
    /// It does not want to be, and the value is spoilt.
    Nothing,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        let inner = Inner {
            next: 0,
            waiting: VecDeque::new(),
            bells: HashMap::new(),
            leader: None,
            last: (0, Duration::ZERO),
            offered: None,
            returned: None,
            ended: HashMap::new(),
        };
        Self { inner: Mutex::new(inner), arrived: Condvar::new() }
    }
}

impl<T> Group<T> {
    /// No user's code ever runs while this is held: what it guards is whole.
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an update of this thread.
    fn join(&self) -> (Ticket, Arc<Condvar>) {
        let (mut inner, bell) = (self.inner(), Arc::new(Condvar::new()));
        let ticket = inner.next;
        inner.next += 1;
        inner.waiting.push_back(ticket);
        inner.bells.insert(ticket, Arc::clone(&bell));
        self.arrived.notify_one();
        (ticket, bell)
    }
}

impl<T> Inner<T> {
    /// Wakes the thread of an update, if it has one.
    fn ring(&self, ticket: Option<Ticket>) {
        if let Some(bell) = ticket.and_then(|ticket| self.bells.get(&ticket)) {
            bell.notify_one();
        }
    }
}

/// Waits until somebody rings.
fn wait<'a, T>(bell: &Condvar, inner: MutexGuard<'a, Inner<T>>) -> MutexGuard<'a, Inner<T>> {
    bell.wait(inner).unwrap_or_else(PoisonError::into_inner)
}

/// One thread's change, and what it last came to.
struct Own<F, R, E> {
    change: F,
    made: Option<R>,
    refused: Option<Refused<E>>,
}

enum Refused<E> {
    Change(E),
    Write(WriteError),
    Panic(Box<dyn Any + Send>),
}

impl<F, R, E> Own<F, R, E> {
    /// Makes the change.
    fn make<T>(&mut self, mut value: T) -> Made<T>
    where
        F: FnMut(&mut T) -> Result<R, E>,
    {
        match catch_unwind(AssertUnwindSafe(|| (self.change)(&mut value))) {
            Ok(Ok(made)) => {
                self.made = Some(made);
                return Made::This(value);
            }
            Ok(Err(error)) => self.refused = Some(Refused::Change(error)),
            Err(panic) => self.refused = Some(Refused::Panic(panic)),
        }
        Made::Nothing
    }

    fn result(self, ended: Result<(), WriteError>) -> Result<R, UpdateError<E>> {
        match (self.refused, ended, self.made) {
            (Some(Refused::Panic(panic)), ..) => resume_unwind(panic),
            (Some(Refused::Change(error)), ..) => Err(UpdateError::Change(error)),
            (Some(Refused::Write(error)), ..) | (None, Err(error), _) => Err(UpdateError::Write(error)),
            (None, Ok(()), Some(made)) => Ok(made),
            (None, Ok(()), None) => Err(UpdateError::Write(unled().into())),
        }
    }
}

/// What is told to updates whose leader ended without a word.
fn unled() -> Error {
    Error::new("writing", "", Cause::Refused("the thread that was to write it ended".to_owned()))
}

pub(super) fn update<T, R, E>(
    guarded: &Guarded<T>,
    change: impl FnMut(&mut T) -> Result<R, E>,
) -> Result<R, UpdateError<E>>
where
    T: Serialize + DeserializeOwned,
{
    let (group, deadline) = (&guarded.group, guarded.writer.deadline());
    let mut own = Own { change, made: None, refused: None };
    let (ticket, bell) = group.join();
    let _leaving = Leaving { group, ticket };
    let mut inner = group.inner();
    loop {
        if let Some(ended) = inner.ended.remove(&ticket) {
            drop(inner);
            return own.result(ended);
        }
        if let Some((_, value)) = inner.offered.take_if(|(to, _)| *to == ticket) {
            drop(inner);
            let made = own.make(value);
            let is_over = matches!(made, Made::Nothing);
            inner = group.inner();
            inner.returned = Some(made);
            inner.ring(inner.leader);
            if is_over {
                drop(inner);
                return own.result(Ok(()));
            }
        } else if inner.leader.is_none() && inner.waiting.front() == Some(&ticket) {
            inner.leader = Some(ticket);
            drop(inner);
            let mut round =
                Round { guarded, deadline, leader: ticket, bell, members: Vec::new(), took: Duration::ZERO };
            // A panic of the value's own code, such as its way to be written: it must not leave the others waiting.
            return match catch_unwind(AssertUnwindSafe(|| round.lead(&mut own))) {
                Ok(written) => own.result(round.end(written)),
                Err(panic) => {
                    let _ = round.end(Err(unled().into()));
                    resume_unwind(panic)
                }
            };
        } else {
            inner = wait(&bell, inner);
        }
    }
}

/// A thread whose update is over is not to be woken any more.
struct Leaving<'a, T> {
    group: &'a Group<T>,
    ticket: Ticket,
}

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        self.group.inner().bells.remove(&self.ticket);
    }
}

/// One step for several updates, and who is in it.
struct Round<'a, T> {
    guarded: &'a Guarded<T>,
    deadline: Instant,
    leader: Ticket,
    bell: Arc<Condvar>,
    members: Vec<Ticket>,
    took: Duration,
}

/// Those who were in the last step come back at once, or not for a while: this share of the time that it took they are given.
const PATIENCE_SHARE: u32 = 8;

impl<T: Serialize + DeserializeOwned> Round<'_, T> {
    /// Writes; says what became of the leader's own update.
    fn lead<R, E>(&mut self, own: &mut Own<impl FnMut(&mut T) -> Result<R, E>, R, E>) -> Result<(), WriteError> {
        let (writer, deadline) = (&self.guarded.writer, self.deadline);
        self.gather();
        let begun = Instant::now();
        let written = writer.update_until(deadline, Damaged::RepairUnweighed, |present| self.hand_round(present, own));
        self.took = begun.elapsed();
        written.map(|_| ())
    }

    /// Waits a little until as many wait as were in the last step: whoever has just been told is about to come again.
    fn gather(&self) {
        let mut inner = self.guarded.group.inner();
        let (expected, took) = inner.last;
        let until = Instant::now() + took / PATIENCE_SHARE;
        while inner.waiting.len() < expected {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.guarded.group.arrived.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets every member make its change.
    fn hand_round<R, E>(
        &mut self,
        present: Option<Present>,
        own: &mut Own<impl FnMut(&mut T) -> Result<R, E>, R, E>,
    ) -> Result<Vec<u8>, WriteError> {
        self.admit();
        let mut bytes = self.guarded.or_initial(present.map(|present| present.bytes))?;
        let before = bytes.clone();
        let mut value: T = text::read(&bytes)?;
        for ticket in std::mem::take(&mut self.members) {
            let is_own = ticket == self.leader;
            if is_own && own.refused.is_some() {
                // From an earlier round: it is told when this one is over.
                continue;
            }
            let made = if is_own { own.make(value) } else { self.offer(ticket, value) };
            // Whoever makes nothing of it has told its own thread.
            if let Made::This(made) = made {
                match self.fitting(present, &bytes, &before, &made) {
                    Ok(made_bytes) => {
                        (value, bytes) = (made, made_bytes);
                        self.members.push(ticket);
                        continue;
                    }
                    Err(error) if is_own => own.refused = Some(Refused::Write(error)),
                    Err(error) => self.tell(ticket, Err(error)),
                }
            }
            value = text::read(&bytes)?;
        }
        if self.members.is_empty() { Err(self.guarded.unchanged()) } else { Ok(bytes) }
    }

    /// Those who wait by now are in it.
    fn admit(&mut self) {
        let mut inner = self.guarded.group.inner();
        let room = MOST.saturating_sub(self.members.len()).min(inner.waiting.len());
        self.members.extend(inner.waiting.drain(..room));
    }

    /// Hands the value to another thread, and waits for what it makes of it.
    fn offer(&self, ticket: Ticket, value: T) -> Made<T> {
        let group = &self.guarded.group;
        let mut inner = group.inner();
        inner.offered = Some((ticket, value));
        inner.ring(Some(ticket));
        loop {
            match inner.returned.take() {
                Some(made) => return made,
                None => inner = wait(&self.bell, inner),
            }
        }
    }

    /// The text of a value, if it may follow what the members before made of the document, as if each were written by itself.
    fn fitting(
        &self,
        present: Option<Present>,
        follows: &[u8],
        before: &[u8],
        value: &T,
    ) -> Result<Vec<u8>, WriteError> {
        let bytes = text::written(value, Some(before))?;
        self.guarded.writer.refuse_unfit(present.map(|present| Present { bytes: follows, ..present }), &bytes)?;
        Ok(bytes)
    }

    fn tell(&self, ticket: Ticket, ended: Result<(), WriteError>) {
        let mut inner = self.guarded.group.inner();
        inner.ended.insert(ticket, ended);
        inner.ring(Some(ticket));
    }

    /// Tells all who are in it what came of it; the next one leads.
    fn end(&mut self, written: Result<(), WriteError>) -> Result<(), WriteError> {
        let mut inner = self.guarded.group.inner();
        inner.last = (self.members.len(), self.took);
        for ticket in std::mem::take(&mut self.members).into_iter().filter(|ticket| *ticket != self.leader) {
            let ended = written.as_ref().copied().map_err(WriteError::copied);
            inner.ended.insert(ticket, ended);
            inner.ring(Some(ticket));
        }
        inner.waiting.retain(|ticket| *ticket != self.leader);
        inner.leader = None;
        inner.ring(inner.waiting.front().copied());
        written
    }
}
