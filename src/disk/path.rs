//! The few verbs that go by path: they find out where a path leads, and change nothing.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::Disk;
use super::signature::Signature;
use crate::error::{Error, Result};

impl Disk {
    /// What a path leads to, a link in its last part not followed; `None`: nothing.
    ///
    /// # Errors
    /// A folder on the way must not be searched, or the disk failed.
    pub fn look_at_path(&self, path: &Path) -> Result<Option<Signature>> {
        match Signature::of_path(path) {
            Ok(signature) => Ok(Some(signature)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(Error::new("looking at", path, errno)),
        }
    }

    /// What a symbolic link says; `None`: it is no link.
    ///
    /// # Errors
    /// It is not there, a folder on the way must not be searched, or the disk failed.
    pub fn read_link(&self, path: &Path) -> Result<Option<PathBuf>> {
        match rustix::fs::readlinkat(CWD, path, Vec::new()) {
            Ok(target) => Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes())))),
            Err(Errno::INVAL) => Ok(None),
            Err(errno) => Err(Error::new("reading the link", path, errno)),
        }
    }
}

/// The device and the inode that an open file, pipe or socket is; `None`: it is closed.
#[must_use]
pub fn identity_of(handle: &impl std::os::fd::AsFd) -> Option<(u64, u64)> {
    rustix::fs::fstat(handle).ok().map(|found| (found.st_dev, found.st_ino))
}
