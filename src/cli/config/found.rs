//! Which paths find nothing at present: no mistake, for what they name may come to be; but mostly one.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::cli::walk::walk_watch;
use crate::cli::{Session, say, shown};
use crate::config::{NOTHING_IN_FOLDER, Settings, Target, Watch};
use crate::disk::Disk;
use crate::disk::follow::Resolved;

/// Looking takes no longer: a folder may be huge, and a mount may hang.
const LOOKING_LIMIT: Duration = Duration::from_secs(5);

/// Says of each path that finds nothing at present why.
pub(super) fn say_what_finds_nothing(settings: &Settings, session: &Session<'_>) {
    let (told, lines) = channel();
    let (watches, disk) = (settings.watches.clone(), session.disk.clone());
    let deadline = Instant::now() + LOOKING_LIMIT;
    std::thread::spawn(move || look(&watches, &disk, &told));
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        say(format_args!("{line}"));
    }
}

fn look(watches: &[Arc<Watch>], disk: &Disk, told: &Sender<String>) {
    for watch in watches {
        for target in &watch.paths {
            if let Some(why) = why_nothing(target, watch, disk) {
                let (name, path) = (watch.name.as_str().escape_debug(), shown(start(target)));
                // Nobody listens any more when the time is up.
                let _ = told.send(format!("watch \"{name}\": {path}: {why}"));
            }
        }
    }
}

/// A path as it was configured; of a glob, where it starts from.
fn start(target: &Target) -> &Path {
    match target {
        Target::Path(path) => path,
        Target::Glob { base, .. } => base,
    }
}

fn why_nothing(target: &Target, watch: &Watch, disk: &Disk) -> Option<&'static str> {
    let is_glob = matches!(target, Target::Glob { .. });
    match disk.follow(start(target), |_| true) {
        Resolved::There(_, found) if is_glob && !found.is_directory() => Some("that is no folder to look for files in"),
        Resolved::There(_, found) if !is_glob && found.is_directory() => {
            // What cannot be read may hold some.
            let has_none = walk_watch(disk, start(target), watch, &mut |_| Err(())).is_ok();
            has_none.then_some(NOTHING_IN_FOLDER)
        }
        Resolved::NotThere { .. } if is_glob => {
            Some("that folder is not there yet; its files are guarded once they are")
        }
        Resolved::NotThere { .. } => Some("it is not there yet; it is guarded once it is, a file or a folder"),
        Resolved::Circular(_) => Some("its links lead in a circle"),
        Resolved::There(..) | Resolved::Unknown(..) | Resolved::Elsewhere(_) => None,
    }
}
