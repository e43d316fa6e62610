//! The verbs that advisory locks are made of.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, Uid};
use rustix::io::Errno;

use super::directory::Directory;
use super::signature::Signature;
use super::{Disk, File, Step};
use crate::error::{Error, Result};

const PERMISSIONS: u32 = 0o666;

impl Disk {
    /// Opens a lock file that is there, for writing too if that is allowed; `None`: it is not there, or no file, or (as root)
    /// a second name of somebody's that a stranger may have made: to lock it would be to lock another program out of its own.
    ///
    /// # Errors
    /// Permission was denied, or the disk failed.
    pub fn open_lock_file(&self, directory: &Directory, name: &OsStr) -> Result<Option<File>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let path = directory.path().join(name);
        let is_linked_in =
            |found: &Signature| found.links > 1 && self.refuse_strangers(directory, found, &path).is_err();
        if !self.look(directory, name)?.is_some_and(|found| found.is_regular() && !is_linked_in(&found)) {
            return Ok(None);
        }
        let opened = match rustix::fs::openat(directory, name, flags | OFlags::RDWR, Mode::empty()) {
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                rustix::fs::openat(directory, name, flags | OFlags::RDONLY, Mode::empty())
            }
            opened => opened,
        };
        match opened {
            Ok(handle) => {
                let file = File::from(handle);
                let found = self.signature(&file, &path)?;
                Ok((!is_linked_in(&found)).then_some(file))
            }
            Err(Errno::NOENT | Errno::LOOP) => Ok(None),
            Err(errno) => Err(Error::new("opening the lock file", path, errno)),
        }
    }

    /// Makes a lock file for a file that looks like `beside`: whoever may write that may lock it. `None`: it is there by now.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn create_lock_file(
        &self,
        directory: &Directory,
        name: &OsStr,
        beside: Option<&Signature>,
    ) -> Result<Option<File>> {
        let mode = beside.map_or(PERMISSIONS, |beside| beside.mode & PERMISSIONS);
        let created = match beside {
            Some(beside) => self.create_for(directory, name, mode, beside.owner),
            None => self.create(directory, name, mode),
        };
        let file = match created {
            Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => return Ok(None),
            created => created?,
        };
        if let Some(beside) = beside {
            // As far as this user can: the lock is good all the same.
            let _ = rustix::fs::fchown(&file, Some(Uid::from_raw(beside.owner)), Some(Gid::from_raw(beside.group)));
            let _ = rustix::fs::fchmod(&file, Mode::from_raw_mode(mode));
        }
        Ok(Some(file))
    }

    /// Takes the flock(2) lock of an open file, or says `false` when somebody has it. It goes with the handle.
    ///
    /// # Errors
    /// The file system has no such locks.
    pub fn try_flock(&self, file: &File, path: &Path) -> Result<bool> {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(Error::new("locking", path, errno)),
        }
    }

    /// Takes the record lock of a whole file that is open for writing, or says `false` when somebody has it. It belongs to
    /// the handle, not to the process (`F_OFD_SETLK`, fcntl(2)): it excludes other threads too, and still excludes, and is
    /// excluded by, whoever uses the older kind (`F_SETLK`, Python's `fcntl.lockf`).
    ///
    /// # Errors
    /// The file system has no such locks, or the file is not open for writing.
    pub fn try_record_lock(&self, file: &File, path: &Path) -> Result<bool> {
        #[expect(clippy::cast_possible_truncation, reason = "small constants of the kernel's interface")]
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => Ok(true),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
            Err(errno) => Err(Error::new("locking", path, io::Error::from(errno))),
        }
    }

    /// Makes a folder whose being there says something; `false`: something is there already.
    ///
    /// # Errors
    /// The parent cannot be written, or the disk is full.
    pub fn make_marker(&self, parent: &Directory, name: &OsStr) -> Result<bool> {
        let made = self
            .step(Step::MakeDirectory)
            .and_then(|()| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)).map_err(io::Error::from));
        match made {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::new("making the folder", parent.path().join(name), error)),
        }
    }

    /// Dates an open file or folder to now (`mtime`).
    ///
    /// # Errors
    /// It is another's, or the disk failed.
    pub fn date(&self, handle: impl AsFd, path: &Path) -> Result<()> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        self.step(Step::SetAttributes)
            .and_then(|()| rustix::fs::futimens(handle, &times).map_err(io::Error::from))
            .map_err(|error| Error::new("dating", path, error))
    }
}

