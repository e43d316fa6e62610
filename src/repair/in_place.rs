//! The repair in place, where a swap is impossible or would not reach all readers (protocol C, "In place"): under a write
//! lease, so that nobody reads a mix, and with a redo record, so that no mix outlives us.

use std::time::{Duration, Instant};

use super::choice::Choice;
use super::mix::is_mix;
use super::{Ground, Judged, Obstacle, Outcome, Restored, judged_bytes};
use crate::backup::{Folder, Redo};
use crate::config::OnOpenWriter;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::disk::{File, Opened};
use crate::document::{Digest, Version};
use crate::error::Result;
use crate::read::{self, Contents};
use crate::verdict::Verdict;

/// What became of a rewrite that was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redone {
    /// There was none, or somebody has written the file since.
    Nothing,
    /// Somebody has the file open: try again later.
    Waiting,
    /// This version stands in the file now.
    Finished(Version),
}

/// How long one attempt waits until nobody else has the file open; whoever asks tries again.
const READER_PATIENCE: Duration = Duration::from_secs(1);

/// Why quarantine keeps what an interrupted rewrite left.
const INTERRUPTED: &str = "interrupted";

/// Writes the chosen version into the judged file itself.
///
/// # Errors
/// The disk is full or failed: the redo record is there if anything was written.
pub(super) fn put_back(
    ground: &Ground,
    judged: &Judged,
    file: File,
    folder: &Folder,
    choice: &Choice,
    obstacle: &Obstacle,
    writer: OnOpenWriter,
) -> Result<Outcome> {
    let Some(Contents { bytes, signature, .. }) = judged_bytes(ground, judged, &file, &|| true)? else {
        return Ok(Outcome::Changed);
    };
    let is_busy = matches!(lease::request(&file), Request::Busy);
    if is_busy && writer != OnOpenWriter::InPlace {
        return Ok(Outcome::Busy);
    }
    let Some(ours) = reopen(ground, &signature)? else { return Ok(Outcome::Changed) };
    // The write lease is granted only when ours is the only handle.
    drop(file);
    let kept = ground.quarantine.keep(ground.document, judged.kind.label(), &bytes)?.path;
    let lease = match if is_busy { Request::Busy } else { lease::wait_alone(&ours, READER_PATIENCE) } {
        Request::Granted(lease) => Some(lease),
        // Nobody can be kept out: digests before and after must do.
        Request::Busy if is_busy => None,
        Request::Busy => return Ok(Outcome::BeingRead(format!("{}, and a program has it open", obstacle.why))),
        Request::Unavailable => {
            let why = format!("{}, and without leases nothing keeps a writer from being overwritten", obstacle.why);
            return Ok(Outcome::Held(obstacle.reason, why));
        }
    };
    if judged_bytes(ground, judged, &ours, &|| true)?.is_none() || !is_at_name(ground, &signature)? {
        return Ok(Outcome::Changed);
    }
    rewrite(ground, judged, &ours, folder, choice, signature.inode)?;
    let visible = Instant::now();
    if lease.is_none() && !holds(ground, &ours, choice)? {
        // The writer wrote meanwhile: theirs is newer.
        return folder.remove_redo().map(|()| Outcome::Yielded);
    }
    folder.remove_redo()?;
    // Only now may anybody else write: theirs is not taken for what we left.
    drop(lease);
    let (version, bytes) = (choice.version.clone(), bytes.len() as u64);
    Ok(Outcome::Restored(Restored { version, kept: Ok(kept), bytes, visible, leftover: None, in_one_step: true }))
}

fn rewrite(ground: &Ground, judged: &Judged, file: &File, folder: &Folder, choice: &Choice, inode: u64) -> Result<()> {
    ground.disk.reserve(file, ground.document.path(), choice.bytes.len() as u64)?;
    let (version, digest, damaged) = (choice.version.version, choice.version.digest, judged.digest);
    folder.write_redo(&Redo { version, digest, damaged, inode })?;
    overwrite(ground, file, &choice.bytes).or_else(|error| {
        // Where room cannot be reserved, a full disk shows at the first byte: then there is nothing to be finished.
        if error.is_for_want_of_room() && judged_bytes(ground, judged, file, &|| true)?.is_some() {
            folder.remove_redo()?;
        }
        Err(error)
    })
}

/// Are these the bytes that were put there?
fn holds(ground: &Ground, file: &File, choice: &Choice) -> Result<bool> {
    let contents = read::contents(ground.disk, ground.document, file, ground.limit_bytes, || true)?;
    Ok(contents.is_some_and(|contents| Digest::of(&contents.bytes) == choice.version.digest))
}

