//! The stage as a whole, with real folders: each test waits for what must be seen.

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
use crate::config::{Log, LogFormat, OnMissing, Rules, Settings, Share, Target, Watch, WatchName};
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
            log: Log { level: "info".to_owned(), format: LogFormat::Auto },
            listen: None,
            hosts: Vec::new(),
            min_free: Share::Percent(5.0),
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
            disk: Disk::default(),
            observations: observations_in,
            events: events_in,
            drain: drained,
            placed: latch,
            heartbeat: Heartbeat::new("watch"),
            hints,
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

#[test]
fn what_is_there_is_seen_before_the_first_sweep_ends() {
    let folder = Folder::new();
    let names = ["a.json", "deep/er/b.jsonl", "n\newline.json", "left.txt", ".git/c.json", "x/node_modules/d.json"];
    for name in names {
        folder.write(name, "{}");
    }
    let strange = folder.path.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.json"));
    fs::write(&strange, "{}").unwrap();
    let long = folder.write(&format!("{}.json", "n".repeat(250)), "{}");
    let (stage, seen) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, true);
    let mut found: Vec<_> = owners(&seen).into_keys().collect();
    found.sort();
    let mut expected = [folder.at(names[0]), folder.at(names[1]), folder.at(names[2]), strange, long];
    expected.sort();
    assert_eq!(found, expected);
    assert!(stage.placed.is_open());
}

#[test]
fn a_file_in_a_new_nested_folder_is_seen_by_hint() {
    let folder = Folder::new();
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    for round in 0..20 {
        let file = folder.write(&format!("new{round}/x/y/state.json"), "{}");
        stage.until_present(&file);
    }
    // The folders are watched by now, so later files in them are seen, too.
    let file = folder.write("new7/x/y/later.json", "{}");
    stage.until_present(&file);
}

#[test]
fn a_file_that_is_replaced_is_seen_again_and_again() {
    let folder = Folder::new();
    let file = folder.write("a.json", "0");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&file)])]);
    for round in 1..20 {
        let text = "1".repeat(round);
        fs::rename(folder.write("a.tmp", &text), &file).unwrap();
        let size = text.len() as u64;
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == size));
    }
    fs::remove_file(&file).unwrap();
    stage.until(&file, |sight| *sight == Sight::Missing);
    folder.write("a.json", "{}");
    stage.until_present(&file);
}

#[test]
fn the_end_of_a_write_is_said_even_when_nothing_else_changes() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    drop(fs::File::options().append(true).open(&file).unwrap());
    let seen = stage.until_present(&file);
    assert_eq!(sights(&seen, &file).len(), 1);
}

#[test]
fn our_own_reads_and_temporaries_are_not_seen() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    for _ in 0..100 {
        fs::read(&file).unwrap();
        fs::read_dir(&folder.path).unwrap().for_each(drop);
    }
    fs::remove_file(folder.write(".jsonwarden-0123456789abcdef-1", "{}")).unwrap();
    let seen = stage.settle(&folder);
    assert!(sights(&seen, &file).is_empty(), "{seen:?}");
    assert!(!seen.iter().any(|one| matches!(one, Observation::Leftover { .. })));
}

#[test]
fn a_leftover_is_said_at_every_sweep_until_it_is_gone() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let id = crate::document::DocumentId::new(&folder.path, file.file_name().unwrap());
    let leftover = folder.write(&format!("{}1", id.staged_prefix()), "{}");
    folder.write("b.json", "{}");
    let watches = || vec![watch("other", vec![path(folder.at("b.json"))]), watch("w", vec![path(&folder.path)])];
    let (mut stage, seen) = Stage::start(watches(), OFTEN, true);
    let is_leftover = |one: &&Observation| {
        matches!(one, Observation::Leftover { name, watch, .. }
            if Some(name.as_os_str()) == leftover.file_name() && watch.name.as_str() == "w")
    };
    assert!(seen.iter().any(|one| is_leftover(&one)));
    assert_eq!(stage.until_swept(3).iter().filter(is_leftover).count(), 3);
    fs::remove_file(&leftover).unwrap();
    stage.until_swept(2);
    assert_eq!(stage.until_swept(2).iter().filter(is_leftover).count(), 0);
}

#[test]
fn an_overflow_leads_to_a_full_look_but_not_more_than_one_a_second() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, false);
    let overflow = |stage: &Stage| {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        lock(&stage.shared.swept)[0].inbox.hear(Ok(event));
    };
    for text in ["[1]", "[1, 2]"] {
        let began = Instant::now();
        fs::write(&file, text).unwrap();
        folder.write(&format!("{}.json", text.len()), "{}");
        overflow(&stage);
        stage.until_present(&folder.at(&format!("{}.json", text.len())));
        overflow(&stage);
        fs::write(&file, text.repeat(2)).unwrap();
        let size = 2 * text.len() as u64;
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == size));
        assert!(began.elapsed() > Duration::from_millis(900));
    }
    assert!(stage.facts().iter().any(|fact| matches!(fact, Fact::EventsOverflowed)));
}

