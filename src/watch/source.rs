//! Asking the kernel for hints: on folders only, never on files (a watch on a file dies at the first rename over it), and
//! never recursively (files made in a new folder before its watch stands are lost).

use std::path::Path;
use std::sync::Arc;

use notify::{Config, ErrorKind, INotifyWatcher, RecursiveMode, Watcher};

use super::mount::Mount;

/// Where a sweep thread's hints come from. Each has its own: placing a watch on a mount that hangs keeps the one that
/// places, and all that it would have told.
#[derive(Debug)]
pub(super) enum Source {
    /// The kernel is not asked.
    Off,
    /// The kernel could not be asked, and why. It is tried again.
    Broken(String),
    /// The kernel tells of the folders that were placed.
    Kernel(INotifyWatcher),
}

impl Source {
    /// A source that leaves its hints with the mount.
    pub(super) fn new(is_wanted: bool, mount: &Arc<Mount>) -> Self {
        if !is_wanted {
            return Self::Off;
        }
        let listener = mount.clone();
        match INotifyWatcher::new(move |heard| listener.inbox.hear(heard), Config::default()) {
            Ok(watcher) => Self::Kernel(watcher),
            Err(error) => Self::Broken(error.to_string()),
        }
    }

    /// Tries again what failed.
    pub(super) fn mend(&mut self, mount: &Arc<Mount>) {
        if matches!(self, Self::Broken(_)) {
            *self = Self::new(true, mount);
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
            Self::Kernel(watcher) => {
                // Nothing to drop is no error. Without this, the end of the old folder would take the new watch along.
                let _ = watcher.unwatch(folder);
                watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|error| Refusal::new(&error))
            }
        }
    }

    /// Asks no more about a folder.
    pub(super) fn remove(&mut self, folder: &Path) {
        if let Self::Kernel(watcher) = self {
            let _ = watcher.unwatch(folder);
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
