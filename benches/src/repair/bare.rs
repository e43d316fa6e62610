//! The least that a repair can be: told by inotify, read, found corrupt, staged, synced, exchanged.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// The loop, on its own thread until the process ends.
pub(crate) struct BareLoop {
    repairs: Arc<AtomicUsize>,
}

impl BareLoop {
    /// Guards one file, whose good bytes are known.
    pub(crate) fn start(path: &Path, good: &[u8]) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&inotify, path.parent().unwrap(), WatchFlags::CLOSE_WRITE).unwrap();
        let repairs = Arc::new(AtomicUsize::new(0));
        let (path, good, counted) = (path.to_owned(), good.to_owned(), Arc::clone(&repairs));
        thread::spawn(move || {
            let mut buffer = [MaybeUninit::uninit(); 4_096];
            let mut events = Reader::new(inotify, &mut buffer);
            while let Ok(event) = events.next() {
                let named = event.file_name().map(|name| OsStr::new(name.to_str().unwrap_or_default()));
                if named == path.file_name() && repair(&path, &good) {
                    counted.fetch_add(1, Ordering::Release);
                }
            }
        });
        Self { repairs }
    }

    /// How many repairs are done.
    pub(crate) fn repairs(&self) -> usize {
        self.repairs.load(Ordering::Acquire)
    }
}

fn repair(path: &Path, good: &[u8]) -> bool {
    let bytes = fs::read(path).unwrap();
    let text = std::str::from_utf8(&bytes);
    if text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
        return false;
    }
    let staged: PathBuf = path.with_extension("staged");
    let mut file = File::create(&staged).unwrap();
    file.write_all(good).unwrap();
    file.sync_all().unwrap();
    renameat_with(CWD, &staged, CWD, path, RenameFlags::EXCHANGE).unwrap();
    fs::remove_file(&staged).unwrap();
    true
}
