//! One document's versions on disk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::names::VersionName;
use super::record::{self, Remark};
use super::retention::{Keep, surplus};
use crate::clock::{self, Timestamp};
use crate::disk::attributes::Attributes;
use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable, Opened};
use crate::document::{Dialect, Digest, DocumentId, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};

/// The folder of one document's versions.
#[derive(Debug)]
pub struct Folder {
    disk: Disk,
    directory: Directory,
    document: DocumentId,
}

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

/// How long to wait for the folder's lock; it is held for a few file operations at a time.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// What our temporaries in the folder begin with.
const STAGED: &str = ".new-";

impl Folder {
    pub(super) fn new(disk: Disk, directory: Directory, document: DocumentId) -> Self {
        Self { disk, directory, document }
    }

    /// Waits for the folder's lock, which the daemon and the command line share; it is let go with this value.
    ///
    /// # Errors
    /// `Locked` after 5 s.
    pub fn lock(&self) -> Result<()> {
        let deadline = Instant::now() + LOCK_LIMIT;
        while !self.disk.try_lock_directory(&self.directory)? {
            if Instant::now() > deadline {
                let why = Cause::Locked("another jsonwarden process has been at it for 5 s".to_owned());
                return Err(Error::new("locking the folder", self.directory.path(), why));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// All versions, newest first. A damaged record costs the marks of its versions, not the versions.
    ///
    /// # Errors
    /// The disk failed.
    pub fn versions(&self) -> Result<Vec<Stored>> {
        let (remarks, _) = record::parse(&self.record()?);
        let mut versions = Vec::new();
        for (name, found) in self.names()? {
            let remark = remarks.get(&found.version);
            let bytes = match remark {
                Some(remark) => remark.bytes,
                None => self.disk.look(&self.directory, &name)?.map_or(0, |found| found.bytes),
            };
            versions.push(Stored {
                version: found.version,
                taken: found.taken,
                digest: found.digest,
                bytes,
                mark: remark.map_or(Mark::Uncertified, |remark| remark.mark),
                dialect: remark.map_or(Dialect::Json, |remark| remark.dialect),
            });
        }
        Ok(versions)
    }

    /// The attributes that a version was recorded with.
    ///
    /// # Errors
    /// The disk failed.
    pub fn attributes(&self, version: Version) -> Result<Option<Attributes>> {
        let (mut remarks, _) = record::parse(&self.record()?);
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
        let bytes = self.whole(&name)?;
        if Digest::of(&bytes) == found.digest {
            return Ok(bytes);
        }
        let why = format!("version {version} is not what was stored: its digest differs");
        Err(Error::new("reading", self.directory.path().join(name), Cause::Damaged(why)))
    }

    /// Where a version is kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn path_of(&self, version: Version) -> Result<PathBuf> {
        let name = self.names()?.into_iter().find(|(_, found)| found.version == version).map(|(name, _)| name);
        Ok(self.directory.path().join(name.unwrap_or_default()))
    }

    /// Stores a version durably, unless the newest one has the same bytes. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed; nothing that was stored before is touched.
    pub fn take(&self, new: &New) -> Result<Taken> {
        if let Some(newest) = self.versions()?.into_iter().next().filter(|newest| newest.digest == new.digest) {
            return Ok(Taken::Already(newest));
        }
        let staged = self.stage(new, Durable::Now)?;
        let bytes = new.bytes.len() as u64;
        let remark = Remark { mark: new.mark, dialect: new.dialect, bytes, attributes: new.attributes.clone() };
        self.publish(&remark, new.digest, new.origin, &staged, Durable::Now).map(Taken::New)
    }

    /// Writes a version under a temporary name.
    pub(super) fn stage(&self, new: &New, durable: Durable) -> Result<OsString> {
        let name = OsString::from(format!("{STAGED}{}", new.digest));
        let path = self.directory.path().join(&name);
        // Under the lock, what is there already was left by a process that died.
        if self.disk.look(&self.directory, &name)?.is_some() {
            self.disk.unlink(&self.directory, &name)?;
        }
        let file = self.disk.create(&self.directory, &name, new.attributes.mode & 0o600 | 0o400)?;
        let written = self.disk.write(&file, &path, new.bytes).and_then(|()| match durable {
            Durable::Now => self.disk.sync(&file, &path),
            Durable::Later => Ok(()),
        });
        match written {
            Ok(()) => Ok(name),
            Err(error) => {
                // It is ours and incomplete; the first error is the one worth telling.
                let _ = self.disk.unlink(&self.directory, &name);
                Err(error)
            }
        }
    }

    /// Gives a staged version its number and its name, and records it.
    pub(super) fn publish(
        &self,
        remark: &Remark,
        digest: Digest,
        origin: &str,
        staged: &OsStr,
        durable: Durable,
    ) -> Result<Stored> {
        let (remarks, _) = record::parse(&self.record()?);
        let named = self.names()?.first().map(|(_, found)| found.version);
        let newest = remarks.keys().copied().chain(named).max().unwrap_or(Version(0));
        let name = VersionName { version: newest.next(), taken: clock::now(), digest };
        let file_name = name.format(&self.document);
        self.disk.rename(&self.directory, staged, &file_name)?;
        if durable == Durable::Now {
            self.disk.sync_directory(&self.directory)?;
        }
        self.read_back(&file_name, digest)?;
        self.remark(name.version, remark, origin, durable)?;
        let (bytes, mark, dialect) = (remark.bytes, remark.mark, remark.dialect);
        Ok(Stored { version: name.version, taken: rounded(name.taken), digest, bytes, mark, dialect })
    }

    /// Takes back a version that was named, but may not be durable.
    pub(super) fn withdraw(&self, version: Version) -> Result<()> {
        match self.names()?.into_iter().find(|(_, found)| found.version == version) {
            Some((name, _)) => self.disk.unlink(&self.directory, &name),
            None => Ok(()),
        }
    }

    fn read_back(&self, name: &OsStr, digest: Digest) -> Result<()> {
        if Digest::of(&self.whole(name)?) == digest {
            return Ok(());
        }
        let why = Cause::Damaged("what was written reads back differently".to_owned());
        Err(Error::new("storing", self.directory.path().join(name), why))
    }

    fn remark(&self, version: Version, remark: &Remark, origin: &str, durable: Durable) -> Result<()> {
        let line = record::format(version, remark, origin);
        let name = OsStr::from_bytes(record::NAME.to_bytes());
        // A torn line before ours must not take ours with it.
        let torn = self.record()?.last().is_some_and(|last| *last != b'\n');
        let line = if torn { format!("\n{line}") } else { line };
        self.disk.append(&self.directory, name, line.as_bytes(), durable)
    }

    /// Removes what need not be kept, after a successful store only. The caller holds the lock. Says how many versions and
    /// bytes went.
    ///
    /// # Errors
    /// The disk failed.
    pub fn prune(&self, keep: Keep) -> Result<(usize, u64)> {
        let versions = self.versions()?;
        let surplus = surplus(&versions, keep);
        let mut bytes = 0;
        for (name, _) in self.names()?.iter().filter(|(_, found)| surplus.contains(&found.version)) {
            bytes += self.disk.look(&self.directory, name)?.map_or(0, |found| found.bytes);
            self.disk.unlink(&self.directory, name)?;
        }
        Ok((surplus.len(), bytes))
    }

    /// The names of all versions, newest first.
    fn names(&self) -> Result<Vec<(OsString, VersionName)>> {
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

    fn record(&self) -> Result<Vec<u8>> {
        match self.whole(OsStr::from_bytes(record::NAME.to_bytes())) {
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(Vec::new()),
            result => result,
        }
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

/// The moment as the name will say it.
fn rounded(moment: Timestamp) -> Timestamp {
    clock::parse_stamp(&clock::stamp(moment)).unwrap_or(moment)
}