#[test]
fn a_file_replaced_by_a_folder_is_seen_as_one() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.is_directory()));
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_watched_again() {
    let folder = Folder::new();
    let file = folder.write("below/a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, true);
    for _ in 0..10 {
        fs::remove_dir_all(folder.at("below")).unwrap();
        folder.write("below/a.json", "{}");
        stage.until_present(&file);
        fs::write(&file, "{\"later\": 1}").unwrap();
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == 12));
    }
}

#[test]
fn the_folder_that_is_configured_may_be_removed_and_made_again() {
    let folder = Folder::new();
    let file = folder.write("top/a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(folder.at("top"))])], OFTEN, true);
    fs::remove_dir_all(folder.at("top")).unwrap();
    stage.until(&file, |sight| matches!(sight, Sight::Missing | Sight::DirectoryMissing));
    stage.until(&file, is_gone);
    folder.write("top/a.json", "[]");
    stage.until_present(&file);
}

#[test]
fn another_folder_at_the_same_path_is_noticed() {
    let folder = Folder::new();
    let file = folder.write("top/a.json", "{}");
    folder.write("other/a.json", "[1]");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(folder.at("top"))])], OFTEN, true);
    fs::rename(folder.at("top"), folder.at("away")).unwrap();
    fs::rename(folder.at("other"), folder.at("top")).unwrap();
    let seen = stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == 3));
    let Some(Observation::Document { directory, .. }) = seen.last() else { panic!() };
    let found = Disk::default().look(directory, file.file_name().unwrap()).unwrap().unwrap();
    assert_eq!(found.bytes, 3);
    // What happens in the old folder is no longer ours; what happens in the new one is.
    folder.write("away/a.json", "[1, 2, 3, 4]");
    folder.write("top/b.json", "{}");
    let seen = stage.until_present(&folder.at("top/b.json"));
    assert!(!sights(&seen, &file).iter().any(|sight| matches!(sight, Sight::Present(found) if found.bytes == 12)));
}

#[test]
fn a_glob_takes_new_files_and_leaves_links_and_lock_files() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    folder.write("one/core.state", "{}");
    elsewhere.write("core.state", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![glob(&folder.path, "*/*", Some(1))])], NEVER, true);
    std::os::unix::fs::symlink(elsewhere.at("core.state"), folder.at("one/link")).unwrap();
    std::os::unix::fs::symlink(&elsewhere.path, folder.at("linked")).unwrap();
    folder.write("one/core.state.lock", "");
    folder.write("one/alone.lock", "{}");
    folder.write("one/too/deep", "{}");
    folder.write("two/new", "{}");
    let seen = stage.until_present(&folder.at("two/new"));
    let mut all = owners(&seen);
    all.extend(owners(&stage.until_present(&folder.write("one/last", "{}"))));
    let mut found: Vec<_> = all.into_keys().collect();
    found.sort();
    assert_eq!(found, [folder.at("one/alone.lock"), folder.at("one/last"), folder.at("two/new")]);
}

#[test]
fn the_first_watch_that_matches_has_the_file() {
    let folder = Folder::new();
    folder.write("a.json", "{}");
    folder.write("b.json", "{}");
    let watches = vec![watch("literal", vec![path(folder.at("a.json"))]), watch("folder", vec![path(&folder.path)])];
    let (mut stage, seen) = Stage::start(watches, NEVER, true);
    let owners = owners(&seen);
    assert_eq!(owners[&folder.at("a.json")], ("literal".to_owned(), true));
    assert_eq!(owners[&folder.at("b.json")], ("folder".to_owned(), false));
    let seen = stage.until_present(&folder.write("c.json", "{}"));
    assert_eq!(self::owners(&seen)[&folder.at("c.json")].0, "folder");
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_another_document() {
    let folder = Folder::new();
    let (one, two) = (folder.write("data/one.json", "{}"), folder.write("data2/two.json", "{}"));
    let link = folder.at("link.json");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let (mut stage, seen) = Stage::start(vec![watch("w", vec![path(&link)])], OFTEN, true);
    assert_eq!(owners(&seen)[&one], ("w".to_owned(), true));
    std::os::unix::fs::symlink(&two, folder.at("next")).unwrap();
    fs::rename(folder.at("next"), &link).unwrap();
    stage.until_all(&[(&two, &is_present), (&one, &is_gone)]);
    // A file where the link was is a document of its own.
    fs::rename(folder.write("plain", "{}"), &link).unwrap();
    stage.until_all(&[(&link, &is_present), (&two, &is_gone)]);
    // And a link where the file was leads on at once.
    std::os::unix::fs::symlink(&one, folder.at("next")).unwrap();
    fs::rename(folder.at("next"), &link).unwrap();
    stage.until_all(&[(&one, &is_present), (&link, &is_gone)]);
}

#[test]
fn links_that_lead_nowhere_are_told_and_missing() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("gone.json", folder.at("dangling.json")).unwrap();
    std::os::unix::fs::symlink("loop.json", folder.at("loop.json")).unwrap();
    let paths = ["dangling.json", "loop.json", "no/such.json", "plain.json"].map(|name| path(folder.at(name)));
    let (mut stage, seen) = Stage::start(vec![watch("w", paths.to_vec())], OFTEN, true);
    for (name, sight) in [
        ("gone.json", Sight::Missing),
        ("loop.json", Sight::Missing),
        ("no/such.json", Sight::DirectoryMissing),
        ("plain.json", Sight::Missing),
    ] {
        assert_eq!(sights(&seen, &folder.at(name)), [&sight], "{name}");
    }
    let is_nothing = |fact: &&Fact| matches!(fact, Fact::NothingFound { .. });
    assert_eq!(stage.facts().iter().filter(is_nothing).count(), 4);
    // Each is said once, not at every sweep.
    let again = stage.until_swept(3);
    assert!(owners(&again).is_empty(), "{again:?}");
    assert_eq!(stage.facts().iter().filter(is_nothing).count(), 0);
    stage.until_present(&folder.write("no/such.json", "{}"));
    stage.until_present(&folder.write("gone.json", "{}"));
}

