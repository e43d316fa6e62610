//! The place of a reader, in a file of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::disk::directory::Directory;
use crate::disk::{Disk, File, Opened};
use crate::error::{Cause, Error, Result};

/// A number has no more digits.
const LENGTH_LIMIT_BYTES: u64 = 64;

/// The number of the last event that was printed. At every moment the file holds the old one or the new one.
#[derive(Debug)]
pub(super) struct Cursor {
    disk: Disk,
    directory: Directory,
    name: OsString,
    position: Option<u64>,
}

impl Cursor {
    /// Reads the file; it need not be there yet.
    ///
    /// # Errors
    /// Its folder is not there, or it holds something else than a number.
    pub(super) fn open(disk: &Disk, path: &Path) -> Result<Self> {
        let no_file = || Error::new("opening", path, Cause::Usage("this names no file; name one".to_owned()));
        let (folder, name) = (path.parent().ok_or_else(no_file)?, path.file_name().ok_or_else(no_file)?);
        let directory = disk.open_directory(&disk.canonical(folder)?)?;
        let mut cursor = Self { disk: disk.clone(), directory, name: name.to_owned(), position: None };
        cursor.position = cursor.read(path)?;
        Ok(cursor)
    }

    /// The file.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// The number.
    pub(super) fn position(&self) -> Option<u64> {
        self.position
    }

    fn read(&self, path: &Path) -> Result<Option<u64>> {
        let wrong = || {
            let why = "it holds no number of an event; remove it to begin anew, or choose another with --cursor";
            Error::new("reading", path, Cause::Usage(why.to_owned()))
        };
        match self.disk.open(&self.directory, &self.name)? {
            Opened::Missing => Ok(None),
            Opened::Other(_) => Err(wrong()),
            Opened::File(file, _) => {
                let text = self.disk.read(&file, path, LENGTH_LIMIT_BYTES, || true)?.unwrap_or_default();
                let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
                number.map(Some).ok_or_else(wrong)
            }
        }
    }

    /// Keeps a number. It survives this process; to survive the machine it must be synced.
    pub(super) fn keep(&mut self, id: u64) -> Result<()> {
        if self.position == Some(id) {
            return Ok(());
        }
        let mut staged = OsString::from(".");
        staged.push(&self.name);
        staged.push(format!(".{}", std::process::id()));
        self.write(&staged, id)?;
        // What stands at the name is there at every moment; where nothing does yet, nothing can be exchanged.
        if self.position.is_some() {
            self.disk.exchange(&self.directory, &staged, &self.name)?;
            self.disk.unlink(&self.directory, &staged)?;
        } else {
            self.disk.rename(&self.directory, &staged, &self.name)?;
        }
        self.position = Some(id);
        Ok(())
    }

    fn write(&self, staged: &OsStr, id: u64) -> Result<()> {
        if self.disk.look(&self.directory, staged)?.is_some() {
            // Of a process that had our number and died.
            self.disk.unlink(&self.directory, staged)?;
        }
        let file = self.disk.create(&self.directory, staged, 0o644)?;
        self.disk.write(&file, &self.directory.path().join(staged), format!("{id}\n").as_bytes())
    }

    /// Makes the number durable.
    pub(super) fn sync(&self) -> Result<()> {
        let path = self.directory.path().join(&self.name);
        if let Opened::File(file, _) = self.disk.open(&self.directory, &self.name)? {
            let file: File = file;
            self.disk.sync(&file, &path)?;
        }
        self.disk.sync_directory(&self.directory)
    }
}
