//! What a swap left beside a document: a writer who opened it before the swap may still be at it. It is met by its digest,
//! never by its inode number, and never removed unread (protocol C, steps 8 and 9).

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use super::Ground;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::disk::{File, Opened};
use crate::document::Digest;
use crate::error::Result;
use crate::read::{self, Contents, Look, OpenWriter};
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
    /// A late writer made it valid: it is the newest version, and stands at the document's name now.
    SwappedIn,
    /// A late writer made it valid, but the document has been written since: it stays, for a person to look at.
    Kept,
}

/// How long a late writer is given (protocol C, step 8).
const GRACE: Duration = Duration::from_secs(60);

/// Looks at one leftover, and ends with it if that is safe. `put_aside` is the digest it had when it was swapped out, if
/// that is known: valid bytes that differ from it are a late writer's, even if an older version had the same.
///
/// # Errors
/// The disk is full or failed: the leftover stays.
pub fn settle(ground: &Ground, name: &OsStr, put_aside: Option<Digest>) -> Result<Disposal> {
    let file = match ground.disk.open(ground.directory, name)? {
        Opened::File(file, _) => file,
        Opened::Missing => return Ok(Disposal::Gone),
        Opened::Other(_) => return Ok(Disposal::Kept),
    };
    let folder = ground.backups.make(ground.document)?;
    folder.lock()?;
    let lease = match lease::request(&file) {
        Request::Busy => return Ok(Disposal::Waiting),
        Request::Granted(lease) => Some(lease),
        Request::Unavailable => None,
    };
    let is_undisturbed = || lease.as_ref().is_none_or(lease::Lease::is_unbroken);
    let contents = read::contents(ground.disk, ground.document, &file, ground.limit_bytes, is_undisturbed)?;
    let Some(Contents { bytes, signature, is_steady: true }) = contents else { return Ok(Disposal::Waiting) };
    let digest = Digest::of(&bytes);
    let is_stored = folder.versions()?.iter().any(|stored| stored.digest == digest);
    let is_kept = is_stored || ground.quarantine.holds(ground.document, signature.bytes, digest)?;
    let is_old = signature.age() >= GRACE;
    let is_late = put_aside.is_some_and(|before| before != digest);
    if is_kept && !(is_late && matches!((ground.judge)(&bytes), Verdict::Valid { .. })) {
        return if is_old { remove(ground, name, &is_undisturbed) } else { Ok(Disposal::Waiting) };
    }
    match (ground.judge)(&bytes) {
        Verdict::Valid { .. } | Verdict::Suspicious(..) => {
            drop(lease);
            swap_in(ground, name, &file, signature, digest)
        }
        Verdict::Corrupt(_) | Verdict::Told(_) if !is_old => Ok(Disposal::Waiting),
        Verdict::Corrupt(_) | Verdict::Told(_) => {
            let kept = ground.quarantine.keep(ground.document, "replaced", &bytes)?;
            let removed = remove(ground, name, &is_undisturbed)?;
            let kept = Disposal::Quarantined(kept.path, signature.bytes);
            Ok(if removed == Disposal::Removed { kept } else { removed })
        }
    }
}

/// Unlinks a leftover whose bytes are known to be kept; a writer who came meanwhile keeps it.
fn remove(ground: &Ground, name: &OsStr, is_undisturbed: &dyn Fn() -> bool) -> Result<Disposal> {
    if !is_undisturbed() {
        return Ok(Disposal::Waiting);
    }
    ground.disk.unlink(ground.directory, name)?;
    Ok(Disposal::Removed)
}

/// Puts a late writer's bytes at the name, if what stands there is a stored version: then nothing newer is replaced.
fn swap_in(ground: &Ground, name: &OsStr, file: &File, late: Signature, digest: Digest) -> Result<Disposal> {
    let &Ground { disk, directory, document, backups, .. } = ground;
    let present = match read::look(disk, directory, document, ground.limit_bytes, OpenWriter::Wait)? {
        Look::Read(present) => present,
        Look::Busy | Look::Changed => return Ok(Disposal::Waiting),
        Look::Missing | Look::Other(_) | Look::TooLarge(_) => return Ok(Disposal::Kept),
    };
    let Some(folder) = backups.find(document)? else { return Ok(Disposal::Kept) };
    if !folder.versions()?.iter().any(|stored| stored.digest == present.digest) {
        return Ok(Disposal::Kept);
    }
    // The late file is what is put in; it must still be what was read.
    let again = read::contents(disk, document, file, ground.limit_bytes, || true)?;
    if again.is_none_or(|again| !again.is_steady || Digest::of(&again.bytes) != digest) {
        return Ok(Disposal::Waiting);
    }
    let Opened::File(standing, now) = disk.open(directory, document.name())? else { return Ok(Disposal::Waiting) };
    let lease = lease::request(&standing);
    if now != present.signature || matches!(lease, Request::Busy) {
        return Ok(Disposal::Waiting);
    }
    let is_undisturbed = || match &lease {
        Request::Granted(lease) => lease.is_unbroken(),
        Request::Busy | Request::Unavailable => true,
    };
    let staged = Staged { name: name.to_owned(), signature: late };
    let swapped = swap::exchange(disk, directory, document, &staged, &now, is_undisturbed)?;
    disk.sync_directory(directory)?;
    Ok(if swapped == Swapped::Done { Disposal::SwappedIn } else { Disposal::Waiting })
}
