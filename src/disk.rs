//! The file system, one verb a step. Everything is done by directory handle and name, never by a path that somebody
//! could swap a link into; links are never followed below a handle.
//!
//! *Invariant:* no other module touches files. Each verb that changes something asks the hook first, so a test
//! can fail or stop exactly one of many (as superfly/litefs does in `mock/os.go`).

pub mod access;
pub mod attributes;
pub mod directory;
pub mod follow;
mod guise;
pub mod lease;
pub mod locks;
mod log_file;
pub mod memory;
pub mod mounts;
mod names;
mod nowhere;
pub mod path;
pub mod prospects;
mod room;
pub mod signature;
pub mod socket;
mod strangers;
pub mod syncing;
pub mod writers;

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

pub use room::Room;
/// An open file: a handle that a verb of this module gave.
pub use std::fs::File;

use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;

use crate::error::{Error, Result};
use directory::Directory;
use signature::Signature;

/// A step that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A folder is made.
    MakeDirectory,
    /// A new file is made.
    Create,
    /// Room for a file is reserved.
    Allocate,
    /// Bytes are written.
    Write,
    /// A file is cut to its length.
    Truncate,
    /// A line is appended.
    Append,
    /// Owner, mode and other attributes are set.
    SetAttributes,
    /// A file's bytes are made durable.
    Sync,
    /// A folder's names are made durable.
    SyncDirectory,
    /// A whole file system is made durable.
    SyncFileSystem,
    /// Two names exchange their files.
    Exchange,
    /// A file gets another name.
    Rename,
    /// A file gets a second name.
    Link,
    /// A name is removed.
    Unlink,
}

type Hook = dyn Fn(Step) -> io::Result<()> + Send + Sync;

/// The file system. Cheap to clone.
#[derive(Clone, Default)]
pub struct Disk {
    hook: Option<Arc<Hook>>,
    everywhere: mounts::Remembered,
    open: writers::Remembered,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Disk").field("hooked", &self.hook.is_some()).finish_non_exhaustive()
    }
}

/// Whether a change survives a power cut as soon as the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// It does.
    Now,
    /// Only once the file system has been synced: many changes share one sync.
    Later,
}

/// What stood at a name when it was opened for reading.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File, Signature),
    /// Something else: a folder, a pipe, a device, a socket, a link.
    Other(Signature),
    /// Nothing.
    Missing,
}

