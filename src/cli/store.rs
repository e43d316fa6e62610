//! The state directory, read without a daemon.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Failure, Session, say, shown};
use crate::backup::{Backups, Folder};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::follow::Resolved;
use crate::document::{DocumentId, Stored};
use crate::error::{Cause, Error, Result};

/// A document's versions, newest first, and the folder that they are in.
pub(super) fn versions(path: &Path, session: &Session<'_>) -> std::result::Result<(Folder, Vec<Stored>), Failure> {
    let state_dir = session.load()?.settings.state_dir;
    let document = document(path, session)?;
    let folder = backups(&session.disk, &state_dir)?.find(&document)?;
    let none = || {
        let why = format!("no version of it is stored in {}", shown(&state_dir));
        Error::new("looking for", document.path(), Cause::Absent(why))
    };
    let folder = folder.ok_or_else(none)?;
    let versions = folder.versions()?;
    if versions.is_empty() {
        return Err(none().into());
    }
    say(format_args!("from the state directory {}", shown(&state_dir)));
    Ok((folder, versions))
}

fn backups(disk: &Disk, state_dir: &Path) -> Result<Backups> {
    Ok(Backups::new(disk.clone(), state_directory(disk, state_dir)?))
}

/// The state directory, which must be there.
pub(super) fn state_directory(disk: &Disk, state_dir: &Path) -> Result<Directory> {
    let absent = |error: Error| match error.io_kind() {
        Some(ErrorKind::NotFound) => {
            let why =
                "there is no such state directory; name the daemon's with --state-dir, or ask as its user (root: sudo)"
                    .to_owned();
            Error::new("opening", state_dir, Cause::Absent(why))
        }
        _ => error,
    };
    let real = disk.canonical(state_dir).map_err(absent)?;
    disk.open_directory(&real).map(Directory::as_ours)
}

/// The document that a path names, links resolved; it need not be there any more, nor its folder.
pub(super) fn document(path: &Path, session: &Session<'_>) -> Result<DocumentId> {
    let path = session.surroundings.current_dir.join(path);
    let no_file = || Error::new("looking for", &path, Cause::Usage("this names no file; name one".into()));
    let real = resolved(&session.disk, &path)?;
    Ok(DocumentId::new(real.parent().ok_or_else(no_file)?, real.file_name().ok_or_else(no_file)?))
}

/// Where a path leads, whether or not anything is there.
pub(super) fn resolved(disk: &Disk, path: &Path) -> Result<PathBuf> {
    match disk.follow(path, |_| true) {
        Resolved::There(real, _) | Resolved::NotThere { path: real, .. } | Resolved::Elsewhere(real) => Ok(real),
        Resolved::Unknown(_, error) => Err(error),
        Resolved::Circular(link) => {
            Err(Error::new("following", link, Cause::Refused("its links lead in a circle".to_owned())))
        }
    }
}
