//! Stage, exchange, and look at what came out: how bytes get to a name without a moment in which another's could be lost
//! (protocol A, steps 4 to 6; protocol C, steps 3 to 6).

mod aside;
pub mod spare;

pub(crate) use aside::is_aside;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;

use crate::disk::attributes::Attributes;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::syncing::Syncing;
use crate::disk::{Disk, File, Opened};
use crate::document::{DocumentId, Version};
use crate::error::{Cause, Error, Result};
use spare::Taken;

/// A complete, durable, verified file beside the document, ready to be exchanged with it.
#[derive(Debug)]
pub struct Staged {
    /// Its temporary name.
    pub name: OsString,
    /// What it looks like.
    pub signature: Signature,
    /// What the spare had, in bytes, if it was written into that.
    pub(crate) spare_bytes: Option<u64>,
}

/// What an exchange came to. Either way something may lie under the temporary's name now: it is a leftover, and removed
/// only once its bytes are known to be kept, for a writer may have come to any file that stood at the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// Our file stands at the name, and what we expected came out.
    Done,
    /// The same, but not in one step: for a moment nothing stood at the name.
    DoneInSteps,
    /// Somebody was faster: the newest bytes stand at the name.
    Yielded,
}

/// So many exchanges in one swap, then what is at the name stays there: each takes a writer that renames within
/// microseconds of us.
const EXCHANGE_LIMIT: usize = 64;

/// An exchange that fails while another must be undone is tried again so often: a writer's newest bytes are at stake.
const FAILURE_LIMIT: usize = 3;

/// What the end of a staged file's name says as long as the file is not complete.
const INCOMPLETE: &str = ".part";

/// A file beside the document that is not complete yet.
#[derive(Debug)]
pub(crate) struct Begun {
    stem: String,
    incomplete: OsString,
    /// The file, open for writing.
    pub(crate) file: File,
    spare_bytes: Option<u64>,
    /// It is filled, and on its way to the disk.
    syncing: Option<Syncing>,
}

/// Makes the file that is to be staged: of the owner that it will have, or of whoever makes it where nobody says.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub(crate) fn begin(disk: &Disk, directory: &Directory, document: &DocumentId, owner: Option<u32>) -> Result<Begun> {
    let (stem, incomplete) = names(document)?;
    let file = match owner {
        Some(owner) => disk.create_for(directory, &incomplete, 0o600, owner)?,
        None => disk.create(directory, &incomplete, 0o666)?,
    };
    Ok(Begun { stem, incomplete, file, spare_bytes: None, syncing: None })
}

/// The same with the folder's spare, which has room for so many bytes; `None`: it has none.
fn begin_in_spare(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    bytes: u64,
    owner: u32,
) -> Result<Option<Begun>> {
    let (stem, incomplete) = names(document)?;
    let taken = spare::take(disk, directory, bytes, owner, incomplete)?;
    Ok(taken.map(|Taken { name, file, bytes }| Begun {
        stem,
        incomplete: name,
        file,
        spare_bytes: Some(bytes),
        syncing: None,
    }))
}

/// What the name begins with, and the name of a file that is not complete.
fn names(document: &DocumentId) -> Result<(String, OsString)> {
    let stem = format!("{}{:016x}", document.staged_prefix(), random()?);
    let incomplete = OsString::from(format!("{stem}{INCOMPLETE}"));
    Ok((stem, incomplete))
}

