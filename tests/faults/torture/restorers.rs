//! Restorers as one meets them: one puts the last bytes that parse back as soon as they do not; one waits until the damage
//! has stayed the same for a second first.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restorer {
    Naive,
    Settled,
}

/// One at work.
pub(super) struct Guard {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

/// What it knows of a file.
#[derive(Default)]
struct Known {
    good: Option<Vec<u8>>,
    bad: Option<(Vec<u8>, Instant)>,
}

impl Restorer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Settled => "settled",
        }
    }

    pub(super) fn start(self, files: Vec<PathBuf>) -> Guard {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let settle = if self == Self::Naive { Duration::ZERO } else { Duration::from_secs(1) };
        Guard { is_over, thread: thread::spawn(move || guard(&files, &over, settle)) }
    }
}

impl Guard {
    /// Ends it; how often it restored.
    pub(super) fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn guard(files: &[PathBuf], is_over: &AtomicBool, settle: Duration) -> u64 {
    let mut known: Vec<Known> = files.iter().map(|_| Known::default()).collect();
    let mut restores = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (path, known) in files.iter().zip(&mut known) {
            restores += u64::from(look(path, known, settle));
        }
        thread::sleep(Duration::from_millis(20));
    }
    restores
}

/// Looks at one file; did it restore it?
fn look(path: &Path, known: &mut Known, settle: Duration) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
        *known = Known { good: Some(bytes), bad: None };
        return false;
    }
    let since = match known.bad.take() {
        Some((before, since)) if before == bytes => since,
        _ => Instant::now(),
    };
    known.bad = Some((bytes, since));
    let Some(good) = known.good.as_ref().filter(|_| since.elapsed() >= settle) else { return false };
    let temporary = path.with_extension("restored");
    fs::write(&temporary, good).is_ok() && fs::rename(temporary, path).is_ok()
}
