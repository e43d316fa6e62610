//! What a swap left beside a document: a writer who opened it before the swap may still be at it. It is met by its digest,
//! never by its inode number, and never removed unread (protocol C, steps 8 and 9).

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use super::Ground;
use super::leaseless::{self, Patience};
use crate::backup::Folder;
use crate::disk::lease::{self, Lease, Request};
use crate::disk::signature::Signature;
use crate::disk::{File, Opened};
use crate::document::Digest;
use crate::error::Result;
use crate::lock::{self, Sidecar};
use crate::read::{self, Contents, Look, OpenWriter, Reading};
use crate::swap::{self, Staged, Swapped};
use crate::verdict::Verdict;

/// What became of a leftover.
#[derive(Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It is not there any more.
    Gone,
    /// A writer has it open, or it is too young: look again later.
    Waiting,
    /// Its bytes are kept elsewhere: it was removed.
    Removed,
    /// Its bytes were kept in quarantine, here, and it was removed.
    Quarantined(PathBuf, u64),
    /// It had been renamed aside by a process that died: it has its name back.
    PutBack,
    /// A late writer made it valid: it is the newest version, and stands at the document's name now.
    SwappedIn,
    /// A late writer made it valid, but the document has been written since: it stays, for a person to look at.
    Kept,
    /// No lease is to be had here, but a process is seen to have it open for writing: look again in a while.
    Open,
    /// No lease is to be had here, and nobody is seen to have it open; but not all can be seen, so it is given longer.
    Unsure,
}

/// How long a late writer is given (protocol C, step 8).
pub const GRACE: Duration = Duration::from_secs(60);

/// A leftover that was read whole.
pub(super) struct Found<'a> {
    pub(super) name: &'a OsStr,
    pub(super) file: &'a File,
    bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) signature: Signature,
    /// Are its bytes a stored version?
    pub(super) is_version: bool,
    /// Or in quarantine?
    pub(super) is_quarantined: bool,
}

impl Found<'_> {
    /// Does it still hold the same, and no more is coming meanwhile?
    pub(super) fn is_as_it_was(&self, ground: &Ground) -> Result<bool> {
        holds(ground, self.file, self.digest)
    }
}

/// Looks at one leftover, and ends with it if that is safe. `put_aside` is the digest it had when it was swapped out, if
/// that is known: valid bytes that differ from it are a late writer's, even if an older version had the same.
///
/// # Errors
/// The disk is full or failed: the leftover stays.
pub fn settle(ground: &Ground, name: &OsStr, put_aside: Option<Digest>) -> Result<Disposal> {
    settle_among(ground, name, put_aside, 0, Patience::USUAL)
}

/// As [`settle`], with another time for late writers.
///
/// # Errors
/// As [`settle`].
pub fn settle_after(ground: &Ground, name: &OsStr, put_aside: Option<Digest>, grace: Duration) -> Result<Disposal> {
    settle_among(ground, name, put_aside, 0, Patience::of(grace))
}

