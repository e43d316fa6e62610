//! The thread of one mount: it follows the kernel's hints, and sweeps when it is told to.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::folder::{Folder, Manner};
use super::hints::{Missed, Pace, Work};
use super::mount::{MOST_MOUNTS, Mount, Shared, lock};
use super::source::Source;
use super::territory::{RootIndex, Territory};
use crate::disk::mounts::Mounts;
use crate::event::Fact;

/// What the thread has at hand.
pub(super) struct Sweeper {
    pub(super) shared: Arc<Shared>,
    pub(super) mount: Arc<Mount>,
    pub(super) territory: Arc<Territory>,
    pub(super) source: Source,
    /// Folders that are to be watched from now on.
    pub(super) fresh: VecDeque<PathBuf>,
    /// Roots that seem to lead elsewhere now.
    pub(super) unsettled: BTreeSet<RootIndex>,
    mounts: Arc<Mounts>,
    pace: Pace,
    /// Why the kernel will tell of no further folder at present.
    pub(super) refused: Option<String>,
    /// When all was last looked at since the kernel dropped events; and is it to be again?
    rescanned: Option<Instant>,
    must_rescan: bool,
}

/// When the kernel keeps dropping events, all is looked at this often.
const RESCAN_PAUSE: Duration = Duration::from_secs(1);

/// The mount with this device number, with a thread of its own as long as there are not too many.
///
/// # Errors
/// There is no thread to be had, not even one to share.
pub(super) fn mount_of(shared: &Arc<Shared>, device: u64) -> io::Result<Arc<Mount>> {
    let mut swept = lock(&shared.swept);
    if let Some(mount) = swept.iter().find(|mount| lock(&mount.devices).contains(&device)) {
        return Ok(mount.clone());
    }
    let mount = if swept.len() < MOST_MOUNTS { start(shared) } else { Err(io::ErrorKind::QuotaExceeded.into()) };
    let mount = match mount {
        Ok(mount) => {
            swept.push(mount.clone());
            mount
        }
        Err(error) => swept.get(usize::try_from(device).unwrap_or(0) % swept.len().max(1)).ok_or(error)?.clone(),
    };
    lock(&mount.devices).push(device);
    Ok(mount)
}

fn start(shared: &Arc<Shared>) -> io::Result<Arc<Mount>> {
    let mount = Arc::new(Mount::default());
    let (shared, own) = (shared.clone(), mount.clone());
    let thread = std::thread::Builder::new()
        .name("sweep".to_owned())
        .stack_size(512 << 10)
        .spawn(move || Sweeper::new(shared, own).run())?;
    // Set once, here.
    let _ = mount.thread.set(thread);
    Ok(mount)
}

impl Sweeper {
    fn new(shared: Arc<Shared>, mount: Arc<Mount>) -> Self {
        Self {
            territory: shared.territory(),
            source: Source::new(shared.hints, &mount, &shared.canary),
            mounts: shared.mounts(),
            shared,
            mount,
            fresh: VecDeque::new(),
            unsettled: BTreeSet::new(),
            pace: Pace::default(),
            refused: None,
            rescanned: None,
            must_rescan: false,
        }
    }

