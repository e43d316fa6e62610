//! Stored versions: plain files in a folder a document, which a person can put back with `cp` (protocol B, steps 6 and 7).

mod batch;
mod budget;
mod calendar;
mod catalogue;
mod changed;
mod commit;
mod compress;
mod events;
mod folder;
mod format;
mod judged;
mod names;
mod numbers;
mod place;
mod record;
mod redo;
mod removed;
mod retention;
mod scrub;
mod shelves;
mod store;
mod unrecorded;

pub use batch::{Added, Batch};
pub use budget::{User, level};
pub use calendar::DOUBT;
pub use events::{EVENTS, highest_of, number_of};
pub use folder::Folder;
pub use format::check_format;
pub use judged::is_rotten;
pub use names::components;
pub use numbers::highest_in;
pub use redo::Redo;
pub use removed::is_older;
pub use retention::{Keep, Weighed, needed_bytes, surplus};
pub use scrub::Scrubbed;
pub use shelves::{Shelf, Shelves, documents_in, each_shelf, remove_empty};
pub use store::{New, Taken};

use std::ffi::{OsStr, OsString};
use std::path::Path;

use catalogue::Remembered;

use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable};
use crate::document::DocumentId;
use crate::error::Result;

/// All the documents' folders: `backups/` in the state directory.
#[derive(Debug)]
pub struct Backups {
    disk: Disk,
    state: Directory,
    remembered: Remembered,
}

impl Backups {
    /// The backups of this state directory.
    #[must_use]
    pub fn new(disk: Disk, state: Directory) -> Self {
        Self { disk, state, remembered: Remembered::default() }
    }

    /// A document's folder; `None`: nothing of it was ever stored.
    ///
    /// # Errors
    /// The disk failed, or permission was denied.
    pub fn find(&self, document: &DocumentId) -> Result<Option<Folder>> {
        let names = components("backups", document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        match self.disk.open_below(&self.state, &names) {
            Ok(directory) => Ok(Some(self.folder(directory, document))),
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A document's folder, made if it is not there.
    ///
    /// # Errors
    /// The disk is full or failed, or permission was denied.
    pub fn make(&self, document: &DocumentId) -> Result<Folder> {
        let names = components("backups", document);
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let directory = self.disk.make_below(&self.state, &names, Durable::Now)?;
        Ok(self.folder(directory, document))
    }

    fn folder(&self, directory: Directory, document: &DocumentId) -> Folder {
        Folder::new(self.disk.clone(), directory, document.clone(), self.remembered.clone())
    }

    /// Calls `each` for every folder of versions, whether or not anybody guards the document, until it says `false`. Of a
    /// document whose name had to be cut, the folder carries the cut name.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn each(&self, mut each: impl FnMut(&Shelf, Folder) -> bool) -> Result<()> {
        each_shelf(&self.disk, &self.state, "backups", |shelf, directory| {
            let document = shelf.document_or_cut();
            each(shelf, self.folder(directory, &document))
        })
    }

    /// Removes all versions of a document; says how many, and how many bytes they had.
    ///
    /// # Errors
    /// The disk failed: some of them may be gone.
    pub fn forget(&self, document: &DocumentId) -> Result<(usize, u64)> {
        let Some(folder) = self.find(document)? else { return Ok((0, 0)) };
        folder.lock()?;
        let gone = folder.clear_all()?;
        remove_empty(&self.disk, &self.state, &Shelf { names: components("backups", document) });
        Ok(gone)
    }

    /// The path of the state directory, for messages.
    #[must_use]
    pub fn state_path(&self) -> &Path {
        self.state.path()
    }
}