/// The file, opened for writing; `None`: another one stands at the name.
fn reopen(ground: &Ground, expected: &Signature) -> Result<Option<File>> {
    let opened = ground.disk.open_to_write(ground.directory, ground.document.name())?;
    Ok(opened.filter(|(_, found)| found.is_same_file(expected)).map(|(file, _)| file))
}

/// Does this file stand at the name, and may we write it there?
fn is_at_name(ground: &Ground, expected: &Signature) -> Result<bool> {
    let &Ground { disk, directory, document, .. } = ground;
    let found = disk.look(directory, document.name())?.filter(|found| found.is_same_file(expected));
    found
        .map(|found| disk.refuse_strangers(directory, &found, document.path()))
        .transpose()
        .map(|found| found.is_some())
}

/// The length comes last: until then what is beyond the new bytes is still that of the old ones.
fn overwrite(ground: &Ground, file: &File, bytes: &[u8]) -> Result<()> {
    let path = ground.document.path();
    ground.disk.write(file, path, bytes)?;
    ground.disk.truncate(file, path, bytes.len() as u64)?;
    ground.disk.sync(file, path)
}

/// Finishes a rewrite that was interrupted, if what stands in the file is the mix that it left. Must be asked before the
/// document is judged: a mix may read. What it overwrites is in quarantine.
///
/// # Errors
/// The disk is full or failed, the version is not readable, or what stands there cannot be kept in quarantine: the redo record
/// stays, and nothing is overwritten unkept.
pub fn finish_redo(ground: &Ground) -> Result<Redone> {
    let Some(folder) = ground.backups.find(ground.document)? else { return Ok(Redone::Nothing) };
    folder.lock()?;
    let Some(redo) = folder.redo()? else { return folder.remove_redo().map(|()| Redone::Nothing) };
    let done = match ground.disk.open(ground.directory, ground.document.name())? {
        Opened::File(file, found) if found.inode == redo.inode => finish(ground, &folder, &redo, file, &found)?,
        _ => Redone::Nothing,
    };
    if done != Redone::Waiting {
        folder.remove_redo()?;
    }
    Ok(done)
}

fn finish(ground: &Ground, folder: &Folder, redo: &Redo, file: File, found: &Signature) -> Result<Redone> {
    if matches!(lease::request(&file), Request::Busy) {
        return Ok(Redone::Waiting);
    }
    let Some(ours) = reopen(ground, found)? else { return Ok(Redone::Waiting) };
    drop(file);
    let lease = lease::wait_alone(&ours, READER_PATIENCE);
    if matches!(lease, Request::Busy) {
        return Ok(Redone::Waiting);
    }
    let Some(damaged) = kept(ground, folder, redo.damaged)? else { return Ok(Redone::Nothing) };
    let wanted = folder.bytes(redo.version)?;
    let longest = damaged.len().max(wanted.len()) as u64;
    let Some(Contents { bytes, .. }) = read::contents(ground.disk, ground.document, &ours, longest, || true)? else {
        return Ok(Redone::Waiting);
    };
    let digest = Digest::of(&bytes);
    if digest == redo.damaged || !is_mix(&bytes, &damaged, &wanted) {
        return Ok(Redone::Nothing);
    }
    if digest != redo.digest {
        if is_somebodys(ground, &bytes, &damaged) {
            return Ok(Redone::Nothing);
        }
        ground.quarantine.keep(ground.document, INTERRUPTED, &bytes)?;
    }
    if !is_at_name(ground, found)? {
        return Ok(Redone::Waiting);
    }
    overwrite(ground, &ours, &wanted)?;
    folder.remove_redo()?;
    // Only now may anybody else write.
    drop(lease);
    Ok(Redone::Finished(redo.version))
}

/// Does what stands there read, though what it was damaged? Then it may be a newer version that shares its parts with both, and
/// is left alone; so is a mix that reads by chance, for nothing is lost by it. Of two texts that read, only we make a mix.
fn is_somebodys(ground: &Ground, bytes: &[u8], replaced: &[u8]) -> bool {
    let reads = |bytes: &[u8]| !matches!((ground.judge)(bytes), Verdict::Corrupt { .. });
    reads(bytes) && !reads(replaced)
}

/// The bytes that stood in the file: in quarantine, or a version (where a person replaced a good one).
fn kept(ground: &Ground, folder: &Folder, digest: Digest) -> Result<Option<Vec<u8>>> {
    if let Some(bytes) = ground.quarantine.find(ground.document, digest)? {
        return Ok(Some(bytes));
    }
    let version = folder.versions()?.into_iter().find(|stored| stored.digest == digest);
    version.map(|stored| folder.bytes(stored.version)).transpose()
}
