//! Leases: the kernel's answer, in 2 µs, to "is anybody writing this file right now?", and to "has anybody else opened it
//! at all?" (fcntl(2), "Leases").
//!
//! With `unsafe`, because neither nix nor rustix offers the call.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// What the kernel said to a request for a lease.
#[derive(Debug)]
pub enum Request<'file> {
    /// Nobody is in the way, and whoever comes now waits until the lease is dropped.
    Granted(Lease<'file>),
    /// Somebody has it open, or mapped, in the way that the lease excludes.
    Busy,
    /// Not to be had here: the file system, the kernel (from 7.0 file systems must opt in) or the file's owner forbids it.
    Unavailable,
}

/// A lease, given back when dropped. Hold it shortly: another's `open` waits for it.
#[derive(Debug)]
pub struct Lease<'file> {
    file: &'file File,
    kind: libc::c_int,
}

/// File systems whose leases say nothing of writers elsewhere, or are granted wrongly: overlayfs (a writable mapping is not
/// seen), NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, FUSE (also virtiofs). Magic numbers as in statfs(2).
const BLIND: [u32; 9] =
    [0x794c_7630, 0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x00c3_6400, 0x5346_414f, 0x6573_5546];

/// Not in the libc crate; the number is the same on every architecture (asm-generic/fcntl.h).
const F_SETSIG: libc::c_int = 10;

/// Asks for a read lease on a file that is open for reading only: nobody has it open for writing.
#[must_use]
pub fn request(file: &File) -> Request<'_> {
    ask(file, libc::F_RDLCK)
}

/// Asks for a write lease on a file that is open for reading and writing: nobody else has it open at all, readers included.
#[must_use]
pub fn request_alone(file: &File) -> Request<'_> {
    ask(file, libc::F_WRLCK)
}

/// Asks for a write lease again and again, until nobody else has the file open or `limit` has passed.
#[must_use]
pub fn wait_alone(file: &File, limit: Duration) -> Request<'_> {
    const PAUSE: Duration = Duration::from_micros(200);
    let deadline = Instant::now() + limit;
    loop {
        match request_alone(file) {
            Request::Busy if Instant::now() < deadline => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

fn ask(file: &File, kind: libc::c_int) -> Request<'_> {
    if !rustix::fs::fstatfs(file).is_ok_and(|found| is_sighted(found.f_type.cast_unsigned())) {
        return Request::Unavailable;
    }
    // The default notice of a waiting writer is SIGIO, whose default action kills the process; SIGURG's is nothing.
    if control(file.as_raw_fd(), F_SETSIG, libc::SIGURG).is_err() {
        return Request::Unavailable;
    }
    match control(file.as_raw_fd(), libc::F_SETLEASE, kind) {
        Ok(_) => Request::Granted(Lease { file, kind }),
        Err(libc::EAGAIN) => Request::Busy,
        Err(_) => Request::Unavailable,
    }
}

/// Is it on a file system that a program serves (FUSE)? What such a one tells is its own business.
pub(crate) fn is_in_user_space(file: &File) -> bool {
    const FUSE: u64 = 0x6573_5546;
    rustix::fs::fstatfs(file).is_ok_and(|found| found.f_type.cast_unsigned() & 0xffff_ffff == FUSE)
}

/// Do leases say something on file systems of this type?
pub(super) fn is_sighted(file_system: u64) -> bool {
    // The type is a signed number on some machines: only its low half is the magic number.
    !BLIND.iter().any(|blind| u64::from(*blind) == file_system & 0xffff_ffff)
}

impl Lease<'_> {
    /// Is nobody waiting for us to let go? The kernel shows somebody who waits as a lease that is to become another.
    #[must_use]
    pub fn is_unbroken(&self) -> bool {
        control(self.file.as_raw_fd(), libc::F_GETLEASE, 0) == Ok(self.kind)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // It cannot fail on a lease that is held; if the kernel took it away (after 45 s), there is nothing to give back.
        let _ = control(self.file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK);
    }
}

fn control(descriptor: RawFd, command: libc::c_int, argument: libc::c_int) -> Result<libc::c_int, libc::c_int> {
    // SAFETY: fcntl with these commands takes an int and touches no memory of ours; a wrong descriptor gives EBADF.
    let answer = unsafe { libc::fcntl(descriptor, command, argument) };
    if answer == -1 { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_makes_the_file_busy_and_a_waiting_one_shows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(file.path()).unwrap();
        assert!(matches!(request(&reader), Request::Busy | Request::Unavailable));
        let path = file.into_temp_path();
        let Request::Granted(lease) = request(&reader) else {
            return eprintln!("skipped: no leases on this file system");
        };
        assert!(lease.is_unbroken());
        let name = path.to_owned();
        let writer = std::thread::spawn(move || File::options().write(true).open(name).map(drop));
        while lease.is_unbroken() {
            std::thread::yield_now();
        }
        drop(lease);
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_reader_keeps_us_from_being_alone_and_then_waits_for_us() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.into_temp_path();
        let ours = File::options().read(true).write(true).open(&path).unwrap();
        let theirs = File::open(&path).unwrap();
        assert!(matches!(request_alone(&ours), Request::Busy | Request::Unavailable));
        drop(theirs);
        let Request::Granted(lease) = wait_alone(&ours, Duration::from_secs(5)) else {
            return eprintln!("skipped: no leases on this file system");
        };
        let name = path.to_owned();
        let reader = std::thread::spawn(move || File::open(name).map(drop));
        while lease.is_unbroken() {
            std::thread::yield_now();
        }
        drop(lease);
        reader.join().unwrap().unwrap();
    }

    #[test]
    fn overlayfs_is_not_trusted() {
        assert!(!is_sighted(0x794c_7630));
        assert!(!is_sighted(0xffff_ffff_ff53_4d42));
        assert!(is_sighted(0xef53));
    }
}
