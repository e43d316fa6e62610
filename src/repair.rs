//! The repair: the newest good version gets to the name, and what it replaces is kept (protocol C, steps 1 to 7).

mod by_hand;
mod choice;
mod exchange;
mod in_place;
mod leaseless;
mod leftover;
mod missing;
mod mix;

pub use by_hand::{Returned, restore};
pub use choice::may_be_put_back;
pub use in_place::{Redone, finish_redo};
pub use leaseless::{MANY, Patience};
pub use leftover::{Disposal, GRACE, settle, settle_after, settle_among};
pub use missing::{Missing, is_in_place, note_place, restore_missing};

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

use crate::backup::{Backups, Folder};
use crate::config::{Expectations, LockKind, OnOpenWriter};
use crate::disk::directory::Directory;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::disk::{Disk, File, Opened};
use crate::document::{Digest, DocumentId, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::hint;
use crate::lock::{self, Sidecar};
use crate::quarantine::Quarantine;
use crate::read::{self, Contents};
use crate::verdict::{Kind, Reason, Verdict};
use choice::{Chosen, choose};

/// Whatever a repair works with.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The file system.
    pub disk: &'a Disk,
    /// The folder that the document is in.
    pub directory: &'a Directory,
    /// The document.
    pub document: &'a DocumentId,
    /// The stored versions.
    pub backups: &'a Backups,
    /// Where replaced bytes are kept.
    pub quarantine: &'a Quarantine,
    /// Today's rules.
    pub judge: &'a dyn Fn(&[u8]) -> Verdict,
    /// Larger files are not read.
    pub limit_bytes: u64,
    /// What is expected of every version that comes to stand there.
    pub expectations: &'a Expectations,
    /// May a suspicious newest version be passed over?
    pub passes_suspicious: bool,
    /// The lock that its writers use; [`LockKind::None`] for somebody who holds it.
    pub lock: LockKind,
}

impl Ground<'_> {
    /// The document's versions; `None`: nothing of it was ever stored.
    fn versions(&self) -> Result<Option<Folder>> {
        let found = self.backups.find(self.document)?;
        Ok(found.map(|folder| folder.expecting(self.expectations)))
    }
}

/// The bytes that were believed to be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Their digest.
    pub digest: Digest,
    /// What is wrong with them.
    pub kind: Kind,
    /// Were they read twice alike, some time apart? Needed where no lease is to be had.
    pub is_paired: bool,
}

/// What a repair came to.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Stored versions that fail their digest or today's rules and were passed over, and where they are.
    pub rotten: Vec<(Version, PathBuf)>,
}

/// How a repair ended.
#[derive(Debug)]
pub enum Outcome {
    /// Good bytes stand at the name.
    Restored(Restored),
    /// A writer was faster: the newest bytes stand at the name.
    Yielded,
    /// Somebody has the file open for writing.
    Busy,
    /// It must be rewritten in place, and somebody has it open for reading.
    BeingRead(String),
    /// The bytes are not those that were judged.
    Changed,
    /// No version is left that may be put back.
    NothingGood,
    /// It must not be done, here or now.
    Held(Reason, String),
}

/// A repair that succeeded.
#[derive(Debug)]
pub struct Restored {
    /// The version that was put back.
    pub version: Stored,
    /// Where the damaged bytes are kept; the error, when they had to stay beside the file.
    pub kept: std::result::Result<PathBuf, Error>,
    /// How many damaged bytes there are.
    pub bytes: u64,
    /// When the good bytes came to the name.
    pub visible: Instant,
    /// The name, beside the document, of the damaged file itself: a late writer may still come to it. `None`: it was
    /// rewritten in place.
    pub leftover: Option<OsString>,
    /// Did readers see the one or the other at every moment? Not where the file system cannot exchange names.
    pub in_one_step: bool,
}

/// Repairs a document whose present bytes were judged corrupt. Nothing is changed unless they are still the same at the
/// last look, under a lease.
///
/// # Errors
/// The disk is full or failed: the document is as it was, or good bytes stand at the name and may not be durable. What was
/// damaged is not lost either way.
pub fn execute(ground: &Ground, judged: &Judged) -> Result<Report> {
    execute_over(ground, judged, OnOpenWriter::Wait)
}

/// As [`execute`], for bytes that were read under a writer that keeps the file open. Where that is not waited for, digests before
/// and after stand for the lease, which is as good as can be, and no more.
///
/// # Errors
/// As [`execute`].
pub fn execute_over(ground: &Ground, judged: &Judged, writer: OnOpenWriter) -> Result<Report> {
    let mut rotten = Vec::new();
    let outcome = attempt(ground, judged, None, writer, &mut rotten)?;
    Ok(Report { outcome, rotten })
}

