//! Asking the kernel for hints: on folders only, never on files (a watch on a file dies at the first rename over it), and
//! never recursively (files made in a new folder before its watch stands are lost).

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::{Config, ErrorKind, INotifyWatcher, RecursiveMode, Watcher};

use super::hints::Missed;
use super::mount::Mount;
use crate::checkup::{Canary, Ear};

/// Where a sweep thread's hints come from. Each has its own: placing a watch on a mount that hangs keeps the one that
/// places, and all that it would have told.
#[derive(Debug)]
pub(super) enum Source {
    /// The kernel is not asked.
    Off,
    /// The kernel could not be asked, and why. It is tried again.
    Broken(String),
    /// The kernel tells of the folders that were placed.
    Kernel(Kernel),
}

/// A watcher, as long as its thread lives.
#[derive(Debug)]
pub(super) struct Kernel {
    /// `None` only while it is dropped.
    watcher: Option<INotifyWatcher>,
    is_dead: Arc<AtomicBool>,
    ear: Arc<Ear>,
    /// Is the canary under inotify?
    listens: bool,
}

/// Goes with the watcher's thread, and says so: what that one would have told is found by looking at everything.
struct Listener {
    mount: Arc<Mount>,
    is_dead: Arc<AtomicBool>,
    ear: Arc<Ear>,
}

impl Listener {
    fn hear(&self, heard: notify::Result<notify::Event>) {
        match &heard {
            Ok(event) if !event.need_rescan() && self.ear.is_canary(&event.paths) => return,
            Ok(event) if !event.need_rescan() => {}
            // The canary may be in what was lost.
            Ok(_) | Err(_) => self.ear.hear(),
        }
        self.mount.inbox.hear(heard);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_dead.store(true, Ordering::Release);
        self.mount.inbox.leave(|work| work.missed = Missed::Overflow);
    }
}

impl Kernel {
    fn new(mount: &Arc<Mount>, ear: Ear) -> notify::Result<Self> {
        let (is_dead, ear) = (Arc::new(AtomicBool::new(false)), Arc::new(ear));
        let listener = Listener { mount: mount.clone(), is_dead: is_dead.clone(), ear: ear.clone() };
        let hear = move |heard| {
            // All of it is captured, so that it goes with the thread.
            let listener = &listener;
            listener.hear(heard);
        };
        let watcher = Some(INotifyWatcher::new(hear, Config::default())?);
        Ok(Self { watcher, is_dead, ear, listens: false })
    }

    fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Asks the watcher. It panics where its thread is dead (notify 8.2, `inotify.rs`: "we expect the event loop to live").
    fn ask(&mut self, ask: impl FnOnce(&mut INotifyWatcher) -> notify::Result<()>) -> notify::Result<()> {
        let died = || notify::Error::generic("the thread that the kernel tells has died");
        let is_dead = self.is_dead();
        let Some(watcher) = self.watcher.as_mut().filter(|_| !is_dead) else { return Err(died()) };
        catch_unwind(AssertUnwindSafe(|| ask(watcher))).unwrap_or_else(|_| {
            self.is_dead.store(true, Ordering::Release);
            Err(died())
        })
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let (watcher, is_dead) = (self.watcher.take(), self.is_dead());
        // A dead one would panic here, too; what it holds open stays so.
        let _ = catch_unwind(AssertUnwindSafe(move || if is_dead { forget(watcher) } else { drop(watcher) }));
    }
}

impl Source {
    /// A source that leaves its hints with the mount.
    pub(super) fn new(is_wanted: bool, mount: &Arc<Mount>, canary: &Canary) -> Self {
        if !is_wanted {
            return Self::Off;
        }
        match Kernel::new(mount, canary.ear()) {
            Ok(kernel) => Self::Kernel(kernel),
            Err(error) => Self::Broken(error.to_string()),
        }
    }

    /// Tries again what failed. `true`: what was placed before is gone, and to be placed anew.
    pub(super) fn mend(&mut self, mount: &Arc<Mount>, canary: &Canary) -> bool {
        let has_died = matches!(self, Self::Kernel(kernel) if kernel.is_dead());
        if has_died || matches!(self, Self::Broken(_)) {
            *self = Self::new(true, mount, canary);
        }
        has_died
    }

    /// Listens for the canary, if it does not, or has missed it. Where that is refused, so are other folders, and that is told.
    pub(super) fn listen(&mut self, canary: &Canary) {
        let Self::Kernel(kernel) = self else { return };
        if kernel.ear.take_deaf() || !kernel.listens {
            let ear = kernel.ear.clone();
            let _ = kernel.ask(|watcher| watcher.unwatch(ear.folder()));
            kernel.listens = kernel.ask(|watcher| watcher.watch(ear.folder(), RecursiveMode::NonRecursive)).is_ok();
            if kernel.listens {
                canary.add(&ear);
            }
        }
    }

    /// Asks for hints about a folder, and drops what was asked about another one at the same path.
    ///
    /// # Errors
    /// There will be none, and why.
    pub(super) fn place(&mut self, folder: &Path) -> Result<(), Refusal> {
        match self {
            Self::Off => Err(Refusal { why: "kernel events are turned off".to_owned(), is_general: true }),
            Self::Broken(why) => Err(Refusal { why: why.clone(), is_general: true }),
            Self::Kernel(kernel) => {
                // Nothing to drop is no error. Without this, the end of the old folder would take the new watch along.
                let _ = kernel.ask(|watcher| watcher.unwatch(folder));
                let placed = kernel.ask(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive));
                placed.map_err(|error| Refusal::new(&error))
            }
        }
    }

    /// Asks no more about a folder.
    pub(super) fn remove(&mut self, folder: &Path) {
        if let Self::Kernel(kernel) = self {
            let _ = kernel.ask(|watcher| watcher.unwatch(folder));
        }
    }
}

/// Why there will be no hints.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// In words.
    pub(super) why: String,
    /// Would every other folder be refused, too?
    pub(super) is_general: bool,
}

impl Refusal {
    fn new(error: &notify::Error) -> Self {
        match &error.kind {
            ErrorKind::MaxFilesWatch => Self {
                why: "no inotify watch is left for this user; raise fs.inotify.max_user_watches".to_owned(),
                is_general: true,
            },
            _ => Self { why: error.to_string(), is_general: false },
        }
    }
}
