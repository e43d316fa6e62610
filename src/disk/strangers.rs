//! Root among strangers: whose files root may read and write in folders that others may write.

use std::path::Path;

use super::Disk;
use super::directory::Directory;
use super::signature::Signature;
use crate::error::{Cause, Error, Result};

impl Disk {
    /// Refuses, as root, what the owner of a folder may have put there that is not theirs: a hard link to somebody else's
    /// file would have us read it into backups, or write it, with rights that they have not. Only a look by name is proof: of
    /// an open file the name may have been removed again, and with it the link that gives it away.
    ///
    /// # Errors
    /// `Refused` when the file is another's; else the disk failed.
    pub fn refuse_strangers(&self, directory: &Directory, file: &Signature, path: &Path) -> Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        match objection(&directory.signature()?, file) {
            None => Ok(()),
            Some(why) => Err(Error::new("trusting", path, Cause::Refused(why.to_owned()))),
        }
    }
}

/// A file that root owns is taken for one that root put there, unless it has other names.
fn objection(folder: &Signature, file: &Signature) -> Option<&'static str> {
    const OTHERS_WRITE: u32 = 0o002;
    let is_owner_s = file.owner == folder.owner;
    if folder.owner != 0 && !is_owner_s && (file.owner != 0 || file.links > 1) {
        return Some("the folder's owner does not own it, and could have linked it in");
    }
    let is_open_to_all = folder.mode & OTHERS_WRITE != 0;
    (is_open_to_all && file.links > 1).then_some("anybody may link files into its folder, and it has another name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(folder: (u32, u32), file: (u32, u32)) -> bool {
        let path = tempfile::tempdir().unwrap();
        let some = Signature::of_path(path.path()).unwrap();
        let (mut standing, mut found) = (some, some);
        (standing.owner, standing.mode) = folder;
        (found.owner, found.links) = file;
        objection(&standing, &found).is_some()
    }

    #[test]
    fn only_what_the_folder_s_owner_could_not_have_linked_in_is_trusted() {
        assert!(!objects((1000, 0o755), (1000, 1)) && !objects((1000, 0o755), (1000, 2)));
        assert!(!objects((1000, 0o755), (0, 1)), "root put it there");
        assert!(objects((1000, 0o755), (0, 2)), "or linked it there somebody");
        assert!(objects((1000, 0o755), (1001, 1)) && objects((1000, 0o755), (1001, 2)));
        assert!(!objects((0, 0o755), (0, 2)) && !objects((0, 0o755), (1000, 2)), "nobody but root links here");
        assert!(objects((0, 0o1777), (0, 2)) && !objects((0, 0o1777), (1000, 1)));
    }
}
