//! The advisory locks of programs that cooperate: whoever holds `<name>.lock` is at work on the file.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::time::Duration;

use crate::disk::directory::Directory;
use crate::disk::{Disk, File, Opened};
use crate::document::DocumentId;
use crate::error::Result;

/// What the lock file beside a document says.
#[derive(Debug)]
pub enum Sidecar {
    /// There is none.
    Absent,
    /// We hold it now, until this is dropped.
    Held(File),
    /// Somebody else holds it.
    Taken,
}

/// After this long without a heartbeat the folder lock of Node's proper-lockfile is stale (its default `stale`).
const STALE: Duration = Duration::from_secs(10);

/// Takes the document's lock if there is a lock file; the daemon never makes one. A file means flock(2), as in Python's
/// `filelock.FileLock` and flock(1); a folder means proper-lockfile, whose holder touches it every few seconds.
///
/// # Errors
/// The disk failed. A lock file that we may not read counts as absent: nobody can expect us to honour it.
pub fn try_existing(disk: &Disk, directory: &Directory, document: &DocumentId) -> Result<Sidecar> {
    match disk.open(directory, &document.lock_name()) {
        Ok(Opened::Other(found)) if found.is_directory() && found.age() < STALE => Ok(Sidecar::Taken),
        Ok(Opened::Missing | Opened::Other(_)) => Ok(Sidecar::Absent),
        Ok(Opened::File(file, _)) => Ok(match fs4::FileExt::try_lock(&file) {
            Ok(()) => Sidecar::Held(file),
            Err(fs4::TryLockError::WouldBlock) => Sidecar::Taken,
            Err(fs4::TryLockError::Error(_)) => Sidecar::Absent,
        }),
        // Nor can anybody have made it where its name would be longer than names can be.
        Err(error) => match error.io_kind() {
            Some(ErrorKind::PermissionDenied | ErrorKind::InvalidFilename) => Ok(Sidecar::Absent),
            _ => Err(error),
        },
    }
}

/// Does an editor have the document open? vim keeps `.<name>.swp` beside it (without a second dot where the name begins
/// with one), Emacs a link `.#<name>`.
///
/// # Errors
/// The disk failed.
pub fn is_in_an_editor(disk: &Disk, directory: &Directory, document: &DocumentId) -> Result<bool> {
    let around = |before: &str, after: &str| {
        let mut name = OsString::from(before);
        name.push(document.name());
        name.push(after);
        name
    };
    for name in [around(".", ".swp"), around("", ".swp"), around(".#", "")] {
        match disk.look(directory, &name) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            // A name that has become too long for the file system is no file's.
            Err(error) if error.io_kind() == Some(ErrorKind::InvalidFilename) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
