//! How much room there is, and how some of it is kept for us.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::directory::Directory;
use super::{Disk, File, Step};
use crate::error::{Error, Result};

/// The room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that an ordinary user may still write.
    pub available_bytes: u64,
    /// Bytes that it has in all.
    pub all_bytes: u64,
    /// Files that an ordinary user may still make.
    pub available_files: u64,
    /// Files that it can have in all; 0: as many as there are bytes for (btrfs, and tmpfs with `nr_inodes=0`).
    pub all_files: u64,
}

impl Disk {
    /// The room on the folder's file system. What a user's quota leaves is not in it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn room(&self, directory: &Directory) -> Result<Room> {
        let room = rustix::fs::fstatvfs(directory)
            .map_err(|errno| Error::new("asking the room of", directory.path(), errno))?;
        Ok(Room {
            available_bytes: room.f_bavail.saturating_mul(room.f_frsize),
            all_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            available_files: room.f_favail,
            all_files: room.f_files,
        })
    }

    /// Makes a file of ours at least this long, with room on the disk for all of it; what is new reads as zeros. On a file
    /// system that cannot promise room it stays as long as it is.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn extend(&self, file: &File, path: &Path, bytes: u64) -> Result<()> {
        self.step(Step::Allocate)
            .and_then(|()| allocate(file, bytes))
            .map_err(|error| Error::new("reserving room for", path, error))
    }

    /// Reserves room for so many bytes of a file, and leaves its bytes and its length as they are, also when that fails.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn reserve(&self, file: &File, path: &Path, bytes: u64) -> Result<()> {
        self.step(Step::Allocate)
            .and_then(|()| allocate_with(file, FallocateFlags::KEEP_SIZE, bytes))
            .map_err(|error| Error::new("reserving room for", path, error))
    }
}

/// Reserves room. A file system that has no such call shows a full disk at the write instead.
pub(super) fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    allocate_with(file, FallocateFlags::empty(), bytes)
}

fn allocate_with(file: &File, flags: FallocateFlags, bytes: u64) -> io::Result<()> {
    const BLOCK_BYTES: u64 = 512;
    // What has its room needs no more. (XFS wants room for all of it again, and says that there is none.)
    if file.metadata()?.blocks().saturating_mul(BLOCK_BYTES) >= bytes {
        return Ok(());
    }
    // A tmpfs gives up when any signal comes; whoever asks again gets what is lacking.
    match rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, flags, 0, bytes)) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
