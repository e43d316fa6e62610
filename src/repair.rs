//! The repair: the newest good version gets to the name, and what it replaces is kept (protocol C, steps 1 to 7).

mod by_hand;
mod choice;
mod leftover;

pub use by_hand::{Returned, restore};
pub use leftover::{Disposal, GRACE, settle, settle_after};

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use crate::backup::Backups;
use crate::disk::directory::Directory;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::disk::{Disk, File, Opened};
use crate::document::{Digest, DocumentId, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::lock::{self, Sidecar};
use crate::quarantine::Quarantine;
use crate::read::{self, Contents};
use crate::swap::{self, Staged, Swapped};
use crate::verdict::{Kind, Reason, Verdict};
use choice::{Choice, Chosen, choose};

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
    /// The name, beside the document, of the damaged file itself: a late writer may still come to it.
    pub leftover: OsString,
}

/// Repairs a document whose present bytes were judged corrupt. Nothing is changed unless they are still the same at the
/// last look, under a lease.
///
/// # Errors
/// The disk is full or failed: the document is as it was, or good bytes stand at the name and may not be durable. What was
/// damaged is not lost either way.
pub fn execute(ground: &Ground, judged: &Judged) -> Result<Report> {
    let mut rotten = Vec::new();
    let outcome = attempt(ground, judged, None, &mut rotten)?;
    Ok(Report { outcome, rotten })
}

/// `wanted`: a person has chosen the version.
fn attempt(
    ground: &Ground,
    judged: &Judged,
    wanted: Option<Version>,
    rotten: &mut Vec<(Version, PathBuf)>,
) -> Result<Outcome> {
    let Opened::File(file, found) = ground.disk.open(ground.directory, ground.document.name())? else {
        return Ok(Outcome::Changed);
    };
    if let Some((reason, why)) = obstacle(ground, &found)? {
        return Ok(Outcome::Held(reason, why));
    }
    // Kept to the end: whoever cooperates waits for us as we for them.
    let _sidecar = match lock::try_existing(ground.disk, ground.directory, ground.document)? {
        Sidecar::Taken => return Ok(held(Reason::Editing, "a program holds its lock")),
        sidecar => sidecar,
    };
    let Some(folder) = ground.backups.find(ground.document)? else { return Ok(Outcome::NothingGood) };
    folder.lock()?;
    let choice = match choose(ground, &folder, wanted, rotten)? {
        Chosen::Version(choice) => choice,
        Chosen::Suspicious(version) => {
            let why = format!("the newest version, {version}, is suspicious: accept it, or restore another");
            return Ok(Outcome::Held(Reason::Suspicious, why));
        }
        Chosen::Nothing => return Ok(Outcome::NothingGood),
    };
    put_back(ground, judged, &file, &choice)
}

/// What stands in the way of a swap here.
fn obstacle(ground: &Ground, found: &Signature) -> Result<Option<(Reason, String)>> {
    if found.is_mount_root {
        let why = "it is a mount point of its own: a swap would not reach its readers";
        return Ok(Some((Reason::Linked, why.to_owned())));
    }
    if found.links > 1 {
        let why = format!("it has {} names (hard links): a swap would part them", found.links);
        return Ok(Some((Reason::Linked, why)));
    }
    if lock::is_in_an_editor(ground.disk, ground.directory, ground.document)? {
        return Ok(Some((Reason::Editing, "an editor has it open: its swap file lies beside".to_owned())));
    }
    Ok(None)
}

