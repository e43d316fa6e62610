//! The advisory locks of programs that cooperate: whoever holds `<name>.lock` is at work on the file.

mod file;
mod marker;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::config::LockKind;
use crate::disk::directory::Directory;
use crate::disk::locks::command_of;
use crate::disk::{Disk, File};
use crate::document::DocumentId;
use crate::error::{Cause, Error, Result};
use file::Means;
use marker::Marker;

/// A lock that we hold until this is dropped, or until we die.
#[derive(Debug)]
pub struct Lock {
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// A lock of the kernel's on this file.
    File(File),
    /// A file or folder whose being there is the lock.
    Marker(Marker),
    /// Nobody asks for one.
    Nothing,
}

/// What the lock beside a document says.
#[derive(Debug)]
pub enum Sidecar {
    /// There is none.
    Absent,
    /// We hold it now, until this is dropped.
    Held(Lock),
    /// Somebody else holds it.
    Taken,
}

/// What one attempt came to.
enum Attempt {
    Taken(Held),
    /// Somebody has it: this process, if that is known.
    Refused(Option<u32>),
}

/// The lock of one document.
#[derive(Clone, Copy)]
struct Place<'a> {
    disk: &'a Disk,
    directory: &'a Directory,
    document: &'a DocumentId,
    name: &'a OsStr,
}

impl Lock {
    /// Is it still ours? Somebody may have taken a lock for stale whose holder was stopped, or removed a lock file.
    ///
    /// # Errors
    /// The disk failed.
    pub fn is_ours(&self, disk: &Disk, directory: &Directory, document: &DocumentId) -> Result<bool> {
        let name = document.lock_name();
        match &self.held {
            Held::File(file) => {
                let ours = disk.signature(file, document.path())?;
                Ok(disk.look(directory, &name)?.is_some_and(|found| found.is_same_file(&ours)))
            }
            Held::Marker(marker) => marker.is_there(),
            Held::Nothing => Ok(true),
        }
    }
}

/// Waits for the document's lock, and makes the lock file if there is none, with the document's owner and mode. It is taken
/// from nobody who is alive, and is never removed but where its being there is the lock.
///
/// # Errors
/// `Locked` when somebody else still has it at `deadline`: says who, where the kernel tells. The folder cannot be written,
/// or the disk failed.
pub fn acquire(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    kind: LockKind,
    deadline: Instant,
) -> Result<Lock> {
    let (name, begun) = (document.lock_name(), Instant::now());
    let place = Place { disk, directory, document, name: &name };
    let mut pause = Pause::default();
    loop {
        let holder = match place.attempt(kind)? {
            Attempt::Taken(held) => return Ok(Lock { held }),
            Attempt::Refused(holder) => holder,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let why = Cause::Locked(refusal(holder, begun.elapsed()));
            return Err(Error::new("locking", directory.path().join(&name), why));
        }
        std::thread::sleep(pause.next().min(left));
    }
}

/// Takes the document's lock if there is one to be taken; the daemon never makes one. Where a file's or folder's being
/// there is the lock, it is left as it is.
///
/// # Errors
/// The disk failed. A lock file that we may not read counts as absent: nobody can expect us to honour it.
pub fn try_existing(disk: &Disk, directory: &Directory, document: &DocumentId, kind: LockKind) -> Result<Sidecar> {
    let name = document.lock_name();
    let place = Place { disk, directory, document, name: &name };
    match place.existing(kind) {
        // Nor can anybody have made it where its name would be longer than names can be.
        Err(error) => match error.io_kind() {
            Some(ErrorKind::PermissionDenied | ErrorKind::InvalidFilename) => Ok(Sidecar::Absent),
            _ => Err(error),
        },
        found => found,
    }
}

