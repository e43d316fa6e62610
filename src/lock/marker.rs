//! Locks whose being there is all there is to them: a file (Python's `filelock.SoftFileLock`) or a folder that is dated anew
//! every few seconds (Node's `proper-lockfile`). The kernel does not free them: who comes next has to see that their holder
//! is gone.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Attempt, Held, Place, Sidecar};
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, Opened, locks};
use crate::error::Result;

/// After this long without a new date the folder of proper-lockfile is stale (its default `stale`).
const STALE: Duration = Duration::from_secs(10);

/// How often its holder dates it (its default `update`).
const HEARTBEAT: Duration = Duration::from_secs(5);

/// No record of a holder is longer (filelock 4.2, `_MAX_LOCK_FILE_SIZE`).
const RECORD_BYTES_MAX: u64 = 1024;

/// How often this process has tried to replace a stale marker.
static REPLACED: AtomicU64 = AtomicU64::new(0);

/// A marker that is ours; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Marker {
    disk: Disk,
    directory: Arc<Directory>,
    name: OsString,
    signature: Signature,
    heart: Option<Heart>,
}

/// Dates a folder anew until it is dropped.
#[derive(Debug)]
struct Heart {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Marker {
    pub(super) fn is_there(&self) -> Result<bool> {
        Ok(self.disk.look(&self.directory, &self.name)?.is_some_and(|found| found.is_same_file(&self.signature)))
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        self.heart = None;
        // Whoever took it for stale has it now.
        if matches!(self.is_there(), Ok(true)) {
            let _ = remove(&self.disk, &self.directory, &self.name, &self.signature);
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Heart {
    fn start(disk: &Disk, directory: &Arc<Directory>, name: &OsStr) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let (disk, directory, name) = (disk.clone(), Arc::clone(directory), name.to_owned());
        let beat = move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                // What cannot be dated now is dated the next time; whether it is still ours is asked before the swap.
                let opened = disk.open_below(&directory, &[&name]);
                let _ = opened.and_then(|folder| disk.date(&folder, folder.path()));
            }
        };
        let thread = std::thread::Builder::new().name("lock heartbeat".to_owned()).spawn(beat).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// What the folder of proper-lockfile says.
pub(super) fn folder(found: &Signature) -> Sidecar {
    if found.dated_age() < STALE { Sidecar::Taken } else { Sidecar::Absent }
}

fn remove(disk: &Disk, directory: &Directory, name: &OsStr, signature: &Signature) -> Result<()> {
    if signature.is_directory() { disk.remove_directory(directory, name) } else { disk.unlink(directory, name) }
}

impl Place<'_> {
    /// Takes the lock by making the folder.
    pub(super) fn set_folder(&self) -> Result<Attempt> {
        if self.disk.make_marker(self.directory, self.name)? {
            return self.taken();
        }
        match self.disk.look(self.directory, self.name)? {
            Some(found) if found.is_directory() && found.dated_age() >= STALE => {
                self.replace(&found, |name| self.disk.make_marker(self.directory, name).map(|_| ()))
            }
            _ => Ok(Attempt::Refused(None)),
        }
    }

    /// Takes the lock by making the file.
    pub(super) fn set_file(&self) -> Result<Attempt> {
        let beside = self.disk.look(self.directory, self.document.name())?.filter(Signature::is_regular);
        if let Some(file) = self.disk.create_lock_file(self.directory, self.name, beside.as_ref())? {
            let written = self.disk.write(&file, &self.directory.path().join(self.name), record().as_bytes());
            if let Err(error) = written {
                let _ = self.disk.unlink(self.directory, self.name);
                return Err(error);
            }
            return self.taken();
        }
        let Some((holder, found)) = self.soft_holder()? else { return Ok(Attempt::Refused(None)) };
        if !holder.is_gone() {
            return Ok(Attempt::Refused(holder.process_here()));
        }
        self.replace(&found, |name| {
            let file = self.disk.create(self.directory, name, 0o644)?;
            self.disk.write(&file, &self.directory.path().join(name), record().as_bytes())
        })
    }

    /// Is the file there, and may its holder be alive?
    pub(super) fn is_set_file(&self) -> Result<Sidecar> {
        Ok(match self.soft_holder()? {
            Some((holder, _)) if !holder.is_gone() => Sidecar::Taken,
            _ => Sidecar::Absent,
        })
    }

    fn soft_holder(&self) -> Result<Option<(Holder, Signature)>> {
        let Opened::File(file, found) = self.disk.open(self.directory, self.name)? else { return Ok(None) };
        let path = self.directory.path().join(self.name);
        let record = self.disk.read(&file, &path, RECORD_BYTES_MAX, || true)?.unwrap_or_default();
        Ok(Some((Holder::parse(&record), found)))
    }

    fn taken(&self) -> Result<Attempt> {
        // Somebody who takes it for stale at once is beyond reason.
        let Some(signature) = self.disk.look(self.directory, self.name)? else { return Ok(Attempt::Refused(None)) };
        let directory = Arc::new(self.directory.duplicate()?);
        let heart = if signature.is_directory() { Heart::start(self.disk, &directory, self.name) } else { None };
        let (disk, name) = (self.disk.clone(), self.name.to_owned());
        Ok(Attempt::Taken(Held::Marker(Marker { disk, directory, name, signature, heart })))
    }

    /// Exchanges a marker whose holder is gone with a new one of ours. If what comes out is not that marker, somebody else
    /// was faster, and gets theirs back.
    fn replace(&self, stale: &Signature, make: impl Fn(&OsStr) -> Result<()>) -> Result<Attempt> {
        let mut ours = OsString::from(self.document.staged_prefix());
        // Removed with what was never complete when a process dies here.
        ours.push(format!("{:x}-{}.part", std::process::id(), REPLACED.fetch_add(1, Ordering::Relaxed)));
        make(&ours)?;
        let exchanged = self.disk.exchange(self.directory, &ours, self.name);
        let out = self.disk.look(self.directory, &ours)?;
        let is_stale_one = out.is_some_and(|out| out.is_same_file(stale) && out.is_dated_as(stale));
        if exchanged.is_ok() && !is_stale_one {
            self.disk.exchange(self.directory, &ours, self.name)?;
        }
        if let Some(left) = self.disk.look(self.directory, &ours)? {
            remove(self.disk, self.directory, &ours, &left)?;
        }
        if exchanged.is_ok() && is_stale_one { self.taken() } else { Ok(Attempt::Refused(None)) }
    }
}

/// What our own lock file says, as filelock writes it: process, machine.
fn record() -> String {
    match locks::host_name() {
        Some(host) => format!("{}\n{host}\n", std::process::id()),
        None => String::new(),
    }
}

/// Who wrote a lock file.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// It does not tell, or is being written: older releases of filelock write nothing.
    Unknown,
    /// A process of that machine.
    Process(u32, String),
}

impl Holder {
    fn parse(record: &[u8]) -> Self {
        let text = std::str::from_utf8(record).ok().filter(|text| text.ends_with('\n'));
        let lines: Vec<&str> = text.unwrap_or_default().lines().collect();
        match lines.as_slice() {
            [process, host] | [process, host, _] => match process.parse() {
                Ok(process) if process > 0 => Self::Process(process, (*host).to_owned()),
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    /// Only what is known to be gone is gone: a process of another machine, or of a container, cannot be asked after.
    fn is_gone(&self) -> bool {
        self.process_here().is_some_and(|process| !locks::is_alive(process))
    }

    fn process_here(&self) -> Option<u32> {
        match self {
            Self::Process(process, host) if locks::host_name().as_ref() == Some(host) => Some(*process),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_gone_only_if_that_is_known() {
        let host = locks::host_name().unwrap();
        let of = |text: String| Holder::parse(text.as_bytes());
        assert!(!of(record()).is_gone());
        assert!(of(format!("{}\n{host}\n", i32::MAX)).is_gone());
        assert!(of(format!("{}\n{host}\n123456\n", i32::MAX)).is_gone());
        for unknown in ["", "12", "0\nx\n", "x\ny\n", "1\n2\n3\n4\n"] {
            assert_eq!(of(unknown.to_owned()), Holder::Unknown, "{unknown:?}");
            assert!(!of(unknown.to_owned()).is_gone());
        }
        assert!(!of(format!("{}\nanother-{host}\n", i32::MAX)).is_gone());
        assert!(!of(format!("{}\n{host}", i32::MAX)).is_gone(), "it is being written");
    }
}
