//! One document's versions on disk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::budget::User;
use super::catalogue::{Catalogue, Remembered};
use super::compress;
use super::names::VersionName;
use super::retention::{Weighed, needed_bytes};
use super::unrecorded::Unrecorded;
use crate::config::{Compress, Expectations};
use crate::disk::attributes::Attributes;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, Opened};
use crate::document::{Digest, DocumentId, Stored, Version};
use crate::error::{Cause, Error, Result};

/// The folder of one document's versions.
#[derive(Debug)]
pub struct Folder {
    pub(super) disk: Disk,
    pub(super) directory: Directory,
    pub(super) document: DocumentId,
    pub(super) compress: Compress,
    pub(super) expectations: Expectations,
    pub(super) remembered: Remembered,
    is_locked: AtomicBool,
    /// Since then: was the folder looked at?
    pub(super) has_looked: AtomicBool,
}

/// How long to wait for the folder's lock; it is held for a few file operations at a time.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// What every usual file system gives a file at a time.
const BLOCK_BYTES: u64 = 4096;

impl Folder {
    pub(super) fn new(disk: Disk, directory: Directory, document: DocumentId, remembered: Remembered) -> Self {
        let (compress, expectations) = (Compress::Never, Expectations::default());
        let (is_locked, has_looked) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { disk, directory, document, compress, expectations, remembered, is_locked, has_looked }
    }

    /// The same, but what it stores from now on is compressed so.
    #[must_use]
    pub fn compressing(self, compress: Compress) -> Self {
        Self { compress, ..self }
    }

    /// The same, but a version of which nothing is recorded any more is judged by what is expected of every version.
    #[must_use]
    pub fn expecting(self, expectations: &Expectations) -> Self {
        Self { expectations: expectations.clone(), ..self }
    }

    /// Whose it is.
    #[must_use]
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// What it looks like: another signature, and versions have come or gone.
    ///
    /// # Errors
    /// The disk failed.
    pub fn signature(&self) -> Result<Signature> {
        self.directory.signature()
    }

    /// What the versions take on disk.
    ///
    /// # Errors
    /// The disk failed.
    pub fn user(&self) -> Result<User> {
        let weighed = self.weighed()?;
        let bytes = weighed.iter().map(|weighed| weighed.disk_bytes).sum();
        Ok(User { bytes, needed_bytes: needed_bytes(&weighed) })
    }

    /// Waits for the folder's lock, which the daemon and the command line share; it is let go with this value.
    ///
    /// # Errors
    /// `Locked` after 5 s.
    pub fn lock(&self) -> Result<()> {
        self.lock_within(LOCK_LIMIT)
    }

    /// Waits for the folder's lock, but no longer than this.
    ///
    /// # Errors
    /// `Locked` after `limit`.
    pub fn lock_within(&self, limit: Duration) -> Result<()> {
        self.disk.lock_directory(&self.directory, limit)?;
        self.has_looked.store(false, Ordering::Relaxed);
        self.is_locked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Is the lock ours?
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked.load(Ordering::Relaxed)
    }

    /// All versions, newest first. A damaged record costs no version: what is not recorded of one is told from its bytes.
    ///
    /// # Errors
    /// The disk failed.
    pub fn versions(&self) -> Result<Vec<Stored>> {
        Ok(self.weighed()?.into_iter().map(|weighed| weighed.stored).collect())
    }

    /// All versions, newest first, and what they cost.
    ///
    /// # Errors
    /// The disk failed.
    pub fn weighed(&self) -> Result<Vec<Weighed>> {
        let (catalogue, mut unrecorded) = (self.catalogue()?, None);
        let mut weigh = |(name, found): &(OsString, VersionName)| self.weigh(&catalogue, &mut unrecorded, name, found);
        catalogue.newest_first().map(&mut weigh).collect()
    }

    /// How many versions there are.
    ///
    /// # Errors
    /// The disk failed.
    pub fn count(&self) -> Result<u64> {
        Ok(self.catalogue()?.newest_first().count() as u64)
    }

    /// The newest version.
    ///
    /// # Errors
    /// The disk failed.
    pub fn newest(&self) -> Result<Option<Stored>> {
        let catalogue = self.catalogue()?;
        let newest = catalogue.newest_first().next();
        newest.map(|(name, found)| Ok(self.weigh(&catalogue, &mut None, name, found)?.stored)).transpose()
    }

    /// One version, by the record, or else by its bytes.
    pub(super) fn weigh(
        &self,
        catalogue: &Catalogue,
        unrecorded: &mut Option<Unrecorded>,
        name: &OsStr,
        found: &VersionName,
    ) -> Result<Weighed> {
        let &VersionName { version, taken, digest, .. } = found;
        let (bytes, file_bytes, mark, dialect) = if let Some(remark) = catalogue.remark(found) {
            (remark.bytes, remark.file_bytes, remark.mark, remark.dialect)
        } else {
            let judged = match unrecorded {
                Some(judged) => judged,
                None => unrecorded.insert(self.judge_unrecorded(catalogue)?),
            };
            let judged = judged.get(&(version, digest)).copied().unwrap_or_default();
            let file_bytes = self.disk.look(&self.directory, name)?.map_or(0, |found| found.bytes);
            (judged.bytes.unwrap_or(file_bytes), file_bytes, judged.mark, judged.dialect)
        };
        let stored = Stored { version, taken, digest, bytes, mark, dialect };
        Ok(Weighed { stored, disk_bytes: file_bytes.next_multiple_of(BLOCK_BYTES) })
    }

