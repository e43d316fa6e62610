//! Updates of several threads, written in one step. One of those that wait leads: it takes the document's lock, hands the
//! value round so that each thread makes its own change in its own turn, writes what came of it, and says so to all.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

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
    turned: Condvar,
}

/// An update's number in the queue.
type Ticket = u64;

#[derive(Debug)]
struct Inner<T> {
    next: Ticket,
    waiting: VecDeque<Ticket>,
    has_leader: bool,
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
            has_leader: false,
            offered: None,
            returned: None,
            ended: HashMap::new(),
        };
        Self { inner: Mutex::new(inner), turned: Condvar::new() }
    }
}

impl<T> Group<T> {
    /// No user's code ever runs while this is held: what it guards is whole.
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner<T>>) -> MutexGuard<'a, Inner<T>> {
        self.turned.wait(inner).unwrap_or_else(PoisonError::into_inner)
    }
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
    let mut inner = group.inner();
    let ticket = inner.next;
    inner.next += 1;
    inner.waiting.push_back(ticket);
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
            group.turned.notify_all();
            if is_over {
                drop(inner);
                return own.result(Ok(()));
            }
        } else if !inner.has_leader && inner.waiting.front() == Some(&ticket) {
            inner.has_leader = true;
            drop(inner);
            let mut round = Round { guarded, deadline, leader: ticket, members: Vec::new() };
            // A panic of the value's own code, such as its way to be written: it must not leave the others waiting.
            return match catch_unwind(AssertUnwindSafe(|| round.lead(&mut own))) {
                Ok(written) => own.result(round.end(written)),
                Err(panic) => {
                    let _ = round.end(Err(unled().into()));
                    resume_unwind(panic)
                }
            };
        } else {
            inner = group.wait(inner);
        }
    }
}

/// One step for several updates, and who is in it.
struct Round<'a, T> {
    guarded: &'a Guarded<T>,
    deadline: Instant,
    leader: Ticket,
    members: Vec<Ticket>,
}

impl<T: Serialize + DeserializeOwned> Round<'_, T> {
    /// Writes; says what became of the leader's own update.
    fn lead<R, E>(&mut self, own: &mut Own<impl FnMut(&mut T) -> Result<R, E>, R, E>) -> Result<(), WriteError> {
        let (writer, deadline) = (&self.guarded.writer, self.deadline);
        writer.update_until(deadline, Damaged::RepairUnweighed, |present| self.hand_round(present, own)).map(|_| ())
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
        group.turned.notify_all();
        loop {
            match inner.returned.take() {
                Some(made) => return made,
                None => inner = group.wait(inner),
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
        self.guarded.group.inner().ended.insert(ticket, ended);
        self.guarded.group.turned.notify_all();
    }

    /// Tells all who are in it what came of it; the next one leads.
    fn end(&mut self, written: Result<(), WriteError>) -> Result<(), WriteError> {
        let group = &self.guarded.group;
        let mut inner = group.inner();
        for ticket in std::mem::take(&mut self.members).into_iter().filter(|ticket| *ticket != self.leader) {
            let ended = written.as_ref().copied().map_err(WriteError::copied);
            inner.ended.insert(ticket, ended);
        }
        inner.waiting.retain(|ticket| *ticket != self.leader);
        inner.has_leader = false;
        drop(inner);
        group.turned.notify_all();
        written
    }
}
