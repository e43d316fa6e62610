//! The state directory: made if it is missing, of a format that we know, and ours alone while we run.

use std::ffi::OsStr;
use std::path::Path;

use crate::disk::directory::Directory;
use crate::disk::{Disk, File, Opened};
use crate::error::{Cause, Error, Result};

/// The format of everything in the state directory. A newer program upgrades in order; an older one refuses.
const FORMAT: &str = "1";

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

fn check_format(disk: &Disk, directory: &Directory) -> Result<()> {
    let name = OsStr::new("format");
    let path = directory.path().join(name);
    match disk.open(directory, name)? {
        Opened::File(file, _) => {
            let bytes = disk.read(&file, &path, 64, || true)?.unwrap_or_default();
            let found = String::from_utf8_lossy(&bytes);
            // Nothing in it: the disk was full, or the power went, when it was made.
            if found.trim() == FORMAT || found.trim().is_empty() {
                return Ok(());
            }
            let why =
                format!("its format is {:?}, and this program knows {FORMAT}: run a newer jsonwarden", found.trim());
            Err(Error::new("opening the state directory", directory.path(), Cause::Refused(why)))
        }
        Opened::Missing => {
            let file = disk.create(directory, name, 0o600)?;
            disk.write(&file, &path, format!("{FORMAT}\n").as_bytes())?;
            disk.sync(&file, &path)?;
            disk.sync_directory(directory)
        }
        Opened::Other(found) => {
            let why = format!("a {} stands there", found.file_type());
            Err(Error::new("reading", path, Cause::Refused(why)))
        }
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
