//! The spare: room that is kept beside guarded files while their file system is nearly full, so that a repair needs none.

use std::ffi::OsStr;
use std::io::ErrorKind;

use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, File};
use crate::error::{Cause, Error, Result};

/// The name of the spare, one a folder: an exchange needs it in the folder of what it is exchanged with.
pub const NAME: &str = ".jsonwarden-spare";

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
        disk.extend(&file, &path, bytes)?;
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
        Some(_) => disk.unlink(directory, name),
        None => Ok(()),
    }
}

/// Gives the folder's spare another name, for so many bytes of a file of `owner`'s to be written into it; `None`: there is none
/// that would do. Another user's would not: they may have it open, and could write what is the owner's then.
pub(super) fn take(disk: &Disk, directory: &Directory, bytes: u64, owner: u32, name: &OsStr) -> Result<Option<File>> {
    let spare = OsStr::new(NAME);
    let would_do = |found: Signature| {
        let is_safe = found.owner == owner || found.owner == rustix::process::geteuid().as_raw();
        is_safe && found.is_regular() && found.links == 1 && found.bytes >= bytes
    };
    if !disk.look(directory, spare)?.is_some_and(would_do) {
        return Ok(None);
    }
    match disk.rename(directory, spare, name) {
        Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => return Ok(None),
        renamed => renamed?,
    }
    match open(disk, directory, name) {
        // Another may have come to its name since it was looked at.
        Ok(Some(file)) if disk.look(directory, name)?.is_some_and(would_do) => Ok(Some(file)),
        other => {
            disk.rename(directory, name, spare)?;
            other.map(|_| None)
        }
    }
}

/// Opens a spare; `None`: it is none. Whoever may write the folder may put any file at its name: bytes that somebody wrote
/// are never taken for room.
fn open(disk: &Disk, directory: &Directory, name: &OsStr) -> Result<Option<File>> {
    let path = directory.path().join(name);
    let Some((file, found)) = disk.open_to_write(directory, name)? else { return Ok(None) };
    if found.links != 1 || disk.refuse_strangers(directory, &found, &path).is_err() {
        return Ok(None);
    }
    let mut is_empty = true;
    disk.read_chunks(&file, &path, |chunk| is_empty &= chunk.iter().all(|byte| *byte == 0))?;
    Ok(is_empty.then_some(file))
}
