//! Another guard that has the state directory already, as when two containers share one: it guards the files, or nobody does.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::cli::daemon::Daemon;
use crate::cli::store::resolved;
use crate::cli::{Failure, Session, say, shown};
use crate::config::{Loaded, Target};
use crate::error::{Cause, Error};

/// It may just be starting.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// A file that it guards.
#[derive(Deserialize)]
struct File {
    /// Escaped, as a document's name is shown.
    path: String,
}

/// Does the guard that has the state directory guard all of this, too?
///
/// # Errors
/// `Locked`: it does not, or nothing can be heard of it.
pub(super) fn guards_all(loaded: &Loaded, session: &mut Session<'_>) -> Result<(), Failure> {
    let state_dir = &loaded.settings.state_dir;
    session.options.state_dir = Some(state_dir.clone());
    let roots = roots(loaded, session);
    let deadline = Instant::now() + PATIENCE;
    let why = loop {
        let daemon = Daemon::all(session).into_iter().next();
        let why = match &daemon {
            None => "which cannot be asked what it guards".to_owned(),
            Some(daemon) => match unguarded(daemon, &roots, session) {
                None => {
                    say(format_args!("its files are guarded by the daemon that has {}", shown(state_dir)));
                    return Ok(());
                }
                Some(root) => format!("which does not guard {}", shown(root)),
            },
        };
        let is_ready = daemon.is_some_and(|daemon| daemon.get("/readyz", session).is_ok());
        if is_ready || Instant::now() >= deadline {
            break why;
        }
        std::thread::sleep(PAUSE);
    };
    let why = format!("another jsonwarden has it, {why}; name another with --state-dir, or start with --force");
    Err(Error::new("guarding with the state directory", state_dir, Cause::Locked(why)).into())
}

/// What is to be guarded: files, and folders with what is in them.
fn roots(loaded: &Loaded, session: &Session<'_>) -> Vec<PathBuf> {
    let targets = loaded.settings.watches.iter().flat_map(|watch| &watch.paths);
    let root = |target: &Target| {
        let (Target::Path(root) | Target::Glob { base: root, .. }) = target;
        resolved(&session.disk, root).unwrap_or_else(|_| root.clone())
    };
    targets.map(root).collect()
}

/// The first of these that a daemon does not guard: no such file, and none below it.
fn unguarded<'a>(daemon: &Daemon, roots: &'a [PathBuf], session: &Session<'_>) -> Option<&'a Path> {
    let files = daemon.get("/api/v1/files", session).ok();
    let files: Vec<File> = files.and_then(|answer| serde_json::from_slice(&answer).ok()).unwrap_or_default();
    let is_guarded = |root: &&PathBuf| {
        let root = shown(root);
        files
            .iter()
            .any(|file| file.path.strip_prefix(&root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    roots.iter().find(|root| !is_guarded(root)).map(PathBuf::as_path)
}
