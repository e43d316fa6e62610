//! What is done to one document on a blocking thread: look at it, repair it, end with a leftover. Jobs keep no state: they
//! are told what to do and say what they found.

use std::ffi::OsString;
use std::sync::Arc;

use super::absent;
use super::look::{self, Looked};
use crate::backup::{Backups, Batch, Keep, needed_bytes};
use crate::config::{OnOpenWriter, OnSuspicious, Share, Watch};
use crate::decide::Seen;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::signature::Fingerprint;
use crate::document::{Digest, DocumentId, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::event::Stock;
use crate::quarantine::Quarantine;
use crate::read::OpenWriter;
use crate::repair::{self, Disposal, Ground, Judged, Missing, Patience, Report};
use crate::validate::{self, Reader};
use crate::verdict::Fault;

/// What every job works with.
#[derive(Debug)]
pub(super) struct Tools {
    pub disk: Disk,
    pub state: Directory,
    pub backups: Backups,
    pub quarantine: Quarantine,
    pub min_free: Share,
}

/// What the state directory held of a document when it was last asked. The newest version is the last good one, mostly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub newest: Option<Arc<Stored>>,
    pub last_good: Option<Arc<Stored>>,
    /// The contents that a person accepted although they are suspicious: whoever has them again is not told again.
    pub accepted: Box<[Digest]>,
    pub stock: Stock,
    /// What the versions take on disk that never go, in bytes.
    pub needed_bytes: u64,
    /// The folder of the versions as it was then; `None`: there was none.
    pub folder: Option<Fingerprint>,
    /// A rewrite in place was interrupted.
    pub has_redo: bool,
}

/// Bytes that are suspicious beside a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub digest: Digest,
    pub last_good: Option<Version>,
    pub fault: Fault,
}

/// A document, and what is to be done with it.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub document: DocumentId,
    pub watch: Arc<Watch>,
    pub literal: bool,
    pub directory: Arc<Directory>,
    pub known: Option<Arc<Known>>,
    /// Bytes that were found suspicious at the last look, and why: they need not be weighed again.
    pub odd: Option<Box<Odd>>,
    pub work: Work,
}

