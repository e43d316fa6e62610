//! The socket that people ask a daemon through, in a folder that it alone has.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, Mode};

use super::directory::Directory;
use super::{Disk, File};
use crate::error::{Cause, Error, Result};

/// The socket's name in its folder.
pub const NAME: &str = "control.sock";

/// Who holds this lock has the socket: it tells a dead daemon's from a living one's.
const LOCK: &str = "control.lock";

/// A socket that is listened at. It is removed when dropped.
#[derive(Debug)]
pub struct Socket {
    /// Where connections come in; non-blocking.
    pub listener: UnixListener,
    folder: Directory,
    _lock: File,
}

impl Socket {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What cannot be removed is replaced by the next daemon.
        let _ = rustix::fs::unlinkat(&self.folder, NAME, AtFlags::empty());
    }
}

impl Disk {
    /// Listens at the socket of a folder, which is made if it is missing. Any local user may connect; who asks, the kernel
    /// says. The socket of a daemon that is dead is replaced.
    ///
    /// # Errors
    /// `Locked`: a living daemon has it. Else the folder cannot be made or written.
    pub fn listen(&self, folder: &Path) -> Result<Socket> {
        let is_new = self.look_at_path(folder)?.is_none();
        let folder = self.make_directory_at(folder)?;
        let path = folder.path().join(NAME);
        let failed = |error: io::Error| Error::new("listening at", &path, error);
        if is_new {
            rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o755)).map_err(|errno| failed(errno.into()))?;
        }
        let lock = self.open_or_create(&folder, OsStr::new(LOCK))?;
        let is_taken = || Error::new("listening at", &path, Cause::Locked("another daemon listens there".to_owned()));
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Err(is_taken()),
            Err(fs4::TryLockError::Error(error)) => return Err(failed(error)),
        }
        if connect_in(&folder).is_ok() {
            return Err(is_taken());
        }
        match rustix::fs::unlinkat(&folder, NAME, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        let listener = UnixListener::bind(short(&folder)).map_err(failed)?;
        rustix::fs::chmodat(&folder, NAME, Mode::from_raw_mode(0o666), AtFlags::empty())
            .map_err(|errno| failed(errno.into()))?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Socket { listener, folder, _lock: lock })
    }

    /// Connects to the socket of a folder; `None`: nobody listens there.
    ///
    /// # Errors
    /// Permission was denied, or the system refused otherwise.
    pub fn connect(&self, folder: &Path) -> Result<Option<UnixStream>> {
        let absent = |kind| {
            matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused)
        };
        let folder = match self.canonical(folder).and_then(|real| self.open_directory(&real)) {
            Err(error) if error.io_kind().is_some_and(absent) => return Ok(None),
            folder => folder?,
        };
        match connect_in(&folder) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if absent(error.kind()) => Ok(None),
            Err(error) => Err(Error::new("connecting to", folder.path().join(NAME), error)),
        }
    }
}

/// By the folder's handle: a socket's path has 107 bytes at most (unix(7)), and a folder's may have more. Without /proc (a bare
/// chroot) there is nothing but that path.
fn short(folder: &Directory) -> PathBuf {
    let by_handle = PathBuf::from(format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd()));
    let is_there = rustix::fs::access(&by_handle, Access::EXISTS).is_ok();
    if is_there { by_handle.join(NAME) } else { folder.path().join(NAME) }
}

fn connect_in(folder: &Directory) -> io::Result<UnixStream> {
    UnixStream::connect(short(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_daemon_s_socket_is_replaced_and_a_living_one_s_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(120)).join("run");
        let disk = Disk::default();
        assert!(disk.connect(&path).unwrap().is_none());
        let living = disk.listen(&path).unwrap();
        assert!(disk.connect(&path).unwrap().is_some());
        assert!(matches!(disk.listen(&path).unwrap_err().cause(), Cause::Locked(_)));
        assert!(disk.connect(&path).unwrap().is_some(), "it is still there");
        drop(living);
        assert!(!path.join(NAME).exists());
        let killed = UnixListener::bind(folder.path().join(NAME)).unwrap();
        drop(killed);
        assert!(disk.connect(folder.path()).unwrap().is_none());
        let _next = disk.listen(folder.path()).unwrap();
        assert!(disk.connect(folder.path()).unwrap().is_some());
    }
}
