//! From the close of the damage to good bytes at the name: the mechanism alone (`settle = "0s"`) against a bare loop of
//! inotify, read, parse, stage, fsync and EXCHANGE, and against the loop in shell that people write; then as it is configured
//! by default.

mod bare;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::numbers::{Effort, Rounds};
use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};
use crate::table::{Beside, Table};

use bare::BareLoop;
use shell::ShellLoop;

/// The size of the file.
const BYTES: usize = 10_000;

/// How often the file is looked at; looking all the time would take a core from those that are measured.
const LOOK: Duration = Duration::from_micros(50);

/// Files are not damaged again while their last repair is looked at once more.
const BETWEEN: Duration = Duration::from_millis(50);

/// Damages the file and waits until the good bytes are back. Seconds.
fn round(path: &Path, good: &[u8], number: usize) -> f64 {
    // Each damage differs: identical bytes are kept only once.
    fs::write(path, [&good[..BYTES / 2], format!("round {number}").as_bytes()].concat()).unwrap();
    let closed = Instant::now();
    while fs::read(path).is_ok_and(|bytes| bytes != good) {
        assert!(closed.elapsed() < LIMIT, "{} is not repaired", path.display());
        thread::sleep(LOOK);
    }
    closed.elapsed().as_secs_f64()
}

/// A daemon that waits so long before it believes damage, and its file.
fn guard(world: &World, good: &[u8], settle: &str) -> (Daemon, PathBuf) {
    let path = world.write("a.json", good);
    let folder = world.files.to_str().unwrap();
    let settings = format!(
        "[defaults]\nsettle = {settle:?}\nmax_repairs = 0\n[[watch]]\nname = \"bench\"\npaths = [{folder:?}]\n"
    );
    let daemon = Launch::new(world).config(world, &settings).start();
    daemon.wait_stored(&path, good);
    (daemon, path)
}

/// A folder beside the guarded one, with the same file in it.
fn beside(world: &World, name: &str, good: &[u8]) -> PathBuf {
    let folder = world.root.join(name);
    fs::create_dir(&folder).unwrap();
    let path = folder.join("a.json");
    fs::write(&path, good).unwrap();
    path
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    measure_mechanism(effort, table);
    let (world, good) = (World::new(), document(1, BYTES));
    let (daemon, path) = guard(&world, &good, "1s");
    let rounds = Rounds::of(effort.rounds(20, 5), 1, |_, number| ours(&daemon, &path, &good, number));
    table.rounds("repair: as configured by default, 10 KB (settle 1 s)", &rounds, &[], milliseconds);
}

fn ours(daemon: &Daemon, path: &Path, good: &[u8], number: usize) -> f64 {
    let took = round(path, good, number);
    wait_until(LIMIT, "the daemon is done", || daemon.count("quarantined_total", &[]) == number + 1);
    thread::sleep(BETWEEN);
    took
}

fn measure_mechanism(effort: Effort, table: &mut Table) {
    let (world, good) = (World::new(), document(1, BYTES));
    let (daemon, guarded) = guard(&world, &good, "0s");
    let (bare, shell) = (beside(&world, "bare", &good), beside(&world, "shell", &good));
    let bare_loop = BareLoop::start(&bare, &good);
    let shell_loop = ShellLoop::start(&shell, &good);
    let candidates = 2 + usize::from(shell_loop.is_some());
    let rounds = Rounds::of(effort.rounds(200, 30), candidates, |candidate, number| match candidate {
        0 => ours(&daemon, &guarded, &good, number),
        1 => {
            let took = round(&bare, &good, number);
            wait_until(LIMIT, "the bare loop is done", || bare_loop.repairs() == number + 1);
            took
        }
        _ => {
            let took = round(&shell, &good, number);
            thread::sleep(BETWEEN);
            took
        }
    });
    let times = |candidate| {
        let (middle, worst) = (rounds.median(candidate), rounds.quantile(candidate, 0.9));
        format!("{}, 9 of 10 within {}", milliseconds(middle), milliseconds(worst))
    };
    let shell = match shell_loop {
        Some(_) => Beside::paired(shell::NAME, times(2), rounds.ratio(2)),
        None => Beside::absent(shell::NAME),
    };
    let beside = vec![Beside::paired("bare loop: inotify, fsync, EXCHANGE", times(1), rounds.ratio(1)), shell];
    table.row("repair: the mechanism, 10 KB (settle 0)", times(0), beside);
    tell_parts(&daemon, table);
}

/// What the daemon itself says of the same repairs.
fn tell_parts(daemon: &Daemon, table: &mut Table) {
    let scrape = daemon.scrape();
    let mean = |name: &str| {
        let part = |part: &str| scrape.sum(&format!("{name}_duration_seconds_{part}"), &[]);
        milliseconds(part("sum") / part("count"))
    };
    table.row("repair: of these, until the damage is believed (mean)", mean("detection"), vec![]);
    table.row("repair: of these, from there to good bytes (mean)", mean("restore"), vec![]);
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}
