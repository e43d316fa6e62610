//! The mechanism alone, `settle = "0s"`: from the close of the damage to good bytes at the name, against a bare loop of
//! inotify, read, parse, stage, fsync and EXCHANGE in the same run. Rounds alternate; ratios are of pairs.
//!
//! `cargo bench --bench repair`; `JSONWARDEN_BENCH_ROUNDS` sets how many rounds (200).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod support;

mod bare;
#[path = "../shared/numbers.rs"]
mod numbers;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bare::BareLoop;
use numbers::{median, quantile, setting};
use support::{LIMIT, Launch, World, document, wait_until};

/// The size of the file.
const BYTES: usize = 10_000;

/// How often the file is looked at; looking all the time would take a core from those that are measured.
const LOOK: Duration = Duration::from_micros(50);

/// Files are not damaged again while their last repair is looked at once more.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(100);

/// Damages the file and waits until the good bytes are back.
fn round(path: &Path, good: &[u8], damaged: &[u8]) -> Duration {
    fs::write(path, damaged).unwrap();
    let closed = Instant::now();
    while fs::read(path).is_ok_and(|bytes| bytes != good) {
        assert!(closed.elapsed() < LIMIT, "{} is not repaired", path.display());
        thread::sleep(LOOK);
    }
    closed.elapsed()
}

fn main() {
    let rounds = setting("JSONWARDEN_BENCH_ROUNDS", 200);
    let world = World::new();
    let bare_folder = world.root.join("bare");
    fs::create_dir(&bare_folder).unwrap();
    let good = document(1, BYTES);
    let (guarded, bare) = (world.write("a.json", &good), bare_folder.join("a.json"));
    fs::write(&bare, &good).unwrap();
    let settings = format!(
        "[defaults]\nsettle = \"0s\"\nmax_repairs = 0\n[[watch]]\nname = \"bench\"\npaths = [{:?}]\n",
        world.files.to_str().unwrap()
    );
    let daemon = Launch::new(&world).config(&world, &settings).start();
    daemon.wait_stored(&guarded, &good);
    let bare_loop = BareLoop::start(&bare, &good);

    let mut pairs = Vec::with_capacity(rounds);
    for number in 0..rounds {
        // Each damage differs: identical bytes are kept only once.
        let damaged = [&good[..BYTES / 2], format!("round {number}").as_bytes()].concat();
        let ours = || round(&guarded, &good, &damaged);
        let theirs = || round(&bare, &good, &damaged);
        pairs.push(if number % 2 == 0 {
            let ours = ours();
            (ours, theirs())
        } else {
            let theirs = theirs();
            (ours(), theirs)
        });
        wait_until(LIMIT, "the bare loop is done", || bare_loop.repairs() == number + 1);
        wait_until(LIMIT, "the daemon is done", || daemon.count("quarantined_total", &[]) == number + 1);
        thread::sleep(BETWEEN_ROUNDS);
    }

    let ours: Vec<f64> = pairs.iter().map(|(ours, _)| ours.as_secs_f64() * 1e3).collect();
    let theirs: Vec<f64> = pairs.iter().map(|(_, theirs)| theirs.as_secs_f64() * 1e3).collect();
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    println!("close of the damage to good bytes at the name, {BYTES} bytes, {rounds} rounds, milliseconds");
    for (name, times) in [("jsonwarden", &ours), ("bare loop", &theirs)] {
        println!(
            "  {name:<12} p50 {:.3}  p90 {:.3}  max {:.3}",
            median(times),
            quantile(times, 0.9),
            quantile(times, 1.0)
        );
    }
    println!("  paired ratio p50 {:.2} (asked: at most 1.5)", median(&ratios));
}
