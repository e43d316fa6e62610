//! How the new bytes get to the name: staged and exchanged, or written in place where that is impossible (protocol A, steps
//! 4 to 9).

use std::ffi::OsStr;
use std::io::ErrorKind;

use super::Writer;
use super::keeping::Fit;
use crate::backup::Folder;
use crate::disk::attributes::Attributes;
use crate::disk::lease::{self, Lease, Request};
use crate::disk::signature::Signature;
use crate::disk::{File, Opened};
use crate::document::{Dialect, Digest, Stored};
use crate::error::{Cause, Error, Result};
use crate::lock::Lock;
use crate::read::{self, Contents, Reading};
use crate::repair::{self, Obstacle, Outcome};
use crate::swap::{self, Begun, Staged, Swapped};
use crate::validate;
use crate::verdict::{Kind, Reason};

/// What putting bytes at the name came to.
pub(super) enum Put {
    /// They stand there, durably.
    Done(Stored),
    /// Somebody else wrote meanwhile: theirs stand there.
    Yielded,
    /// The same, but they stood there for a moment: they may come back, as the newest version.
    Overtaken(Stored),
}

impl Writer {
    /// Puts new bytes in the place of the present ones, which are kept.
    pub(super) fn put(
        &self,
        folder: &Folder,
        present: Reading,
        (bytes, digest): (&[u8], Digest),
        fit: Fit,
        lock: &Lock,
    ) -> Result<Put> {
        let attributes = self.disk.attributes(&present.file, self.document.path())?;
        let mut prepared = self.prepared(&present.signature, bytes, fit.dialect, &attributes);
        let stored = Self::store(folder, (bytes, digest), fit, &attributes);
        if let Some(begun) = prepared.take_if(|_| stored.is_err()) {
            begun.discard(&self.disk, &self.directory);
        }
        let (stored, is_new) = stored.map_err(|error| self.told_of_room(error))?;
        let put = self.put_stored(folder, present, bytes, &attributes, &stored, prepared, lock);
        match put {
            Ok((put, true)) => Ok(put),
            Ok((put, false)) => {
                take_back(folder, &stored, is_new)?;
                Ok(put)
            }
            Err((error, has_stood)) => {
                if !has_stood {
                    // The first error is the one worth telling.
                    let _ = take_back(folder, &stored, is_new);
                }
                Err(error)
            }
        }
    }

    /// What is to be swapped in, on its way to the disk while the version is stored: the two are waited for at once. `None`: there is not much room, or it cannot be done so; why shows when it is tried again.
    fn prepared(&self, present: &Signature, bytes: &[u8], dialect: Dialect, attributes: &Attributes) -> Option<Begun> {
        const MUCH_BYTES: u64 = 16 << 20;
        let judge = |bytes: &[u8]| validate::judge(bytes, &self.reader(Some(dialect)));
        let room = self.disk.room(&self.directory).ok()?;
        let is_roomy = room.available_bytes > MUCH_BYTES.saturating_add(4 * bytes.len() as u64);
        if !is_roomy || repair::obstacle(&self.ground(&judge), present).is_some() {
            return None;
        }
        swap::prepare(&self.disk, &self.directory, &self.document, bytes, attributes).ok()
    }

    /// Also says whether the new bytes may have stood at the name.
    #[expect(clippy::too_many_arguments, reason = "what a write is made of")]
    fn put_stored(
        &self,
        folder: &Folder,
        present: Reading,
        bytes: &[u8],
        attributes: &Attributes,
        stored: &Stored,
        prepared: Option<Begun>,
        lock: &Lock,
    ) -> std::result::Result<(Put, bool), (Error, bool)> {
        let never = |error| (error, false);
        let judge = |bytes: &[u8]| validate::judge(bytes, &self.reader(Some(stored.dialect)));
        let (disk, directory, version) = (&self.disk, &self.directory, stored.version);
        let obstacle = repair::obstacle(&self.ground(&judge), &present.signature);
        if let (Some(_), Some(begun)) = (&obstacle, &prepared) {
            begun.discard(disk, directory);
        }
        let staged = || swap::stage(disk, directory, &self.document, version, bytes, attributes);
        let staged = || prepared.map_or_else(staged, |begun| begun.finish(disk, directory, version, bytes));
        let obstacle = match obstacle {
            Some(obstacle) => obstacle,
            None => match staged() {
                Ok(staged) => return self.swap_in(&present, &staged, stored, lock),
                Err(error) => Obstacle::of(error).map_err(never)?,
            },
        };
        self.rewrite(folder, present, bytes, stored, &obstacle)
    }

