//! The state directory: made if it is missing, of a format that we know, and ours alone while we run.

use std::ffi::OsStr;
use std::path::Path;

use crate::backup::check_format;
use crate::disk::directory::Directory;
use crate::disk::{Disk, File};
use crate::error::{Cause, Error, Result};

/// A state directory that no other daemon has.
#[derive(Debug)]
pub(super) struct StateDir {
    pub directory: Directory,
    _lock: File,
}

impl StateDir {
    /// Opens it, makes what is missing, and takes its lock.
    ///
    /// # Errors
    /// It cannot be made or written, another daemon has it, or a newer program wrote it.
    pub(super) fn open(disk: &Disk, path: &Path) -> Result<Self> {
        let directory = disk.make_directory_at(path)?;
        let lock = disk.open_or_create(&directory, OsStr::new("lock"))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let why = "another jsonwarden guards with it; stop that one, or give this one its own --state-dir";
                return Err(Error::new("locking the state directory", path, Cause::Locked(why.to_owned())));
            }
            Err(fs4::TryLockError::Error(error)) => return Err(Error::new("locking the state directory", path, error)),
        }
        check_format(disk, &directory)?;
        Ok(Self { directory, _lock: lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_made_and_has_one_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let disk = Disk::default();
        let state_dir = StateDir::open(&disk, &path).unwrap();
        assert_eq!(std::fs::read_to_string(path.join("format")).unwrap(), "1\n");
        let error = StateDir::open(&disk, &path).unwrap_err();
        assert!(matches!(error.cause(), Cause::Locked(_)), "{error}");
        drop(state_dir);
        assert!(StateDir::open(&disk, &path).is_ok());
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), "2\n").unwrap();
        let error = StateDir::open(&Disk::default(), folder.path()).unwrap_err();
        assert!(matches!(error.cause(), Cause::Refused(_)), "{error}");
    }
}