/// As [`settle`], where so many newer leftovers of the document lie there, and with these times.
///
/// # Errors
/// As [`settle`].
pub fn settle_among(
    ground: &Ground,
    name: &OsStr,
    put_aside: Option<Digest>,
    newer: usize,
    patience: Patience,
) -> Result<Disposal> {
    // Kept to the end: whoever cooperates waits for us as we for them, and what lies there may be what they are about to
    // put in.
    let _sidecar = match lock::try_existing(ground.disk, ground.directory, ground.document, ground.lock)? {
        Sidecar::Taken => return Ok(Disposal::Waiting),
        sidecar => sidecar,
    };
    let file = match ground.disk.open(ground.directory, name)? {
        Opened::File(_, found) if found.links == 2 && is_the_document(ground, &found)? => {
            // We died after it was linked in, and before its first name was removed.
            return ground.disk.unlink(ground.directory, name).map(|()| Disposal::Removed);
        }
        // A file system in user space may learn late that a name of it is gone, or hide under another what somebody has open.
        Opened::File(_, found) if found.links > 1 && found.age() < patience.grace => return Ok(Disposal::Waiting),
        Opened::File(file, found) if found.links > 1 && lease::is_in_user_space(&file) => return Ok(Disposal::Open),
        Opened::File(file, found) if found.bytes <= ground.limit_bytes && found.links == 1 => file,
        Opened::Missing => return Ok(Disposal::Gone),
        Opened::File(..) | Opened::Other(_) => return Ok(Disposal::Kept),
    };
    let found = ground.disk.signature(&file, ground.document.path())?;
    if ground.disk.refuse_strangers(ground.directory, &found, ground.document.path()).is_err() {
        return Ok(Disposal::Kept);
    }
    let folder = ground.backups.make(ground.document)?;
    folder.lock()?;
    if swap::is_incomplete(name) {
        // Nobody stages without the lock.
        return ground.disk.unlink(ground.directory, name).map(|()| Disposal::Removed);
    }
    if swap::is_aside(name) && ground.disk.look(ground.directory, ground.document.name())?.is_none() {
        // Whoever made room died before anything was put in.
        ground.disk.rename(ground.directory, name, ground.document.name())?;
        return ground.disk.sync_directory(ground.directory).map(|()| Disposal::PutBack);
    }
    let lease = match lease::request(&file) {
        Request::Busy => return Ok(Disposal::Waiting),
        Request::Granted(lease) => Some(lease),
        Request::Unavailable => None,
    };
    let goes_on = || is_undisturbed(lease.as_ref());
    let contents = read::contents(ground.disk, ground.document, &file, ground.limit_bytes, goes_on)?;
    let Some(Contents { bytes, signature, is_steady: true }) = contents else { return Ok(Disposal::Waiting) };
    // Nobody has taken the name away, which would hide that it was a link to another's file.
    let at_name = ground.disk.look(ground.directory, name)?;
    if at_name.is_none_or(|at_name| !at_name.is_same_file(&signature) || at_name.links != 1) {
        return Ok(Disposal::Waiting);
    }
    let digest = Digest::of(&bytes);
    let is_version = folder.keeps(digest)?;
    let is_quarantined = !is_version && ground.quarantine.holds(ground.document, signature.bytes, digest)?;
    let found = Found { name, file: &file, digest, bytes, signature, is_version, is_quarantined };
    let put_in = swap::staged_version(name).map(|version| folder.digest_of(version)).transpose()?.flatten();
    if is_news(ground, &folder, &found, put_in, put_aside, lease.is_some())? {
        drop(lease);
        return swap_in(ground, &folder, &found, put_in);
    }
    match lease {
        Some(lease) => end(ground, &found, &lease, patience.grace),
        None => leaseless::end(ground, &found, newer, patience),
    }
}

/// Does the document's name stand for this very file?
fn is_the_document(ground: &Ground, found: &Signature) -> Result<bool> {
    let standing = ground.disk.look(ground.directory, ground.document.name())?;
    Ok(standing.is_some_and(|standing| standing.is_same_file(found)))
}

/// Is it a late writer's version? What we put in ourselves is nobody's news.
fn is_news(
    ground: &Ground,
    folder: &Folder,
    found: &Found,
    put_in: Option<Digest>,
    put_aside: Option<Digest>,
    has_lease: bool,
) -> Result<bool> {
    let reads = || matches!((ground.judge)(&found.bytes), Verdict::Valid { .. } | Verdict::Suspicious(..));
    let is_late = put_aside.is_some_and(|before| before != found.digest);
    let is_kept = found.is_version || found.is_quarantined;
    if put_in == Some(found.digest) || (is_kept && !is_late) || !reads() {
        return Ok(false);
    }
    Ok(is_late || has_lease || leaseless::may_be_news(ground, folder, found, put_in)?)
}

