//! What the kernel says, taken in fast and kept small, until the sweep thread has time for it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};

use super::folder::Folder;
use super::territory::RootIndex;

/// Work for a sweep thread. Each part of it is bounded: paths by a limit, the rest by what is configured and watched.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// What the kernel says has changed: names in watched folders, or watched folders themselves.
    pub(super) paths: HashSet<PathBuf>,
    /// Has more changed than the paths say?
    pub(super) missed: Missed,
    /// All of the mount is to be looked at.
    pub(super) sweep: bool,
    /// Folders to take over.
    pub(super) folders: Vec<Arc<Folder>>,
    /// Roots to take over, each with the devices that its way has led over.
    pub(super) roots: Vec<(RootIndex, Vec<u64>)>,
    /// The stage ends.
    pub(super) ends: bool,
}

/// What is known to have changed without a path in [`Work`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missed {
    /// Nothing.
    #[default]
    Nothing,
    /// More than is worth remembering one by one.
    TooMuch,
    /// The kernel dropped events.
    Overflow,
}

/// Where work is left for a sweep thread.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    /// Does the thread do work at present that a sweep must wait for?
    is_busy: bool,
}

/// With more paths than this waiting, looking at everything is no dearer.
const MOST_PATHS: usize = 8192;

impl Work {
    fn is_substantial(&self) -> bool {
        self.sweep || !self.folders.is_empty() || !self.roots.is_empty()
    }

    fn is_any(&self) -> bool {
        self.is_substantial() || !self.paths.is_empty() || self.missed != Missed::Nothing || self.ends
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves work.
    pub(super) fn leave(&self, change: impl FnOnce(&mut Work)) {
        change(&mut self.lock().work);
        self.changed.notify_one();
    }

    /// Takes all work. Waits for some until `deadline`, for ever without one.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Work {
        let mut state = self.lock();
        while !state.work.is_any() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.is_busy = state.work.is_substantial();
        std::mem::take(&mut state.work)
    }

    /// The work that was taken is done.
    pub(super) fn rest(&self) {
        self.lock().is_busy = false;
    }

    /// Takes the paths that are waiting, while the thread is busy with something longer.
    pub(super) fn take_paths(&self) -> HashSet<PathBuf> {
        std::mem::take(&mut self.lock().work.paths)
    }

    /// Is all work done that was left here, hints apart?
    pub(super) fn is_settled(&self) -> bool {
        let state = self.lock();
        !state.is_busy && !state.work.is_substantial()
    }

    /// Takes in what notify says. It only filters: a slow one makes the kernel's queue overflow (measured: 20 µs do).
    pub(super) fn hear(&self, heard: notify::Result<notify::Event>) {
        let Ok(event) = heard else {
            // Reading the kernel's queue failed: what was in it is not known.
            return self.leave(|work| work.missed = Missed::Overflow);
        };
        // First of all: on overflow there are no paths.
        if event.need_rescan() {
            return self.leave(|work| work.missed = Missed::Overflow);
        }
        if !matters(event.kind) {
            return;
        }
        let paths: Vec<PathBuf> = event.paths.into_iter().filter(|path| !is_ours(path)).collect();
        if !paths.is_empty() {
            self.leave(|work| {
                if work.paths.len() + paths.len() > MOST_PATHS {
                    work.paths.clear();
                    work.missed = work.missed.max(Missed::TooMuch);
                } else {
                    work.paths.extend(paths);
                }
            });
        }
    }
}

/// Opening and reading change nothing, and we do both ourselves. Both sides of a rename come a second time together.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => false,
        _ => true,
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".jsonwarden-"))
}

/// Keeps a storm on one file from keeping us: the first hint is looked at at once, the next only after a pause, but then
/// surely.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looked: HashMap<PathBuf, Instant>,
    postponed: HashSet<PathBuf>,
}

/// One file is not looked at more often than this.
const PAUSE: Duration = Duration::from_millis(15);

impl Pace {
    /// Of these paths and those postponed earlier, the ones to look at now.
    pub(super) fn admit(&mut self, mut paths: HashSet<PathBuf>, now: Instant) -> HashSet<PathBuf> {
        paths.extend(self.postponed.drain());
        self.looked.retain(|_, looked| now.saturating_duration_since(*looked) < PAUSE);
        let (postponed, due): (HashSet<_>, HashSet<_>) =
            paths.into_iter().partition(|path| self.looked.contains_key(path));
        self.postponed = postponed;
        self.looked.extend(due.iter().map(|path| (path.clone(), now)));
        due
    }

    /// When there is something to look at again.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.postponed.is_empty()).then(|| now + PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag};
    use notify::{Error, Event};

    fn heard(kind: EventKind, path: &str) -> HashSet<PathBuf> {
        let inbox = Inbox::default();
        inbox.hear(Ok(Event::new(kind).add_path(path.into())));
        inbox.take(Some(Instant::now())).paths
    }

    #[test]
    fn our_own_reads_and_temporaries_wake_nobody() {
        for kind in [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read), AccessKind::Read] {
            assert!(heard(EventKind::Access(kind), "/srv/a.json").is_empty());
        }
        assert!(heard(EventKind::Create(CreateKind::File), "/srv/.jsonwarden-0123456789abcdef-1").is_empty());
        assert_eq!(heard(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/srv/a.json").len(), 1);
        assert_eq!(heard(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/srv/a.json").len(), 1);
    }

    #[test]
    fn an_overflow_is_heard_although_it_names_no_path() {
        for event in [Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), Err(Error::generic("read failed"))] {
            let inbox = Inbox::default();
            inbox.hear(event);
            assert_eq!(inbox.take(Some(Instant::now())).missed, Missed::Overflow);
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let inbox = Inbox::default();
        for number in 0..=2 * MOST_PATHS {
            let path = PathBuf::from(format!("/srv/{number}.json"));
            inbox.hear(Ok(Event::new(EventKind::Create(CreateKind::File)).add_path(path)));
        }
        let work = inbox.take(None);
        assert!(work.missed == Missed::TooMuch && work.paths.len() <= MOST_PATHS);
    }

    #[test]
    fn a_storm_on_one_file_is_looked_at_now_and_then_but_never_starved() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let storm = || HashSet::from([PathBuf::from("/srv/a.json")]);
        let millisecond = Duration::from_millis(1);
        let looks = (0..60).map(|ms| pace.admit(storm(), start + ms * millisecond).len()).collect::<Vec<_>>();
        assert_eq!(looks[0], 1);
        assert_eq!(looks.iter().sum::<usize>(), 4);
        assert!(pace.due(start).is_some());
        assert_eq!(pace.admit(HashSet::new(), start + 100 * millisecond).len(), 1);
        assert!(pace.due(start).is_none());
    }

    #[test]
    fn work_is_settled_only_when_it_was_done() {
        let inbox = Inbox::default();
        assert!(inbox.is_settled());
        inbox.leave(|work| work.sweep = true);
        assert!(!inbox.is_settled());
        assert!(inbox.take(None).sweep);
        assert!(!inbox.is_settled());
        inbox.rest();
        assert!(inbox.is_settled());
    }
}
