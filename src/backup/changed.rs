//! What a person did to stored versions beside a running daemon: a note a document, which the daemon takes away.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::Backups;
use crate::disk::{Durable, Opened};
use crate::document::{Digest, DocumentId};
use crate::error::Result;

/// The folder of the notes, in the state directory.
const FOLDER: &str = "changed";

/// A path is no longer than this (`PATH_MAX`).
const PATH_BYTES_MAX: u64 = 4096;

impl Backups {
    /// Notes that somebody else changed what is stored of a document: whoever guards it has to look again.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn note_changed(&self, document: &DocumentId) -> Result<()> {
        let folder = self.disk.make_below(&self.state, &[OsStr::new(FOLDER)], Durable::Later)?;
        let path = document.path().as_os_str().as_bytes();
        let name = OsString::from(Digest::of(path).to_string());
        if self.disk.look(&folder, &name)?.is_some() {
            return Ok(());
        }
        self.disk.append(&folder, &name, path, Durable::Later)
    }

    /// The documents of which that was noted; the notes are gone then.
    ///
    /// # Errors
    /// The disk failed.
    pub fn take_changed(&self) -> Result<Vec<DocumentId>> {
        let folder = match self.disk.open_below(&self.state, &[OsStr::new(FOLDER)]) {
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => return Ok(Vec::new()),
            folder => folder?,
        };
        let mut names = Vec::new();
        self.disk.list(&folder, |entry| {
            names.push(entry.name);
            true
        })?;
        let mut documents = Vec::new();
        for name in names {
            let path = folder.path().join(&name);
            if let Opened::File(file, _) = self.disk.open(&folder, &name)? {
                // Taken away first: what is noted from now on is noted anew.
                self.disk.unlink(&folder, &name)?;
                let bytes = self.disk.read(&file, &path, PATH_BYTES_MAX, || true)?.unwrap_or_default();
                documents.extend(document(bytes));
            }
        }
        Ok(documents)
    }
}

fn document(path: Vec<u8>) -> Option<DocumentId> {
    let path = PathBuf::from(OsString::from_vec(path));
    let directory = path.parent().filter(|directory| directory.is_absolute())?;
    Some(DocumentId::new(directory, path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use std::path::Path;

    #[test]
    fn a_note_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
        let backups = Backups::new(disk, state);
        assert_eq!(backups.take_changed().unwrap(), []);
        let document = DocumentId::new(Path::new("/srv"), OsStr::from_bytes(b"\xff.json"));
        backups.note_changed(&document).unwrap();
        backups.note_changed(&document).unwrap();
        assert_eq!(backups.take_changed().unwrap(), [document]);
        assert_eq!(backups.take_changed().unwrap(), []);
    }
}
