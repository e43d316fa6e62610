//! What is kept of a document's events beside the document: in the state directory, or by a daemon where we may not look there.

use std::io::ErrorKind;
use std::path::Path;

use crate::backup::Backups;
use crate::bus::{Archive, Local, Numbered};
use crate::cli::Session;
use crate::cli::archive::Remote;
use crate::cli::store::state_directory;
use crate::document::DocumentId;
use crate::error::{Cause, Error, Result};
use crate::patch::Pointer;

/// The events of a document that are kept.
pub(super) enum Kept {
    /// Here.
    Here { backups: Backups, document: DocumentId, pointer: Pointer },
    /// By this daemon.
    There(Remote),
    /// Nothing of them ever was.
    Nowhere,
    /// Where we may not look.
    Hidden(Error),
}

impl Kept {
    /// Where the events of this document are kept.
    ///
    /// # Errors
    /// The state directory cannot be opened.
    pub(super) fn of(
        document: &DocumentId,
        pointer: &Pointer,
        state_dir: &Path,
        session: &Session<'_>,
    ) -> Result<Self> {
        match state_directory(&session.disk, state_dir) {
            Ok(state) => {
                let backups = Backups::new(session.disk.clone(), state);
                Ok(Self::Here { backups, document: document.clone(), pointer: pointer.clone() })
            }
            Err(error) if is_hidden(&error) => {
                Ok(Remote::find(document, pointer, session).map_or(Self::Hidden(error), Self::There))
            }
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(Self::Nowhere),
            Err(error) => Err(error),
        }
    }

    /// Those that have left the document, by their numbers.
    pub(super) fn events(&self, from: u64, to: u64) -> Result<Vec<Numbered>> {
        match self {
            Self::Here { backups, document, pointer } => Local { backups, document, pointer }.events(from, to),
            Self::There(remote) => remote.events(from, to),
            Self::Nowhere => Ok(Vec::new()),
            Self::Hidden(error) => Err(error.copied()),
        }
    }

    /// The highest number that any of them is known to have had; `None`: we may not know.
    pub(super) fn highest(&self) -> Result<Option<u64>> {
        match self {
            Self::Here { backups, document, pointer } => Local { backups, document, pointer }.highest().map(Some),
            Self::There(remote) => remote.highest().map(Some),
            Self::Nowhere => Ok(Some(0)),
            Self::Hidden(_) => Ok(None),
        }
    }
}

fn is_hidden(error: &Error) -> bool {
    error.io_kind() == Some(ErrorKind::PermissionDenied)
}
