//! Many versions at once, as at enrolment: all are written, synced together, named, and synced together again.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use super::folder::Folder;
use super::record::Remark;
use super::store::{New, Taken};
use super::{Backups, components};
use crate::config::Compress;
use crate::disk::Durable;
use crate::disk::attributes::Attributes;
use crate::document::{Digest, DocumentId, Stored};
use crate::error::{Cause, Error, Result};

/// Versions of different documents that are being stored together. Each document's folder is locked until the end.
#[derive(Debug)]
pub struct Batch<'backups> {
    backups: &'backups Backups,
    staged: Vec<Staged>,
}

/// What adding a version came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is written, and will be durable with the rest.
    Staged,
    /// The newest version has these very bytes.
    Already(Stored),
    /// It was not to be.
    Not,
}

/// A version that is written, but neither durable nor named.
#[derive(Debug)]
struct Staged {
    document: DocumentId,
    folder: Folder,
    name: OsString,
    origin: &'static str,
    attributes: Attributes,
    remark: Remark,
}

impl<'backups> Batch<'backups> {
    /// An empty batch.
    #[must_use]
    pub fn new(backups: &'backups Backups) -> Self {
        Self { backups, staged: Vec::new() }
    }

    /// Writes a version, not yet durable, compressed as is wanted; a document may be added once. `Some`: the newest version has these bytes already.
    ///
    /// # Errors
    /// The disk is full or failed: the others of the batch are not concerned.
    pub fn add(&mut self, document: &DocumentId, new: &New, compress: Compress) -> Result<Option<Stored>> {
        Ok(match self.add_if(document, new, compress, || true)? {
            Added::Already(newest) => Some(newest),
            Added::Staged | Added::Not => None,
        })
    }

    /// As [`Batch::add`], if `stands` says so once the folder is locked.
    ///
    /// # Errors
    /// As [`Batch::add`].
    pub fn add_if(
        &mut self,
        document: &DocumentId,
        new: &New,
        compress: Compress,
        stands: impl Fn() -> bool,
    ) -> Result<Added> {
        let names = components("backups", document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let directory = self.backups.disk.make_below(&self.backups.state, &names, Durable::Later)?;
        let folder = self.backups.folder(directory, document).compressing(compress);
        folder.lock()?;
        if !stands() {
            return Ok(Added::Not);
        }
        if let Some(newest) = folder.already(new)? {
            return Ok(Added::Already(newest));
        }
        let (name, remark) = folder.stage_for_later(new)?;
        let (document, attributes) = (document.clone(), new.attributes.clone());
        self.staged.push(Staged { document, folder, name, origin: new.origin, attributes, remark });
        Ok(Added::Staged)
    }

    /// Makes all durable and gives them their names. Where one call cannot say that all is durable, or says that something
    /// failed, each is stored by itself, in a fresh file.
    #[must_use]
    pub fn finish(self) -> HashMap<DocumentId, Result<Stored>> {
        let results: Vec<Result<Stored>> = match self.together() {
            Some(results) => results,
            None => self.staged.iter().map(Staged::alone).collect(),
        };
        self.staged.into_iter().map(|one| one.document).zip(results).collect()
    }

    fn together(&self) -> Option<Vec<Result<Stored>>> {
        let Backups { disk, state, .. } = self.backups;
        if self.staged.is_empty() || !disk.syncs_whole_file_systems(state) || disk.sync_file_system(state).is_err() {
            return None;
        }
        let named: Vec<Result<Stored>> = self.staged.iter().map(Staged::publish).collect();
        if disk.sync_file_system(state).is_ok() {
            return Some(named);
        }
        for (one, stored) in self.staged.iter().zip(named) {
            // What cannot be taken back keeps its digest, which is checked before any use.
            let _ = stored.and_then(|stored| one.folder.withdraw(stored.version, &one.name));
        }
        None
    }
}

impl Staged {
    fn publish(&self) -> Result<Stored> {
        self.folder.publish_for_later(&self.remark, self.origin, &self.name)
    }

    /// Stores it again, durably, from what was written.
    fn alone(&self) -> Result<Stored> {
        let bytes = self.folder.plain(&self.name, self.remark.bytes)?;
        let Remark { digest, mark, dialect, .. } = self.remark;
        let (origin, attributes) = (self.origin, self.attributes.clone());
        if Digest::of(&bytes) != digest {
            let why = Cause::Damaged("what was written reads back differently".to_owned());
            return Err(Error::new("storing", self.document.path(), why));
        }
        match self.folder.take(&New { bytes: &bytes, digest, mark, dialect, origin, attributes })? {
            Taken::New(stored) | Taken::Already(stored) => Ok(stored),
        }
    }
}
