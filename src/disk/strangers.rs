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
        if !super::is_root() {
            return Ok(());
        }
        match objection(&directory.signature()?, file) {
            None => Ok(()),
            Some(why) => Err(Error::new("trusting", path, Cause::Refused(why.to_owned()))),
        }
    }
}

const OTHERS_WRITE: u32 = 0o002;

/// A file that root owns is taken for one that root put there, unless it has other names.
fn objection(folder: &Signature, file: &Signature) -> Option<&'static str> {
    let is_owner_s = file.owner == folder.owner;
    if folder.owner != 0 && !is_owner_s && (file.owner != 0 || file.links > 1) {
        return Some("the folder's owner does not own it, and could have linked it in");
    }
    let is_open_to_all = folder.mode & OTHERS_WRITE != 0;
    (is_open_to_all && file.links > 1).then_some("anybody may link files into its folder, and it has another name")
}

/// Who has led root along, by links.
#[derive(Debug)]
pub(super) struct Led {
    is_root: bool,
    by: Vec<u32>,
}

impl Led {
    pub(super) fn new(is_root: bool) -> Self {
        Self { is_root, by: Vec::new() }
    }

    /// A link was taken. Those that only root can have put there are root's own.
    pub(super) fn by(&mut self, folder: &Signature, link: &Signature) {
        let only_root_puts = folder.owner == 0 && folder.mode & OTHERS_WRITE == 0;
        let is_root_s = link.owner == 0 && link.links == 1;
        if self.is_root && !only_root_puts && !is_root_s {
            self.by.push(if folder.owner == 0 { link.owner } else { folder.owner });
        }
    }

    /// Has any stranger?
    pub(super) fn is_by_strangers(&self) -> bool {
        !self.by.is_empty()
    }

    /// May it end here? Only with what all of them own.
    pub(super) fn may_reach(&self, end: &Signature) -> bool {
        self.by.iter().all(|stranger| *stranger != 0 && *stranger == end.owner)
    }
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