    fn rewrite(
        &self,
        folder: &Folder,
        present: Reading,
        bytes: &[u8],
        stored: &Stored,
        obstacle: &Obstacle,
    ) -> std::result::Result<(Put, bool), (Error, bool)> {
        let never = |error| (error, false);
        let kept = self.quarantine.sparing(present.digest).map_err(never)?;
        let judge = |bytes: &[u8]| validate::judge(bytes, &self.reader(Some(stored.dialect)));
        let ground = repair::Ground { quarantine: &kept, ..self.ground(&judge) };
        let judged = repair::Judged { digest: present.digest, kind: Kind::Tampered, is_paired: true };
        let outcome = repair::rewrite(&ground, &judged, present.file, folder, stored, bytes, obstacle);
        let outcome = outcome.map_err(|error| {
            let is_untouched = error.is_for_want_of_room() && matches!(folder.redo(), Ok(None));
            // Else it may have come when something was written: the redo record then sees to the rest.
            if is_untouched { never(self.told_of_room(error)) } else { (error, true) }
        });
        match outcome? {
            Outcome::Restored(_) => Ok((Put::Done(stored.clone()), true)),
            Outcome::Held(Reason::Permission, why) => {
                let denied = std::io::Error::new(ErrorKind::PermissionDenied, why);
                Err(never(Error::new("writing", self.document.path(), denied)))
            }
            Outcome::Held(_, why) | Outcome::BeingRead(why) => Err(never(self.refused(&why))),
            Outcome::Busy => Err(never(self.refused("a program has it open for writing"))),
            Outcome::Changed | Outcome::Yielded | Outcome::NothingGood => Ok((Put::Yielded, false)),
        }
    }

    fn swap_in(
        &self,
        present: &Reading,
        staged: &Staged,
        stored: &Stored,
        lock: &Lock,
    ) -> std::result::Result<(Put, bool), (Error, bool)> {
        match self.last_look_and_swap(present, staged, lock) {
            Ok(Some(Swapped::Yielded)) => {
                self.disk.sync_directory(&self.directory).map_err(|error| (error, true))?;
                self.put_away(&staged.name, stored.digest);
                Ok((Put::Overtaken(stored.clone()), true))
            }
            Ok(Some(Swapped::Done | Swapped::DoneInSteps)) => {
                self.disk.sync_directory(&self.directory).map_err(|error| (error, true))?;
                self.verify(staged, stored.digest).map_err(|error| (error, true))?;
                self.put_away(&staged.name, present.digest);
                Ok((Put::Done(stored.clone()), true))
            }
            Ok(None) => {
                swap::call_off(&self.disk, &self.directory, staged).map_err(|error| (error, false))?;
                Ok((Put::Yielded, false))
            }
            Err(error) => {
                // Only if it was never renamed did it never stand at the name; else it stays, as a leftover.
                let found = self.disk.look(&self.directory, &staged.name).ok().flatten();
                let never_stood = found == Some(staged.signature);
                if never_stood {
                    let _ = swap::call_off(&self.disk, &self.directory, staged);
                }
                Err((error, !never_stood))
            }
        }
    }

