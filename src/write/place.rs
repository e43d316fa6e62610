//! Where a path leads, and where what is kept is kept.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::EXTENSIONS;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::follow::Resolved;
use crate::document::DocumentId;
use crate::error::{Cause, Error, Escaped, Result};

/// What the names of all our temporaries begin with.
const STAGED: &str = ".jsonwarden-";

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

/// Refuses names that are no documents': of a folder, of what is staged beside documents, of a document's lock file.
///
/// # Errors
/// `Usage`: which, and why.
pub(super) fn refuse_reserved(disk: &Disk, directory: &Directory, path: &Path, document: &DocumentId) -> Result<()> {
    let name = document.name().as_encoded_bytes();
    let refused = |why: String| Err(Error::new("writing", path, Cause::Usage(why)));
    if [&b"/"[..], b"/."].iter().any(|end| path.as_os_str().as_encoded_bytes().ends_with(end)) {
        return refused("this names a folder; name a file".to_owned());
    }
    if name.starts_with(STAGED.as_bytes()) {
        return refused(format!("names that begin with {STAGED} are jsonwarden's own; choose another"));
    }
    let Some(locked) = name.strip_suffix(b".lock").map(OsStr::from_bytes).filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    // Of something else than a document, as Composer's and Nix's lock files are, it may be a document itself.
    if is_named_as_a_document(locked) || disk.look(directory, locked)?.is_some() {
        return refused(format!(
            "it is the lock file of {}, which is to stay as it is; choose another name",
            Escaped(locked)
        ));
    }
    Ok(())
}

fn is_named_as_a_document(name: &OsStr) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// Refuses what is kept of documents: it is none itself.
///
/// # Errors
/// `Usage`: it lies in the state directory.
pub(super) fn refuse_state(state: &Directory, document: &DocumentId) -> Result<()> {
    if !document.path().starts_with(state.path()) {
        return Ok(());
    }
    let why = format!(
        "it lies in the state directory {}, where versions are kept; choose another place",
        state.path().display()
    );
    Err(Error::new("writing", document.path(), Cause::Usage(why)))
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
