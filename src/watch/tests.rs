//! The stage as a whole, with real folders: each test waits for what must be seen.

mod hinted;
mod led;
mod swept;

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobSet};
use notify::event::{Event, EventKind, Flag};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::conductor::Conductor;
use super::mount::{Shared, lock};
use super::{Observation, Sight, Watching};
use crate::checkup::Canary;
use crate::config::{Log, LogFormat, OnMissing, Rules, Scrub, Settings, Share, Storage, Target, Watch, WatchName};
use crate::disk::Disk;
use crate::event::{self, Fact};
use crate::stage::{Fatal, Heartbeat, Latch, Latched};

const PATIENCE: Duration = Duration::from_secs(30);
/// So long that whatever is seen meanwhile is due to a hint.
const NEVER: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(50);

struct Folder {
    _kept: tempfile::TempDir,
    path: PathBuf,
}

struct Stage {
    runtime: Runtime,
    observations: mpsc::Receiver<Observation>,
    events: mpsc::Receiver<event::Event>,
    drain: tokio::sync::watch::Sender<bool>,
    placed: Latched,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<Result<(), Fatal>>,
}

/// A file, and what is to be seen of it.
type Wanted<'wanted> = (&'wanted Path, &'wanted dyn Fn(&Sight) -> bool);

impl Folder {
    fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let path = kept.path().canonicalize().unwrap();
        Self { _kept: kept, path }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), text).unwrap();
        self.at(name)
    }
}

fn watch(name: &str, paths: Vec<Target>) -> Watch {
    Watch { name: WatchName::new(name), paths, exclude: GlobSet::empty(), rules: Rules::default() }
}

fn path(path: impl AsRef<Path>) -> Target {
    Target::Path(path.as_ref().to_owned())
}

fn glob(base: &Path, pattern: &str, depth: Option<usize>) -> Target {
    let pattern = base.join(pattern);
    let pattern = GlobBuilder::new(pattern.to_str().unwrap()).literal_separator(true).build().unwrap();
    Target::Glob { base: base.to_owned(), pattern: pattern.compile_matcher(), depth }
}

impl Stage {
    /// Starts, and waits for the first sweep; gives what was seen until then, too.
    fn start(watches: Vec<Watch>, interval: Duration, hints: bool) -> (Self, Vec<Observation>) {
        let mut stage = Self::launch(watches, interval, hints, 64);
        let mut seen = Vec::new();
        loop {
            match stage.next("the first sweep") {
                Observation::Swept { first, .. } => {
                    assert!(first);
                    return (stage, seen);
                }
                other => seen.push(other),
            }
        }
    }

    fn hinted(watches: Vec<Watch>) -> Self {
        Self::start(watches, NEVER, true).0
    }

    fn launch(watches: Vec<Watch>, sweep_interval: Duration, hints: bool, room: usize) -> Self {
        let settings = Settings {
            state_dir: "/nonexistent".into(),
            sweep_interval,
            health_interval: NEVER,
            log: Log { level: "info".to_owned(), format: LogFormat::Auto },
            listen: None,
            hosts: Vec::new(),
            min_free: Share::Percent(5.0),
            storage: Storage::default(),
            scrub: Scrub::default(),
            watches: watches.into_iter().map(Arc::new).collect(),
            left_out: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (observations_in, observations) = mpsc::channel(room);
        let (events_in, events) = mpsc::channel(1024);
        let (drain, drained) = tokio::sync::watch::channel(false);
        let (latch, placed) = Latch::new("watching");
        let watching = Watching {
            settings: Arc::new(settings),
            state_dir: "/nonexistent".into(),
            disk: Disk::default(),
            observations: observations_in,
            events: events_in,
            drain: drained,
            placed: latch,
            heartbeat: Heartbeat::new("watch"),
            hints,
            canary: Canary::new(Path::new("/nonexistent")),
        };
        let mut conductor = runtime.block_on(async { Conductor::new(watching) }).unwrap();
        let shared = conductor.shared.clone();
        let task = runtime.spawn(async move {
            let result = conductor.conduct().await;
            conductor.end();
            result
        });
        Self { runtime, observations, events, drain, placed, shared, task }
    }

    fn next(&mut self, awaited: &str) -> Observation {
        let Self { runtime, observations, .. } = self;
        let next = runtime.block_on(async { tokio::time::timeout(PATIENCE, observations.recv()).await });
        next.unwrap_or_else(|_| panic!("waited in vain for {awaited}")).expect("the stage goes on")
    }

    /// Waits until each of these was seen, in whatever order, and gives all observations up to then.
    fn until_all(&mut self, wanted: &[Wanted]) -> Vec<Observation> {
        let deadline = Instant::now() + PATIENCE;
        let mut left: Vec<_> = wanted.iter().collect();
        let mut seen = Vec::new();
        while let Some((path, _)) = left.first() {
            let awaited = path.display().to_string();
            assert!(Instant::now() < deadline, "waited in vain for {awaited}");
            let next = self.next(&awaited);
            left.retain(|(path, is_wanted)| !sight_of(&next, path).is_some_and(is_wanted));
            seen.push(next);
        }
        seen
    }

    fn until(&mut self, path: &Path, is_wanted: impl Fn(&Sight) -> bool) -> Vec<Observation> {
        self.until_all(&[(path, &is_wanted)])
    }

    fn until_present(&mut self, path: &Path) -> Vec<Observation> {
        self.until(path, is_present)
    }

    /// Waits until all that was done before has been seen.
    fn settle(&mut self, folder: &Folder) -> Vec<Observation> {
        let marker = folder.write("marker.json", "{}");
        self.until_present(&marker)
    }

    fn until_swept(&mut self, times: usize) -> Vec<Observation> {
        let mut seen = Vec::new();
        let mut left = times;
        while left > 0 {
            let next = self.next("a sweep");
            left -= usize::from(matches!(next, Observation::Swept { .. }));
            seen.push(next);
        }
        seen
    }

    fn until_fact(&mut self, wanted: impl Fn(&Fact) -> bool) {
        let Self { runtime, events, observations, .. } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    event = events.recv() => if wanted(&event.expect("the stage goes on").fact) { return },
                    _ = observations.recv() => {}
                    () = tokio::time::sleep(PATIENCE) => panic!("waited in vain for a fact"),
                }
            }
        });
    }

    fn facts(&mut self) -> Vec<Fact> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|event| event.fact).collect()
    }
}

fn is_present(sight: &Sight) -> bool {
    matches!(sight, Sight::Present(_))
}

fn is_gone(sight: &Sight) -> bool {
    *sight == Sight::Gone
}

fn sight_of<'seen>(observation: &'seen Observation, path: &Path) -> Option<&'seen Sight> {
    match observation {
        Observation::Document { document, sight, .. } if document.path() == path => Some(sight),
        _ => None,
    }
}

fn sights<'seen>(seen: &'seen [Observation], path: &Path) -> Vec<&'seen Sight> {
    seen.iter().filter_map(|observation| sight_of(observation, path)).collect()
}

fn owners(seen: &[Observation]) -> HashMap<PathBuf, (String, bool)> {
    let owner = |observation: &Observation| match observation {
        Observation::Document { document, watch, literal, .. } => {
            Some((document.path().to_owned(), (watch.name.to_string(), *literal)))
        }
        _ => None,
    };
    seen.iter().filter_map(owner).collect()
}
