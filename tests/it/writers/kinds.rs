//! Six ways to write a file, each pausing in the middle.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How many bytes every version has: a mapped file cannot grow.
const LENGTH: usize = 6_000;

/// Version `number`: an object or an array by turns, so that half of one and half of the next are never JSON together.
pub(super) fn version(number: u64) -> Vec<u8> {
    let filler = format!("{number:08}-").repeat(LENGTH / 9 - 10);
    let text = if number.is_multiple_of(2) {
        format!("{{\"version\": {number}, \"filler\": \"{filler}\", \"end\": {number}}}")
    } else {
        format!("[{number}, {{\"filler\": \"{filler}\"}}, {number}]")
    };
    format!("{text:<0$}\n", LENGTH - 1).into_bytes()
}

/// How a writer goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A temporary file, written in halves, is renamed over.
    Rename,
    /// Truncated and written in halves, held open meanwhile.
    Truncate,
    /// Truncated, half written, closed; opened again to append the rest.
    Reopen,
    /// Opened once and for all; each version is written over the last one in halves.
    KeptOpen,
    /// Unlinked, created anew, written in halves.
    Recreate,
    /// Mapped, the descriptor closed, changed in halves.
    Mapped,
}

pub(super) const ALL: [Kind; 6] =
    [Kind::Rename, Kind::Truncate, Kind::Reopen, Kind::KeptOpen, Kind::Recreate, Kind::Mapped];

/// What [`Kind::KeptOpen`] keeps open.
pub(super) type OpenFile = Option<File>;

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Truncate => "truncate-and-write",
            Self::Reopen => "close-and-reopen",
            Self::KeptOpen => "kept-open",
            Self::Recreate => "unlink-and-create",
            Self::Mapped => "mapped",
        }
    }

    /// Is the file open or mapped for writing while it is half-written?
    pub(super) fn holds_the_file(self) -> bool {
        matches!(self, Self::Truncate | Self::KeptOpen | Self::Recreate | Self::Mapped)
    }

    /// Writes `bytes`, with a pause when half of them are there.
    pub(super) fn write(self, path: &Path, bytes: &[u8], pause: Duration, open: &mut OpenFile) {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        match self {
            Self::Rename => {
                let temporary = path.with_extension("tmp");
                in_halves(File::create(&temporary).unwrap(), first, second, pause);
                fs::rename(temporary, path).unwrap();
            }
            Self::Truncate => in_halves(File::create(path).unwrap(), first, second, pause),
            Self::Reopen => {
                fs::write(path, first).unwrap();
                thread::sleep(pause);
                OpenOptions::new().append(true).open(path).unwrap().write_all(second).unwrap();
            }
            Self::KeptOpen => {
                let file = open.get_or_insert_with(|| OpenOptions::new().write(true).open(path).unwrap());
                file.write_all_at(first, 0).unwrap();
                thread::sleep(pause);
                file.write_all_at(second, first.len() as u64).unwrap();
            }
            Self::Recreate => {
                fs::remove_file(path).unwrap();
                // Not create_new: the naive restorer may have put a file there.
                in_halves(File::create(path).unwrap(), first, second, pause);
            }
            Self::Mapped => {
                let mapped = Mapping::of(path, bytes.len());
                mapped.write(0, first);
                thread::sleep(pause);
                mapped.write(first.len(), second);
            }
        }
    }
}

fn in_halves(mut file: File, first: &[u8], second: &[u8], pause: Duration) {
    file.write_all(first).unwrap();
    thread::sleep(pause);
    file.write_all(second).unwrap();
}

/// A shared mapping of a file whose descriptor is closed again; synchronised and unmapped when dropped.
struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

#[expect(unsafe_code, reason = "memory mapping has no safe interface among our dependencies")]
impl Mapping {
    fn of(path: &Path, length: usize) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        assert!(file.metadata().unwrap().len() >= length as u64, "writing beyond the end would be SIGBUS");
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses; the descriptor is valid.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert!(start != libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        Self { start, length }
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.length);
        // SAFETY: within the mapping (asserted), which lives as long as `self`; nobody truncates the file of this writer.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.cast::<u8>().add(offset), bytes.len()) };
    }
}

#[expect(unsafe_code, reason = "memory mapping has no safe interface among our dependencies")]
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `of`, not used after this.
        unsafe {
            libc::msync(self.start, self.length, libc::MS_SYNC);
            libc::munmap(self.start, self.length);
        }
    }
}