impl Disk {
    /// A disk whose every changing step asks `hook` first; an error from it is that step's error.
    #[must_use]
    pub fn with_hook(hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..Self::default() }
    }

    fn step(&self, step: Step) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(step))
    }

    /// What stands at a name, links not followed; `None`: nothing.
    ///
    /// # Errors
    /// The folder is gone or not to be searched, or the disk failed.
    pub fn look(&self, directory: &Directory, name: &OsStr) -> Result<Option<Signature>> {
        match Signature::of_name(directory, name) {
            Ok(signature) => Ok(Some(signature)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::new("looking at", directory.path().join(name), errno)),
        }
    }

    /// The signature of an open file.
    ///
    /// # Errors
    /// The disk failed.
    pub fn signature(&self, file: &File, path: &Path) -> Result<Signature> {
        Signature::of_file(file).map_err(|errno| Error::new("looking at", path, errno))
    }

    /// Opens a file for reading. `O_NONBLOCK`, so that a pipe without a writer does not keep us.
    ///
    /// # Errors
    /// Permission was denied, or the disk failed.
    pub fn open(&self, directory: &Directory, name: &OsStr) -> Result<Opened> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let path = || directory.path().join(name);
        // Opening a device may act on it (a tape rewinds): look first, and look again at what was opened. Nobody puts one
        // into a folder of our own.
        if !directory.is_ours() {
            match self.look(directory, name)? {
                None => return Ok(Opened::Missing),
                Some(signature) if !signature.is_regular() => return Ok(Opened::Other(signature)),
                Some(_) => {}
            }
        }
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(handle) => {
                let file = File::from(handle);
                let signature = self.signature(&file, &path())?;
                Ok(if signature.is_regular() { Opened::File(file, signature) } else { Opened::Other(signature) })
            }
            Err(rustix::io::Errno::NOENT) => Ok(Opened::Missing),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
                Ok(self.look(directory, name)?.map_or(Opened::Missing, Opened::Other))
            }
            Err(errno) => Err(Error::new("opening", path(), errno)),
        }
    }

    /// Reads a file from its start, up to `limit` bytes; `goes_on` is asked between chunks of 256 KiB, and a `false`
    /// ends the reading with `None`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read(&self, file: &File, path: &Path, limit: u64, goes_on: impl Fn() -> bool) -> Result<Option<Vec<u8>>> {
        const CHUNK_BYTES: usize = 256 << 10;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(limit.min(64 << 20));
        loop {
            let there = bytes.len();
            bytes.resize(there + CHUNK_BYTES.min(limit - there), 0);
            let read = read_some(file, &mut bytes[there..], there as u64);
            let read = read.map_err(|error| Error::new("reading", path, error))?;
            bytes.truncate(there + read);
            if read == 0 {
                return Ok(Some(bytes));
            }
            if !goes_on() {
                return Ok(None);
            }
        }
    }

    /// Opens a regular file that is there for reading and writing; `None`: it is gone, no file, or somebody has it leased.
    ///
    /// # Errors
    /// Permission was denied, the file system is read-only, or the disk failed.
    pub fn open_to_write(&self, directory: &Directory, name: &OsStr) -> Result<Option<(File, Signature)>> {
        let path = directory.path().join(name);
        if !self.look(directory, name)?.is_some_and(|found| found.is_regular()) {
            return Ok(None);
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(handle) => {
                let file = File::from(handle);
                let signature = self.signature(&file, &path)?;
                Ok(signature.is_regular().then_some((file, signature)))
            }
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::AGAIN) => Ok(None),
            Err(errno) => Err(Error::new("opening for writing", path, errno)),
        }
    }

    /// Writes all the bytes of a file from its start; room is reserved first, so a full disk shows before anything is
    /// written. What was there beyond them stays.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn write(&self, file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
        self.step(Step::Allocate)
            .and_then(|()| room::allocate(file, bytes.len() as u64))
            .map_err(|error| Error::new("reserving room for", path, error))?;
        self.step(Step::Write)
            .and_then(|()| file.write_all_at(bytes, 0))
            .map_err(|error| Error::new("writing", path, error))
    }

    /// Cuts a file to this length.
    ///
    /// # Errors
    /// The disk failed.
    pub fn truncate(&self, file: &File, path: &Path, bytes: u64) -> Result<()> {
        self.step(Step::Truncate)
            .and_then(|()| file.set_len(bytes))
            .map_err(|error| Error::new("cutting to its length", path, error))
    }

    /// Makes a file's bytes and attributes durable. After an error the file is garbage: never try the same one again
    /// (the kernel may have dropped the dirty pages: wiki.postgresql.org/wiki/Fsync_Errors).
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn sync(&self, file: &File, path: &Path) -> Result<()> {
        self.step(Step::Sync).and_then(|()| file.sync_all()).map_err(|error| Error::new("syncing", path, error))
    }

    /// Makes a folder's names durable. A rename that is not followed by this may be undone by a power cut.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync_directory(&self, directory: &Directory) -> Result<()> {
        self.step(Step::SyncDirectory)
            .and_then(|()| retry_on_intr(|| rustix::fs::fsync(directory)).map_err(io::Error::from))
            .map_err(|error| Error::new("syncing the folder", directory.path(), error))
    }

    /// Makes all of a file system durable: cheaper than many single syncs. Errors of earlier writes are reported here
    /// since Linux 5.8 if `directory` was opened before them (syncfs(2)).
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn sync_file_system(&self, directory: &Directory) -> Result<()> {
        self.step(Step::SyncFileSystem)
            .and_then(|()| retry_on_intr(|| rustix::fs::syncfs(directory)).map_err(io::Error::from))
            .map_err(|error| Error::new("syncing the file system of", directory.path(), error))
    }
}

/// Reads once, from an offset on; 0 bytes: that is the end, or nothing was asked for.
fn read_some(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(into, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Are we root, who may do what others may not?
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
