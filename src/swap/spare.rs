//! The spare: room that is kept beside guarded files while their file system is nearly full, so that a repair needs none.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::disk::directory::Directory;
use crate::disk::lease::{self, Lease, Request};
use crate::disk::signature::Signature;
use crate::disk::writers::{UNSEEN, Writers};
use crate::disk::{Disk, File, Opened};
use crate::error::{Cause, Error, Result};

/// The name of the spare, one a folder: an exchange needs it in the folder of what it is exchanged with.
pub const NAME: &str = ".jsonwarden-spare";

/// A spare has whole blocks of so many bytes, which every usual file system gives a file at a time.
const BLOCK_BYTES: usize = 4096;

/// Whose the spare is: a quota that a repair would be charged to has been charged already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// Bytes that the folder's spare has; `None`: there is none.
///
/// # Errors
/// The disk failed.
pub fn bytes(disk: &Disk, directory: &Directory) -> Result<Option<u64>> {
    let found = disk.look(directory, OsStr::new(NAME))?;
    Ok(found.filter(|found| found.is_regular() && found.links == 1).map(|found| found.bytes))
}

/// Sees to it that the folder has a spare of so many bytes. A smaller one grows; what stands at its name and is none stays.
///
/// # Errors
/// The disk is full (a smaller spare stays) or failed, cannot promise room, or something else stands at the name.
pub fn prepare(disk: &Disk, directory: &Directory, bytes: u64, owner: Owner) -> Result<()> {
    let (name, path) = (OsStr::new(NAME), directory.path().join(NAME));
    if self::bytes(disk, directory)?.is_some_and(|room| room >= bytes) {
        return Ok(());
    }
    if disk.look(directory, name)?.is_some() {
        let refused = || Error::new("keeping room in", &path, Cause::Refused("it is not a spare of ours".to_owned()));
        let file = open(disk, directory, name)?.ok_or_else(refused)?;
        lengthen(disk, &file, &path, bytes)?;
        return disk.sync(&file, &path);
    }
    let file = disk.create_for(directory, name, 0o600, owner.user)?;
    let made = fill(disk, directory, &file, bytes, owner);
    if made.is_err() {
        // It is ours and holds nothing; the first error is the one worth telling.
        let _ = disk.unlink(directory, name);
    }
    made
}

fn fill(disk: &Disk, directory: &Directory, file: &File, bytes: u64, owner: Owner) -> Result<()> {
    let path = directory.path().join(NAME);
    let mut attributes = disk.attributes(file, &path)?;
    (attributes.owner, attributes.group) = (owner.user, owner.group);
    match disk.set_attributes(file, &path, &attributes) {
        // Then it is our own: as good, but for the owner's quota.
        Err(error) if matches!(error.cause(), Cause::Refused(_)) => {}
        set => set?,
    }
    disk.extend(file, &path, bytes)?;
    if disk.signature(file, &path)?.bytes < bytes {
        return Err(Error::new("keeping room in", path, Cause::Refused("its file system promises none".to_owned())));
    }
    disk.sync(file, &path)
}

/// Removes the folder's spare. Something else at its name stays.
///
/// # Errors
/// The disk failed.
pub fn discard(disk: &Disk, directory: &Directory) -> Result<()> {
    let name = OsStr::new(NAME);
    match open(disk, directory, name)? {
        // Its lock is kept until it is gone.
        Some(_locked) => disk.unlink(directory, name),
        None => Ok(()),
    }
}

/// Removes what a repair on a full disk left at the spare's name, once it is as old as `grace`, nobody writes it, and its bytes
/// are known to be kept: `is_kept` is asked for them. `true`: it is to be looked at again.
///
/// # Errors
/// The disk failed.
pub fn settle(disk: &Disk, directory: &Directory, grace: Duration, is_kept: impl Fn(&[u8]) -> bool) -> Result<bool> {
    let (name, path) = (OsStr::new(NAME), directory.path().join(NAME));
    let Opened::File(file, found) = disk.open(directory, name)? else { return Ok(false) };
    let is_spare = disk.read_at(&file, &path, 0, 1)?.iter().all(|byte| *byte == 0);
    if is_spare || found.links != 1 || disk.refuse_strangers(directory, &found, &path).is_err() {
        return Ok(false);
    }
    if found.age() < grace {
        return Ok(true);
    }
    let lease = match lease::request(&file) {
        Request::Granted(lease) => Some(lease),
        Request::Unavailable if is_left(disk, &file, found.age()) => None,
        Request::Unavailable | Request::Busy => return Ok(true),
    };
    let is_unbroken = || lease.as_ref().is_none_or(Lease::is_unbroken);
    let Some(bytes) = disk.read(&file, &path, found.bytes, is_unbroken)? else { return Ok(true) };
    let is_there = disk.look(directory, name)? == Some(found);
    if is_there && is_kept(&bytes) && is_unbroken() {
        disk.unlink(directory, name)?;
    }
    Ok(!is_there)
}

