//! A handle on a folder: names looked up through it reach that folder and no other, wherever its path leads by now.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::signature::Signature;
use super::{Disk, Durable, Step};
use crate::error::{Cause, Error, Result};

/// An open folder, and the path that it was opened by.
#[derive(Debug)]
pub struct Directory {
    handle: OwnedFd,
    path: PathBuf,
    is_ours: bool,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// Is it a folder (not a link to one)?
    pub is_directory: bool,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Directory {
    /// The path that it was opened by: for messages, never for opening.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle on the same folder.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn duplicate(&self) -> Result<Self> {
        let handle = self.handle.try_clone().map_err(|error| Error::new("opening the folder", &self.path, error))?;
        Ok(Self { handle, path: self.path.clone(), is_ours: self.is_ours })
    }

    /// The same folder as one of our own (the state directory), and so all below it: as root we make names in it as
    /// ourselves, whoever owns it.
    #[must_use]
    pub fn as_ours(self) -> Self {
        Self { is_ours: true, ..self }
    }

    /// Is it one of our own?
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Its signature.
    ///
    /// # Errors
    /// The disk failed.
    pub fn signature(&self) -> Result<Signature> {
        Signature::of_file(self).map_err(|errno| Error::new("looking at the folder", &self.path, errno))
    }
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Disk {
    /// Opens a folder by its absolute, canonical path; a link anywhere in it is refused, so nobody can lead us elsewhere.
    ///
    /// # Errors
    /// It is not there, is no folder, has a link in its path (`ELOOP`), or permission was denied.
    pub fn open_directory(&self, path: &Path) -> Result<Directory> {
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let handle = match rustix::fs::openat2(CWD, path, FLAGS, Mode::empty(), resolve) {
            // Before Linux 5.6, or forbidden by a sandbox that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => open_step_by_step(path),
            result => result,
        };
        match handle {
            Ok(handle) => Ok(Directory { handle, path: path.to_owned(), is_ours: false }),
            Err(errno) => Err(Error::new("opening the folder", path, errno)),
        }
    }

    /// Opens a folder of our own by its absolute path, links resolved, and makes what is missing of it, mode 0700.
    ///
    /// # Errors
    /// As [`Disk::open_directory`], or the disk is full or read-only.
    pub fn make_directory_at(&self, path: &Path) -> Result<Directory> {
        let mut missing = Vec::new();
        let mut there = path;
        let real = loop {
            match (self.canonical(there), there.parent(), there.file_name()) {
                (Ok(real), ..) => break real,
                (Err(error), Some(parent), Some(name)) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                    missing.push(name);
                    there = parent;
                }
                (Err(error), ..) => return Err(error),
            }
        };
        missing.reverse();
        self.make_below(&self.open_directory(&real)?.as_ours(), &missing, Durable::Now)
    }

    /// Opens a folder inside another, which may be several levels down.
    ///
    /// # Errors
    /// As [`Disk::open_directory`].
    pub fn open_below(&self, base: &Directory, names: &[&OsStr]) -> Result<Directory> {
        self.descend(base, names, None)
    }

    /// Opens a folder inside another, and makes what is missing on the way, mode 0700.
    ///
    /// # Errors
    /// As [`Disk::open_directory`], or the disk is full.
    pub fn make_below(&self, base: &Directory, names: &[&OsStr], durable: Durable) -> Result<Directory> {
        self.descend(base, names, Some(durable))
    }

    fn descend(&self, base: &Directory, names: &[&OsStr], make: Option<Durable>) -> Result<Directory> {
        if let Some(there) = at_once(base, names) {
            return Ok(there);
        }
        let mut current = base.duplicate()?;
        for name in names {
            let path = current.path.join(name);
            let handle = match (rustix::fs::openat(&current, *name, FLAGS, Mode::empty()), make) {
                (Err(Errno::NOENT), Some(durable)) => {
                    self.make_directory(&current, name, durable)?;
                    rustix::fs::openat(&current, *name, FLAGS, Mode::empty())
                }
                (result, _) => result,
            };
            let handle = handle.map_err(|errno| Error::new("opening the folder", &path, errno))?;
            current = Directory { handle, path, is_ours: base.is_ours };
        }
        Ok(current)
    }

