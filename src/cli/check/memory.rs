//! What the state directory remembers of a file, so that `check` judges it as the daemon does: the dialect of its versions,
//! and the last good one, against which what reads is weighed.

use crate::backup::{Backups, Folder};
use crate::cli::Session;
use crate::cli::store::state_directory;
use crate::document::{Dialect, Digest, DocumentId, Mark, Stored};
use crate::error::Result;

/// The state directory.
pub(super) struct Memory {
    /// `None`: there is none, or it may not be read. Then every file is a new one.
    backups: Option<Backups>,
}

/// What is remembered of one file.
#[derive(Default)]
pub(super) struct Remembered {
    versions: Option<(Folder, Vec<Stored>)>,
}

impl Memory {
    pub(super) fn open(session: &Session<'_>, state_dir: &std::path::Path) -> Self {
        let state = state_directory(&session.disk, state_dir).ok();
        Self { backups: state.map(|state| Backups::new(session.disk.clone(), state)) }
    }

    /// What is remembered of a document; what cannot be read is not remembered.
    pub(super) fn of(&self, document: &DocumentId) -> Remembered {
        let find = |backups: &Backups| -> Result<_> {
            let Some(folder) = backups.find(document)? else { return Ok(None) };
            let versions = folder.versions()?;
            Ok(Some((folder, versions)))
        };
        Remembered { versions: self.backups.as_ref().and_then(|backups| find(backups).ok().flatten()) }
    }
}

impl Remembered {
    fn last_good(&self) -> Option<(&Folder, &Stored)> {
        let (folder, versions) = self.versions.as_ref()?;
        Some((folder, versions.iter().find(|stored| stored.mark.is_last_good())?))
    }

    /// What it was written in.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.last_good().map(|(_, stored)| stored.dialect)
    }

    /// The last good version, if it is another than the one with this digest, and its dialect.
    pub(super) fn good_bytes(&self, digest: Digest) -> Option<(Vec<u8>, Dialect)> {
        let (folder, stored) = self.last_good().filter(|(_, stored)| stored.digest != digest)?;
        Some((folder.bytes(stored.version).ok()?, stored.dialect))
    }

    /// Did a person accept these very bytes?
    pub(super) fn accepted(&self, digest: Digest) -> bool {
        let versions = self.versions.iter().flat_map(|(_, versions)| versions);
        versions.into_iter().any(|stored| stored.mark == Mark::Accepted && stored.digest == digest)
    }
}