    fn run(mut self) {
        while !self.shared.ends() {
            let work = self.mount.inbox.take(self.deadline(Instant::now()));
            if work.ends {
                break;
            }
            self.mount.pulse.set_looking(true);
            self.do_all(work);
            self.mount.pulse.set_looking(false);
            self.mount.inbox.rest();
            self.shared.done.notify_one();
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let rescan = self.must_rescan.then(|| self.rescanned.map_or(now, |last| last + RESCAN_PAUSE));
        [self.pace.due(now), rescan].into_iter().flatten().min()
    }

    fn do_all(&mut self, work: Work) {
        self.territory = self.shared.territory();
        self.follow(work.paths);
        lock(&self.mount.roots).extend(work.roots);
        if work.missed == Missed::Overflow {
            self.shared.say(&self.mount.pulse, Fact::EventsOverflowed);
        }
        self.must_rescan |= work.missed != Missed::Nothing;
        let now = Instant::now();
        let may_rescan = self.rescanned.is_none_or(|last| now.saturating_duration_since(last) >= RESCAN_PAUSE);
        let rescans = self.must_rescan && may_rescan;
        if rescans {
            (self.rescanned, self.must_rescan) = (Some(now), false);
        }
        let manner = Manner { insists: false, sweeps: work.sweep };
        if work.sweep || rescans {
            self.sweep(manner);
        } else {
            self.settle_roots(|_| false);
        }
        for folder in work.folders {
            let folder = lock(&self.mount.folders).entry(folder.path.clone()).or_insert(folder).clone();
            self.look_at_folder(&folder, manner);
        }
        self.look_at_fresh(manner);
        self.count();
    }

    /// Looks at everything.
    fn sweep(&mut self, manner: Manner) {
        let manner = Manner { insists: self.was_given_up(), ..manner };
        self.refused = None;
        let must_be_placed_anew = self.source.mend(&self.mount, &self.shared.canary);
        self.source.listen(&self.shared.canary);
        self.move_folders();
        let folders = self.known_folders();
        if must_be_placed_anew {
            for folder in &folders {
                folder.write().placed = None;
            }
        }
        self.settle_roots(|_| true);
        for folder in folders {
            if self.shared.ends() {
                return;
            }
            self.look_at_folder(&folder, manner);
            let hinted = self.mount.inbox.take_paths();
            self.follow(hinted);
        }
        self.look_at_fresh(manner);
        self.note_lost();
    }

    /// Was it said that the mount does not answer? Then all that is on it must be said again.
    fn was_given_up(&self) -> bool {
        if !self.mount.is_given_up.load(Ordering::Acquire) {
            return false;
        }
        // Whoever tells of the hung mount stops when this is false, and lets go.
        self.mount.is_given_up.store(false, Ordering::Release);
        drop(lock(&self.mount.telling));
        true
    }

    pub(super) fn known_folders(&self) -> Vec<Arc<Folder>> {
        lock(&self.mount.folders).values().cloned().collect()
    }

    pub(super) fn knows(&self, path: &Path) -> bool {
        lock(&self.mount.folders).contains_key(path)
    }

    /// Where file systems were mounted or unmounted, folders go to the threads of their mounts.
    fn move_folders(&mut self) {
        let mounts = self.shared.mounts();
        if Arc::ptr_eq(&mounts, &self.mounts) {
            return;
        }
        self.mounts = mounts;
        for folder in self.known_folders() {
            let mount = self.mounts.of(&folder.path);
            folder.write().is_remote = mount.is_remote;
            if !self.owns(mount.device) {
                self.source.remove(&folder.path);
                lock(&self.mount.folders).remove(&folder.path);
                folder.write().placed = None;
                self.hand_over(mount.device, |work| work.folders.push(folder));
            }
        }
    }

    /// Is the file system with this device number swept by this thread?
    pub(super) fn owns(&self, device: u64) -> bool {
        lock(&self.mount.devices).contains(&device)
    }

    /// Leaves work for the thread of another mount.
    pub(super) fn hand_over(&self, device: u64, leave: impl FnOnce(&mut Work)) {
        // Without a thread of its own, the mount is ours.
        let mount = mount_of(&self.shared, device).unwrap_or_else(|_| self.mount.clone());
        mount.inbox.leave(leave);
    }

    /// Looks at what the kernel spoke of.
    fn follow(&mut self, paths: HashSet<PathBuf>) {
        let due = self.pace.admit(paths, Instant::now());
        let mut partly = HashMap::<Arc<Path>, (Arc<Folder>, Vec<OsString>)>::new();
        let mut whole = Vec::new();
        {
            let folders = lock(&self.mount.folders);
            for path in &due {
                whole.extend(folders.get(path.as_path()).cloned());
                if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
                    && let Some(folder) = folders.get(parent)
                {
                    let (_, names) = partly.entry(folder.path.clone()).or_insert_with(|| (folder.clone(), Vec::new()));
                    names.push(name.to_owned());
                }
            }
        }
        for (folder, names) in partly.into_values() {
            self.look_at_names(&folder, &names);
        }
        let manner = Manner { insists: false, sweeps: false };
        for folder in whole {
            // It may be another folder by now, and notify drops a watch when it hears that its folder went away.
            folder.write().placed = None;
            self.look_at_folder(&folder, manner);
        }
        self.look_at_fresh(manner);
    }

    /// Looks at folders that are to be watched from now on, and at those found in them.
    fn look_at_fresh(&mut self, manner: Manner) {
        loop {
            while let Some(path) = self.fresh.pop_front() {
                if self.shared.ends() {
                    return;
                }
                self.enrol(&path, manner);
            }
            if self.unsettled.is_empty() {
                return;
            }
            let unsettled = std::mem::take(&mut self.unsettled);
            self.settle_roots(|root| unsettled.contains(&root));
        }
    }

    fn enrol(&mut self, path: &Path, manner: Manner) {
        let mount = self.mounts.of(path);
        if !self.owns(mount.device) {
            let folder = Arc::new(Folder::new(path));
            folder.write().is_remote = mount.is_remote;
            return self.hand_over(mount.device, |work| work.folders.push(folder));
        }
        let known = lock(&self.mount.folders).get(path).cloned();
        let folder = known.unwrap_or_else(|| {
            let folder = Arc::new(Folder::new(path));
            folder.write().is_remote = mount.is_remote;
            lock(&self.mount.folders).insert(folder.path.clone(), folder.clone());
            folder
        });
        self.look_at_folder(&folder, manner);
    }

    /// For which watches does the kernel not tell of everything?
    fn note_lost(&self) {
        let remote = "it is on a network or user-space file system, whose changes from elsewhere bring no events";
        let mut lost = std::collections::BTreeMap::new();
        for folder in self.known_folders() {
            let contents = folder.read();
            let why = match &contents.placed {
                Some(Err(why)) => why.as_str(),
                Some(Ok(())) if contents.is_remote => remote,
                _ => continue,
            };
            for root in &contents.reaching {
                let watch = self.territory.roots()[*root as usize].watch_index;
                lost.entry(watch).or_insert_with(|| why.to_owned());
            }
        }
        *lock(&self.mount.lost) = lost;
    }
}