#[test]
fn without_hints_the_sweep_alone_sees_what_changes() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], OFTEN, false);
    assert!(stage.facts().iter().any(|fact| matches!(fact, Fact::EventSourceLost { .. })));
    assert!(owners(&stage.until_swept(3)).is_empty());
    fs::write(&file, "[]").unwrap();
    stage.until_present(&file);
    stage.until_present(&folder.write("new/b.json", "{}"));
    fs::remove_file(&file).unwrap();
    let seen = stage.until(&file, is_gone);
    assert_eq!(sights(&seen, &file), [&Sight::Missing, &Sight::Gone]);
    assert!(!stage.facts().iter().any(|fact| matches!(fact, Fact::EventSourceLost { .. })));
}

#[test]
fn a_missing_file_that_must_be_told_stays_with_its_watch() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut told = watch("w", vec![path(&folder.path)]);
    told.rules.on_missing = Some(OnMissing::Alert);
    let (mut stage, _) = Stage::start(vec![told], OFTEN, false);
    fs::remove_file(&file).unwrap();
    let mut seen = stage.until(&file, |sight| *sight == Sight::Missing);
    seen.extend(stage.until_swept(4));
    assert_eq!(sights(&seen, &file), [&Sight::Missing]);
}

#[test]
fn a_folder_that_is_closed_to_us_makes_its_documents_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let file = folder.write("closed/a.json", "{}");
    let close = |mode| fs::set_permissions(folder.at("closed"), fs::Permissions::from_mode(mode)).unwrap();
    close(0);
    if fs::read_dir(folder.at("closed")).is_ok() {
        return eprintln!("skipped: root is kept out of nothing");
    }
    let (mut stage, seen) = Stage::start(vec![watch("w", vec![path(&file)])], OFTEN, true);
    assert!(matches!(sights(&seen, &file)[..], [Sight::Unreadable(_)]));
    close(0o700);
    stage.until_present(&file);
}

#[test]
fn a_slow_receiver_loses_nothing_and_the_stage_ends_at_the_drain() {
    let folder = Folder::new();
    let files: Vec<_> = (0..300).map(|number| folder.write(&format!("{number}.json"), "{}")).collect();
    let mut stage = Stage::launch(vec![watch("w", vec![path(&folder.path)])], OFTEN, true, 1);
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Observation::Swept { .. })) {
        std::thread::yield_now();
        seen.push(stage.next("the first sweep"));
    }
    assert_eq!(owners(&seen).len(), files.len());
    stage.drain.send(true).unwrap();
    let Stage { runtime, task, shared, mut observations, mut events, .. } = stage;
    let ended = runtime.block_on(async {
        while observations.recv().await.is_some() {}
        while events.recv().await.is_some() {}
        tokio::time::timeout(PATIENCE, task).await
    });
    ended.expect("it ends").expect("it does not panic").expect("it ends well");
    let deadline = Instant::now() + PATIENCE;
    let are_over = || lock(&shared.swept).iter().all(|mount| mount.thread.get().is_some_and(JoinHandle::is_finished));
    while !are_over() {
        assert!(Instant::now() < deadline, "a thread stays");
        std::thread::yield_now();
    }
}

#[test]
fn a_pattern_without_files_is_told_once() {
    let folder = Folder::new();
    folder.write("a.txt", "");
    let watches = vec![watch("w", vec![glob(&folder.path, "*.json", Some(0)), path(folder.at("a.txt"))])];
    let mut stage = Stage::launch(watches, OFTEN, true, 64);
    stage.until_fact(|fact| matches!(fact, Fact::NothingFound { path, .. } if path.ends_with("*.json")));
    stage.until_fact(|fact| matches!(fact, Fact::Swept { documents: 1, .. }));
    assert!(!stage.facts().iter().any(|fact| matches!(fact, Fact::NothingFound { .. })));
}