impl Begun {
    /// Fills it, durably and read back, gives it these attributes, and the name that ends with the version's number.
    ///
    /// # Errors
    /// As [`stage`]. Nothing is left behind.
    pub(crate) fn complete(
        self,
        disk: &Disk,
        directory: &Directory,
        version: Version,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<Staged> {
        self.filled(disk, directory, bytes, attributes)?.finish(disk, directory, version, bytes)
    }

    /// Fills it and gives it these attributes; they are not durable yet.
    fn filled(self, disk: &Disk, directory: &Directory, bytes: &[u8], attributes: &Attributes) -> Result<Self> {
        match fill(disk, directory, &self.incomplete, &self.file, bytes, attributes) {
            Ok(()) => Ok(self),
            Err(error) => {
                self.discard(disk, directory);
                Err(error)
            }
        }
    }

    /// Makes a filled one durable, reads it back, and gives it the name that ends with the version's number.
    ///
    /// # Errors
    /// As [`stage`]. Nothing is left behind.
    pub(crate) fn finish(
        mut self,
        disk: &Disk,
        directory: &Directory,
        version: Version,
        bytes: &[u8],
    ) -> Result<Staged> {
        let syncing = self.syncing.take();
        let Self { stem, incomplete, file, spare_bytes, .. } = &self;
        let name = OsString::from(format!("{stem}-{version}"));
        let synced = syncing.map_or_else(|| disk.sync(file, &directory.path().join(incomplete)), Syncing::wait);
        let finished = synced
            .and_then(|()| read_back(disk, directory, incomplete, bytes))
            .and_then(|()| self.give_name(disk, directory, name))
            .and_then(|name| Ok((disk.signature(file, &directory.path().join(&name))?, name)));
        match finished {
            Ok((signature, name)) => Ok(Staged { name, signature, spare_bytes: *spare_bytes }),
            Err(error) => {
                self.discard(disk, directory);
                Err(error)
            }
        }
    }

    /// Gives it the name of what is complete. Where a full disk has no room for a name either, a spare has its own: an
    /// incomplete one's name would say that it may go.
    fn give_name(&self, disk: &Disk, directory: &Directory, name: OsString) -> Result<OsString> {
        let spare = OsStr::new(spare::NAME);
        match disk.rename(directory, &self.incomplete, &name) {
            Ok(()) => Ok(name),
            Err(full) if self.spare_bytes.is_some() && full.is_for_want_of_room() => {
                let is_there = self.incomplete == spare || disk.rename(directory, &self.incomplete, spare).is_ok();
                if is_there { Ok(spare.to_owned()) } else { Err(full) }
            }
            Err(error) => Err(error),
        }
    }

    /// Removes it; a spare is one again.
    pub(crate) fn discard(&self, disk: &Disk, directory: &Directory) {
        if self
            .spare_bytes
            .is_some_and(|bytes| spare::give_back(disk, directory, &self.file, &self.incomplete, bytes).is_ok())
        {
            return;
        }
        // It is ours and was never at the document's name; the first error is the one worth telling.
        let _ = disk.unlink(directory, &self.incomplete);
    }
}

/// Stages a version's bytes beside the document with these attributes, durable and read back. Only what is complete gets the
/// name that ends with the version's number. Where there is no room, the folder's spare is used.
///
/// # Errors
/// The disk is full or failed, or (`Refused`) the attributes cannot be reproduced. Nothing is left behind.
pub fn stage(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    version: Version,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<Staged> {
    let begun = begin(disk, directory, document, Some(attributes.owner));
    match begun.and_then(|begun| begun.complete(disk, directory, version, bytes, attributes)) {
        Err(full) if full.is_for_want_of_room() => {
            match begin_in_spare(disk, directory, document, bytes.len() as u64, attributes.owner)? {
                Some(begun) => begun.complete(disk, directory, version, bytes, attributes),
                None => Err(full),
            }
        }
        staged => staged,
    }
}

/// As [`stage`], but what is staged is still on its way to the disk, and not complete: [`Begun::finish`] makes it so. What is
/// synced meanwhile shares its way.
///
/// # Errors
/// As [`stage`].
pub(crate) fn prepare(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<Begun> {
    let begun = begin(disk, directory, document, Some(attributes.owner))?.filled(disk, directory, bytes, attributes)?;
    match disk.begin_sync(&begun.file, &directory.path().join(&begun.incomplete)) {
        Ok(syncing) => Ok(Begun { syncing: Some(syncing), ..begun }),
        Err(error) => {
            begun.discard(disk, directory);
            Err(error)
        }
    }
}

/// Removes a staged file that never stood at a document's name; a spare is one again.
///
/// # Errors
/// The disk failed.
pub(crate) fn call_off(disk: &Disk, directory: &Directory, staged: &Staged) -> Result<()> {
    let open = || disk.open_to_write(directory, &staged.name).ok().flatten();
    if let Some((bytes, (file, found))) = staged.spare_bytes.and_then(|bytes| Some((bytes, open()?)))
        && found.is_same_file(&staged.signature)
        && spare::give_back(disk, directory, &file, &staged.name, bytes).is_ok()
    {
        return Ok(());
    }
    disk.unlink(directory, &staged.name)
}

/// The name of what came out, which says whose it is. On a disk that has no room for it, that stays at the spare's.
pub(crate) fn leftover_name(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    staged: &Staged,
    version: Version,
) -> OsString {
    if staged.name != spare::NAME {
        return staged.name.clone();
    }
    let named = names(document).and_then(|(stem, _)| {
        let name = OsString::from(format!("{stem}-{version}"));
        disk.rename(directory, &staged.name, &name).map(|()| name)
    });
    named.unwrap_or_else(|_| staged.name.clone())
}

/// Was this file still being staged by a process that died? Then it never stood at a document's name.
pub(crate) fn is_incomplete(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(INCOMPLETE.as_bytes())
}

/// The version that was staged under this name.
pub(crate) fn staged_version(name: &OsStr) -> Option<Version> {
    name.to_str()?.rsplit_once('-')?.1.parse().ok().map(Version)
}

fn fill(
    disk: &Disk,
    directory: &Directory,
    name: &OsStr,
    file: &File,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<()> {
    let path = directory.path().join(name);
    disk.write(file, &path, bytes)?;
    // The spare may be longer.
    if disk.signature(file, &path)?.bytes > bytes.len() as u64 {
        disk.truncate(file, &path, bytes.len() as u64)?;
    }
    disk.set_attributes(file, &path, attributes)
}

fn read_back(disk: &Disk, directory: &Directory, name: &OsStr, bytes: &[u8]) -> Result<()> {
    let path = directory.path().join(name);
    let Opened::File(again, _) = disk.open(directory, name)? else {
        return Err(Error::new("reading back", path, Cause::Damaged("it is gone".to_owned())));
    };
    let read = disk.read(&again, &path, bytes.len() as u64 + 1, || true)?;
    if read.is_some_and(|read| read == bytes) {
        return Ok(());
    }
    Err(Error::new("reading back", path, Cause::Damaged("it is not what was written".to_owned())))
}

/// Exchanges a staged file with what stands at the document's name. `expected` is the file that should come out, and
/// `is_undisturbed` is asked afterwards whether nobody came to it meanwhile (the lease). If anything else came out, the
/// exchange is undone, and so on, until what comes out is what was put in: the newest bytes end at the name. A file system
/// that cannot exchange gets the file in steps.
///
/// # Errors
/// The exchange failed: nothing was changed; or it could not be undone, and what came out lies under the temporary's name.
pub fn exchange(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    staged: &Staged,
    expected: &Signature,
    is_undisturbed: impl Fn() -> bool,
) -> Result<Swapped> {
    match disk.exchange(directory, &staged.name, document.name()) {
        Err(error) if error.io_kind() == Some(ErrorKind::InvalidInput) => {
            if staged.name == spare::NAME {
                // The steps take names, for which there was no room.
                let full = std::io::Error::from(ErrorKind::StorageFull);
                return Err(Error::new("exchanging", document.path(), full));
            }
            return aside::replace(disk, directory, document, staged, expected, is_undisturbed);
        }
        exchanged => exchanged?,
    }
    // What cannot be looked at is not what was expected.
    let out = disk.look(directory, &staged.name).ok().flatten();
    if out.is_some_and(|out| out.is_same_file(expected)) && is_undisturbed() {
        return Ok(Swapped::Done);
    }
    undo(disk, directory, document, staged, out)
}

/// Exchanges again until what comes out is what was put in last: then nobody was at the name in between.
fn undo(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    staged: &Staged,
    mut out: Option<Signature>,
) -> Result<Swapped> {
    let mut put_in = Some(staged.signature);
    let mut failures = 0;
    for _ in 0..EXCHANGE_LIMIT {
        match disk.exchange(directory, &staged.name, document.name()) {
            Ok(()) => {}
            // Somebody removed the document: it is not for us to bring it back.
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => return Ok(Swapped::Yielded),
            Err(error) if failures == FAILURE_LIMIT => return Err(error),
            Err(_) => {
                failures += 1;
                continue;
            }
        }
        let going_in = out;
        out = disk.look(directory, &staged.name)?;
        if out.zip(put_in).is_some_and(|(out, put_in)| out.is_same_file(&put_in)) {
            break;
        }
        put_in = going_in;
    }
    Ok(Swapped::Yielded)
}

/// A number that nobody can guess.
///
/// # Errors
/// The kernel has no randomness.
pub(crate) fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::new("asking for randomness", "getrandom(2)", errno))?;
    Ok(u64::from_le_bytes(bytes))
}
