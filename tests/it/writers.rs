//! Honest writers that are slow, of six kinds, all at once: the guard must not touch what they have not finished, must not
//! undo what they have, and must never store a mixture. A naive restorer stands beside, to show that the test can fail.

mod kinds;
mod naive;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Daemon, LIMIT, Launch, World, is_long, wait_until};
use kinds::{ALL, Kind, OpenFile, version};
use naive::NaiveRestorer;

/// One writer: its file, how it writes and how long that stays half done.
struct Writer {
    kind: Kind,
    half_written: Duration,
    path: PathBuf,
}

/// What a writer did and saw.
struct Outcome {
    writer: Writer,
    /// The last version that it wrote whole.
    last: u64,
    /// Versions that did not stand any more when the next one was to be written.
    losses: u64,
}

/// Every kind stays half-written for 0.3 s; those that hold the file open or mapped also for 2.5 s.
fn writers(folder: &Path) -> Vec<Writer> {
    let quick = ALL.iter().map(|kind| (*kind, Duration::from_millis(300)));
    let slow = ALL.iter().filter(|kind| kind.holds_the_file()).map(|kind| (*kind, Duration::from_millis(2_500)));
    let writer = |(kind, half_written): (Kind, Duration)| {
        let path = folder.join(format!("{}-{}ms.json", kind.name(), half_written.as_millis()));
        fs::write(&path, version(0)).unwrap();
        Writer { kind, half_written, path }
    };
    quick.chain(slow).map(writer).collect()
}

impl Writer {
    /// Writes version after version; before each, the last one must stand.
    fn run(self, end: Instant) -> Outcome {
        let (mut last, mut losses) = (0, 0);
        let mut open = OpenFile::default();
        while Instant::now() < end {
            losses += u64::from(!self.stands(last));
            last += 1;
            self.kind.write(&self.path, &version(last), self.half_written, &mut open);
            // From one version straight into the next, and pauses in which the guard may look.
            thread::sleep(Duration::from_millis([5, 120, 700, 1_600][usize::try_from(last % 4).unwrap()]));
        }
        losses += u64::from(!self.stands(last));
        Outcome { writer: self, last, losses }
    }

    fn stands(&self, number: u64) -> bool {
        fs::read(&self.path).is_ok_and(|bytes| bytes == version(number))
    }
}

fn run_all(writers: Vec<Writer>, end: Instant) -> Vec<thread::JoinHandle<Outcome>> {
    writers.into_iter().map(|writer| thread::spawn(move || writer.run(end))).collect()
}

fn join(running: Vec<thread::JoinHandle<Outcome>>) -> Vec<Outcome> {
    running.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Stored versions that nobody wrote whole.
fn torn_versions(daemon: &Daemon, outcome: &Outcome) -> Vec<PathBuf> {
    let whole: Vec<Vec<u8>> = (0..=outcome.last).map(version).collect();
    let stored = daemon.state.versions(&outcome.writer.path);
    stored.into_iter().filter(|stored| !whole.contains(&stored.bytes)).map(|stored| stored.path).collect()
}

fn print(who: &str, outcomes: &[Outcome]) {
    println!("{who}:");
    for Outcome { writer, last, losses } in outcomes {
        println!(
            "  {:<26} half-written {:>6.1?}: {last:>4} updates, {losses} lost",
            writer.kind.name(),
            writer.half_written
        );
    }
}

#[test]
fn slow_honest_writers_lose_nothing_and_are_not_repaired() {
    let world = World::new();
    let naive_folder = world.root.join("naive");
    fs::create_dir(&naive_folder).unwrap();
    let (guarded, naively_guarded) = (writers(&world.files), writers(&naive_folder));
    let files: Vec<PathBuf> = naively_guarded.iter().map(|writer| writer.path.clone()).collect();
    let daemon = Launch::new(&world).arg(&world.files).start();
    for writer in &guarded {
        daemon.wait_stored(&writer.path, &version(0));
    }

    let end = Instant::now() + Duration::from_secs(if is_long() { 600 } else { 60 });
    let naive = NaiveRestorer::start(files);
    let (guarded, naively_guarded) = (run_all(guarded, end), run_all(naively_guarded, end));
    let (guarded, naively_guarded) = (join(guarded), join(naively_guarded));
    let naive_restores = naive.stop();

    print("beside jsonwarden", &guarded);
    print("beside a naive restorer", &naively_guarded);
    let naive_losses: u64 = naively_guarded.iter().map(|outcome| outcome.losses).sum();
    println!("the naive restorer: {naive_restores} restores, {naive_losses} updates lost");
    assert!(naive_losses > 0, "even the naive restorer lost nothing: the test shows nothing");

    for outcome in &guarded {
        assert_eq!(outcome.losses, 0, "{}", outcome.writer.path.display());
        assert!(outcome.last >= 5, "{} wrote only {} versions", outcome.writer.path.display(), outcome.last);
        assert_eq!(torn_versions(&daemon, outcome), Vec::<PathBuf>::new());
    }
    assert_nothing_was_repaired(&daemon, &world);
    assert_the_last_versions_are_stored(&daemon, &guarded);
}

fn assert_nothing_was_repaired(daemon: &Daemon, world: &World) {
    let scrape = daemon.scrape();
    for name in ["restores_total", "corruptions_total", "quarantined_total"] {
        assert_eq!(scrape.count(name, &[]), 0, "{name}");
    }
    assert!(
        !world.state.join("quarantine").exists() || fs::read_dir(world.state.join("quarantine")).unwrap().count() == 0
    );
    let beside = fs::read_dir(&world.files).unwrap().filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(".jsonwarden-"))
    });
    assert_eq!(beside.count(), 0, "something was staged beside the files");
}

/// What stands at the end is also kept, whoever wrote it how.
fn assert_the_last_versions_are_stored(daemon: &Daemon, outcomes: &[Outcome]) {
    for Outcome { writer, last, .. } in outcomes {
        let what = format!("version {last} of {} is stored", writer.path.display());
        wait_until(LIMIT, &what, || daemon.state.newest_is(&writer.path, &version(*last)));
    }
}

#[test]
fn half_of_a_version_is_no_json_whatever_the_other_half_is() {
    let whole = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    for number in 0..4 {
        let (old, new) = (version(number), version(number + 1));
        let middle = new.len() / 2;
        assert!(whole(&new) && old.len() == new.len());
        assert!(!whole(&new[..middle]), "truncated and half written");
        assert!(!whole(&[&new[..middle], &old[middle..]].concat()), "half overwritten");
    }
}
