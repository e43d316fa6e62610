//! What is kept of a write: the bytes that it replaces, and those that it puts in their place, before it does.

use super::{WriteError, Writer};
use crate::backup::{Folder, New, Taken};
use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, Mark, Stored};
use crate::error::Result;
use crate::read::Reading;
use crate::validate::{self, Content};
use crate::verdict::{Certainty, Fault, Verdict};

/// What the present bytes are.
pub(super) enum Standing {
    /// They read, and are this version.
    Readable(Stored),
    /// They do not.
    Damaged(Fault),
}

impl Writer {
    /// The dialect that new bytes read in.
    ///
    /// # Errors
    /// `Invalid` when they do not, or break the document's rules; or the versions cannot be read.
    pub(super) fn fit(&self, folder: Option<&Folder>, bytes: &[u8]) -> std::result::Result<Dialect, WriteError> {
        let last_good = folder.map(last_good).transpose()?.flatten();
        let needs_it = self.rules.expectations.pinned || !self.rules.expectations.monotonic.is_empty();
        let enrolled = last_good.as_ref().map(|stored| stored.dialect);
        let before = match (folder, last_good.filter(|_| needs_it)) {
            (Some(folder), Some(stored)) => Some((folder.bytes(stored.version)?, stored.dialect)),
            _ => None,
        };
        let before = before.as_ref().map(|(bytes, dialect)| Content { bytes, dialect: *dialect });
        self.judged_fit(enrolled, before, bytes)
    }

    /// The dialect that new bytes read in, in the light of what was there before.
    ///
    /// # Errors
    /// `Invalid` when they read in none, or break the document's rules.
    pub(super) fn judged_fit(
        &self,
        enrolled: Option<Dialect>,
        before: Option<Content>,
        bytes: &[u8],
    ) -> std::result::Result<Dialect, WriteError> {
        let dialect = match validate::judge(bytes, &self.reader(enrolled)) {
            Verdict::Valid { dialect, .. } => dialect,
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => {
                return Err(WriteError::Invalid(fault));
            }
        };
        match validate::unmet(Content { bytes, dialect }, before, &self.rules.expectations) {
            Some(fault) => Err(WriteError::Invalid(fault)),
            None => Ok(dialect),
        }
    }

    /// Sees to it that the present bytes are stored, if they read: they are about to be replaced.
    pub(super) fn keep(&self, folder: &Folder, present: &Reading) -> Result<Standing> {
        let &Reading { ref bytes, digest, ref file, .. } = present;
        let versions = folder.versions()?;
        if let Some(newest) = versions.first().filter(|newest| newest.digest == digest)
            && folder.keeps(digest)?
        {
            return Ok(Standing::Readable(newest.clone()));
        }
        let last_good = versions.iter().find(|stored| stored.mark.is_last_good());
        let (dialect, mark) = match validate::judge_by(
            bytes,
            &self.reader(last_good.map(|stored| stored.dialect)),
            &self.rules.expectations,
        ) {
            Verdict::Valid { dialect, .. } if present.certainty == Certainty::Certified => (dialect, Mark::Good),
            Verdict::Valid { dialect, .. } => (dialect, Mark::Uncertified),
            Verdict::Suspicious(dialect, _) => (dialect, Mark::Suspicious),
            Verdict::Corrupt(fault) | Verdict::Told(fault) => return Ok(Standing::Damaged(fault)),
        };
        let attributes = self.disk.attributes(file, self.document.path())?;
        let new = New { bytes, digest, mark, dialect, origin: "file", attributes };
        Ok(Standing::Readable(stored(folder.take(&new)?)))
    }

    /// Stores the new bytes, durably, before they get to the name: damage that comes right after the write was acknowledged
    /// must find a copy. Says whether they had to be.
    pub(super) fn store(
        folder: &Folder,
        bytes: &[u8],
        dialect: Dialect,
        attributes: &Attributes,
    ) -> Result<(Stored, bool)> {
        let (digest, attributes) = (Digest::of(bytes), attributes.clone());
        let taken = folder.take(&New { bytes, digest, mark: Mark::Good, dialect, origin: "write", attributes })?;
        let is_new = matches!(taken, Taken::New(_));
        Ok((stored(taken), is_new))
    }
}

fn stored(taken: Taken) -> Stored {
    match taken {
        Taken::New(stored) | Taken::Already(stored) => stored,
    }
}

/// The newest version that a repair may put back.
pub(super) fn last_good(folder: &Folder) -> Result<Option<Stored>> {
    Ok(folder.versions()?.into_iter().find(|stored| stored.mark.is_last_good()))
}