impl Place<'_> {
    fn attempt(&self, kind: LockKind) -> Result<Attempt> {
        match kind {
            LockKind::None => Ok(Attempt::Taken(Held::Nothing)),
            LockKind::Flock => self.lock_file(Means::Flock),
            LockKind::Posix => self.lock_file(Means::Record),
            LockKind::Soft => self.set_file(),
            LockKind::ProperLockfile => self.set_folder(),
            LockKind::Auto => match self.disk.look(self.directory, self.name) {
                Ok(Some(found)) if found.is_directory() => self.set_folder(),
                // No name can be that long, so there is nobody to keep out by it.
                Err(error) if error.io_kind() == Some(ErrorKind::InvalidFilename) => Ok(Attempt::Taken(Held::Nothing)),
                Err(error) => Err(error),
                Ok(_) => match self.lock_file(Means::Flock) {
                    // Who cannot make one here is kept out by the lock of the versions' folder.
                    Err(error) if is_unwritable(&error) => Ok(Attempt::Taken(Held::Nothing)),
                    attempt => attempt,
                },
            },
        }
    }

    fn existing(&self, kind: LockKind) -> Result<Sidecar> {
        let Some(found) = self.disk.look(self.directory, self.name)? else { return Ok(Sidecar::Absent) };
        let means = match kind {
            LockKind::None => return Ok(Sidecar::Absent),
            LockKind::Soft => return self.is_set_file(),
            _ if found.is_directory() => return Ok(marker::folder(&found)),
            LockKind::ProperLockfile => return Ok(Sidecar::Absent),
            LockKind::Posix => Means::Record,
            LockKind::Auto | LockKind::Flock => Means::Flock,
        };
        let Some(file) = self.disk.open_lock_file(self.directory, self.name)? else { return Ok(Sidecar::Absent) };
        Ok(match self.try_lock(&file, means) {
            Ok(true) => Sidecar::Held(Lock { held: Held::File(file) }),
            Ok(false) => Sidecar::Taken,
            Err(_) => Sidecar::Absent,
        })
    }
}

fn is_unwritable(error: &Error) -> bool {
    matches!(error.io_kind(), Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem))
}

fn refusal(holder: Option<u32>, waited: Duration) -> String {
    let who = match holder {
        Some(process) => match command_of(process) {
            Some(command) => format!("process {process} ({command}) holds it"),
            None => format!("process {process} holds it"),
        },
        None => "somebody else holds it".to_owned(),
    };
    format!("{who}; waited {:.1} s for it", waited.as_secs_f64())
}

/// Longer and longer pauses between attempts, none like another's: those who wait must not all come at once.
#[derive(Debug, Default)]
struct Pause {
    attempts: u32,
    seed: u64,
}

impl Pause {
    const SHORTEST_MICROS: u64 = 200;
    const LONGEST_MICROS: u64 = 20_000;

    fn next(&mut self) -> Duration {
        if self.attempts == 0 {
            let mut bytes = [0; 8];
            // Without randomness they come at once, and one of them is first.
            let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
            self.seed = u64::from_le_bytes(bytes) | 1;
        }
        // Marsaglia's xorshift.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let longest = (Self::SHORTEST_MICROS << self.attempts.min(7)).min(Self::LONGEST_MICROS);
        self.attempts += 1;
        Duration::from_micros(longest / 2 + self.seed % (longest / 2).max(1))
    }
}

/// Does an editor have the document open? vim keeps `.<name>.swp` beside it (without a second dot where the name begins
/// with one), Emacs a link `.#<name>`.
///
/// # Errors
/// The disk failed.
pub fn is_in_an_editor(disk: &Disk, directory: &Directory, document: &DocumentId) -> Result<bool> {
    let around = |before: &str, after: &str| {
        let mut name = OsString::from(before);
        name.push(document.name());
        name.push(after);
        name
    };
    for name in [around(".", ".swp"), around("", ".swp"), around(".#", "")] {
        match disk.look(directory, &name) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            // A name that has become too long for the file system is no file's.
            Err(error) if error.io_kind() == Some(ErrorKind::InvalidFilename) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
