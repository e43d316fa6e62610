//! How a version gets into its folder, and how old ones leave it.

use std::ffi::OsStr;

use super::commit::{line, record_name};
use super::folder::Folder;
use super::judged::is_rotten;
use super::record::{self, Remark};
use super::retention::{Keep, Weighed, surplus};
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
        Remark { digest, mark, dialect, bytes, file_bytes, attributes: Some(attributes.clone()) }
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
    /// the rules, it is marked so; if nothing is recorded of it any more, it is recorded anew.
    pub(super) fn already(&self, new: &New) -> Result<Option<Stored>> {
        let Some(newest) = self.newest_if(new.digest)? else { return Ok(None) };
        let is_found_good = newest.mark == Mark::Suspicious && new.mark.is_last_good();
        if is_found_good || self.catalogue()?.record.remark_on(newest.version, newest.digest).is_none() {
            return self.record(&newest, new.mark, new.origin, Some(new.attributes.clone())).map(Some);
        }
        Ok(Some(newest))
    }

    /// Marks a version anew, durably. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed; `Absent` when there is no such version.
    pub fn mark(&self, stored: &Stored, mark: Mark, origin: &str) -> Result<Stored> {
        self.record(stored, mark, origin, None)
    }

    /// Records a version anew. `attributes`: those that it has, if none are recorded.
    fn record(&self, stored: &Stored, mark: Mark, origin: &str, attributes: Option<Attributes>) -> Result<Stored> {
        let catalogue = self.catalogue()?;
        let &Stored { version, digest, bytes, dialect, .. } = stored;
        let Some((name, _)) = catalogue.named(version) else {
            let why = Cause::Absent(format!("there is no version {version} of {}", self.document));
            return Err(Error::new("marking", self.directory.path(), why));
        };
        let remark = if let Some(remark) = catalogue.record.remark_on(version, digest) {
            Remark { mark, ..remark }
        } else {
            let file_bytes = self.disk.look(&self.directory, name)?.map_or(bytes, |found| found.bytes);
            Remark { digest, mark, dialect, bytes, file_bytes, attributes }
        };
        let line = line(&catalogue, version, &remark, origin);
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
        let catalogue = self.catalogue()?;
        let Some((name, found)) = catalogue.named(version) else { return Ok(()) };
        self.forget_catalogue();
        self.disk.unlink(&self.directory, name)?;
        if let Some(remark) = catalogue.remark(found) {
            // Nothing is to be weighed beside what never stood there. Where that cannot be said, too much is suspected.
            let line = line(&catalogue, version, &Remark { mark: Mark::Suspicious, ..remark }, "retracted");
            let _ = self.disk.append(&self.directory, record_name(), line.as_bytes(), Durable::Later);
        }
        Ok(())
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
        let weighed = self.weighed()?;
        let mut surplus = surplus(&weighed, keep, now);
        let whole = self.newest_whole(&weighed, &surplus)?;
        surplus.retain(|version| Some(*version) != whole);
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

    /// The newest version of which a repair could be made, where that is to go although newer ones are there: those have
    /// rotted. (The newest of all was read back when it was stored.)
    fn newest_whole(&self, newest_first: &[Weighed], going: &[Version]) -> Result<Option<Version>> {
        let catalogue = self.catalogue()?;
        for (at, Weighed { stored, .. }) in newest_first.iter().enumerate() {
            if !stored.mark.is_last_good() {
                continue;
            }
            let is_going = going.contains(&stored.version);
            let Some((name, found)) = catalogue.named(stored.version).filter(|_| at > 0) else { return Ok(None) };
            match self.checked(&catalogue, name, found) {
                Ok(_) => return Ok(is_going.then_some(stored.version)),
                Err(error) if is_rotten(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
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