    fn make_directory(&self, parent: &Directory, name: &OsStr, durable: Durable) -> Result<()> {
        let made = self
            .step(Step::MakeDirectory)
            .and_then(|()| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(io::Error::from));
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::new("making the folder", parent.path.join(name), error)),
            Ok(()) if durable == Durable::Now => self.sync_directory(parent),
            Ok(()) => Ok(()),
        }
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// It is not empty or not there.
    pub fn remove_directory(&self, parent: &Directory, name: &OsStr) -> Result<()> {
        self.step(Step::Unlink)
            .and_then(|()| rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(io::Error::from))
            .map_err(|error| Error::new("removing the folder", parent.path.join(name), error))
    }

    /// Calls `each` for every name in a folder, `.` and `..` left out; it ends early on `false`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn list(&self, directory: &Directory, mut each: impl FnMut(Entry) -> bool) -> Result<()> {
        let failed = |errno: Errno| Error::new("listing", &directory.path, errno);
        for entry in Dir::read_from(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let name = OsStr::from_bytes(bytes).to_owned();
            let is_directory = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown => self.look(directory, &name)?.is_some_and(|found| found.is_directory()),
                _ => false,
            };
            if !each(Entry { name, is_directory }) {
                break;
            }
        }
        Ok(())
    }

    /// Takes the lock of a folder, or says `false` when somebody has it. It is let go when the handle is closed. (flock(2)
    /// on the folder itself: no lock file that somebody could remove.)
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn try_lock_directory(&self, directory: &Directory) -> Result<bool> {
        match rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(Error::new("locking the folder", &directory.path, errno)),
        }
    }

    /// Waits for the lock of a folder ([`Disk::try_lock_directory`]).
    ///
    /// # Errors
    /// `Locked` when somebody else still has it after `limit`.
    pub fn lock_directory(&self, directory: &Directory, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.try_lock_directory(directory)? {
            if Instant::now() > deadline {
                let why = Cause::Locked(format!("another jsonwarden process has been at it for {limit:?}"));
                return Err(Error::new("locking the folder", &directory.path, why));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The real path of a folder or file: links resolved, absolute.
    ///
    /// # Errors
    /// It is not there, or its links run in a circle.
    pub fn canonical(&self, path: &Path) -> Result<PathBuf> {
        std::fs::canonicalize(path).map_err(|error| Error::new("resolving", path, error))
    }

    /// Does one syncfs(2) here make everything durable and report every failure? Known of ext4, xfs, btrfs and tmpfs
    /// (magic numbers as in statfs(2)).
    #[must_use]
    pub fn syncs_whole_file_systems(&self, directory: &Directory) -> bool {
        const KNOWN: [u64; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];
        rustix::fs::fstatfs(directory).is_ok_and(|found| KNOWN.contains(&(found.f_type.cast_unsigned() & 0xffff_ffff)))
    }
}

/// A folder inside another that is there already, in one call. `None`: whoever goes step by step sees why not.
fn at_once(base: &Directory, names: &[&OsStr]) -> Option<Directory> {
    let below: PathBuf = names.iter().collect();
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let handle = rustix::fs::openat2(base, &below, FLAGS, Mode::empty(), resolve).ok()?;
    Some(Directory { handle, path: base.path.join(below), is_ours: base.is_ours })
}

fn open_step_by_step(path: &Path) -> rustix::io::Result<OwnedFd> {
    let mut handle = rustix::fs::openat(CWD, "/", FLAGS, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => handle = rustix::fs::openat(&handle, name, FLAGS, Mode::empty())?,
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::LOOP),
        }
    }
    Ok(handle)
}
