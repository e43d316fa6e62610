//! What a document's folder holds: the names of its versions, and its record. Read once, and again only when the folder or
//! the record is not what it was: an hour of writes leaves thousands of versions, and a write asks after them several times.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compress;
use super::folder::Folder;
use super::names::VersionName;
use super::record::{self, Record, Remark};
use super::store::STAGED;
use crate::disk::signature::Signature;
use crate::document::{DocumentId, Version};
use crate::error::{Cause, Result};

/// What a folder held when it was read.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// The versions, oldest first.
    names: Vec<(OsString, VersionName)>,
    pub(super) record: Record,
    /// What processes that died left half done, if nobody holds the lock.
    pub(super) half_done: Vec<OsString>,
}

impl Catalogue {
    /// All versions, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &(OsString, VersionName)> {
        self.names.iter().rev()
    }

    /// One version.
    pub(super) fn named(&self, version: Version) -> Option<&(OsString, VersionName)> {
        self.newest_first().find(|(_, found)| found.version == version)
    }

    /// No version has more plain bytes than were recorded.
    pub(super) fn most_bytes(&self, found: &VersionName) -> u64 {
        self.remark(found).map_or(compress::PLAIN_BYTES_MAX, |remark| remark.bytes)
    }

    /// What is recorded of a version.
    pub(super) fn remark(&self, found: &VersionName) -> Option<Remark> {
        self.record.remark_on(found.version, found.digest)
    }

    /// The number of the next version: no other ever had it.
    pub(super) fn next(&self) -> Version {
        let recorded = self.record.newest().map(|(version, _)| version);
        let named = self.newest_first().next().map(|(_, found)| found.version);
        recorded.max(named).unwrap_or(Version(0)).next()
    }
}

/// The catalogue of the folder that was asked last, and what folder and record looked like then.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered(Arc<Mutex<Option<Known>>>);

impl Remembered {
    fn inner(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Known {
    document: DocumentId,
    looked: Looked,
    catalogue: Arc<Catalogue>,
}

/// Whoever stores a version or marks one appends to the record; whoever removes one changes the folder.
type Looked = (Signature, Option<Signature>);

impl Folder {
    /// What it holds now.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn catalogue(&self) -> Result<Arc<Catalogue>> {
        // While the lock is ours nobody else changes it, and what we change we know.
        let is_certain = self.is_locked() && self.has_looked.load(Ordering::Relaxed);
        if let Some(known) = self.known(|_| is_certain) {
            return Ok(known);
        }
        // Before it is read: what changes meanwhile shows the next time.
        let looked = self.looked()?;
        let catalogue = self.known(|known| known.looked == looked).map_or_else(|| self.read_catalogue(), Ok)?;
        // Not every kernel dates what changes within some milliseconds apart: only while nobody else changes it is it known.
        if self.is_locked() {
            self.remember(looked, Arc::clone(&catalogue));
        }
        Ok(catalogue)
    }

    fn known(&self, is_so: impl FnOnce(&Known) -> bool) -> Option<Arc<Catalogue>> {
        let known = self.remembered.inner();
        known
            .as_ref()
            .filter(|known| known.document == self.document && is_so(known))
            .map(|known| known.catalogue.clone())
    }

    fn remember(&self, looked: Looked, catalogue: Arc<Catalogue>) {
        *self.remembered.inner() = Some(Known { document: self.document.clone(), looked, catalogue });
        self.has_looked.store(true, Ordering::Relaxed);
    }

    /// Takes the version into the catalogue that has just got its name. `before` is what was known of the folder.
    pub(super) fn catalogue_new(&self, before: Arc<Catalogue>, name: OsString, version: VersionName, line: &[u8]) {
        self.forget_catalogue();
        let Ok(mut catalogue) = Arc::try_unwrap(before) else { return };
        catalogue.record.append(line);
        catalogue.names.push((name, version));
        // What others left was removed before, and what we began has its name.
        catalogue.half_done.clear();
        if let Ok(looked) = self.looked() {
            self.remember(looked, Arc::new(catalogue));
        }
    }

    /// Reads it again the next time, whatever it looks like: we have changed it ourselves.
    pub(super) fn forget_catalogue(&self) {
        *self.remembered.inner() = None;
    }

    fn looked(&self) -> Result<Looked> {
        let record = self.disk.look(&self.directory, OsStr::from_bytes(record::NAME.to_bytes()))?;
        Ok((self.directory.signature()?, record))
    }

    fn read_catalogue(&self) -> Result<Arc<Catalogue>> {
        let (mut names, mut half_done) = (Vec::new(), Vec::new());
        // The names before the record: a version is recorded before it is named, so that no suspicious one is ever taken
        // for one of which nothing is recorded, and passes for good while it is being stored.
        self.disk.list(&self.directory, |entry| {
            match VersionName::parse(&entry.name) {
                _ if entry.is_directory => {}
                Some(found) => names.push((entry.name, found)),
                None if entry.name.as_bytes().starts_with(STAGED) => half_done.push(entry.name),
                None => {}
            }
            true
        })?;
        names.sort_unstable_by_key(|(_, found)| (found.version, found.taken));
        Ok(Arc::new(Catalogue { names, record: Record::new(&self.record_text()?), half_done }))
    }

    fn record_text(&self) -> Result<Vec<u8>> {
        match self.whole(OsStr::from_bytes(record::NAME.to_bytes())) {
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(Vec::new()),
            result => result,
        }
    }
}
