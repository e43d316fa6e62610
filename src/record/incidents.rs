//! `incidents.jsonl`: what went wrong, when, and what became of it; append-only, one checksummed line a fact.
//!
//! A thread of its own writes, and makes every line durable. Whoever has a fact only puts the line into a bounded queue: a
//! full or hung disk never stops the guarding. What cannot be written waits and is tried again; when too much waits, the
//! eldest lines are dropped and counted.

mod acknowledged;
mod forget;
mod lines;
mod queue;
mod recall;
mod story;
mod writer;

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::account::Account;
use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::health::{Check, Health, Level};
use crate::line;

pub use self::acknowledged::{Acknowledged, acknowledge, acknowledged};
pub use self::forget::forget;
use self::queue::Queue;
pub use self::recall::{Hold, Recall};
pub use self::story::{Story, stories};
use self::writer::Writer;

/// The file's name in the state directory.
pub const FILE_NAME: &str = "incidents.jsonl";

/// The version of the lines' form.
const FORM: u64 = 1;

/// One write of the disk may take so long before people are told that it hangs.
const HANGING_AFTER: Duration = Duration::from_secs(10);

/// At the end of the daemon the last lines get so long to reach the disk.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The incident log, open for appending.
#[derive(Debug)]
pub struct Incidents {
    queue: Arc<Queue>,
    next_seq: u64,
    health: Arc<Health>,
    /// The write that hangs has been told; the thread takes it back when it comes through.
    told_hanging: bool,
    ended: tokio::sync::oneshot::Receiver<()>,
}

impl Incidents {
    /// Reads what the log remembers, and opens it for appending. It is made, with mode 0600, by the first line.
    ///
    /// # Errors
    /// The file is there but cannot be read, or no thread is to be had. Lines that are damaged are no error.
    pub fn open(disk: Disk, state_dir: Directory, health: Arc<Health>) -> Result<(Self, Recall)> {
        let path = state_dir.path().join(FILE_NAME);
        let recall = Recall::read(&disk, &state_dir)?;
        let queue = Arc::new(Queue::default());
        let (end, ended) = tokio::sync::oneshot::channel();
        let writer = Writer::new(disk, state_dir, queue.clone(), health.clone(), recall.is_torn);
        let writing = move || {
            writer.run();
            // Nobody may be waiting for the end.
            let _ = end.send(());
        };
        let thread = std::thread::Builder::new().name("incidents".to_owned());
        thread.spawn(writing).map_err(|error| Error::new("starting the thread that writes", path, error))?;
        let incidents = Self { queue, next_seq: recall.next_seq, health, told_hanging: false, ended };
        Ok((incidents, recall))
    }

    /// Appends one fact; never waits.
    pub(super) fn append(&mut self, at: Timestamp, account: &Account<'_>) {
        let Some(fields) = &account.kept else { return };
        self.queue.push(line::seal(&members(self.next_seq, at, account, fields)));
        self.next_seq += 1;
    }

    /// Looks whether the disk answers; to be called now and then.
    pub(super) fn look(&mut self) {
        let hangs = self.queue.writing_for().is_some_and(|span| span >= HANGING_AFTER);
        if hangs && !self.told_hanging {
            let detail = "the disk does not answer: incidents wait in memory";
            self.health.set(Check::Record, Level::Degraded, detail);
            tracing::error!(event = "record_hangs", "{detail}");
        }
        self.told_hanging = hangs;
    }

    /// How many bytes the state directory's file system had left for us when the thread last looked.
    pub(super) fn room_bytes(&self) -> Option<u64> {
        self.queue.room_bytes()
    }

    /// Gives the last lines some time to reach the disk, and ends the thread; a hung disk keeps it, but nobody else.
    pub(super) async fn close(mut self) {
        self.queue.close();
        // Whether it ended or the time is up: there is nothing more to do.
        let _ = tokio::time::timeout(CLOSE_LIMIT, &mut self.ended).await;
    }
}

impl Drop for Incidents {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The members of a line, in the order of the contract.
fn members(seq: u64, at: Timestamp, account: &Account<'_>, fields: &Map<String, Value>) -> Map<String, Value> {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("v", FORM.into());
    add("seq", seq.into());
    add("time", at.to_string().into());
    add("event", account.name.into());
    if let Some(document) = account.document {
        add("path", document.to_string().into());
        path_bytes(document).map(|bytes| add("path_bytes", bytes.into()));
    }
    if let Some(incident) = account.incident {
        add("incident", incident.0.into());
    }
    if let Some(watch) = account.watch {
        add("watch", watch.as_str().into());
    }
    members.extend(fields.clone());
    members
}

/// A name that cannot be shown as it is, in hex, so that nothing of it is lost.
#[must_use]
pub fn path_bytes(document: &DocumentId) -> Option<String> {
    let bytes = document.path().as_os_str().as_bytes();
    (document.to_string().as_bytes() != bytes).then(|| line::hex(bytes))
}

#[cfg(test)]
#[path = "incidents/tests.rs"]
mod tests;
