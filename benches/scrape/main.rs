//! What a scrape costs with 100 watches of 10 files each: the whole answer over HTTP on loopback, beside `/livez`, which is
//! the floor.
//!
//! `cargo bench --bench scrape`; `JSONWARDEN_BENCH_ROUNDS` sets how many (200).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod support;

#[path = "../shared/numbers.rs"]
mod numbers;

use std::fmt::Write;
use std::fs;
use std::time::Instant;

use numbers::{median, quantile, setting};
use support::{Daemon, LIMIT, Launch, World, document, wait_until};

const WATCHES: usize = 100;
const FILES: usize = 10;

fn start(world: &World) -> Daemon {
    let mut text = String::from("http.listen = \"127.0.0.1:0\"\n");
    for watch in 0..WATCHES {
        let folder = world.files.join(format!("watch-{watch:03}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..FILES {
            fs::write(folder.join(format!("{file}.json")), document(file as u64, 500)).unwrap();
        }
        write!(text, "[[watch]]\nname = \"watch-{watch:03}\"\npaths = [{:?}]\n", folder.to_str().unwrap()).unwrap();
    }
    let daemon = Launch::new(world).config(world, &text).start();
    wait_until(LIMIT, "all is stored", || daemon.count("files", &[("state", "healthy")]) == WATCHES * FILES);
    daemon
}

/// Milliseconds until the whole answer is there, and its bytes.
fn ask(daemon: &Daemon, path: &str) -> (f64, usize) {
    let begun = Instant::now();
    let answer = daemon.get(path);
    (begun.elapsed().as_secs_f64() * 1e3, answer.body.len())
}

fn main() {
    let world = World::new();
    let daemon = start(&world);
    let rounds = setting("JSONWARDEN_BENCH_ROUNDS", 200);
    let (mut scrapes, mut probes, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let (took, length) = ask(&daemon, "/metrics");
        bytes = length;
        scrapes.push(took);
        probes.push(ask(&daemon, "/livez").0);
    }
    let series = daemon.get("/metrics").body.lines().filter(|line| !line.starts_with('#')).count();
    println!("{WATCHES} watches, {} files: {series} series, {bytes} bytes, {rounds} scrapes", WATCHES * FILES);
    println!("/metrics: median {:.2} ms, p98 {:.2} ms", median(&scrapes), quantile(&scrapes, 0.98));
    println!("/livez:   median {:.2} ms, p98 {:.2} ms", median(&probes), quantile(&probes, 0.98));
}