    /// The attributes that a version was recorded with.
    ///
    /// # Errors
    /// The disk failed.
    pub fn attributes(&self, version: Version) -> Result<Option<Attributes>> {
        let catalogue = self.catalogue()?;
        let remark = catalogue.named(version).and_then(|(_, found)| catalogue.remark(found));
        Ok(remark.and_then(|remark| remark.attributes))
    }

    /// The bytes of a version, checked against the digest in its name.
    ///
    /// # Errors
    /// `Damaged` when they are not what was stored; `Absent` when there is no such version.
    pub fn bytes(&self, version: Version) -> Result<Vec<u8>> {
        let catalogue = self.catalogue()?;
        let (name, found) = catalogue.named(version).ok_or_else(|| self.absent(version))?;
        self.checked(&catalogue, name, found)
    }

    /// The same of this very version: where an older copy was put back, two may have one number.
    ///
    /// # Errors
    /// As [`Folder::bytes`].
    pub fn bytes_of(&self, stored: &Stored) -> Result<Vec<u8>> {
        let catalogue = self.catalogue()?;
        let is_it = |found: &VersionName| (found.version, found.digest) == (stored.version, stored.digest);
        let (name, found) =
            catalogue.newest_first().find(|(_, found)| is_it(found)).ok_or_else(|| self.absent(stored.version))?;
        self.checked(&catalogue, name, found)
    }

    fn absent(&self, version: Version) -> Error {
        let why = format!("there is no version {version} of {}", self.document);
        Error::new("reading", self.directory.path(), Cause::Absent(why))
    }

    /// The bytes of a version of the catalogue, as [`Folder::bytes`] gives them.
    pub(super) fn checked(&self, catalogue: &Catalogue, name: &OsStr, found: &VersionName) -> Result<Vec<u8>> {
        let &VersionName { version, digest, .. } = found;
        let bytes = self.plain(name, catalogue.most_bytes(found))?;
        if Digest::of(&bytes) == digest {
            return Ok(bytes);
        }
        let why = format!("version {version} is not what was stored: its digest differs");
        Err(Error::new("reading", self.directory.path().join(name), Cause::Damaged(why)))
    }

    /// The digest that a version has, or had before it was pruned.
    ///
    /// # Errors
    /// The disk failed.
    pub fn digest_of(&self, version: Version) -> Result<Option<Digest>> {
        let catalogue = self.catalogue()?;
        let named = catalogue.named(version).map(|(_, found)| found.digest);
        Ok(named.or_else(|| catalogue.record.remark(version).map(|remark| remark.digest)))
    }

    /// Is there a version with this digest whose bytes are what they should be, and durable? Then, and only then, another
    /// copy of them is not needed.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keeps(&self, digest: Digest) -> Result<bool> {
        let is_whole = self.has(digest)?;
        if is_whole {
            // Whoever gave it its name may have died before that was durable.
            self.disk.sync_directory(&self.directory)?;
        }
        Ok(is_whole)
    }

    /// Is there a version with this digest, or does the record tell of one that there was?
    ///
    /// # Errors
    /// The disk failed.
    pub fn had(&self, digest: Digest) -> Result<bool> {
        let catalogue = self.catalogue()?;
        let is_there = catalogue.newest_first().any(|(_, found)| found.digest == digest);
        Ok(is_there || catalogue.record.last_remarks().values().any(|(told, ..)| *told == digest))
    }

    /// As [`Folder::keeps`], but whether it is durable is another question: for whoever stores another version, durably,
    /// before anything rests on this one.
    ///
    /// # Errors
    /// The disk failed.
    pub fn has(&self, digest: Digest) -> Result<bool> {
        let catalogue = self.catalogue()?;
        for (name, found) in catalogue.newest_first().filter(|(_, found)| found.digest == digest) {
            if self.plain(name, catalogue.most_bytes(found)).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where a version is kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn path_of(&self, version: Version) -> Result<PathBuf> {
        let catalogue = self.catalogue()?;
        let name = catalogue.named(version).map_or(OsStr::new(""), |(name, _)| name);
        Ok(self.directory.path().join(name))
    }

    /// The names of all versions, newest first.
    pub(super) fn names(&self) -> Result<Vec<(OsString, VersionName)>> {
        Ok(self.catalogue()?.newest_first().cloned().collect())
    }

    /// The plain bytes of a stored version.
    pub(super) fn plain(&self, name: &OsStr, most_bytes: u64) -> Result<Vec<u8>> {
        let bytes = self.whole(name)?;
        if !name.as_bytes().ends_with(compress::EXTENSION.as_bytes()) {
            return Ok(bytes);
        }
        let damaged = |why| Error::new("reading", self.directory.path().join(name), Cause::Damaged(why));
        compress::unpacked(&bytes, most_bytes).map_err(damaged)
    }

    pub(super) fn whole(&self, name: &OsStr) -> Result<Vec<u8>> {
        let path = self.directory.path().join(name);
        match self.disk.open(&self.directory, name)? {
            Opened::File(file, found) => {
                Ok(self.disk.read(&file, &path, found.bytes.saturating_add(1), || true)?.unwrap_or_default())
            }
            Opened::Missing => Err(Error::new("reading", path, Cause::Absent("it is not there".to_owned()))),
            Opened::Other(found) => {
                let why = Cause::Damaged(format!("a {} stands there", found.file_type()));
                Err(Error::new("reading", path, why))
            }
        }
    }
}
