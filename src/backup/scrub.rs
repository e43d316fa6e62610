//! The scrub of stored versions: all are read again now and then, and what has rotted is found before it is needed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Folder, record, redo};
use crate::disk::Opened;
use crate::document::{Digest, Version};
use crate::error::{Cause, Error, Result};

/// A version that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// Which.
    pub version: Version,
    /// The file that holds it.
    pub path: PathBuf,
    /// How many bytes were read.
    pub file_bytes: u64,
    /// Is it no longer what was stored?
    pub is_rotten: bool,
}

impl Folder {
    /// Reads every version again, and leaves none of it in the page cache. `each` is told of one after the other, takes as
    /// long as it likes, and says whether to go on.
    ///
    /// # Errors
    /// The disk failed; a version that cannot be read is no failure but rotten.
    pub fn scrub(&self, mut each: impl FnMut(Scrubbed) -> bool) -> Result<()> {
        let catalogue = self.catalogue()?;
        for (name, found) in catalogue.newest_first() {
            let Opened::File(file, before) = self.disk.open(&self.directory, name)? else { continue };
            let read = self.plain(name, catalogue.most_bytes(found));
            self.disk.drop_cached(&file);
            let is_rotten = match read {
                Ok(bytes) => Digest::of(&bytes) != found.digest,
                Err(error) if is_its_own_fault(&error) => true,
                // Pruned meanwhile, or no descriptor is left: that says nothing against it.
                Err(_) => continue,
            };
            let (version, path) = (found.version, self.directory.path().join(name));
            if !each(Scrubbed { version, path, file_bytes: before.bytes, is_rotten }) {
                break;
            }
        }
        Ok(())
    }
}

impl Folder {
    /// Which of our records beside the versions have been damaged: none of them takes a version with it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn damaged_records(&self) -> Result<Vec<PathBuf>> {
        let record =
            record::is_damaged(self.catalogue()?.record.text()).then(|| OsStr::from_bytes(record::NAME.to_bytes()));
        let redo = self.has_rotten_redo().then(|| OsStr::new(redo::NAME));
        Ok(record.into_iter().chain(redo).map(|name| self.directory.path().join(name)).collect())
    }
}

fn is_its_own_fault(error: &Error) -> bool {
    match error.cause() {
        Cause::Damaged(_) => true,
        Cause::Io(error) => error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()),
        _ => false,
    }
}