impl Known {
    /// The number of the version that a repair would put back.
    pub(super) fn last_good_version(&self) -> Option<Version> {
        self.last_good.as_ref().map(|stored| stored.version)
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Look at it, and store what is good.
    Look {
        open_writer: OpenWriter,
        /// These bytes may be stored although a read proves little: they were read before.
        confirmed: Option<Digest>,
        /// Whether anything may be stored now.
        stores: bool,
    },
    /// Repair it.
    Repair(Judged, OnOpenWriter),
    /// Put it back where nothing stands.
    BringBack,
    /// Look at what a swap left beside it.
    /// `newer`: so many others of the document are younger.
    Leftover { name: OsString, put_aside: Option<Digest>, newer: u32 },
    /// The newest version, which is suspicious and has this digest, is the good one.
    Accept { digest: Digest },
    /// Give old versions, so that the rest takes no more than this on disk.
    Prune { max_bytes: u64 },
}

/// What a job came to.
#[derive(Debug)]
pub(super) enum Done {
    Looked(Box<Looked>),
    Repaired(Result<Report>, Result<Arc<Known>>),
    BroughtBack(Result<Missing>, Result<Arc<Known>>),
    Disposed(OsString, Result<Disposal>, Result<Arc<Known>>),
    /// How many versions, and bytes.
    Pruned(Result<(usize, u64)>, Result<Arc<Known>>),
    Accepted(Result<Stored>),
    Panicked(&'static str),
}

impl Work {
    fn label(&self) -> &'static str {
        match self {
            Self::Look { .. } => "looking",
            Self::Repair(..) => "repairing",
            Self::BringBack => "putting back",
            Self::Leftover { .. } => "looking at a leftover",
            Self::Accept { .. } => "accepting",
            Self::Prune { .. } => "pruning",
        }
    }
}

/// Does tasks; the versions that several of them store share their syncs. A panic costs only the document it happened with.
pub(super) fn run(tools: &Tools, tasks: Vec<Task>, mut done: impl FnMut(DocumentId, Done)) {
    let mut batch = (tasks.len() > 1).then(|| Batch::new(&tools.backups));
    let mut batched = Vec::new();
    for task in tasks {
        let attempt = std::panic::AssertUnwindSafe(|| one(tools, &task, batch.as_mut()));
        match std::panic::catch_unwind(attempt).unwrap_or(Done::Panicked(task.work.label())) {
            Done::Looked(looked) if looked.is_batched => batched.push((task, looked)),
            ended => done(task.document, ended),
        }
    }
    let mut stored = batch.map(Batch::finish).unwrap_or_default();
    for (task, mut looked) in batched {
        if let Some(result) = stored.remove(&task.document) {
            looked.settle(tools, &task, result.map(Some));
        }
        if matches!(looked.seen, Seen::Valid { .. }) {
            absent::note_place(tools, &task);
        }
        done(task.document, Done::Looked(looked));
    }
}

fn one(tools: &Tools, task: &Task, batch: Option<&mut Batch>) -> Done {
    match &task.work {
        Work::Look { open_writer, confirmed, stores } => {
            Done::Looked(Box::new(look::look(tools, task, *open_writer, *confirmed, *stores, batch)))
        }
        Work::Repair(judged, writer) => {
            let report = with_ground(tools, task, |ground| repair::execute_over(ground, judged, *writer));
            Done::Repaired(report, known(tools, task))
        }
        Work::BringBack => Done::BroughtBack(absent::bring_back(tools, task), known(tools, task)),
        Work::Leftover { name, put_aside, newer } => {
            let newer = *newer as usize;
            let settle = |ground: &Ground| repair::settle_among(ground, name, *put_aside, newer, Patience::USUAL);
            let disposal = with_ground(tools, task, settle);
            Done::Disposed(name.clone(), disposal, known(tools, task))
        }
        Work::Accept { digest } => Done::Accepted(accept(tools, task, *digest)),
        Work::Prune { max_bytes } => {
            let keep = Keep { max_bytes: *max_bytes, ..Keep::of(&task.watch.rules) };
            Done::Pruned(prune(tools, task, keep), known(tools, task))
        }
    }
}

fn accept(tools: &Tools, task: &Task, digest: Digest) -> Result<Stored> {
    let refused =
        || Error::new("accepting", task.document.path(), Cause::Refused("it was stored anew meanwhile".to_owned()));
    let folder = tools.backups.find(&task.document)?.ok_or_else(refused)?;
    let folder = folder.expecting(&task.watch.rules.expectations);
    folder.lock()?;
    let newest = folder.versions()?.into_iter().next();
    let newest =
        newest.filter(|newest| newest.digest == digest && newest.mark == Mark::Suspicious).ok_or_else(refused)?;
    folder.mark(&newest, Mark::Accepted, "accept")
}

fn prune(tools: &Tools, task: &Task, keep: Keep) -> Result<(usize, u64)> {
    let Some(folder) = tools.backups.find(&task.document)? else { return Ok((0, 0)) };
    let folder = folder.expecting(&task.watch.rules.expectations);
    folder.lock()?;
    folder.prune_as_of(keep, tools.backups.believed_now())
}

pub(super) fn with_ground<T>(tools: &Tools, task: &Task, act: impl FnOnce(&Ground) -> T) -> T {
    let reader = reader(task, task.known.as_deref());
    act(&Ground {
        disk: &tools.disk,
        directory: &task.directory,
        document: &task.document,
        backups: &tools.backups,
        quarantine: &tools.quarantine,
        judge: &|bytes| validate::judge_by(bytes, &reader, &task.watch.rules.expectations),
        limit_bytes: task.watch.rules.max_size,
        expectations: &task.watch.rules.expectations,
        passes_suspicious: task.watch.rules.on_suspicious == OnSuspicious::Restore,
        lock: task.watch.rules.lock,
    })
}

/// Who reads the document, as its watch, its name and its versions tell.
pub(super) fn reader(task: &Task, known: Option<&Known>) -> Reader {
    Reader {
        dialect: task.watch.rules.dialect,
        enrolled: known.and_then(|known| known.last_good.as_ref()).map(|stored| stored.dialect),
        named: validate::dialect_of_name(task.document.name()),
        literal: task.literal,
    }
}

/// Asks the state directory about a task's document.
pub(super) fn known(tools: &Tools, task: &Task) -> Result<Arc<Known>> {
    let Task { document, watch, .. } = task;
    let folder = tools.backups.find(document)?.map(|folder| folder.expecting(&watch.rules.expectations));
    let (folder, weighed, has_redo) = match folder {
        // In this order: what changes meanwhile is asked again.
        Some(folder) => (Some(folder.signature()?.fingerprint()), folder.weighed()?, folder.redo()?.is_some()),
        None => (None, Vec::new(), false),
    };
    let stock = Stock {
        versions: weighed.len() as u64,
        version_bytes: weighed.iter().map(|weighed| weighed.disk_bytes).sum(),
        quarantine_bytes: tools.quarantine.bytes(document)?,
    };
    let needed_bytes = needed_bytes(&weighed);
    let versions = || weighed.iter().map(|weighed| &weighed.stored);
    let newest = versions().next().cloned().map(Arc::new);
    let is_good = |stored: &Stored| stored.mark.is_last_good();
    let last_good = match &newest {
        Some(newest) if is_good(newest) => Some(Arc::clone(newest)),
        _ => versions().find(|stored| is_good(stored)).cloned().map(Arc::new),
    };
    let accepted = versions().filter(|stored| stored.mark == Mark::Accepted).map(|stored| stored.digest).collect();
    Ok(Arc::new(Known { newest, last_good, accepted, stock, needed_bytes, folder, has_redo }))
}

/// Does the state directory still hold what it did? A person may have restored or forgotten something beside us.
pub(super) fn is_current(tools: &Tools, document: &DocumentId, known: &Known) -> bool {
    match tools.backups.find(document) {
        Ok(Some(folder)) => folder.signature().ok().map(|found| found.fingerprint()) == known.folder,
        Ok(None) => known.folder.is_none(),
        Err(_) => false,
    }
}