fn put_back(ground: &Ground, judged: &Judged, file: &File, choice: &Choice) -> Result<Outcome> {
    let &Ground { disk, directory, document, .. } = ground;
    let attributes = disk.attributes(file, document.path())?;
    let staged = match swap::stage(disk, directory, document, choice.version.version, &choice.bytes, &attributes) {
        Err(error) if matches!(error.cause(), Cause::Refused(_)) => {
            return Ok(Outcome::Held(Reason::Attributes, error.to_string()));
        }
        staged => staged?,
    };
    match last_look_and_swap(ground, judged, file, &staged) {
        Ok(Attempt::Swapped(swap)) => finish(ground, judged, file, choice, staged.name, &swap),
        Ok(Attempt::Yielded) => disk.sync_directory(directory).map(|()| Outcome::Yielded),
        Ok(Attempt::CalledOff(outcome)) => {
            disk.unlink(directory, &staged.name)?;
            Ok(outcome)
        }
        Err(error) => {
            // Only if it was never renamed, which would have dated it anew, did it never stand at the name; else it stays, as
            // a leftover.
            if disk.look(directory, &staged.name).ok().flatten() == Some(staged.signature) {
                let _ = disk.unlink(directory, &staged.name);
            }
            Err(error)
        }
    }
}

enum Attempt {
    Swapped(Swap),
    Yielded,
    /// Before anything was exchanged: the staged file never stood at the name.
    CalledOff(Outcome),
}

/// A swap that was done.
struct Swap {
    visible: Instant,
    damaged: Vec<u8>,
}

fn last_look_and_swap(ground: &Ground, judged: &Judged, file: &File, staged: &Staged) -> Result<Attempt> {
    match lease::request(file) {
        Request::Busy => Ok(Attempt::CalledOff(Outcome::Busy)),
        Request::Granted(lease) => {
            let is_unbroken = || lease.is_unbroken();
            look_and_swap(ground, judged, file, staged, &is_unbroken, &is_unbroken)
        }
        Request::Unavailable if judged.is_paired => {
            let is_the_same = || matches!(judged_bytes(ground, judged, file, &|| true), Ok(Some(_)));
            look_and_swap(ground, judged, file, staged, &|| true, &is_the_same)
        }
        Request::Unavailable => Ok(Attempt::CalledOff(Outcome::Changed)),
    }
}

fn look_and_swap(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    staged: &Staged,
    goes_on: &dyn Fn() -> bool,
    is_undisturbed: &dyn Fn() -> bool,
) -> Result<Attempt> {
    let &Ground { disk, directory, document, .. } = ground;
    let Some(Contents { bytes, signature, .. }) = judged_bytes(ground, judged, file, goes_on)? else {
        return Ok(Attempt::CalledOff(Outcome::Changed));
    };
    // A second name may have come since the first look: a swap would part them.
    let is_there = |found: Signature| found.is_same_file(&signature) && found.links == 1;
    if !disk.look(directory, document.name())?.is_some_and(is_there) {
        return Ok(Attempt::CalledOff(Outcome::Changed));
    }
    Ok(match swap::exchange(disk, directory, document, staged, &signature, is_undisturbed)? {
        Swapped::Done => Attempt::Swapped(Swap { visible: Instant::now(), damaged: bytes }),
        Swapped::Yielded => Attempt::Yielded,
    })
}

/// The bytes of the judged file, if they are still the judged ones.
fn judged_bytes(ground: &Ground, judged: &Judged, file: &File, goes_on: &dyn Fn() -> bool) -> Result<Option<Contents>> {
    let contents = read::contents(ground.disk, ground.document, file, ground.limit_bytes, goes_on)?;
    Ok(contents.filter(|contents| contents.is_steady && Digest::of(&contents.bytes) == judged.digest))
}

/// The lease is gone by now. The damaged file stays beside the document for a while, for a writer who opened it before the
/// swap may still finish; its bytes are copied to quarantine at once.
fn finish(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    choice: &Choice,
    leftover: OsString,
    swap: &Swap,
) -> Result<Outcome> {
    let &Ground { disk, directory, document, quarantine, .. } = ground;
    let synced = disk.sync_directory(directory);
    // Its grace begins now. Where that cannot be noted, it began when the file was last changed.
    let _ = disk.touch(file, document.path());
    let kept = quarantine.keep(document, judged.kind.label(), &swap.damaged).map(|kept| kept.path);
    let (version, bytes) = (choice.version.clone(), swap.damaged.len() as u64);
    synced.map(|()| Outcome::Restored(Restored { version, kept, bytes, visible: swap.visible, leftover }))
}

fn held(reason: Reason, why: &str) -> Outcome {
    Outcome::Held(reason, why.to_owned())
}
