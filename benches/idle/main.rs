//! What guarding 1,000 files of 2 to 20 KB costs when nothing happens: memory, processor time, and the sweep against a bare
//! statx loop over the same files, run beside it.
//!
//! `cargo bench --bench idle`; `JSONWARDEN_BENCH_SECONDS` sets for how long (30).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod support;

#[path = "../shared/numbers.rs"]
mod numbers;
mod process;

use std::ffi::CString;
use std::fs::File;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use numbers::{median, setting};
use rustix::fs::{AtFlags, StatxFlags, statx};
use support::{Daemon, LIMIT, Launch, World, document, wait_until};

const FILES: usize = 1_000;

/// 2 to 20 KB, evenly.
fn write_files(world: &World) -> Vec<PathBuf> {
    let write = |number: usize| {
        let bytes = document(number as u64, 2_000 + number * 18_000 / FILES);
        world.write(format!("{number}.json"), bytes)
    };
    (0..FILES).map(write).collect()
}

fn start(world: &World, sweep_interval: &str) -> Daemon {
    let settings = format!(
        "sweep_interval = {sweep_interval:?}\n[[watch]]\nname = \"bench\"\npaths = [{:?}]\n",
        world.files.to_str().unwrap()
    );
    let daemon = Launch::new(world).config(world, &settings).start();
    wait_until(LIMIT, "all is stored", || {
        let scrape = daemon.scrape();
        scrape.count("files", &[("state", "healthy")]) == FILES && scrape.count("files_without_backup", &[]) == 0
    });
    daemon
}

/// One statx a file, by a held directory handle and ready names: the floor of any sweep.
fn bare_sweep(world: &World, names: &[CString]) -> Duration {
    let folder = File::open(&world.files).unwrap();
    let begun = Instant::now();
    for name in names {
        statx(&folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS | StatxFlags::BTIME).unwrap();
    }
    begun.elapsed()
}

/// The number and the whole duration of all sweeps so far.
fn sweeps(daemon: &Daemon) -> (usize, f64) {
    let scrape = daemon.scrape();
    (scrape.count("sweep_duration_seconds_count", &[]), scrape.sum("sweep_duration_seconds_sum", &[]))
}

/// Each sweep with a bare one right after it, in microseconds.
fn sweep_pairs(daemon: &Daemon, world: &World, names: &[CString], count: usize) -> Vec<(f64, f64)> {
    let mut pairs = Vec::new();
    let mut before = sweeps(daemon);
    while pairs.len() < count {
        thread::sleep(Duration::from_millis(50));
        let now = sweeps(daemon);
        if now.0 == before.0 + 1 {
            pairs.push(((now.1 - before.1) * 1e6, bare_sweep(world, names).as_secs_f64() * 1e6));
        }
        before = now;
    }
    pairs
}

fn main() {
    let seconds = setting("JSONWARDEN_BENCH_SECONDS", 30);
    let world = World::new();
    let files = write_files(&world);
    let names: Vec<CString> =
        files.iter().map(|path| CString::new(path.file_name().unwrap().to_str().unwrap()).unwrap()).collect();

    let daemon = start(&world, "5s");
    thread::sleep(Duration::from_secs(5));
    let before = process::cpu_time(daemon.pid());
    thread::sleep(Duration::from_secs(seconds as u64));
    let busy = process::cpu_time(daemon.pid()).saturating_sub(before);
    println!("{FILES} files of 2 to 20 KB, idle for {seconds} s");
    println!("  RssAnon       {:.1} MiB (asked: at most 8)", process::rss_anon_kib(daemon.pid()) / 1_024.0);
    let share = busy.as_secs_f64() / Duration::from_secs(seconds as u64).as_secs_f64() * 100.0;
    println!("  processor     {share:.3} % of a core (asked: at most 0.2)");
    daemon.terminate();

    let daemon = start(&world, "1s");
    let pairs = sweep_pairs(&daemon, &world, &names, seconds.max(10));
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
    println!(
        "  sweep         {:.0} µs, bare statx loop {:.0} µs (medians of {})",
        median(&ours),
        median(&theirs),
        pairs.len()
    );
    println!("  paired ratio  {:.2} (asked: at most 1.3)", median(&ratios));
}
