//! The safe write: against the bare system calls that do the same, with many threads, as a process, and against the writers
//! in use. Rounds alternate; ratios are of pairs.
//!
//! `cargo bench --bench write`; `JSONWARDEN_BENCH_ROUNDS` sets how many rounds (100), `JSONWARDEN_BENCH_PLACE` the folder,
//! `JSONWARDEN_BENCH_MODULES` the folder where `npm install write-file-atomic atomically steno proper-lockfile` was run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

mod bare;
#[path = "../shared/numbers.rs"]
mod numbers;
mod rivals;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bare::{Bare, one_pair};
use jsonwarden::{Guarded, Options};
use numbers::{median, quantile, setting};
use rivals::{RIVALS, modules};

type Numbers = BTreeMap<String, Vec<u32>>;

/// About 10 KB, different each time.
fn document(number: usize) -> Vec<u8> {
    let entry = |at: usize| format!("    {{\"id\": \"{:016x}\", \"on\": true}}", number * 1_000_003 + at * 7919);
    let entries: Vec<String> = (0..220).map(entry).collect();
    format!("{{\n  \"version\": {number},\n  \"entries\": [\n{}\n  ]\n}}\n", entries.join(",\n")).into_bytes()
}

fn timed(act: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    act();
    begun.elapsed().as_secs_f64() * 1e3
}

fn against_bare(root: &Path, rounds: usize) {
    let path = |folder: &str| {
        fs::create_dir(root.join(folder)).unwrap();
        let path = root.join(folder).join("a.json");
        fs::write(&path, document(0)).unwrap();
        path
    };
    let writer = Options::new().state_dir(root.join("state")).writer(path("ours")).unwrap();
    let mut bare = Bare::new(&path("bare"), &root.join("versions"));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 1..=rounds {
        let bytes = document(number);
        let mut we = || ours.push(timed(|| assert!(writer.replace(&bytes).unwrap().is_changed)));
        let mut they = || theirs.push(timed(|| bare.write(&bytes)));
        if number % 2 == 0 {
            we();
            they();
        } else {
            they();
            we();
        }
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    println!("a write of {} bytes, {rounds} rounds, ms: median, 99 of 100", document(1).len());
    println!("  ours              {:8.2} {:8.2}", median(&ours), quantile(&ours, 0.99));
    println!("  bare system calls {:8.2} {:8.2}", median(&theirs), quantile(&theirs, 0.99));
    println!("  ratio, of pairs   {:8.2}", median(&ratios));
}

/// Updates a second of 16 threads.
fn with_threads(each: u32, update: impl Fn(usize, u32) + Sync) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let update = &update;
            scope.spawn(move || (0..each).for_each(|number| update(thread, number)));
        }
    });
    f64::from(16 * each) / begun.elapsed().as_secs_f64()
}

fn group_commit(root: &Path, each: u32) {
    let options = Options::new().state_dir(root.join("state"));
    let guarded = Guarded::<Numbers>::open_or_default(root.join("group.json"), &options).unwrap();
    let ours = with_threads(each, |thread, number| {
        guarded.update(|all| all.entry(thread.to_string()).or_default().push(number)).unwrap();
    });
    let alone = root.join("alone.json");
    let state = Mutex::new(Numbers::new());
    let theirs = with_threads(each, |thread, number| {
        let mut all = state.lock().unwrap();
        all.entry(thread.to_string()).or_default().push(number);
        one_pair(&alone, &serde_json::to_vec_pretty(&*all).unwrap());
    });
    println!("\nupdates a second, 16 threads, {each} each");
    println!("  group commit, two copies, validated  {ours:8.0}");
    println!("  a pair of fsyncs each, one copy      {theirs:8.0}");
    println!("  ratio                                {:8.1}", ours / theirs);
}

fn as_a_process(root: &Path, rounds: usize) {
    let path = root.join("process.json");
    let run = |number: usize| {
        let input = root.join("input");
        fs::write(&input, document(number)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jsonwarden"));
        command.arg("--state-dir").arg(root.join("state")).arg("write").arg(&path);
        command.stdin(fs::File::open(&input).unwrap()).stdout(Stdio::null());
        timed(|| assert!(command.status().unwrap().success()))
    };
    let times: Vec<f64> = (0..rounds).map(run).collect();
    println!("\n`write` from start to exit, ms: {:.2}, 99 of 100: {:.2}", median(&times), quantile(&times, 0.99));
}

fn against_rivals(root: &Path, each: usize) {
    const PROCESSES: usize = 4;
    println!("\n{PROCESSES} processes x {each} updates of one file: updates a second, updates lost");
    let modules = modules();
    for rival in RIVALS {
        if rival.is_there(&modules) {
            let (rate, lost) = rival.contend(&modules, &root.join("rival.json"), PROCESSES, each);
            println!("  {:38} {rate:8.0} {lost:6}", rival.name);
        } else {
            println!("  {:38} not installed", rival.name);
        }
    }
    let path = root.join("ours.json");
    let options = Options::new().state_dir(root.join("state")).lock_timeout(Duration::from_secs(300));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for name in 0..PROCESSES {
            // Each with a lock of its own, as processes have.
            let guarded = Guarded::<Numbers>::open_or_default(&path, &options).unwrap();
            scope.spawn(move || {
                for _ in 0..each {
                    guarded.update(|all| all.entry(name.to_string()).or_default().push(1)).unwrap();
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let rate = (PROCESSES * each) as f64 / begun.elapsed().as_secs_f64();
    let all: Numbers = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let lost = PROCESSES * each - all.values().map(Vec::len).sum::<usize>();
    println!("  {:38} {rate:8.0} {lost:6}", "ours, every version kept");
}

fn main() {
    let rounds = setting("JSONWARDEN_BENCH_ROUNDS", 100);
    let place = std::env::var_os("JSONWARDEN_BENCH_PLACE").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(place).unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    against_bare(&root, rounds);
    group_commit(&root, u32::try_from(rounds).unwrap());
    as_a_process(&root, rounds);
    against_rivals(&root, rounds);
}
