//! Writers that do not cooperate, in every way that there is, a quarter of what they write damaged, on every kind of file
//! system: no valid version is ever undone, and nothing that nobody wrote is ever stored.

#[allow(dead_code, reason = "shared with the suite in tests/it")]
#[path = "../it/writers/kinds.rs"]
mod kinds;
mod long_life;
mod restorers;
mod writer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::{Daemon, Launch, World, is_long};
use crate::volume::{KINDS, Kind, Volume};
use restorers::Restorer;
use writer::{Course, Pace, Tally};

/// So many writes are wanted, all file systems together; whoever is slow is given this long.
fn wanted() -> (u64, Duration) {
    if is_long() { (1_000_000, Duration::from_secs(5_400)) } else { (40_000, Duration::from_secs(230)) }
}

/// The kinds of writers on each file system; two at once are one more.
const WRITERS: [(kinds::Kind, usize); 6] = [
    (kinds::Kind::Rename, 4),
    (kinds::Kind::Truncate, 4),
    (kinds::Kind::Reopen, 3),
    (kinds::Kind::KeptOpen, 2),
    (kinds::Kind::Recreate, 3),
    (kinds::Kind::Mapped, 2),
];

/// Writers at work in one folder.
struct Crowd {
    courses: Vec<Arc<Course>>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Makes their files; each holds its version 0.
    fn gather(folder: &Path, pace: Pace) -> Vec<Arc<Course>> {
        let mut courses = Vec::new();
        for (kind, count) in WRITERS {
            for number in 0..count {
                courses.push(Course::new(folder.join(format!("{}-{number}.json", kind.name())), vec![kind], pace));
            }
        }
        let both = vec![kinds::Kind::Rename, kinds::Kind::Truncate];
        courses.push(Course::new(folder.join("two-at-once.json"), both, pace));
        courses
    }

    fn start(courses: Vec<Arc<Course>>) -> Self {
        let mut threads = Vec::new();
        for (number, course) in courses.iter().enumerate() {
            for writer in 0..course.writers() {
                let course = Arc::clone(course);
                threads.push(thread::spawn(move || course.run(writer, number as u64 * 7_919 + writer as u64)));
            }
        }
        Self { courses, threads }
    }

    fn written(&self) -> u64 {
        self.courses.iter().map(|course| course.tally().written).sum()
    }

    /// Ends it; what became of the writes.
    fn stop(self) -> (Vec<Arc<Course>>, Tally) {
        self.courses.iter().for_each(|course| course.stop());
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        let total = self.courses.iter().fold(Tally::default(), |total, course| total + course.tally());
        (self.courses, total)
    }
}

/// One file system with a daemon and writers.
struct Arena {
    kind: Kind,
    world: World,
    daemon: Daemon,
    crowd: Crowd,
    volume: Volume,
}

impl Arena {
    fn open(kind: Kind) -> Option<Self> {
        let volume = Volume::new(kind)?;
        let world = World::new();
        let folder = volume.point().join("files");
        fs::create_dir(&folder).unwrap();
        // Without leases a late writer's version comes back with the next sweeps.
        let patience = if kind == Kind::Overlay { Duration::from_secs(75) } else { Duration::from_secs(5) };
        let courses = Crowd::gather(&folder, Pace { patience });
        let settings =
            format!("[defaults]\nmax_repairs = 0\n[[watch]]\nname = \"torture\"\npaths = [\"{}\"]\n", folder.display());
        let daemon = Launch::new(&world).config(&world, &settings).start();
        for course in &courses {
            daemon.wait_stored(&course.path, &kinds::version(0));
        }
        Some(Self { kind, world, daemon, crowd: Crowd::start(courses), volume })
    }

    /// Ends it, prints how it went, and says what went wrong and how many repairs there were.
    fn close(self) -> (Vec<String>, usize) {
        let Self { kind, world, daemon, crowd, volume } = self;
        let (courses, total) = crowd.stop();
        let repairs = daemon.count("restores_total", &[("outcome", "repaired")]);
        let yielded = daemon.count("restores_total", &[("outcome", "yielded")]);
        let mut wrong: Vec<String> = courses.iter().flat_map(|course| course.undone()).collect();
        let (mut versions, mut kept) = (0, 0);
        for course in &courses {
            let stored = daemon.state.versions(&course.path);
            versions += stored.len();
            let torn = stored.iter().filter(|stored| !course.has_written_whole(&stored.bytes));
            wrong.extend(torn.map(|stored| format!("nobody wrote what is stored in {}", stored.path.display())));
            kept += daemon.state.quarantine(&course.path).len();
        }
        println!(
            "{:<8} {:>7} writes, {:>6} damaged, {repairs:>5} repairs, {yielded:>3} yielded, {versions:>6} versions stored, \
             {kept:>5} kept in quarantine, {} wrong",
            kind.name(),
            total.written,
            total.damaged,
            wrong.len(),
        );
        // A repair that fails because its writer has just removed the file is none of it.
        wrong.extend(daemon.logged("panicked").into_iter().map(|line| format!("{}: {line}", kind.name())));
        daemon.terminate();
        drop((daemon, volume, world));
        (wrong, repairs)
    }
}

/// What restorers that one meets in the field do to the same writers, in a folder of their own.
fn beside(restorer: Restorer, folder: PathBuf, span: Duration) -> JoinHandle<()> {
    thread::spawn(move || {
        fs::create_dir_all(&folder).unwrap();
        let courses = Crowd::gather(&folder, Pace { patience: Duration::from_millis(200) });
        let files = courses.iter().map(|course| course.path.clone()).collect();
        let guard = restorer.start(files);
        let crowd = Crowd::start(courses);
        thread::sleep(span);
        let (courses, total) = crowd.stop();
        let put_back = guard.stop();
        let undone: usize = courses.iter().map(|course| course.undone().len()).sum();
        println!(
            "{:<8} {:>7} writes, {put_back:>5} restores, {undone} valid versions undone",
            restorer.name(),
            total.written
        );
        assert!(
            undone > 0 || restorer != Restorer::Naive,
            "even the naive restorer undid nothing: the test shows nothing"
        );
    })
}

#[test]
fn no_writer_however_rude_has_a_valid_version_undone_and_no_backup_is_torn() {
    let arenas: Vec<Arena> = KINDS.into_iter().filter_map(Arena::open).collect();
    if arenas.is_empty() {
        return;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let span = Duration::from_secs(40);
    let naive = beside(Restorer::Naive, elsewhere.path().join("naive"), span);
    let settled = beside(Restorer::Settled, elsewhere.path().join("settled"), span);

    let (begun, (wanted, limit)) = (Instant::now(), wanted());
    let written = || arenas.iter().map(|arena| arena.crowd.written()).sum::<u64>();
    while begun.elapsed() < limit && (written() < wanted || begun.elapsed() < span) {
        thread::sleep(Duration::from_millis(100));
    }
    let (written, took) = (written(), begun.elapsed());
    naive.join().unwrap();
    settled.join().unwrap();
    let (wrong, repairs): (Vec<Vec<String>>, Vec<usize>) = arenas.into_iter().map(Arena::close).unzip();
    let wrong = wrong.concat();
    println!("{written} writes in {took:.0?}, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    // On a busy machine a daemon may come late to all that is damaged on one of them.
    assert!(repairs.iter().sum::<usize>() > 0, "nothing was repaired: the test shows nothing");
    assert!(written >= wanted, "only {written} writes in {took:?}");
}
