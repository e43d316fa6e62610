//! What is kept of a document's events beside the document: those that left it, and how high their numbers went.

use std::path::PathBuf;

use crate::backup::{Backups, Folder, highest_in, highest_of};
use crate::bus::Numbered;
use crate::cli::store::state_directory;
use crate::disk::Disk;
use crate::error::{Cause, Result};
use crate::patch::Pointer;
use crate::validate::Content;
use crate::write::resolved;

/// The events of a document that are kept in a state directory.
pub(super) struct Kept {
    pub disk: Disk,
    pub state_dir: PathBuf,
    /// The document.
    pub path: PathBuf,
    pub pointer: Pointer,
}

impl Kept {
    /// Those that have left the document, by their numbers.
    pub(super) fn events(&self, from: u64, to: u64) -> Result<Vec<Numbered>> {
        let mut events = Vec::new();
        if let Some(folder) = self.folder()? {
            folder.each_event(&self.pointer, |line| {
                events.extend(Numbered::read(line).filter(|event| (from..=to).contains(&event.id)));
            })?;
        }
        Ok(events)
    }

    /// The highest number that any of them is known to have had.
    pub(super) fn highest(&self, content: Content) -> Result<u64> {
        let here = highest_in(content, &self.pointer);
        let Some(folder) = self.folder()? else { return Ok(here) };
        let archived = highest_of(&folder.last_events(&self.pointer)?);
        Ok(here.max(archived).max(folder.highest_number(&self.pointer, None)?))
    }

    fn folder(&self) -> Result<Option<Folder>> {
        let state = match state_directory(&self.disk, &self.state_dir) {
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => return Ok(None),
            state => state?,
        };
        Backups::new(self.disk.clone(), state).find(&resolved(&self.disk, &self.path)?)
    }
}
