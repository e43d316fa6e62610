//! Making, moving and removing names in a folder: in a stranger's folder with that stranger's rights.

use std::ffi::OsStr;
use std::io;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::directory::Directory;
use super::guise::{self, Guise};
use super::{Disk, File, Step};
use crate::error::{Error, Result};

impl Disk {
    /// A step that changes the names in a folder: as root in somebody else's, with that one's rights.
    pub(super) fn change_names<T>(
        &self,
        directory: &Directory,
        step: Step,
        change: impl FnOnce() -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        self.step(step)?;
        let _guise = Guise::of_owner(directory)?;
        change().map_err(io::Error::from)
    }

    /// Makes a new file, open for reading and writing; it must not exist.
    ///
    /// # Errors
    /// The name is taken, the folder cannot be written, or the disk is full.
    pub fn create(&self, directory: &Directory, name: &OsStr, mode: u32) -> Result<File> {
        self.change_names(directory, Step::Create, || open_new(directory, name, mode))
            .map_err(|error| Error::new("creating", directory.path().join(name), error))
    }

    /// As [`Disk::create`], for a file that is to be `owner`'s. What is not to be the folder's owner's is never theirs, not
    /// for a moment: they could open it, and write it when it is another's.
    ///
    /// # Errors
    /// As [`Disk::create`].
    pub fn create_for(&self, directory: &Directory, name: &OsStr, mode: u32, owner: u32) -> Result<File> {
        if guise::stranger(directory).is_ok_and(|stranger| stranger.is_none_or(|(theirs, _)| theirs == owner)) {
            return self.create(directory, name, mode);
        }
        // They must be able to remove it again.
        self.step(Step::Create)
            .and_then(|()| guise::may_change_names(directory).map_err(io::Error::from))
            .and_then(|()| open_new(directory, name, mode).map_err(io::Error::from))
            .map_err(|error| Error::new("creating", directory.path().join(name), error))
    }

    /// Opens a file for reading and writing, and makes it, mode 0600, if it is not there.
    ///
    /// # Errors
    /// Permission was denied, the folder cannot be written, or the disk is full.
    pub fn open_or_create(&self, directory: &Directory, name: &OsStr) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600)).map(File::from);
        let opened = match open(flags) {
            Err(Errno::NOENT) => self.change_names(directory, Step::Create, || open(flags | OFlags::CREATE)),
            result => self.step(Step::Create).and_then(|()| result.map_err(io::Error::from)),
        };
        opened.map_err(|error| Error::new("opening", directory.path().join(name), error))
    }

    /// Exchanges what two names of one folder hold, in one step that readers see whole.
    ///
    /// # Errors
    /// A name is gone, one is a mount point (`EBUSY`), or the file system cannot do it (`EINVAL`).
    pub fn exchange(&self, directory: &Directory, one: &OsStr, other: &OsStr) -> Result<()> {
        let exchange = || rustix::fs::renameat_with(directory, one, directory, other, RenameFlags::EXCHANGE);
        self.change_names(directory, Step::Exchange, exchange)
            .map_err(|error| Error::new("exchanging", directory.path().join(other), error))
    }

    /// Renames a file; what stands at the new name is never replaced. A file system that cannot promise this (`EINVAL`)
    /// links the new name first, which never replaces either.
    ///
    /// # Errors
    /// The new name is taken, or the disk failed.
    pub fn rename(&self, directory: &Directory, from: &OsStr, to: &OsStr) -> Result<()> {
        let rename = || match rustix::fs::renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL) => {
                rustix::fs::linkat(directory, from, directory, to, AtFlags::empty())?;
                rustix::fs::unlinkat(directory, from, AtFlags::empty())
            }
            result => result,
        };
        self.change_names(directory, Step::Rename, rename)
            .map_err(|error| Error::new("renaming to", directory.path().join(to), error))
    }

    /// Gives a file a second name; what stands there is never replaced.
    ///
    /// # Errors
    /// The name is taken, the file system has no hard links, or the disk failed.
    pub fn link(&self, directory: &Directory, from: &OsStr, to: &OsStr) -> Result<()> {
        let link = || rustix::fs::linkat(directory, from, directory, to, AtFlags::empty());
        self.change_names(directory, Step::Link, link)
            .map_err(|error| Error::new("linking to", directory.path().join(to), error))
    }

    /// Removes a name.
    ///
    /// # Errors
    /// It is not there, or the folder cannot be written.
    pub fn unlink(&self, directory: &Directory, name: &OsStr) -> Result<()> {
        let unlink = || rustix::fs::unlinkat(directory, name, AtFlags::empty());
        self.change_names(directory, Step::Unlink, unlink)
            .map_err(|error| Error::new("removing", directory.path().join(name), error))
    }
}

fn open_new(directory: &Directory, name: &OsStr, mode: u32) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(mode)).map(File::from)
}