/// `wanted`: a person has chosen the version.
fn attempt(
    ground: &Ground,
    judged: &Judged,
    wanted: Option<Version>,
    writer: OnOpenWriter,
    rotten: &mut Vec<(Version, PathBuf)>,
) -> Result<Outcome> {
    let Opened::File(file, found) = ground.disk.open(ground.directory, ground.document.name())? else {
        return Ok(Outcome::Changed);
    };
    if let Err(error) = ground.disk.refuse_strangers(ground.directory, &found, ground.document.path()) {
        return Ok(Outcome::Held(Reason::of(&error), error.to_string()));
    }
    if lock::is_in_an_editor(ground.disk, ground.directory, ground.document)? {
        return Ok(held(Reason::Editing, "an editor has it open: its swap file lies beside"));
    }
    // Kept to the end: whoever cooperates waits for us as we for them.
    let _sidecar = match lock::try_existing(ground.disk, ground.directory, ground.document, ground.lock)? {
        Sidecar::Taken => return Ok(held(Reason::Editing, "a program holds its lock")),
        sidecar => sidecar,
    };
    let Some(folder) = ground.versions()? else { return Ok(Outcome::NothingGood) };
    folder.lock()?;
    let choice = match choose(ground, &folder, wanted, rotten)? {
        Chosen::Version(choice) => choice,
        Chosen::Suspicious(version, good) => return Ok(suspicious(ground.document, version, good)),
        Chosen::Nothing => return Ok(Outcome::NothingGood),
    };
    let obstacle = match obstacle(ground, &found).or_else(|| kept_open(&file, writer)) {
        None => match exchange::put_back(ground, judged, &file, &choice, writer) {
            Err(error) => Obstacle::of(error)?,
            outcome => return outcome,
        },
        Some(obstacle) => obstacle,
    };
    in_place::put_back(ground, judged, file, &folder, &choice, &obstacle, writer).or_else(|error| obstacle.and(error))
}

/// Its writer is to go on with the same file.
fn kept_open(file: &File, writer: OnOpenWriter) -> Option<Obstacle> {
    let is_busy = || matches!(lease::request(file), Request::Busy);
    let why = "a program keeps it open for writing".to_owned();
    (writer == OnOpenWriter::InPlace && is_busy()).then_some(Obstacle { reason: Reason::OpenWriter, why })
}

/// Writes a version into the judged file itself. The caller holds the lock of the versions' folder.
///
/// # Errors
/// The disk is full or failed: the redo record is there if anything was written.
pub(crate) fn rewrite(
    ground: &Ground,
    judged: &Judged,
    file: File,
    folder: &Folder,
    version: &Stored,
    bytes: &[u8],
    obstacle: &Obstacle,
) -> Result<Outcome> {
    let choice = choice::Choice { version: version.clone(), bytes: bytes.to_vec() };
    let writer = OnOpenWriter::Wait;
    in_place::put_back(ground, judged, file, folder, &choice, obstacle, writer)
        .or_else(|error| if error.is_for_want_of_room() { Err(error) } else { obstacle.and(error) })
}

/// Why a swap is impossible here, or wrong: the file must be rewritten in place.
pub(crate) struct Obstacle {
    /// Why the document is held if that cannot be either.
    reason: Reason,
    why: String,
}

/// What can be seen beforehand to stand in the way of a swap.
pub(crate) fn obstacle(ground: &Ground, found: &Signature) -> Option<Obstacle> {
    let linked = |why: String| Some(Obstacle { reason: Reason::Linked, why });
    if found.is_mount_root {
        return linked("it is a mount point of its own".to_owned());
    }
    if found.links > 1 {
        return linked(format!("it has {} names (hard links), which a swap would part", found.links));
    }
    if ground.disk.is_mounted_elsewhere(ground.document.path()) {
        return linked("it is mounted by itself in another mount namespace (a container's)".to_owned());
    }
    None
}

impl Obstacle {
    /// What a failed attempt says: a folder that must not be written, a mount point, attributes that cannot be reproduced, a
    /// full disk (the damaged file's own blocks may do). Anything else is a failure, and handed back.
    pub(crate) fn of(error: Error) -> Result<Self> {
        let reason = match error.cause() {
            Cause::Refused(_) => Reason::Attributes,
            _ if forbids(&error) || error.io_kind() == Some(ErrorKind::ResourceBusy) => Reason::Linked,
            _ if error.is_for_want_of_room() => Reason::NoRoom,
            _ => return Err(error),
        };
        Ok(Self { reason, why: error.to_string() })
    }

    /// What the rewrite in place says after a swap was impossible: where that is forbidden, too, a person must mend it; where
    /// there is no room for it either, it is waited for.
    fn and(&self, error: Error) -> Result<Outcome> {
        if error.is_for_want_of_room() {
            return Ok(Outcome::Held(Reason::NoRoom, no_room(&error)));
        }
        if !forbids(&error) {
            return Err(error);
        }
        let reason = if self.reason == Reason::Attributes { Reason::Attributes } else { Reason::Permission };
        Ok(Outcome::Held(reason, format!("{}; in place: {error}", self.why)))
    }
}

fn forbids(error: &Error) -> bool {
    matches!(error.io_kind(), Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem))
}

/// The bytes of the judged file, if they are still the judged ones.
fn judged_bytes(ground: &Ground, judged: &Judged, file: &File, goes_on: &dyn Fn() -> bool) -> Result<Option<Contents>> {
    let contents = read::contents(ground.disk, ground.document, file, ground.limit_bytes, goes_on)?;
    Ok(contents.filter(|contents| contents.is_steady && Digest::of(&contents.bytes) == judged.digest))
}

fn held(reason: Reason, why: &str) -> Outcome {
    Outcome::Held(reason, why.to_owned())
}

fn suspicious(document: &DocumentId, version: Version, good: Option<Version>) -> Outcome {
    let ways = hint::damaged_after(document, version, good);
    Outcome::Held(Reason::Suspicious, format!("the newest version, {version}, is suspicious: {ways}"))
}

fn no_room(error: &Error) -> String {
    format!("there is no room for its repair, which is tried again every few seconds: {error}")
}