    /// `None`: the present bytes are not those that were looked at; nothing was exchanged.
    fn last_look_and_swap(&self, present: &Reading, staged: &Staged, lock: &Lock) -> Result<Option<Swapped>> {
        let lease = match lease::request(&present.file) {
            Request::Busy => return Ok(None),
            Request::Granted(lease) => Some(lease),
            Request::Unavailable => None,
        };
        let is_there = |found: Signature| found.is_same_file(&present.signature) && found.links == 1;
        let at_name = self.disk.look(&self.directory, self.document.name())?;
        if !at_name.is_some_and(is_there) || !self.holds(&present.file, present.digest, lease.as_ref())? {
            return Ok(None);
        }
        self.refuse_lost(lock)?;
        let is_undisturbed = || match &lease {
            Some(lease) => lease.is_unbroken(),
            None => self.holds(&present.file, present.digest, None).unwrap_or(false),
        };
        swap::exchange(&self.disk, &self.directory, &self.document, staged, &present.signature, is_undisturbed)
            .map(Some)
    }

    /// Does a file hold these bytes, and no writer comes to it meanwhile?
    fn holds(&self, file: &File, digest: Digest, lease: Option<&Lease>) -> Result<bool> {
        let goes_on = || lease.is_none_or(Lease::is_unbroken);
        let contents = read::contents(&self.disk, &self.document, file, self.rules.max_size, goes_on)?;
        Ok(contents.is_some_and(|Contents { bytes, is_steady, .. }| is_steady && Digest::of(&bytes) == digest))
    }

    /// Reads what stands at the name. Another file there is somebody's who came after us.
    fn verify(&self, staged: &Staged, digest: Digest) -> Result<()> {
        let Opened::File(file, found) = self.disk.open(&self.directory, self.document.name())? else { return Ok(()) };
        let is_untouched = found.is_same_file(&staged.signature) && found.is_dated_as(&staged.signature);
        // Whether it looks the same before and after says nothing of what it holds: a file system in user space may learn late
        // that it was exchanged.
        let contents = || read::contents(&self.disk, &self.document, &file, self.rules.max_size, || true);
        if !is_untouched || contents()?.is_some_and(|contents| Digest::of(&contents.bytes) == digest) {
            return Ok(());
        }
        // It may have been written since, which dates it; but one that is cut off is dated only then (ext4), by somebody who
        // has it open.
        let is_at_it = matches!(lease::request(&file), Request::Busy);
        if is_at_it || !self.disk.signature(&file, self.document.path())?.is_dated_as(&staged.signature) {
            return Ok(());
        }
        let why = Cause::Damaged("what was written reads back differently".to_owned());
        Err(Error::new("reading back", self.document.path(), why))
    }

    /// Removes what came out of the exchange, if it still is what we know to be kept (we hold the lock of what is kept) and
    /// nobody has it open; else it stays for whoever settles leftovers.
    fn put_away(&self, name: &OsStr, kept: Digest) {
        let Ok(Opened::File(file, found)) = self.disk.open(&self.directory, name) else { return };
        let Request::Granted(lease) = lease::request(&file) else { return self.leaves_one() };
        let holds_it = found.links == 1 && matches!(self.holds(&file, kept, Some(&lease)), Ok(true));
        if holds_it && lease.is_unbroken() {
            let _ = self.disk.unlink(&self.directory, name);
        }
    }

    /// Puts the first bytes at the name, where nothing stands. An error also says whether they may stand there.
    pub(super) fn put_new(
        &self,
        begun: Begun,
        stored: Stored,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> std::result::Result<Put, (Error, bool)> {
        let staged = begun.complete(&self.disk, &self.directory, stored.version, bytes, attributes);
        let staged = staged.map_err(|error| (error, false))?;
        match self.disk.rename(&self.directory, &staged.name, self.document.name()) {
            Ok(()) => {
                let durable = self.disk.sync_directory(&self.directory);
                durable.and_then(|()| self.verify(&staged, stored.digest)).map_err(|error| (error, true))?;
                Ok(Put::Done(stored))
            }
            Err(error) => {
                // It never stood at the name.
                let _ = self.disk.unlink(&self.directory, &staged.name);
                if error.io_kind() == Some(ErrorKind::AlreadyExists) { Ok(Put::Yielded) } else { Err((error, false)) }
            }
        }
    }
}

/// A version that never stood at the name is nobody's.
fn take_back(folder: &Folder, stored: &Stored, is_new: bool) -> Result<()> {
    if is_new { folder.retract(stored.version) } else { Ok(()) }
}
