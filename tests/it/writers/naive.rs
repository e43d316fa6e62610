//! What one would write in an afternoon: keep the last bytes that parse, and put them back as soon as they do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A naive restorer at work on some files.
pub(super) struct NaiveRestorer {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl NaiveRestorer {
    pub(super) fn start(files: Vec<PathBuf>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread = thread::spawn(move || guard(&files, &stop));
        Self { stopped, thread }
    }

    /// Ends it; how often it restored.
    pub(super) fn stop(self) -> u64 {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn guard(files: &[PathBuf], stop: &AtomicBool) -> u64 {
    let mut last_good: Vec<Option<Vec<u8>>> = vec![None; files.len()];
    let mut restores = 0;
    while !stop.load(Ordering::Relaxed) {
        for (path, last_good) in files.iter().zip(&mut last_good) {
            restores += u64::from(look(path, last_good));
        }
        thread::sleep(Duration::from_millis(50));
    }
    restores
}

/// Looks at one file; did it restore it?
fn look(path: &Path, last_good: &mut Option<Vec<u8>>) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
        *last_good = Some(bytes);
        return false;
    }
    let Some(good) = last_good else { return false };
    let temporary = path.with_extension("restored");
    fs::write(&temporary, good).is_ok() && fs::rename(temporary, path).is_ok()
}
