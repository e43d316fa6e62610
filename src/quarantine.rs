//! Bytes that are being replaced, kept for a long time: `quarantine/` in the state directory.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use crate::backup::{Shelf, components, each_shelf, is_older, remove_empty};
use crate::clock::{self, Timestamp, parse_stamp};
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, Durable, Opened};
use crate::document::{Digest, DocumentId};
use crate::error::{Cause, Error, Result};

mod room;
#[cfg(test)]
mod tests;

use room::Room;

/// The quarantine of a state directory.
#[derive(Debug)]
pub struct Quarantine {
    disk: Disk,
    state: Directory,
    room: Room,
    /// Bytes that are kept elsewhere.
    spared: Option<Digest>,
}

/// How long to wait for the folder's lock; it is held while one file is written.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// The folder in the state directory.
const KIND: &str = "quarantine";

/// The one temporary name in a folder; the lock says whose it is.
const STAGED: &str = ".new";

/// Bytes that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub path: PathBuf,
    /// Were they there before?
    pub is_new: bool,
}

impl Quarantine {
    /// The quarantine of this state directory.
    #[must_use]
    pub fn new(disk: Disk, state: Directory) -> Self {
        Self { disk, state, room: Room::default(), spared: None }
    }

    /// The same, but it takes no more than this.
    #[must_use]
    pub fn limited_to(self, max_bytes: u64) -> Self {
        Self { room: Room::limited_to(max_bytes), ..self }
    }