/// Unlinks a leftover once its bytes are known to be kept; a writer who came meanwhile keeps it.
fn end(ground: &Ground, found: &Found, lease: &Lease, grace: Duration) -> Result<Disposal> {
    if found.signature.age() < grace {
        return Ok(Disposal::Waiting);
    }
    let kept = kept(ground, found)?;
    if !lease.is_unbroken() {
        return Ok(Disposal::Waiting);
    }
    ground.disk.unlink(ground.directory, found.name).map(|()| kept)
}

/// Sees to it that the bytes are kept elsewhere, and says what removing them comes to.
pub(super) fn kept(ground: &Ground, found: &Found) -> Result<Disposal> {
    if found.is_version || found.is_quarantined {
        return Ok(Disposal::Removed);
    }
    let kept = ground.quarantine.keep(ground.document, "replaced", &found.bytes)?;
    Ok(Disposal::Quarantined(kept.path, found.signature.bytes))
}

fn is_undisturbed(lease: Option<&Lease>) -> bool {
    lease.is_none_or(Lease::is_unbroken)
}

/// Puts a late writer's bytes at the name, if what stands there is older, and a stored version: then nothing is lost and
/// nothing newer is replaced.
fn swap_in(ground: &Ground, folder: &Folder, found: &Found, put_in: Option<Digest>) -> Result<Disposal> {
    let &Ground { disk, directory, document, .. } = ground;
    let present = match read::look(disk, directory, document, ground.limit_bytes, OpenWriter::Wait)? {
        Look::Read(present) => present,
        Look::Busy | Look::Changed => return Ok(Disposal::Waiting),
        Look::Missing | Look::Other(_) | Look::TooLarge(_) => return Ok(Disposal::Kept),
    };
    if !may_follow(found, &present, put_in) || !folder.keeps(present.digest)? {
        return Ok(Disposal::Kept);
    }
    // The late file is what is put in; it must still be what was read.
    if !holds(ground, found.file, found.digest)? {
        return Ok(Disposal::Waiting);
    }
    exchange_for(ground, found, &present)
}

/// Does a file hold these bytes, and no others meanwhile?
fn holds(ground: &Ground, file: &File, digest: Digest) -> Result<bool> {
    let contents = read::contents(ground.disk, ground.document, file, ground.limit_bytes, || true)?;
    Ok(contents.is_some_and(|contents| contents.is_steady && Digest::of(&contents.bytes) == digest))
}

/// Exchanges a late file with what stands at the name, under a lease on that.
fn exchange_for(ground: &Ground, found: &Found, present: &Reading) -> Result<Disposal> {
    let &Ground { disk, directory, document, .. } = ground;
    let lease = match lease::request(&present.file) {
        Request::Busy => return Ok(Disposal::Waiting),
        Request::Granted(lease) => Some(lease),
        Request::Unavailable => None,
    };
    if disk.look(directory, document.name())? != Some(present.signature) {
        return Ok(Disposal::Waiting);
    }
    let staged = Staged { name: found.name.to_owned(), signature: found.signature, spare_bytes: None };
    let goes_on = || match &lease {
        Some(lease) => lease.is_unbroken(),
        None => holds(ground, &present.file, present.digest).unwrap_or(false),
    };
    let swapped = swap::exchange(disk, directory, document, &staged, &present.signature, goes_on)?;
    disk.sync_directory(directory)?;
    // Its own grace begins now.
    let _ = disk.touch(&present.file, document.path());
    Ok(if swapped == Swapped::Yielded { Disposal::Waiting } else { Disposal::SwappedIn })
}

/// Is the leftover newer than what stands at the name, and could it have stood there itself? Where the version that we put
/// in stands at the name untouched, everything else that was ever there is newer. Otherwise the kernel's dates must say so.
/// (In a folder where many may write, a stranger's file must not get to the name by looking like ours.)
fn may_follow(found: &Found, present: &Reading, put_in: Option<Digest>) -> bool {
    let (late, standing) = (&found.signature, &present.signature);
    let stands_untouched = put_in == Some(present.digest) && !standing.is_changed_after(late);
    late.owner == standing.owner && (stands_untouched || late.is_written_after(standing))
}
