//! The lines that wait for the disk: a bounded queue between the one who tells and the thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many lines wait in memory; a line is some hundreds of bytes.
pub(super) const LINES_MAX: usize = 4_096;

/// So many lines share one write and one sync.
pub(super) const BATCH_LINES_MAX: usize = 256;

/// The queue. Its lock is never held over I/O.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    dropped: u64,
    closed: bool,
    writing_since: Option<Instant>,
    room_bytes: Option<u64>,
}

/// What waiting for lines came to.
pub(super) enum Taken {
    /// Lines.
    Batch(Batch),
    /// None for a while.
    Nothing,
    /// The queue is closed and empty.
    End,
}

/// Lines to be written together.
pub(super) struct Batch {
    pub(super) text: String,
    pub(super) lines: usize,
    /// How many older lines were dropped since the batch before, because too many waited.
    pub(super) dropped: u64,
}

impl Queue {
    /// Adds a line; when too many wait, the eldest is dropped.
    pub(super) fn push(&self, line: String) {
        let mut waiting = self.waiting();
        if waiting.lines.len() >= LINES_MAX {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
        waiting.lines.push_back(line);
        self.changed.notify_all();
    }

    /// No more lines will come.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_all();
    }

    /// Waits for lines, up to `span`, and takes up to a batch of them.
    pub(super) fn take(&self, span: Duration) -> Taken {
        let mut waiting = self.waiting();
        if waiting.lines.is_empty() && !waiting.closed {
            (waiting, _) = self.changed.wait_timeout(waiting, span).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.lines.is_empty() {
            return if waiting.closed { Taken::End } else { Taken::Nothing };
        }
        let lines = waiting.lines.len().min(BATCH_LINES_MAX);
        let text = waiting.lines.drain(..lines).collect();
        Taken::Batch(Batch { text, lines, dropped: std::mem::take(&mut waiting.dropped) })
    }

    /// Waits before a failed write is tried again; `false`: the queue was closed, and the next try is the last.
    pub(super) fn pause(&self, span: Duration) -> bool {
        let until = Instant::now() + span;
        let mut waiting = self.waiting();
        while !waiting.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            (waiting, _) = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// A write begins, or has come back.
    pub(super) fn writing(&self, begins: bool) {
        self.waiting().writing_since = begins.then(Instant::now);
    }

    /// How long the write that is under way has taken so far.
    pub(super) fn writing_for(&self) -> Option<Duration> {
        self.waiting().writing_since.map(|since| since.elapsed())
    }

    /// The state directory's file system has this much room.
    pub(super) fn set_room(&self, bytes: u64) {
        self.waiting().room_bytes = Some(bytes);
    }

    /// How much room there was when the thread last looked.
    pub(super) fn room_bytes(&self) -> Option<u64> {
        self.waiting().room_bytes
    }

    /// How many lines wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().lines.len()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_lines_push_out_the_eldest_and_are_counted() {
        let queue = Queue::default();
        for number in 0..LINES_MAX + 5 {
            queue.push(format!("{number}\n"));
        }
        let Taken::Batch(batch) = queue.take(Duration::ZERO) else { panic!("no lines") };
        assert_eq!((batch.dropped, batch.lines), (5, BATCH_LINES_MAX));
        assert!(batch.text.starts_with("5\n6\n"));
        assert_eq!(queue.len(), LINES_MAX - BATCH_LINES_MAX);
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_ends() {
        let queue = Queue::default();
        queue.push("last\n".to_owned());
        queue.close();
        assert!(matches!(queue.take(Duration::MAX), Taken::Batch(batch) if batch.text == "last\n"));
        assert!(matches!(queue.take(Duration::MAX), Taken::End));
        assert!(!queue.pause(Duration::from_secs(3_600)));
    }
}
