//! Where two names cannot be exchanged in one step (ZFS before 2.2, NFS, many a FUSE): what stands at the name is renamed
//! aside, and the staged file is linked in, which never replaces anything. For a moment nothing stands at the name.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;

use super::{Staged, Swapped};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::error::Result;

/// What the name of a file says that was renamed aside, until another stands at the document's name.
const MARK: &str = ".aside-";

/// Was this file renamed aside to make room? If nothing stands at the document's name, whoever did so died.
pub(crate) fn is_aside(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.contains(MARK))
}

/// As [`super::exchange`], in steps: whoever creates the document in between wins.
pub(super) fn replace(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    staged: &Staged,
    expected: &Signature,
    is_undisturbed: impl Fn() -> bool,
) -> Result<Swapped> {
    let aside = aside_name(&staged.name);
    disk.rename(directory, document.name(), &aside)?;
    let out = disk.look(directory, &aside).ok().flatten();
    if !out.is_some_and(|out| out.is_same_file(expected)) || !is_undisturbed() {
        return put_back(disk, directory, document, &aside).map(|()| Swapped::Yielded);
    }
    match disk.link(directory, &staged.name, document.name()) {
        Ok(()) => {}
        // They made a new one: theirs is the newest.
        Err(error) if error.io_kind() == Some(ErrorKind::AlreadyExists) => return Ok(Swapped::Yielded),
        Err(error) => {
            put_back(disk, directory, document, &aside)?;
            return Err(error);
        }
    }
    disk.unlink(directory, &staged.name)?;
    // As an exchange would have left it.
    disk.rename(directory, &aside, &staged.name)?;
    Ok(Swapped::DoneInSteps)
}

/// Gives a file that was renamed aside its name back; one that was made there meanwhile is newer, and stays.
fn put_back(disk: &Disk, directory: &Directory, document: &DocumentId, aside: &OsStr) -> Result<()> {
    match disk.rename(directory, aside, document.name()) {
        Err(error) if error.io_kind() != Some(ErrorKind::AlreadyExists) => Err(error),
        _ => Ok(()),
    }
}

/// The staged file's name ends with its version's number, and so does this.
fn aside_name(staged: &OsStr) -> OsString {
    let name = staged.to_string_lossy();
    match name.rsplit_once('-') {
        Some((stem, version)) => OsString::from(format!("{stem}{MARK}{version}")),
        None => OsString::from(format!("{name}{MARK}0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_aside_still_says_which_version_was_put_in() {
        let name = aside_name(OsStr::new(".jsonwarden-0123-4567-42"));
        assert_eq!(name, ".jsonwarden-0123-4567.aside-42");
        assert!(is_aside(&name) && !is_aside(OsStr::new(".jsonwarden-0123-4567-42")));
        assert_eq!(super::super::staged_version(&name), Some(crate::document::Version(42)));
    }
}