/// The process that holds an flock(2) or record lock on a file, as /proc/locks tells; `None`: it does not.
#[must_use]
pub fn holder(file: &Signature) -> Option<u32> {
    holder_in(&std::fs::read_to_string("/proc/locks").ok()?, file.device, file.inode)
}

/// A line is `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`; `->` instead of a kind: one that waits (proc_locks(5)).
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let place = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    let on_it = locks.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is_kind = matches!(words.next()?, "FLOCK" | "POSIX" | "OFDLCK");
        let (pid, found) = (words.nth(2)?, words.next()?);
        (is_kind && found == place).then(|| pid.parse().ok()).flatten()
    });
    on_it.into_iter().find(|pid| *pid > 0)
}

/// What a process is called; `None`: there is none of that number, or it does not tell.
#[must_use]
pub fn command_of(process: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().escape_debug().to_string())
}

/// Is there a process of this number? One that we may not ask is there.
#[must_use]
pub fn is_alive(process: u32) -> bool {
    let Some(process) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    rustix::process::test_kill_process(process) != Err(Errno::SRCH)
}

/// What this machine calls itself in the lock files of Python's `filelock.SoftFileLock` (4.2, `_identity.py`): its host
/// name, and the namespace that its process numbers are from unless that is the first one. `None`: it has a name that
/// would have to be escaped.
#[must_use]
pub fn host_name() -> Option<String> {
    const FIRST_NAMESPACE: u64 = 0xefff_fffc;
    const LONGEST: usize = 253;
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'?';
    let namespace = rustix::fs::stat("/proc/self/ns/pid").map_or(FIRST_NAMESPACE, |found| found.st_ino);
    let full = if namespace == FIRST_NAMESPACE { name.clone() } else { format!("{name}?pidns-{namespace:x}") };
    (name.bytes().all(is_plain) && full.len() <= LONGEST).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_the_file_and_who_waits_is_none() {
        let locks = "1: POSIX  ADVISORY  WRITE 12 fd:01:7 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 fd:01:5678 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF\n\
                     3: OFDLCK ADVISORY  WRITE -1 fd:01:9 0 EOF\nnonsense\n";
        let device = rustix::fs::makedev(0xfd, 1);
        assert_eq!(holder_in(locks, device, 5678), Some(1234));
        assert_eq!(holder_in(locks, device, 7), Some(12));
        assert_eq!(holder_in(locks, device, 9), None, "a lock of a handle has no process");
        assert_eq!(holder_in(locks, device, 1), None);
    }

    #[test]
    fn we_are_alive_and_have_a_name() {
        assert!(is_alive(std::process::id()) && is_alive(1) && !is_alive(0) && !is_alive(u32::MAX));
        assert!(command_of(std::process::id()).is_some());
    }

    #[test]
    fn a_record_lock_keeps_other_handles_of_the_same_process_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let open = || File::options().create(true).truncate(false).read(true).write(true).open(&path).unwrap();
        let (disk, one, other) = (Disk::default(), open(), open());
        assert!(disk.try_record_lock(&one, &path).unwrap());
        assert!(!disk.try_record_lock(&other, &path).unwrap());
        drop(open());
        assert!(!disk.try_record_lock(&other, &path).unwrap(), "closing another handle does not let it go");
        drop(one);
        assert!(disk.try_record_lock(&other, &path).unwrap());
    }
}
