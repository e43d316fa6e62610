//! The safe write: against the bare system calls that do the same, with many threads, as a process, and against the writers
//! in use: how fast they are, what they lose, and what faults leave of their files. Rounds alternate; ratios are of pairs.
//!
//! `cargo bench --bench write`; `JSONWARDEN_BENCH_ROUNDS` sets how many rounds (100), `JSONWARDEN_BENCH_PLACE` the folder,
//! `JSONWARDEN_BENCH_MODULES` the folder where `npm install write-file-atomic atomically steno proper-lockfile` was run;
//! Python needs `filelock`. Full disks and power cuts are mounted, which root may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

mod bare;
mod child;
mod faults;
#[path = "../shared/numbers.rs"]
mod numbers;
mod rivals;
mod support;
#[allow(dead_code, reason = "shared with the suite in tests/faults")]
#[path = "../../tests/faults/volume.rs"]
mod volume;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use bare::{Bare, one_pair};
use jsonwarden::{Guarded, Options};
use numbers::{median, quantile, setting};
use rivals::{Ring, Rival};

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

/// Who writes alone, one update after the other: ours and theirs in turn, and the ratio of the pairs.
fn alone(ring: &Ring, rivals: &[Rival], root: &Path, count: usize) {
    const TURNS: usize = 5;
    println!(
        "\none program alone, {count} updates of 10 KB, a version of each stored and all synced: a second, ours to theirs"
    );
    let rate = |rival: Rival, turn: usize| {
        let folder = root.join(format!("alone-{turn}")).join(rival.name());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.json"), document(0)).unwrap();
        rival.alone(ring, &folder.join("a.json"), &folder.join("versions"), count)
    };
    for (at, rival) in rivals.iter().enumerate() {
        let pairs = (0..TURNS).map(|turn| (rate(Rival::Ours, 100 * at + turn), rate(*rival, 100 * at + turn)));
        let pairs: Vec<(f64, f64)> = pairs.collect();
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
        println!("  {:38} {:8.0} {:8.0} {:6.2}", rival.name(), median(&theirs), median(&ours), median(&ratios));
    }
}

fn contending(ring: &Ring, rivals: &[Rival], root: &Path, each: usize) {
    const PROCESSES: usize = 4;
    println!("\n{PROCESSES} processes x {each} updates of one file, each as it is: updates a second, updates lost");
    for rival in rivals {
        let folder = root.join("contended").join(rival.name());
        fs::create_dir_all(&folder).unwrap();
        let (rate, lost) = rival.contend(ring, &folder.join("a.json"), PROCESSES, each);
        println!("  {:38} {rate:8.0} {lost:6}", rival.name());
    }
}

fn main() {
    if std::env::var_os(child::ROLE).is_some() {
        return child::run();
    }
    let rounds = setting("JSONWARDEN_BENCH_ROUNDS", 100);
    let place = std::env::var_os("JSONWARDEN_BENCH_PLACE").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(place).unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    against_bare(&root, rounds);
    group_commit(&root, u32::try_from(rounds).unwrap());
    as_a_process(&root, rounds);
    let ring = Ring::new();
    let rivals = ring.rivals();
    let all = [rivals.as_slice(), &[Rival::Ours]].concat();
    alone(&ring, &rivals, &root, rounds);
    contending(&ring, &all, &root, rounds);
    faults::full_disk(&ring, &all);
    faults::kills(&ring, &all, &root, 20);
    faults::power_cuts(&ring, &all, 4);
}
