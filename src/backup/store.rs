//! How a version gets into its folder, and how old ones leave it.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::compress;
use super::folder::Folder;
use super::names::VersionName;
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
const STAGED: &[u8] = b".new-";

impl New<'_> {
    fn remark(&self, file_bytes: u64) -> Remark {
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
        let (staged, remark) = self.stage(new, Durable::Now)?;
        match self.publish(&remark, new.origin, &staged, Durable::Now) {
            Ok(stored) => Ok(Taken::New(stored)),
            Err(error) => {
                // If it has its name already it is whole, and the next attempt finds it; the first error is worth telling.
                let _ = self.disk.unlink(&self.directory, &staged);
                Err(error)
            }
        }
    }

    /// The newest version, if it has these bytes: in deed, not only by its name.
    pub(super) fn newest_if(&self, digest: Digest) -> Result<Option<Stored>> {
        match self.versions()?.into_iter().next() {
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
        let Some(remark) = record::parse(&self.record()?).remove(&stored.version) else {
            let why = Cause::Absent(format!("nothing is recorded of version {}", stored.version));
            return Err(Error::new("marking", self.directory.path(), why));
        };
        self.remark(stored.version, &Remark { mark, ..remark }, origin, Durable::Now)?;
        Ok(Stored { mark, ..stored.clone() })
    }

    /// Writes a version under a temporary name, and reads it back; says what is to be recorded of it.
    pub(super) fn stage(&self, new: &New, durable: Durable) -> Result<(OsString, Remark)> {
        self.clear()?;
        let packed = compress::packed(new.bytes, self.compress);
        let extension = if matches!(packed, Cow::Owned(_)) { compress::EXTENSION } else { "" };
        let name = OsString::from(format!(".new-{}{extension}", new.digest));
        let path = self.directory.path().join(&name);
        let file = self.disk.create(&self.directory, &name, new.attributes.mode & 0o600 | 0o400)?;
        let written = self.disk.write(&file, &path, &packed).and_then(|()| match durable {
            Durable::Now => self.disk.sync(&file, &path),
            Durable::Later => Ok(()),
        });
        match written.and_then(|()| self.read_back(&name, new)) {
            Ok(()) => Ok((name, new.remark(packed.len() as u64))),
            Err(error) => {
                // It is ours and incomplete; the first error is the one worth telling.
                let _ = self.disk.unlink(&self.directory, &name);
                Err(error)
            }
        }
    }

    /// Removes what processes that died left half done: whoever holds the lock, as the caller does, knows that nobody is at
    /// it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn clear(&self) -> Result<()> {
        let mut dead = Vec::new();
        self.disk.list(&self.directory, |entry| {
            if entry.name.as_bytes().starts_with(STAGED) && !entry.is_directory {
                dead.push(entry.name);
            }
            true
        })?;
        dead.iter().try_for_each(|name| self.disk.unlink(&self.directory, name))
    }

    fn read_back(&self, name: &OsStr, new: &New) -> Result<()> {
        if Digest::of(&self.plain(name, new.bytes.len() as u64)?) == new.digest {
            return Ok(());
        }
        let why = Cause::Damaged("what was written reads back differently".to_owned());
        Err(Error::new("storing", self.directory.path().join(name), why))
    }

    /// Records a staged version, then gives it its number and its name. In this order, because a version without its remark
    /// would pass for one that may be put back; a remark without its version says nothing.
    pub(super) fn publish(&self, remark: &Remark, origin: &str, staged: &OsStr, durable: Durable) -> Result<Stored> {
        let &Remark { digest, mark, dialect, bytes, .. } = remark;
        let remarks = record::parse(&self.record()?);
        let named = self.names()?.first().map(|(_, found)| found.version);
        let newest = remarks.keys().copied().chain(named).max().unwrap_or(Version(0));
        let is_packed = staged.as_bytes().ends_with(compress::EXTENSION.as_bytes());
        let name = VersionName { version: newest.next(), taken: clock::now(), digest, is_packed };
        self.remark(name.version, remark, origin, durable)?;
        self.disk.rename(&self.directory, staged, &name.format(&self.document))?;
        if durable == Durable::Now {
            self.disk.sync_directory(&self.directory)?;
        }
        Ok(Stored { version: name.version, taken: rounded(name.taken), digest, bytes, mark, dialect })
    }

    /// Removes a version whose bytes came to stand nowhere, and that nobody was told of. The caller holds the lock.
    ///
    /// # Errors
    /// The disk failed.
    pub fn retract(&self, version: Version) -> Result<()> {
        match self.names()?.into_iter().find(|(_, found)| found.version == version) {
            Some((name, _)) => self.disk.unlink(&self.directory, &name),
            None => Ok(()),
        }
    }

    /// Gives a version that was named, but may not be durable, its temporary name back.
    pub(super) fn withdraw(&self, version: Version, staged: &OsStr) -> Result<()> {
        match self.names()?.into_iter().find(|(_, found)| found.version == version) {
            Some((name, _)) => self.disk.rename(&self.directory, &name, staged),
            None => Ok(()),
        }
    }

    fn remark(&self, version: Version, remark: &Remark, origin: &str, durable: Durable) -> Result<()> {
        let line = record::format(version, remark, origin);
        // A torn line before ours must not take ours with it.
        let torn = self.record()?.last().is_some_and(|last| *last != b'\n');
        let line = if torn { format!("\n{line}") } else { line };
        self.disk.append(&self.directory, OsStr::from_bytes(record::NAME.to_bytes()), line.as_bytes(), durable)
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
        let mut bytes = 0;
        for (name, _) in self.names()?.iter().filter(|(_, found)| surplus.contains(&found.version)) {
            bytes += self.disk.look(&self.directory, name)?.map_or(0, |found| found.bytes);
            self.disk.unlink(&self.directory, name)?;
        }
        self.compact_record()?;
        Ok((surplus.len(), bytes))
    }

    /// Keeps the record from growing for ever.
    fn compact_record(&self) -> Result<()> {
        let there: Vec<Version> = self.names()?.into_iter().map(|(_, found)| found.version).collect();
        let Some(text) = record::compacted(&self.record()?, |version| there.contains(&version)) else { return Ok(()) };
        self.replace_note(OsStr::from_bytes(record::NAME.to_bytes()), &text)
    }

    /// Puts new lines in the place of one of our own files, which is there. The caller holds the lock.
    pub(super) fn replace_note(&self, name: &OsStr, text: &[u8]) -> Result<()> {
        self.clear()?;
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

/// The moment as the name will say it.
fn rounded(moment: Timestamp) -> Timestamp {
    clock::parse_stamp(&clock::stamp(moment)).unwrap_or(moment)
}