/// Where no lease is to be had: may nobody write it any more?
fn is_left(disk: &Disk, file: &File, age: Duration) -> bool {
    match disk.writers(file, OsStr::new(NAME), age) {
        Writers::Some => false,
        Writers::None => true,
        Writers::NoneSeen => age >= UNSEEN,
    }
}

/// Is this a spare into which not all of a version was written: its beginning, zeros from there on, in whole blocks, and more of
/// them than the version has? Then whatever is in it is in the version. (Damage that was swapped out is no longer than what
/// it replaced, and is kept.)
#[must_use]
pub fn is_half_filled_with(bytes: &[u8], version: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let is_room = bytes.len().is_multiple_of(BLOCK_BYTES) && bytes.len() > version.len();
    is_room && bytes.get(..end).is_some_and(|begun| version.starts_with(begun))
}

/// A spare that is about to be written into.
pub(super) struct Taken {
    /// Where it is.
    pub(super) name: OsString,
    /// The file: its lock is held as long as this is open.
    pub(super) file: File,
    /// How many bytes it has.
    pub(super) bytes: u64,
}

/// Takes the folder's spare, for so many bytes of a file of `owner`'s to be written into it; `None`: there is none that would
/// do. Another user's would not: they may have it open, and could write what is the owner's then. It gets another name; if
/// the folder has no room for that, which is longer, it is taken where it is.
pub(super) fn take(
    disk: &Disk,
    directory: &Directory,
    bytes: u64,
    owner: u32,
    name: OsString,
) -> Result<Option<Taken>> {
    let spare = OsStr::new(NAME);
    let would_do = |found: &Signature| {
        let is_safe = found.owner == owner || found.owner == rustix::process::geteuid().as_raw();
        is_safe && found.is_regular() && found.links == 1 && found.bytes >= bytes
    };
    if !disk.look(directory, spare)?.is_some_and(|found| would_do(&found)) {
        return Ok(None);
    }
    let name = match disk.rename(directory, spare, &name) {
        Ok(()) => name,
        Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => return Ok(None),
        Err(error) if error.is_for_want_of_room() => spare.to_owned(),
        Err(error) => return Err(error),
    };
    let opened = open(disk, directory, &name).and_then(|file| Ok((file, disk.look(directory, &name)?)));
    match opened {
        // Another may have come to its name since it was looked at.
        Ok((Some(file), Some(found))) if would_do(&found) => Ok(Some(Taken { name, file, bytes: found.bytes })),
        other => {
            if name != spare {
                disk.rename(directory, &name, spare)?;
            }
            other.map(|_| None)
        }
    }
}

/// Makes a spare again of what was written into one and never stood at a document's name: zeros, of the length that it had,
/// at the spare's name. Nobody else may have it open: they would read what is written into it next.
///
/// # Errors
/// Somebody has it open, there is no room, or the disk failed: it is no spare.
pub(super) fn give_back(disk: &Disk, directory: &Directory, file: &File, name: &OsStr, bytes: u64) -> Result<()> {
    let path = directory.path().join(name);
    let mut attributes = disk.attributes(file, &path)?;
    attributes.mode = 0o600;
    attributes.extended.clear();
    disk.set_attributes(file, &path, &attributes)?;
    let Request::Granted(_alone) = lease::request_alone(file) else {
        let why = "it cannot be known that nobody else has it open".to_owned();
        return Err(Error::new("keeping room in", path, Cause::Refused(why)));
    };
    let written = usize::try_from(disk.signature(file, &path)?.bytes).unwrap_or(usize::MAX);
    disk.write(file, &path, &vec![0; written])?;
    // A smaller one grows when there is room.
    let _ = lengthen(disk, file, &path, bytes);
    disk.sync(file, &path)?;
    if name == NAME { Ok(()) } else { disk.rename(directory, name, OsStr::new(NAME)) }
}

/// What has its room already may still be shorter.
fn lengthen(disk: &Disk, file: &File, path: &Path, bytes: u64) -> Result<()> {
    disk.extend(file, path, bytes)?;
    if disk.signature(file, path)?.bytes < bytes { disk.truncate(file, path, bytes) } else { Ok(()) }
}

/// Opens a spare and locks it; `None`: it is none, or is being used. Whoever may write the folder may put any file at its
/// name: bytes that somebody wrote are never taken for room.
fn open(disk: &Disk, directory: &Directory, name: &OsStr) -> Result<Option<File>> {
    let path = directory.path().join(name);
    let Some((file, found)) = disk.open_to_write(directory, name)? else { return Ok(None) };
    if found.links != 1 || disk.refuse_strangers(directory, &found, &path).is_err() || !disk.try_flock(&file, &path)? {
        return Ok(None);
    }
    let mut is_empty = true;
    disk.read_chunks(&file, &path, |chunk| is_empty &= chunk.iter().all(|byte| *byte == 0))?;
    // Only under the lock does the name stay what it is.
    let is_there = disk.look(directory, name)?.is_some_and(|there| there.is_same_file(&found));
    Ok((is_empty && is_there).then_some(file))
}
