//! Files that only grow: appended to, and read from their beginning without holding them in memory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, Mode, OFlags};

use super::directory::Directory;
use super::{Disk, Durable, Step};
use crate::error::{Error, Result};

/// So much is read at once.
const CHUNK_BYTES: usize = 256 << 10;

impl Disk {
    /// Appends one line to a file, which is made if it is not there.
    ///
    /// # Errors
    /// The disk is full or failed. Part of the line may have been written: readers skip lines whose checksum fails.
    pub fn append(&self, directory: &Directory, name: &OsStr, line: &[u8], durable: Durable) -> Result<()> {
        let file = self.append_unsynced(directory, name, line)?;
        let synced = if durable == Durable::Now { file.sync_all() } else { Ok(()) };
        synced.map_err(|error| Error::new("appending to", directory.path().join(name), error))
    }

    /// As [`Disk::append`], for whoever makes the line durable later: gives the file.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn append_unsynced(&self, directory: &Directory, name: &OsStr, line: &[u8]) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let appended = self.step(Step::Append).and_then(|()| {
            let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?);
            file.write_all(line).map(|()| file)
        });
        appended.map_err(|error| Error::new("appending to", directory.path().join(name), error))
    }

    /// Reads an open file from where it stands to its end; `each` gets it in chunks of up to 256 KiB.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read_chunks(&self, mut file: &File, path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => each(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::new("reading", path, error)),
            }
        }
    }

    /// Reads so many bytes of an open file from an offset on, fewer at its end.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read_at(&self, file: &File, path: &Path, offset: u64, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        while (bytes.len() as u64) < count {
            let wanted = usize::try_from(count - bytes.len() as u64).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            match file.read_at(&mut chunk[..wanted], offset + bytes.len() as u64) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::new("reading", path, error)),
            }
        }
        Ok(bytes)
    }

    /// Replaces bytes in the middle of a file, which may grow meanwhile.
    ///
    /// # Errors
    /// The file is not there, or the disk failed.
    pub fn overwrite(&self, directory: &Directory, name: &OsStr, parts: &[(u64, Vec<u8>)]) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let overwritten = self.step(Step::Write).and_then(|()| {
            let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
            parts.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))?;
            file.sync_all()
        });
        overwritten.map_err(|error| Error::new("overwriting", directory.path().join(name), error))
    }

    /// Leaves nothing of a file in the page cache that need not be there: whoever reads much once must not push out what
    /// others read often. Where that cannot be, it stays.
    pub fn drop_cached(&self, file: &File) {
        let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    }
}
