//! Where a path leads, and where what is kept is kept.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::disk::follow::Resolved;
use crate::document::DocumentId;
use crate::error::{Cause, Error, Result};

/// The document that a path leads to: links are followed, also one that leads to a file that is not there yet. Its folder
/// must be there.
///
/// # Errors
/// The path names no file, its folder is not there or not to be searched, its links run in a circle, or (as root) a
/// stranger's link leads to what is not theirs.
pub fn resolved(disk: &Disk, path: &Path) -> Result<DocumentId> {
    let absolute = std::path::absolute(path).map_err(|error| Error::new("resolving", path, error))?;
    let real = match disk.follow(&absolute, |_| true) {
        Resolved::There(real, _) | Resolved::NotThere { path: real, .. } => real,
        Resolved::Unknown(_, error) => return Err(error),
        Resolved::Circular(link) => {
            return Err(Error::new("following", link, Cause::Refused("its links lead in a circle".to_owned())));
        }
        Resolved::Elsewhere(there) => {
            return Err(Error::new("following", there, Cause::Refused("it must not be touched from here".to_owned())));
        }
    };
    match (real.parent(), real.file_name()) {
        (Some(folder), Some(name)) => Ok(DocumentId::new(folder, name)),
        _ => Err(Error::new("looking for", path, Cause::Usage("this names no file; name one".to_owned()))),
    }
}

/// The state directory of this process's own user, as the command line has it: `/var/lib/jsonwarden` as root,
/// `$XDG_STATE_HOME/jsonwarden` or `~/.local/state/jsonwarden` else. `None`: neither variable is set to an absolute path.
#[must_use]
pub fn own_state_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/jsonwarden"));
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || folder("HOME").map(|home| home.join(".local/state"));
    folder("XDG_STATE_HOME").or_else(home).map(|folder| folder.join("jsonwarden"))
}