    /// The same, for somebody who has kept the bytes with this digest elsewhere, durably.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn sparing(&self, digest: Digest) -> Result<Self> {
        let (disk, state, room) = (self.disk.clone(), self.state.duplicate()?, self.room.clone());
        Ok(Self { disk, state, room, spared: Some(digest) })
    }

    /// Removes all that is kept of a document; says how many files and bytes.
    ///
    /// # Errors
    /// The disk failed: some of them may be gone.
    pub fn forget(&self, document: &DocumentId) -> Result<(usize, u64)> {
        let names = components(KIND, document);
        let path: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let folder = match self.disk.open_below(&self.state, &path) {
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => return Ok((0, 0)),
            folder => folder?,
        };
        self.disk.lock_directory(&folder, LOCK_LIMIT)?;
        let bytes = self.bytes_in(&folder)?;
        self.clear(&folder)?;
        let kept = self.kept(&folder)?;
        kept.iter().try_for_each(|name| self.disk.unlink(&folder, name))?;
        remove_empty(&self.disk, &self.state, &Shelf { names });
        Ok((kept.len(), bytes))
    }

    /// Keeps these bytes, durably and read back; identical bytes of a document are kept once. `why` becomes part of the
    /// name: a kind's label, or `replaced`.
    ///
    /// # Errors
    /// The disk is full or failed, or the quarantine is full: the caller leaves the bytes where they are.
    pub fn keep(&self, document: &DocumentId, why: &str, bytes: &[u8]) -> Result<Kept> {
        let digest = Digest::of(bytes);
        if self.spared == Some(digest) {
            return Ok(Kept { path: self.state.path().join("backups"), is_new: false });
        }
        let folder = self.folder(document)?;
        self.disk.lock_directory(&folder, LOCK_LIMIT)?;
        if let Some(name) = self.same(&folder, bytes.len() as u64, digest)? {
            return Ok(Kept { path: folder.path().join(name), is_new: false });
        }
        self.clear(&folder)?;
        self.room.for_bytes(bytes.len() as u64, folder.path(), || self.total())?;
        let name = self.write(&folder, why, bytes)?;
        self.room.taken(bytes.len() as u64);
        Ok(Kept { path: folder.path().join(name), is_new: true })
    }

    /// Does the quarantine hold these bytes of the document?
    ///
    /// # Errors
    /// The disk failed.
    pub fn holds(&self, document: &DocumentId, bytes: u64, digest: Digest) -> Result<bool> {
        self.same(&self.folder(document)?, bytes, digest).map(|name| name.is_some())
    }

    /// The bytes with this digest; `None`: they are not kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn find(&self, document: &DocumentId, digest: Digest) -> Result<Option<Vec<u8>>> {
        let folder = self.folder(document)?;
        for name in self.kept(&folder)? {
            let bytes = self.whole(&folder, &name).ok().flatten();
            if let Some(bytes) = bytes.filter(|bytes| Digest::of(bytes) == digest) {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The bytes that are kept under this name, which [`Quarantine::keep`] gave; `None`: they are gone, or more than `limit`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn kept_as(&self, document: &DocumentId, name: &OsStr, limit: u64) -> Result<Option<Vec<u8>>> {
        let names = components(KIND, document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let folder = self.disk.open_below(&self.state, &names)?;
        let is_small = |found: Signature| found.bytes <= limit;
        if !self.disk.look(&folder, name)?.is_some_and(is_small) {
            return Ok(None);
        }
        self.whole(&folder, name)
    }

    /// How many bytes of the document it keeps.
    ///
    /// # Errors
    /// The disk failed.
    pub fn bytes(&self, document: &DocumentId) -> Result<u64> {
        let names = components(KIND, document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let folder = match self.disk.open_below(&self.state, &names) {
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => return Ok(0),
            folder => folder?,
        };
        self.bytes_in(&folder)
    }

    fn bytes_in(&self, folder: &Directory) -> Result<u64> {
        let mut bytes = 0;
        for name in self.kept(folder)? {
            bytes += self.disk.look(folder, &name)?.map_or(0, |found| found.bytes);
        }
        Ok(bytes)
    }

    /// Removes what has been kept for longer than `span`. Whatever a clock dated that was wrong stays.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn expire(&self, span: Duration, now: Timestamp) -> Result<()> {
        each_shelf(&self.disk, &self.state, KIND, |_, folder| {
            // What fails is tried again the next time.
            let _ = self.expire_in(&folder, span, now);
            true
        })?;
        self.room.forget();
        Ok(())
    }

    fn expire_in(&self, folder: &Directory, span: Duration, now: Timestamp) -> Result<()> {
        self.disk.lock_directory(folder, LOCK_LIMIT)?;
        self.clear(folder)?;
        for name in self.kept(folder)? {
            let dated = name.to_str().and_then(|name| name.split_once('-')).and_then(|(dated, _)| parse_stamp(dated));
            if dated.is_some_and(|dated| is_older(dated, span, now)) {
                self.disk.unlink(folder, &name)?;
            }
        }
        Ok(())
    }

    fn total(&self) -> Result<u64> {
        let mut bytes = 0;
        each_shelf(&self.disk, &self.state, KIND, |_, folder| {
            bytes += self.bytes_in(&folder).unwrap_or(0);
            true
        })?;
        Ok(bytes)
    }

    fn folder(&self, document: &DocumentId) -> Result<Directory> {
        let names = components(KIND, document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        self.disk.make_below(&self.state, &names, Durable::Now)
    }

    /// Writes under a temporary name first: a reader of the folder never meets half a file.
    fn write(&self, folder: &Directory, why: &str, bytes: &[u8]) -> Result<OsString> {
        let staged = OsStr::new(STAGED);
        let path = folder.path().join(staged);
        let file = self.disk.create(folder, staged, 0o600)?;
        let written = self.disk.write(&file, &path, bytes).and_then(|()| self.disk.sync(&file, &path));
        let read_back = written.and_then(|()| self.digest(folder, staged)).and_then(|digest| {
            let cause = || Cause::Damaged("what was written reads back differently".to_owned());
            if digest == Some(Digest::of(bytes)) { Ok(()) } else { Err(Error::new("keeping", &path, cause())) }
        });
        match read_back.and_then(|()| self.name(folder, staged, why, clock::now())) {
            Ok(name) => self.disk.sync_directory(folder).map(|()| name),
            Err(error) => {
                // Ours, and incomplete or unneeded; the first error is the one worth telling.
                let _ = self.disk.unlink(folder, staged);
                Err(error)
            }
        }
    }

    /// Gives staged bytes the first name that is free from a moment on: two repairs may fall into one microsecond, or the
    /// clock may have been set back to one.
    fn name(&self, folder: &Directory, staged: &OsStr, why: &str, mut moment: Timestamp) -> Result<OsString> {
        loop {
            let name = OsString::from(format!("{}-{why}.bad", clock::stamp(moment)));
            if self.disk.look(folder, &name)?.is_none() {
                return self.disk.rename(folder, staged, &name).map(|()| name);
            }
            moment += Duration::from_micros(1);
        }
    }

    /// Removes what a process that died left half done: whoever holds the lock knows that nobody is at it.
    fn clear(&self, folder: &Directory) -> Result<()> {
        match self.disk.look(folder, OsStr::new(STAGED))? {
            Some(_) => self.disk.unlink(folder, OsStr::new(STAGED)),
            None => Ok(()),
        }
    }

    /// The name that keeps these bytes, durably. What cannot be read keeps nothing.
    fn same(&self, folder: &Directory, bytes: u64, digest: Digest) -> Result<Option<OsString>> {
        for name in self.kept(folder)? {
            let has_size = self.disk.look(folder, &name)?.is_some_and(|found| found.bytes == bytes);
            if has_size && self.digest(folder, &name).is_ok_and(|found| found == Some(digest)) {
                // Whoever gave it its name may have died before that was durable.
                return self.disk.sync_directory(folder).map(|()| Some(name));
            }
        }
        Ok(None)
    }

    fn kept(&self, folder: &Directory) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.disk.list(folder, |entry| {
            if entry.name.as_encoded_bytes().ends_with(b".bad") && !entry.is_directory {
                names.push(entry.name);
            }
            true
        })?;
        Ok(names)
    }

    fn digest(&self, folder: &Directory, name: &OsStr) -> Result<Option<Digest>> {
        Ok(self.whole(folder, name)?.map(|bytes| Digest::of(&bytes)))
    }

    fn whole(&self, folder: &Directory, name: &OsStr) -> Result<Option<Vec<u8>>> {
        let Opened::File(file, found) = self.disk.open(folder, name)? else { return Ok(None) };
        self.disk.read(&file, &folder.path().join(name), found.bytes.saturating_add(1), || true)
    }
}
