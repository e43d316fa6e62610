//! How a version gets into its folder, and how old ones leave it.

use std::ffi::OsStr;

use super::commit::{line, record_name};
use super::folder::Folder;
use super::record::{self, Remark};
use super::retention::{Keep, surplus};
use crate::clock::{self, Timestamp};
use crate::disk::Durable;
use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};

/// A version about to be stored.
#[derive(Clone, Debug)]
pub struct New<'bytes> {
    /// Its bytes.
    pub bytes: &'bytes [u8],
    /// Their digest.
    pub digest: Digest,
    /// What is thought of it.
    pub mark: Mark,
    /// The dialect it was read in.
    pub dialect: Dialect,
    /// Where it comes from: `file`, `write`, `restore`.
    pub origin: &'static str,
    /// The attributes of the file it was read from.
    pub attributes: Attributes,
}

/// What storing a version came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was stored.
    New(Stored),
    /// The newest version has these very bytes.
    Already(Stored),
}

/// What our temporaries in the folder begin with.
pub(super) const STAGED: &[u8] = b".new-";

impl New<'_> {
    pub(super) fn remark(&self, file_bytes: u64) -> Remark {
        let bytes = self.bytes.len() as u64;
        let &New { digest, mark, dialect, ref attributes, .. } = self;
        Remark { digest, mark, dialect, bytes, file_bytes, attributes: attributes.clone() }
    }
}

impl Folder {
    /// Stores a version durably, unless the newest one has the same bytes. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed; nothing that was stored before is touched.
    pub fn take(&self, new: &New) -> Result<Taken> {
        if let Some(newest) = self.already(new)? {
            return Ok(Taken::Already(newest));
        }
        let staged = self.stage(new)?;
        match self.commit(&staged, new) {
            Ok(stored) => Ok(Taken::New(stored)),
            Err(error) => {
                // If it has its name already it is whole, and the next attempt finds it; the first error is worth telling.
                self.forget_catalogue();
                let _ = self.disk.unlink(&self.directory, &staged.name);
                Err(error)
            }
        }
    }

    /// The newest version, if it has these bytes: in deed, not only by its name.
    pub(super) fn newest_if(&self, digest: Digest) -> Result<Option<Stored>> {
        match self.newest()? {
            Some(newest) if newest.digest == digest && self.keeps(digest)? => Ok(Some(newest)),
            _ => Ok(None),
        }
    }

    /// The newest version, if it has the bytes of a new one. If it was suspicious and is now found good, or is accepted by
    /// the rules, it is marked so.
    pub(super) fn already(&self, new: &New) -> Result<Option<Stored>> {
        match self.newest_if(new.digest)? {
            Some(newest) if newest.mark == Mark::Suspicious && new.mark.is_last_good() => {
                self.mark(&newest, new.mark, new.origin).map(Some)
            }
            newest => Ok(newest),
        }
    }

    /// Marks a version anew, durably. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed; `Absent` when nothing is recorded of the version.
    pub fn mark(&self, stored: &Stored, mark: Mark, origin: &str) -> Result<Stored> {
        let catalogue = self.catalogue()?;
        let Some(remark) = catalogue.record.remark(stored.version) else {
            let why = Cause::Absent(format!("nothing is recorded of version {}", stored.version));
            return Err(Error::new("marking", self.directory.path(), why));
        };
        let line = line(&catalogue, stored.version, &Remark { mark, ..remark }, origin);
        self.disk.append(&self.directory, record_name(), line.as_bytes(), Durable::Now)?;
        self.forget_catalogue();
        Ok(Stored { mark, ..stored.clone() })
    }

    /// Removes what processes that died left half done: whoever holds the lock, as the caller does, knows that nobody is at
    /// it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn clear(&self) -> Result<()> {
        let catalogue = self.catalogue()?;
        for name in &catalogue.half_done {
            self.forget_catalogue();
            self.disk.unlink(&self.directory, name)?;
        }
        Ok(())
    }

    /// Removes a version whose bytes came to stand nowhere, and that nobody was told of. The caller holds the lock.
    ///
    /// # Errors
    /// The disk failed.
    pub fn retract(&self, version: Version) -> Result<()> {
        match self.catalogue()?.named(version) {
            Some((name, _)) => {
                self.forget_catalogue();
                self.disk.unlink(&self.directory, name)
            }
            None => Ok(()),
        }
    }

    /// Gives a version that was named, but may not be durable, its temporary name back.
    pub(super) fn withdraw(&self, version: Version, staged: &OsStr) -> Result<()> {
        match self.catalogue()?.named(version) {
            Some((name, _)) => {
                self.forget_catalogue();
                self.disk.rename(&self.directory, name, staged)
            }
            None => Ok(()),
        }
    }

    /// Removes what need not be kept, after a successful store only. The caller holds the lock. Says how many versions and
    /// bytes went.
    ///
    /// # Errors
    /// The disk failed.
    pub fn prune(&self, keep: Keep) -> Result<(usize, u64)> {
        self.prune_as_of(keep, clock::now())
    }

    /// The same, for somebody who does not believe the clock.
    ///
    /// # Errors
    /// As [`Folder::prune`].
    pub fn prune_as_of(&self, keep: Keep, now: Timestamp) -> Result<(usize, u64)> {
        let mut surplus = surplus(&self.weighed()?, keep, now);
        let staying = self.note_before_removal(&surplus)?;
        surplus.retain(|version| !staying.contains(version));
        let (catalogue, mut bytes) = (self.catalogue()?, 0);
        self.forget_catalogue();
        for (name, _) in catalogue.newest_first().filter(|(_, found)| surplus.contains(&found.version)) {
            bytes += self.disk.look(&self.directory, name)?.map_or(0, |found| found.bytes);
            self.disk.unlink(&self.directory, name)?;
        }
        self.compact_record()?;
        self.forget_catalogue();
        Ok((surplus.len(), bytes))
    }

    /// Keeps the record from growing for ever.
    fn compact_record(&self) -> Result<()> {
        let catalogue = self.catalogue()?;
        let is_there = |version| catalogue.named(version).is_some();
        let Some(text) = record::compacted(catalogue.record.text(), is_there) else { return Ok(()) };
        self.replace_note(record_name(), &text)
    }

    /// Puts new lines in the place of one of our own files, which is there. The caller holds the lock.
    pub(super) fn replace_note(&self, name: &OsStr, text: &[u8]) -> Result<()> {
        self.clear()?;
        self.forget_catalogue();
        let staged = OsStr::new(".new-record");
        let path = self.directory.path().join(staged);
        let file = self.disk.create(&self.directory, staged, 0o600)?;
        self.disk.write(&file, &path, text)?;
        self.disk.sync(&file, &path)?;
        self.disk.exchange(&self.directory, staged, name)?;
        // The old one lies under the temporary name now.
        self.disk.unlink(&self.directory, staged)
    }
}
