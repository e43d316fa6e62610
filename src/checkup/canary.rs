//! The canary: a file of our own that is changed on purpose, to see whether everybody whom the kernel tells of changes hears
//! of it. A listener that lives, but hears nothing, would never be missed otherwise.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::error::Result;

/// Its folder in the state directory. Nothing in it is kept.
pub(super) const FOLDER: &str = "canary";

/// An event takes less than a millisecond; a busy machine some seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// Between two looks at who has heard.
const PAUSE: Duration = Duration::from_millis(20);

/// The canary, shared by whoever changes it and whoever listens.
#[derive(Clone, Debug)]
pub struct Canary {
    folder: Arc<Path>,
    ears: Arc<Mutex<Vec<Weak<Ear>>>>,
}

/// One listener's ear.
#[derive(Debug)]
pub struct Ear {
    folder: Arc<Path>,
    has_heard: AtomicBool,
    is_deaf: AtomicBool,
}

impl Canary {
    /// The canary of the daemon with this state directory.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join(FOLDER).into(), ears: Arc::default() }
    }

    /// An ear that is not listened with yet.
    #[must_use]
    pub fn ear(&self) -> Ear {
        Ear { folder: Arc::clone(&self.folder), has_heard: AtomicBool::new(true), is_deaf: AtomicBool::new(false) }
    }

    /// From now on this ear must hear, as long as somebody keeps it.
    pub fn add(&self, ear: &Arc<Ear>) {
        let mut ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(ear)));
        ears.push(Arc::downgrade(ear));
    }

    /// Makes a change in the folder, and waits until all have heard of it; returns how many have not.
    ///
    /// # Errors
    /// The change failed.
    pub(super) fn listen(&self, change: impl FnOnce() -> Result<()>) -> Result<usize> {
        let ears: Vec<Weak<Ear>> = self.ears.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ear in ears.iter().filter_map(Weak::upgrade) {
            ear.has_heard.store(false, Ordering::Release);
        }
        change()?;
        let deadline = Instant::now() + PATIENCE;
        // Those that are gone by now need not hear any more.
        let deaf = || ears.iter().filter_map(Weak::upgrade).filter(|ear| !ear.has_heard.load(Ordering::Acquire));
        while deaf().next().is_some() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        Ok(deaf().map(|ear| ear.is_deaf.store(true, Ordering::Release)).count())
    }
}

impl Ear {
    /// What is to be put under inotify.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Is this the canary? Then it was heard, and concerns nobody else.
    #[must_use]
    pub fn is_canary(&self, paths: &[PathBuf]) -> bool {
        let is_canary = paths.first().is_some_and(|path| path.starts_with(&self.folder));
        if is_canary {
            self.hear();
        }
        is_canary
    }

    /// Something was heard, of which it cannot be told whether the canary was in it.
    pub fn hear(&self) {
        self.has_heard.store(true, Ordering::Release);
    }

    /// Did it miss the canary? Says so once: who asks puts the folder under inotify anew.
    #[must_use]
    pub fn take_deaf(&self) -> bool {
        self.is_deaf.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_hears_in_time_is_not_deaf_and_whoever_is_gone_need_not_hear() {
        let canary = Canary::new(Path::new("/state"));
        let (good, gone) = (Arc::new(canary.ear()), Arc::new(canary.ear()));
        canary.add(&good);
        canary.add(&gone);
        drop(gone);
        let heard = canary.listen(|| {
            assert!(good.is_canary(&["/state/canary/probe".into()]));
            Ok(())
        });
        assert_eq!(heard.unwrap(), 0);
        assert!(!good.is_canary(&["/srv/a.json".into()]));
    }

    #[test]
    fn whoever_hears_nothing_is_counted_and_told_apart() {
        let canary = Canary::new(Path::new("/state"));
        let ears = [(); 2].map(|()| Arc::new(canary.ear()));
        for ear in &ears {
            canary.add(ear);
        }
        canary.add(&ears[0]);
        let deaf = canary.listen(|| {
            ears[0].hear();
            Ok(())
        });
        assert_eq!(deaf.unwrap(), 1);
        assert!(!ears[0].take_deaf() && ears[1].take_deaf() && !ears[1].take_deaf());
    }
}
