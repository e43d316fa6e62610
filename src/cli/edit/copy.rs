//! The private copy that the editor gets.

use super::interrupts::Interrupts;
use crate::cli::{say, shown};
use crate::config::Surroundings;
use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable, Opened};
use crate::error::{Cause, Error, Result};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

/// A copy may grow to this in the editor.
const COPY_LIMIT_BYTES: u64 = 1 << 30;

/// A file of the document's own name, so that editors see its kind, in a folder that nobody else may enter.
pub(super) struct Copy {
    disk: Disk,
    base: Directory,
    folder: Directory,
    folder_name: OsString,
    name: OsString,
    interrupts: Interrupts,
}

impl Copy {
    /// Makes it in `$TMPDIR`, or `/tmp`.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub(super) fn make(disk: &Disk, surroundings: &Surroundings, name: &OsStr, bytes: &[u8]) -> Result<Self> {
        let base = surroundings.variable("TMPDIR").filter(|folder| !folder.is_empty());
        let base = disk.open_directory(&disk.canonical(&base.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from))?)?;
        let folder_name = OsString::from(format!("jsonwarden-edit-{:016x}", crate::swap::random()?));
        let folder = disk.make_below(&base, &[&folder_name], Durable::Later)?;
        let copy = Self {
            disk: disk.clone(),
            base,
            folder,
            folder_name,
            name: name.to_owned(),
            interrupts: Interrupts::new(),
        };
        let file = disk.create(&copy.folder, &copy.name, 0o600)?;
        disk.write(&file, &copy.path(), bytes)?;
        Ok(copy)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Nothing was written: what came out of the editor stays, and where is said; what is as it was goes.
    pub(super) fn keep_if_edited(self, before: &[u8]) {
        match self.read() {
            Ok(bytes) if bytes == before => self.remove(),
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => self.remove(),
            Ok(_) | Err(_) => say(format_args!("jsonwarden: what you wrote is kept in {}", shown(&self.path()))),
        }
    }

    /// Opens the editor on it: `$VISUAL`, `$EDITOR` or vi, with whatever arguments these have, as git does.
    ///
    /// # Errors
    /// It cannot be started, or ends badly.
    pub(super) fn edit(&self, surroundings: &Surroundings) -> Result<()> {
        let set = |name: &&str| surroundings.variable(name).filter(|editor| !editor.is_empty());
        let editor = ["VISUAL", "EDITOR"].iter().find_map(set).unwrap_or(OsStr::new("vi"));
        let mut script = editor.to_owned();
        script.push(" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(editor).arg(self.path());
        let ended =
            self.interrupts.left_to(|| command.status()).map_err(|error| Error::new("starting", editor, error))?;
        if ended.success() {
            return Ok(());
        }
        let why = format!("the editor failed ({ended}); nothing was written");
        Err(Error::new("editing", self.path(), Cause::Absent(why)))
    }

    /// What it holds now.
    ///
    /// # Errors
    /// The disk failed, or it is gone.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        match self.disk.open(&self.folder, &self.name)? {
            Opened::File(file, _) => {
                Ok(self.disk.read(&file, &self.path(), COPY_LIMIT_BYTES, || true)?.unwrap_or_default())
            }
            Opened::Missing | Opened::Other(_) => {
                let why = Cause::Absent("the editor has left no file there".to_owned());
                Err(Error::new("reading", self.path(), why))
            }
        }
    }

    /// Removes it, and what the editor left beside it. What cannot be removed stays, in a folder that is the user's own.
    pub(super) fn remove(self) {
        let mut names = Vec::new();
        let _ = self.disk.list(&self.folder, |entry| {
            names.push(entry.name);
            true
        });
        for name in names {
            let _ = self.disk.unlink(&self.folder, &name);
        }
        let _ = self.disk.remove_directory(&self.base, &self.folder_name);
    }
}
