//! Which connections there are, and who must go when there are too many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Limits;

/// The open connections. The lock is held for moments.
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
    doing: Doing,
    /// Since when that is so.
    since: Instant,
    end: Arc<Notify>,
}

/// What a connection is about.
enum Doing {
    /// The header of a request is waited for.
    Waiting,
    /// A request is being answered.
    Answering,
    /// It takes events as they happen: how many there are by now, and at the last look.
    Following(Arc<AtomicU64>, u64),
}

/// The place of one connection; given back when dropped.
pub(super) struct Slot {
    number: u64,
    end: Arc<Notify>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// What they are allowed.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// A place for a new connection. When all are taken, the one that has waited longest for its header goes; when every
    /// one is being answered, there is no place.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Slot> {
        let mut open = self.open();
        if open.connections.len() >= self.limits.connections {
            let waiting = open.connections.iter().filter(|(_, connection)| matches!(connection.doing, Doing::Waiting));
            let longest = *waiting.min_by_key(|(_, connection)| connection.since)?.0;
            open.end(longest);
        }
        let number = open.next;
        open.next += 1;
        let end = Arc::new(Notify::new());
        open.connections.insert(number, Connection { doing: Doing::Waiting, since: now, end: end.clone() });
        Some(Slot { number, end, connections: self.clone() })
    }

    /// Ends those that are over a limit which hyper does not keep: an answer that takes too long, a client that does not
    /// take its answer.
    pub(super) fn end_the_stalled(&self, now: Instant) {
        let mut open = self.open();
        let stalled = open.connections.iter_mut().filter_map(|(number, connection)| {
            let limit = connection.limit(self.limits, now);
            (now.saturating_duration_since(connection.since) > limit).then_some(*number)
        });
        let stalled: Vec<u64> = stalled.collect();
        for number in stalled {
            open.end(number);
        }
    }

    /// Ends all.
    pub(super) fn end_all(&self) {
        let all = std::mem::take(&mut self.open().connections);
        for connection in all.into_values() {
            connection.end.notify_one();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// How long it may stay as it is. Something is sent to followers every 15 s.
    fn limit(&mut self, limits: Limits, now: Instant) -> Duration {
        match &mut self.doing {
            Doing::Waiting => limits.idle,
            Doing::Answering => limits.request,
            Doing::Following(taken, before) => {
                let taken = taken.load(Ordering::Relaxed);
                if std::mem::replace(before, taken) != taken {
                    self.since = now;
                }
                limits.idle * 3
            }
        }
    }
}

impl Open {
    fn end(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            connection.end.notify_one();
        }
    }
}

impl Slot {
    /// A request is being answered.
    pub(super) fn answering(&self) {
        self.set(Doing::Answering);
    }

    /// Events are followed.
    pub(super) fn following(&self, taken: Arc<AtomicU64>) {
        self.set(Doing::Following(taken, 0));
    }

    /// The next request is waited for.
    pub(super) fn waiting(&self) {
        self.set(Doing::Waiting);
    }

    /// Comes back when the connection must go.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }

    fn set(&self, doing: Doing) {
        if let Some(connection) = self.connections.open().connections.get_mut(&self.number) {
            (connection.doing, connection.since) = (doing, Instant::now());
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Arc<Connections> {
        Arc::new(Connections::new(Limits { connections: 3, ..Limits::default() }))
    }

    fn numbers(connections: &Connections) -> Vec<u64> {
        connections.open().connections.keys().copied().collect()
    }

    #[test]
    fn the_one_that_has_waited_longest_for_its_header_goes() {
        let (connections, start) = (three(), Instant::now());
        let slots = [0, 1, 2].map(|second| connections.enter(start + Duration::from_secs(second)).unwrap());
        slots[0].answering();
        let _new = connections.enter(start + Duration::from_secs(3)).unwrap();
        assert_eq!(numbers(&connections), [0, 2, 3]);
    }

    #[test]
    fn a_newcomer_never_displaces_one_that_is_being_answered() {
        let (connections, now) = (three(), Instant::now());
        let slots = [(); 3].map(|()| connections.enter(now).unwrap());
        slots.iter().for_each(Slot::answering);
        assert!(connections.enter(now).is_none());
        drop(slots);
        assert!(connections.enter(now).is_some());
    }

    #[test]
    fn who_follows_events_stays_while_it_takes_them() {
        let (connections, start) = (three(), Instant::now());
        let (slot, taken) = (connections.enter(start).unwrap(), Arc::new(AtomicU64::new(0)));
        slot.following(taken.clone());
        for seconds in [40, 80, 120] {
            taken.fetch_add(1, Ordering::Relaxed);
            connections.end_the_stalled(Instant::now() + Duration::from_secs(seconds));
            assert_eq!(numbers(&connections), [0]);
        }
        connections.end_the_stalled(Instant::now() + Duration::from_secs(180));
        assert!(numbers(&connections).is_empty());
    }

    #[test]
    fn who_does_not_take_an_answer_is_ended_after_the_idle_limit() {
        let (connections, now) = (three(), Instant::now());
        let _slot = connections.enter(now).unwrap();
        connections.end_the_stalled(now + Duration::from_secs(15));
        assert_eq!(numbers(&connections), [0]);
        connections.end_the_stalled(now + Duration::from_secs(16));
        assert!(numbers(&connections).is_empty());
    }
}
