//! What the stage and the sweep threads share.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::mpsc::{Sender, WeakSender, error::TrySendError};

use super::Observation;
use super::folder::Folder;
use super::hints::Inbox;
use super::territory::{RootIndex, Territory};
use crate::checkup::Canary;
use crate::clock;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::mounts::Mounts;
use crate::event::{Event, Fact};

/// One file system (beyond [`MOST_MOUNTS`], several), and the thread that alone touches it.
#[derive(Debug, Default)]
pub(super) struct Mount {
    /// Work for the thread.
    pub(super) inbox: Inbox,
    /// Its sign of life.
    pub(super) pulse: Pulse,
    /// The device numbers of its file systems.
    pub(super) devices: Mutex<Vec<u64>>,
    /// The watched folders on it.
    pub(super) folders: Mutex<HashMap<Arc<Path>, Arc<Folder>>>,
    /// The roots that lead onto it, each with the devices that its way has led over.
    pub(super) roots: Mutex<BTreeMap<RootIndex, Vec<u64>>>,
    /// How many documents are on it.
    pub(super) documents: AtomicUsize,
    /// The watches for which the kernel does not tell of all folders here, and why.
    pub(super) lost: Mutex<BTreeMap<usize, String>>,
    /// Its documents were said to be unreadable since it does not answer; all are to be said again.
    pub(super) is_given_up: AtomicBool,
    /// The thread.
    pub(super) thread: OnceLock<JoinHandle<()>>,
    /// Held while the documents of a hung mount are told of.
    pub(super) telling: Mutex<()>,
}

/// A thread's sign of life, cheap enough for every file: no clock is read.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    beats: AtomicU64,
    at_work: AtomicU8,
}

/// What all sweep threads share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The file system.
    pub(super) disk: Disk,
    /// Is the kernel asked for hints?
    pub(super) hints: bool,
    /// What all that the kernel tells must hear of.
    pub(super) canary: Canary,
    /// What is guarded at present.
    pub(super) territory: RwLock<Arc<Territory>>,
    /// What is mounted at present.
    pub(super) mounts: RwLock<Arc<Mounts>>,
    /// The mounts that are swept.
    pub(super) swept: Mutex<Vec<Arc<Mount>>>,
    /// The stage alone holds it strongly, so that a hung thread keeps no channel open.
    pub(super) observations: WeakSender<Observation>,
    /// As `observations`.
    pub(super) events: WeakSender<Event>,
    /// Rings when a thread has done something that a sweep waits for.
    pub(super) done: Arc<tokio::sync::Notify>,
    /// The stage ends.
    pub(super) ends: AtomicBool,
    /// How many folders are kept open.
    pub(super) open: AtomicUsize,
    /// How many may be.
    pub(super) most_open: usize,
    /// For documents whose folder cannot be opened.
    pub(super) nowhere: Arc<Directory>,
    /// Of each root: has it ever had a document?
    pub(super) found: Box<[AtomicBool]>,
    /// Of each root: was it said that nothing is there?
    pub(super) complained: Box<[AtomicBool]>,
}

/// More threads than this help nobody: further mounts share them.
pub(super) const MOST_MOUNTS: usize = 16;

const LOOKING: u8 = 1;

impl Pulse {
    /// Something was looked at.
    pub(super) fn beat(&self) {
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// From here on the thread touches the file system, or no longer does.
    pub(super) fn set_looking(&self, looks: bool) {
        self.at_work.store(if looks { LOOKING } else { 0 }, Ordering::Relaxed);
        self.beat();
    }

    /// How often it has beaten; `None`: it does not touch the file system now, so it cannot hang.
    pub(super) fn at_risk(&self) -> Option<u64> {
        (self.at_work.load(Ordering::Relaxed) == LOOKING).then(|| self.beats.load(Ordering::Relaxed))
    }
}

/// Locks, and does not mind that another thread panicked meanwhile: what is guarded here is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mount {
    /// A guarded folder on it, or what was to lead to one, for people.
    pub(super) fn place(&self, territory: &Territory) -> PathBuf {
        let folder = lock(&self.folders).keys().min().map(|folder| folder.to_path_buf());
        let root = || lock(&self.roots).keys().next().map(|root| territory.roots()[*root as usize].configured());
        folder.or_else(root).unwrap_or_default()
    }
}

impl Shared {
    /// What is guarded at present.
    pub(super) fn territory(&self) -> Arc<Territory> {
        self.territory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces what is guarded.
    pub(super) fn change_territory(&self, change: impl FnOnce(&Territory) -> Territory) -> Arc<Territory> {
        let mut territory = self.territory.write().unwrap_or_else(PoisonError::into_inner);
        *territory = Arc::new(change(&territory));
        territory.clone()
    }

    /// What is mounted at present.
    pub(super) fn mounts(&self) -> Arc<Mounts> {
        self.mounts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again what is mounted.
    pub(super) fn refresh_mounts(&self) {
        let now = self.disk.mounts();
        let mut mounts = self.mounts.write().unwrap_or_else(PoisonError::into_inner);
        if **mounts != now {
            *mounts = Arc::new(now);
        }
    }

    /// Sends what was seen, and waits while the next stage is busy. `false`: nobody listens any more.
    pub(super) fn observe(&self, pulse: &Pulse, observation: Observation) -> bool {
        send(self.observations.upgrade(), pulse, observation) || self.give_up()
    }

    /// Says what happened.
    pub(super) fn say(&self, pulse: &Pulse, fact: Fact) -> bool {
        send(self.events.upgrade(), pulse, Event { at: clock::now(), fact }) || self.give_up()
    }

    fn give_up(&self) -> bool {
        self.ends.store(true, Ordering::Relaxed);
        false
    }

    /// Says once of each root that nothing is there.
    pub(super) fn complain(&self, pulse: &Pulse, territory: &Territory, root: RootIndex, why: String) {
        let Some(complained) = self.complained.get(root as usize) else { return };
        if !complained.swap(true, Ordering::Relaxed) {
            let root = &territory.roots()[root as usize];
            self.say(pulse, Fact::NothingFound { watch: root.watch.name.clone(), path: root.configured(), why });
        }
    }

    /// Remembers that a root has had a document.
    pub(super) fn found(&self, root: RootIndex) {
        if let Some(found) = self.found.get(root as usize) {
            found.store(true, Ordering::Relaxed);
        }
    }

    /// Is the stage ending?
    pub(super) fn ends(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// May one more folder be kept open? Says so once for each that is.
    pub(super) fn may_keep_open(&self) -> bool {
        let add = |open| (open < self.most_open).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// A folder is kept open no longer.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn send<T>(sender: Option<Sender<T>>, pulse: &Pulse, message: T) -> bool {
    let Some(sender) = sender else { return false };
    match sender.try_send(message) {
        Ok(()) => true,
        Err(TrySendError::Closed(_)) => false,
        Err(TrySendError::Full(message)) => {
            let looked = pulse.at_risk().is_some();
            pulse.set_looking(false);
            let sent = sender.blocking_send(message).is_ok();
            pulse.set_looking(looked);
            sent
        }
    }
}
