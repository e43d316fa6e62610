//! How fast documents are judged, beside what else reads JSON: `cargo bench --bench validate`.
//!
//! CPU time of one thread; the candidates take turns round by round, so that a noisy machine is noisy to all of them. A
//! figure is the median of the rounds; a ratio is the median of the rounds' ratios. What is another program (`jq empty`,
//! Python's json, orjson) is measured by the CPU time that it uses for more passes, less that for fewer.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a bench prints figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot work says so")]

mod documents;
mod programs;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;

use jsonwarden::validate::{Reader, judge};
use jsonwarden::verdict::Verdict;
use rustix::time::{ClockId, clock_gettime};
use serde::de::IgnoredAny;

use documents::{catalogue, coordinates, hostile, registry, state_files, tweets};

const ROUNDS: usize = 15;

/// A way to decide whether bytes are JSON.
type Validator = (&'static str, fn(&[u8]) -> bool);

const VALIDATORS: [Validator; 5] = [
    ("jsonwarden", accepts),
    ("serde IgnoredAny", |bytes| {
        simdutf8::basic::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    }),
    ("serde Value", |bytes| serde_json::from_slice::<serde_json::Value>(bytes).is_ok()),
    // It works in place: the copy that it needs is part of the price.
    ("simd-json tape", |bytes| simd_json::to_tape(&mut bytes.to_vec()).is_ok()),
    ("jiter", |bytes| {
        let mut reader = jiter::Jiter::new(bytes);
        reader.next_skip().is_ok() && reader.finish().is_ok()
    }),
];

fn accepts(bytes: &[u8]) -> bool {
    matches!(judge(bytes, &Reader::default()), Verdict::Valid { .. })
}

fn main() {
    let all = [
        ("state 2-20 KB", state_files()),
        ("big 90 MB", vec![registry(92 << 20)]),
        ("twitter-like", vec![tweets(1_500)]),
        ("citm-like", vec![catalogue(6_000)]),
        ("canada-like", vec![coordinates(55_000)]),
    ];
    println!("{:<16} {:>9}  {}", "GB/s", "", VALIDATORS.map(|(name, _)| format!("{name:>22}")).concat());
    for (name, documents) in &all {
        compare(name, documents);
    }
    println!("\nGB/s of other programs, start-up left out");
    for (name, documents) in &all[1..] {
        programs::compare(name, &documents[0]);
    }
    beside_reading();
    println!("\nseconds, hostile 64 MiB");
    for (name, document) in hostile() {
        let verdict = judge(&document, &Reader::default());
        let seconds = cpu_seconds(|| drop(black_box(judge(&document, &Reader::default()))));
        println!("{name:<24} {seconds:>7.3}  {}", verdict.label());
    }
}

fn compare(name: &str, documents: &[Vec<u8>]) {
    let bytes: usize = documents.iter().map(Vec::len).sum();
    let passes = (64 << 20) / bytes + 1;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(VALIDATORS.map(|(_, accepts)| {
            cpu_seconds(|| {
                for document in (0..passes).flat_map(|_| documents) {
                    assert!(accepts(black_box(document)));
                }
            })
        }));
    }
    let gigabytes = (bytes * passes) as f64 / 1e9;
    let columns = (0..VALIDATORS.len()).map(|index| {
        let speed = gigabytes / median(rounds.iter().map(|round| round[index]));
        let ratio = median(rounds.iter().map(|round| round[index] / round[0]));
        format!("{speed:>14.2} (x{ratio:<4.2})")
    });
    println!("{name:<16} {bytes:>9}  {}", columns.collect::<String>());
}

/// Reading a file of 8 KB that the kernel has in memory: open, read, close. What judging adds to that is what it costs.
fn beside_reading() {
    const FILES: usize = 5_000;
    let path = std::env::temp_dir().join(format!("jsonwarden-bench-{}.json", std::process::id()));
    let document = registry(7_600);
    fs::write(&path, &document).unwrap();
    let mut buffer = Vec::with_capacity(document.len());
    let mut read = |judges: bool| {
        cpu_seconds(|| {
            for _ in 0..FILES {
                buffer.clear();
                File::open(&path).unwrap().read_to_end(&mut buffer).unwrap();
                assert!(!judges || accepts(&buffer));
            }
        }) / FILES as f64
    };
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (read(false), read(true))).collect();
    fs::remove_file(&path).unwrap();
    let (alone, both) = (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)));
    let ratio = median(rounds.iter().map(|round| round.1 / round.0));
    let limit = document.len() as f64 / alone / 1e9;
    println!(
        "\n{} bytes: open, read and close {:.2} µs (no more than {limit:.2} GB/s), and judge {:.2} µs: x{ratio:.2}",
        document.len(),
        alone * 1e6,
        both * 1e6
    );
}

fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let now = || clock_gettime(ClockId::ThreadCPUTime);
    let before = now();
    work();
    let after = now();
    (after.tv_sec - before.tv_sec) as f64 + (after.tv_nsec - before.tv_nsec) as f64 / 1e9
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<_> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
