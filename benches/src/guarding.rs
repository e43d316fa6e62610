//! What guarding many files costs when nothing happens: memory, processor time, and the sweep beside a bare statx loop over
//! the same files, `find -newer` and Monit.

mod files;
mod monit;

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::clock;
use crate::numbers::{Effort, median};
use crate::process::rss_anon_mib;
use crate::support::{Daemon, Launch, World};
use crate::table::{Beside, Table};

use files::{Files, find_newer};

/// How often it is asked whether all is stored: asking costs, too.
const LOOK: Duration = Duration::from_millis(250);

/// Storing takes no longer, even 100,000 files on a busy machine.
const STORING_MAX: Duration = Duration::from_mins(30);

/// Beyond so many Monit is not measured: it takes minutes to read its configuration.
const MONIT_FILES_MAX: usize = 10_000;

/// Every so many files are a measurement of their own.
pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let counts: &[usize] = if effort == Effort::Full { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000] };
    for count in counts {
        guard(effort, table, *count);
    }
}

fn guard(effort: Effort, table: &mut Table, count: usize) {
    let world = World::new();
    let files = Files::write(&world, count);
    let (daemon, stored) = start(table, &world, &files);
    // What follows from storing is over.
    thread::sleep((stored / 2).max(Duration::from_secs(10)));
    let watched = Duration::from_secs(effort.rounds(60, 15) as u64);
    let ours = Idle::watch(daemon.pid(), watched);
    let sweeps = Sweeps::watch(&daemon, &world, &files, effort.rounds(10, 3));
    daemon.terminate();

    let monit = (count <= MONIT_FILES_MAX).then(|| monit::watch(&world, &files, watched)).flatten();
    let why_not = if count <= MONIT_FILES_MAX { "absent" } else { "not measured beyond 10,000" };
    let beside = |figure: &dyn Fn(&Idle) -> String| {
        Beside::alone("Monit", monit.as_ref().map_or_else(|| why_not.to_owned(), figure))
    };
    let memory = |idle: &Idle| format!("{:.1} MiB", idle.rss_anon_mib);
    table.row(format!("memory: RssAnon, {files}"), memory(&ours), vec![beside(&memory)]);
    let share = |idle: &Idle| format!("{:.2} %", idle.share() * 100.0);
    table.row(format!("idle: of a core, {files}"), share(&ours), vec![beside(&share)]);
    let cycle = |idle: &Idle| format!("{:.2} µs of CPU", files.each_us(idle.share() * monit::CYCLE.as_secs_f64()));
    sweeps.tell(table, &files, beside(&cycle));
}

/// What a process uses while nothing happens.
struct Idle {
    busy: Duration,
    watched: Duration,
    rss_anon_mib: f64,
}

impl Idle {
    fn watch(pid: Pid, watched: Duration) -> Self {
        let before = clock::of_process(pid);
        thread::sleep(watched);
        let busy = clock::of_process(pid).saturating_sub(before);
        Self { busy, watched, rss_anon_mib: rss_anon_mib(pid) }
    }

    /// Of one core.
    fn share(&self) -> f64 {
        self.busy.as_secs_f64() / self.watched.as_secs_f64()
    }
}

/// Starts guarding, and tells how long it took until all was stored.
fn start(table: &mut Table, world: &World, files: &Files) -> (Daemon, Duration) {
    let begun = Instant::now();
    let daemon = Launch::new(world).arg(&world.files).spawn();
    let waited = |condition: &dyn Fn() -> bool| {
        while !condition() {
            assert!(begun.elapsed() < STORING_MAX, "{files} are not guarded yet");
            thread::sleep(LOOK);
        }
        begun.elapsed()
    };
    let ready = waited(&|| daemon.get("/readyz").status == 200);
    let stored = waited(&|| {
        let scrape = daemon.scrape();
        scrape.count("files", &[("state", "healthy")]) == files.count && scrape.count("files_without_backup", &[]) == 0
    });
    let figures = format!("{:.1} s, {:.1} s", ready.as_secs_f64(), stored.as_secs_f64());
    table.row(format!("start: ready, all stored, {files}"), figures, vec![]);
    (daemon, stored)
}

/// Each sweep with the others right after it, in seconds.
struct Sweeps(Vec<[f64; 3]>);

impl Sweeps {
    fn watch(daemon: &Daemon, world: &World, files: &Files, count: usize) -> Self {
        let mut rounds = Vec::new();
        let mut before = so_far(daemon);
        while rounds.len() < count {
            thread::sleep(Duration::from_millis(50));
            let now = so_far(daemon);
            if now.0 == before.0 + 1 {
                rounds.push([now.1 - before.1, files.bare_sweep(), find_newer(world)]);
            }
            before = now;
        }
        Self(rounds)
    }

    fn tell(&self, table: &mut Table, files: &Files, monit: Beside) {
        let column = |at: usize| self.0.iter().map(|round| round[at]).collect::<Vec<_>>();
        let shown = |at: usize| format!("{:.2} µs", files.each_us(median(&column(at))));
        let ratio = |at: usize| median(&self.0.iter().map(|round| round[0] / round[at]).collect::<Vec<_>>());
        let beside = ["bare statx loop", "find -newer"].into_iter().zip([1, 2]);
        let beside = beside.map(|(who, at)| Beside::paired(who, shown(at), ratio(at))).chain([monit]);
        table.row(format!("sweep: a file, {files}"), shown(0), beside.collect());
    }
}

/// The number and the whole duration of all sweeps so far.
fn so_far(daemon: &Daemon) -> (usize, f64) {
    let scrape = daemon.scrape();
    (scrape.count("sweep_duration_seconds_count", &[]), scrape.sum("sweep_duration_seconds_sum", &[]))
}
