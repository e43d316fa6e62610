//! One document's versions on disk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::budget::User;
use super::compress;
use super::names::VersionName;
use super::record;
use super::retention::{Weighed, needed_bytes};
use crate::config::Compress;
use crate::disk::attributes::Attributes;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, Opened};
use crate::document::{Dialect, Digest, DocumentId, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::validate::{self, Reader};
use crate::verdict::Verdict;

/// The folder of one document's versions.
#[derive(Debug)]
pub struct Folder {
    pub(super) disk: Disk,
    pub(super) directory: Directory,
    pub(super) document: DocumentId,
    pub(super) compress: Compress,
}

/// How long to wait for the folder's lock; it is held for a few file operations at a time.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// What every usual file system gives a file at a time.
const BLOCK_BYTES: u64 = 4096;

impl Folder {
    pub(super) fn new(disk: Disk, directory: Directory, document: DocumentId) -> Self {
        Self { disk, directory, document, compress: Compress::Never }
    }

    /// The same, but what it stores from now on is compressed so.
    #[must_use]
    pub fn compressing(self, compress: Compress) -> Self {
        Self { compress, ..self }
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
        self.disk.lock_directory(&self.directory, LOCK_LIMIT)
    }

    /// Waits for the folder's lock, but no longer than this.
    ///
    /// # Errors
    /// `Locked` after `limit`.
    pub fn lock_within(&self, limit: Duration) -> Result<()> {
        self.disk.lock_directory(&self.directory, limit)
    }

    /// All versions, newest first. A damaged record costs the marks of its versions, not the versions.
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
        // The names before the record: a version is recorded before it is named, so that no suspicious one is ever taken
        // for one of which nothing is recorded, and passes for good while it is being stored.
        let names = self.names()?;
        let remarks = record::parse(&self.record()?);
        let enrolled = remarks.iter().max_by_key(|(version, _)| **version).map(|(_, remark)| remark.dialect);
        let mut versions = Vec::new();
        for (name, found) in names {
            let remark = remarks.get(&found.version);
            let (bytes, file_bytes) = if let Some(remark) = remark {
                (remark.bytes, remark.file_bytes)
            } else {
                let bytes = self.disk.look(&self.directory, &name)?.map_or(0, |found| found.bytes);
                (bytes, bytes)
            };
            let stored = Stored {
                version: found.version,
                taken: found.taken,
                digest: found.digest,
                bytes,
                mark: Mark::Uncertified,
                dialect: Dialect::Json,
            };
            let (mark, dialect) = match remark {
                Some(remark) => (remark.mark, remark.dialect),
                None => self.judged(found.version, enrolled),
            };
            let stored = Stored { mark, dialect, ..stored };
            versions.push(Weighed { stored, disk_bytes: file_bytes.next_multiple_of(BLOCK_BYTES) });
        }
        Ok(versions)
    }

    /// What a version is of which nothing is recorded any more: its bytes say it, in the light of what is known of others.
    fn judged(&self, version: Version, enrolled: Option<Dialect>) -> (Mark, Dialect) {
        let named = validate::dialect_of_name(self.document.name());
        let reader = Reader { dialect: None, enrolled, named, literal: true };
        match self.bytes(version).map(|bytes| validate::judge(&bytes, &reader)) {
            Ok(Verdict::Valid { dialect, .. }) => (Mark::Uncertified, dialect),
            Ok(Verdict::Suspicious(dialect, _)) => (Mark::Suspicious, dialect),
            // Whoever wants to use it will see what is wrong with it.
            Ok(Verdict::Corrupt(_) | Verdict::Told(_)) | Err(_) => {
                (Mark::Uncertified, enrolled.unwrap_or(Dialect::Json))
            }
        }
    }

    /// The attributes that a version was recorded with.
    ///
    /// # Errors
    /// The disk failed.
    pub fn attributes(&self, version: Version) -> Result<Option<Attributes>> {
        let mut remarks = record::parse(&self.record()?);
        Ok(remarks.remove(&version).map(|remark| remark.attributes))
    }

    /// The bytes of a version, checked against the digest in its name.
    ///
    /// # Errors
    /// `Damaged` when they are not what was stored; `Absent` when there is no such version.
    pub fn bytes(&self, version: Version) -> Result<Vec<u8>> {
        let Some((name, found)) = self.names()?.into_iter().find(|(_, found)| found.version == version) else {
            let why = format!("there is no version {version} of {}", self.document);
            return Err(Error::new("reading", self.directory.path(), Cause::Absent(why)));
        };
        let bytes = self.plain(&name, self.most_bytes(version)?)?;
        if Digest::of(&bytes) == found.digest {
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
        let named = self.names()?.into_iter().find(|(_, found)| found.version == version);
        match named {
            Some((_, found)) => Ok(Some(found.digest)),
            None => Ok(record::parse(&self.record()?).remove(&version).map(|remark| remark.digest)),
        }
    }

    /// Is there a version with this digest whose bytes are what they should be, and durable? Then, and only then, another
    /// copy of them is not needed.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keeps(&self, digest: Digest) -> Result<bool> {
        for (name, found) in self.names()?.iter().filter(|(_, found)| found.digest == digest) {
            let most_bytes = self.most_bytes(found.version)?;
            if self.plain(name, most_bytes).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
                // Whoever gave it its name may have died before that was durable.
                return self.disk.sync_directory(&self.directory).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Where a version is kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn path_of(&self, version: Version) -> Result<PathBuf> {
        let name = self.names()?.into_iter().find(|(_, found)| found.version == version).map(|(name, _)| name);
        Ok(self.directory.path().join(name.unwrap_or_default()))
    }

    /// The names of all versions, newest first.
    pub(super) fn names(&self) -> Result<Vec<(OsString, VersionName)>> {
        let mut names = Vec::new();
        self.disk.list(&self.directory, |entry| {
            if let Some(found) = VersionName::parse(&entry.name).filter(|_| !entry.is_directory) {
                names.push((entry.name, found));
            }
            true
        })?;
        names.sort_unstable_by_key(|(_, found)| std::cmp::Reverse((found.version, found.taken)));
        Ok(names)
    }

    pub(super) fn record(&self) -> Result<Vec<u8>> {
        match self.whole(OsStr::from_bytes(record::NAME.to_bytes())) {
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(Vec::new()),
            result => result,
        }
    }

    /// No version has more plain bytes than were recorded.
    pub(super) fn most_bytes(&self, version: Version) -> Result<u64> {
        let recorded = record::parse(&self.record()?).get(&version).map(|remark| remark.bytes);
        Ok(recorded.unwrap_or(compress::PLAIN_BYTES_MAX))
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
