//! Where jobs run: two threads a mount, so that a mount that hangs keeps only its own documents waiting.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::mpsc;

use super::compare::Compared;
use super::job::{self, Done, Task, Tools};
use super::look::Room;
use super::spares::Spared;
use super::unowned::Claimed;
use super::upkeep::Kept;
use super::verified::Verified;
use crate::document::{DocumentId, Version};

/// Threads a mount. Two, so that one large file does not keep a small one waiting, and no more: each costs memory.
const THREADS: usize = 2;

/// Beyond so many mounts they share lanes.
const LANE_LIMIT: u64 = 16;

/// So many first looks share their syncs, which take nearly all of the time where other programs write to the disk, too;
/// and no more than so many documents' folders are open at once.
const BATCH_LIMIT: usize = 256;

/// A finished job: which lane's thread is free again, and what came of one document.
#[derive(Debug)]
pub(super) enum Finished {
    One(DocumentId, Box<Done>),
    Thread(u64, usize),
    KeptUp(Kept),
    Room(Option<Room>),
    Changed(Vec<DocumentId>),
    Rotten(DocumentId, Version, PathBuf),
    /// One of the records beside a document's versions is damaged.
    RecordDamaged(DocumentId, PathBuf),
    VersionsRead,
    Verified(Verified),
    Whose(Option<Box<Claimed>>),
    Spared(u64, Spared),
    Compared(Compared),
}

/// What a thread is given: the tools of the moment, and what to do with them.
type Given = (Arc<Tools>, Vec<Task>);

/// The lanes, and what waits for them. *Invariant:* a document waits or runs at most once (`recover` sees to it), so no
/// queue is longer than there are documents.
#[derive(Debug)]
pub(super) struct Lanes {
    tools: Arc<Tools>,
    finished: mpsc::Sender<Finished>,
    by_mount: HashMap<u64, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    threads: Vec<SyncSender<Given>>,
    idle: Vec<usize>,
    /// What somebody waits for.
    urgent: VecDeque<Task>,
    /// First looks: many, and in no hurry.
    first_looks: VecDeque<Task>,
}

impl Lane {
    fn some_first_looks(&mut self) -> Vec<Task> {
        let some = self.first_looks.drain(..self.first_looks.len().min(BATCH_LIMIT)).collect();
        if self.first_looks.is_empty() {
            // It was as long as there are documents, and is not needed any more.
            self.first_looks.shrink_to_fit();
        }
        some
    }
}

impl Lanes {
    pub(super) fn new(tools: Arc<Tools>, finished: mpsc::Sender<Finished>) -> Self {
        Self { tools, finished, by_mount: HashMap::new() }
    }

    /// Queues a task of the mount with this device number.
    pub(super) fn push(&mut self, device: u64, task: Task, is_first_look: bool) {
        let key = device % LANE_LIMIT;
        let lane = self.by_mount.entry(key).or_default();
        if is_first_look {
            lane.first_looks.push_back(task);
        } else {
            lane.urgent.push_back(task);
        }
        self.dispatch(key);
    }

    /// From now on other tools are used; what runs goes on with its own.
    pub(super) fn use_instead(&mut self, tools: Tools) {
        self.tools = Arc::new(tools);
    }

    /// A thread has finished what it was given.
    pub(super) fn is_free(&mut self, key: u64, thread: usize) {
        if let Some(lane) = self.by_mount.get_mut(&key) {
            lane.idle.push(thread);
        }
        self.dispatch(key);
    }

    /// Does something that concerns no single document, on a thread of its own; `false`: no thread is to be had.
    pub(super) fn aside(&self, work: impl FnOnce(&Tools) -> Finished + Send + 'static) -> bool {
        self.aside_telling(move |tools, _| work(tools))
    }

    /// The same, for what has something to tell before it is over.
    pub(super) fn aside_telling(
        &self,
        work: impl FnOnce(&Tools, &dyn Fn(Finished)) -> Finished + Send + 'static,
    ) -> bool {
        let (tools, finished) = (Arc::clone(&self.tools), self.finished.clone());
        let work = move || {
            // The other side is gone only when the daemon ends.
            let tell = |told| drop(finished.blocking_send(told));
            tell(work(&tools, &tell));
        };
        std::thread::Builder::new().name("upkeep".to_owned()).spawn(work).is_ok()
    }

    /// Forgets what waits, and says how many tasks that were: only what runs is finished.
    pub(super) fn drain(&mut self) -> usize {
        let forget = |lane: &mut Lane| lane.urgent.drain(..).count() + lane.first_looks.drain(..).count();
        self.by_mount.values_mut().map(forget).sum()
    }

    fn dispatch(&mut self, key: u64) {
        let Some(lane) = self.by_mount.get_mut(&key) else { return };
        while !lane.urgent.is_empty() || !lane.first_looks.is_empty() {
            // First looks leave a thread to what somebody waits for.
            let only_first_looks = lane.urgent.is_empty();
            let busy = lane.threads.len() - lane.idle.len();
            if only_first_looks && busy > 0 {
                return;
            }
            let thread = match lane.idle.pop() {
                Some(thread) => thread,
                None if lane.threads.len() < THREADS => {
                    let Some(sender) = start(&self.finished, key, lane.threads.len()) else { return };
                    lane.threads.push(sender);
                    lane.threads.len() - 1
                }
                None => return,
            };
            let tasks = match lane.urgent.pop_front() {
                Some(task) => vec![task],
                None => lane.some_first_looks(),
            };
            // An idle thread has an empty queue of one: this neither blocks nor fails while the thread lives.
            let _ = lane.threads[thread].try_send((Arc::clone(&self.tools), tasks));
        }
    }
}

/// Starts a thread, which ends when its sender is dropped.
fn start(finished: &mpsc::Sender<Finished>, key: u64, thread: usize) -> Option<SyncSender<Given>> {
    let (sender, receiver) = sync_channel::<Given>(1);
    let finished = finished.clone();
    let work = move || {
        while let Ok((tools, tasks)) = receiver.recv() {
            job::run(&tools, tasks, |document, done| {
                // The other side is gone only when the daemon ends.
                let _ = finished.blocking_send(Finished::One(document, Box::new(done)));
            });
            let _ = finished.blocking_send(Finished::Thread(key, thread));
        }
    };
    std::thread::Builder::new().name("job".to_owned()).spawn(work).ok()?;
    Some(sender)
}
