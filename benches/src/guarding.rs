//! What guarding many files costs when nothing happens: memory, processor time, and the sweep beside a bare statx loop over
//! the same files, `find -newer` and Monit.

mod files;
mod monit;

use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::numbers::{Effort, median};
use crate::process::rss_anon_mib;
use crate::support::{Daemon, Launch, World};
use crate::table::{Beside, Table};

use files::{Files, find_newer};
use monit::Monit;

/// How often it is asked whether all is stored: asking costs, too.
const LOOK: Duration = Duration::from_millis(250);

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
    let idle = Duration::from_secs(effort.rounds(60, 15) as u64);
    let (daemon, stored) = start(table, &world, &files);
    // What follows from storing is over.
    thread::sleep((stored / 2).max(Duration::from_secs(10)));
    let before = clock::of_process(daemon.pid());
    thread::sleep(idle);
    let busy = clock::of_process(daemon.pid()).saturating_sub(before);
    let memory_mib = rss_anon_mib(daemon.pid());
    let sweeps = Sweeps::watch(&daemon, &world, &files, effort.rounds(10, 3));
    daemon.terminate();

    let monit = if count <= MONIT_FILES_MAX { Monit::measure(&world, &files, idle) } else { None };
    let why = if count <= MONIT_FILES_MAX { "absent" } else { "not measured beyond 10,000" };
    let beside = |figure: fn(&Monit, &Files) -> String| {
        Beside::alone("Monit", monit.as_ref().map_or(why.to_owned(), |monit| figure(monit, &files)))
    };
    let monit_memory = beside(|monit, _| format!("{:.1} MiB", monit.rss_anon_mib));
    table.row(format!("memory: RssAnon, {files}"), format!("{memory_mib:.1} MiB"), vec![monit_memory]);
    let share = |busy: Duration| format!("{:.2} %", busy.as_secs_f64() / idle.as_secs_f64() * 100.0);
    let monit_idle = Beside::alone("Monit", monit.as_ref().map_or(why.to_owned(), |monit| share(monit.busy)));
    table.row(format!("idle: of a core, {files}"), share(busy), vec![monit_idle]);
    let monit_cycle = beside(|monit, files| format!("{:.2} µs of CPU", files.each_us(monit.cycle_seconds())));
    sweeps.tell(table, &files, monit_cycle);
}

/// Starts guarding, and tells how long it took until all was stored.
fn start(table: &mut Table, world: &World, files: &Files) -> (Daemon, Duration) {
    let begun = Instant::now();
    let daemon = Launch::new(world).arg(&world.files).spawn();
    let waited = |condition: &dyn Fn() -> bool| {
        while !condition() {
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
