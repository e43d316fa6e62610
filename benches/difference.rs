//! How long differences and salvage of 10 MB documents take: `cargo bench --bench difference`. CPU time of one thread, the
//! median of the rounds.

#![expect(clippy::print_stdout, reason = "a bench prints figures")]

use std::fmt::Write;
use std::hint::black_box;

use jsonwarden::difference::{Counts, VALUES_MAX, compare};
use jsonwarden::document::Dialect;
use jsonwarden::salvage::salvage;
use jsonwarden::validate::{Content, Reader};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 7;
const BYTES: usize = 10 << 20;

fn main() {
    println!("{:<44} {:>8} {:>8}  difference", "10 MB and 10 MB", "seconds", "MB/s");
    let (registry, reordered) = (registry(0, false), registry(1, true));
    let pairs = [
        ("a registry, reformatted", registry.clone(), registry.replace(", ", ",\n  ")),
        ("a registry, every 1,000th entry edited", registry.clone(), reordered),
        ("a registry and nothing", registry.clone(), "{}".to_owned()),
        ("two unrelated lists of strings", strings(1), strings(2)),
        ("two unrelated lists of numbers", numbers(1), numbers(2)),
        ("lists without anything to match by, shifted", points(0), points(1)),
        ("numbers that repeat, shuffled", repeating(1), repeating(7)),
        ("5 million brackets", deep("1"), deep("2")),
    ];
    for (name, old, new) in &pairs {
        tell(name, old, new, Dialect::Json);
    }
    let (old, new) = (lines(0), lines(20));
    tell("JSON Lines, 20 more", &old, &new, Dialect::Jsonl);
    println!("\n{:<44} {:>8}", "salvage of 10 MB", "seconds");
    for (name, damaged) in [
        ("cut in the middle", registry[..BYTES / 2].to_owned()),
        ("a flipped byte in the middle", flipped(&registry)),
        ("two documents", format!("{registry}{registry}")),
        ("open brackets alone", "[".repeat(BYTES)),
        ("as it begins, over and over", "{\"id\":1x".repeat(BYTES / 8)),
    ] {
        let seconds = median(|| drop(black_box(salvage(damaged.as_bytes(), &Reader::default()))));
        println!("{name:<44} {seconds:>8.3}");
    }
}

fn tell(name: &str, old: &str, new: &str, dialect: Dialect) {
    let content = |text: &'static str| Content { bytes: text.as_bytes(), dialect };
    // The documents live as long as the bench does.
    let (old, new) = (content(old.to_owned().leak()), content(new.to_owned().leak()));
    let mut counts = Counts::default();
    let seconds = median(|| {
        counts = compare(black_box(old), black_box(new), VALUES_MAX, &mut |change| drop(black_box(change)))
            .unwrap_or_default();
    });
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let megabytes = (old.bytes.len() + new.bytes.len()) as f64 / 1e6;
    println!("{name:<44} {seconds:>8.3} {:>8.0}  {counts:?}", megabytes / seconds);
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| cpu_seconds(&mut work)).collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn cpu_seconds(work: &mut impl FnMut()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        std::time::Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    };
    let begun = now();
    work();
    now().saturating_sub(begun).as_secs_f64()
}

/// Entries as a home automation keeps them, up to 10 MB.
fn registry(generation: usize, is_edited: bool) -> String {
    let mut text = String::from("{\"version\": 1, \"entities\": [");
    let mut entity = 0;
    while text.len() < BYTES {
        let comma = if entity == 0 { "" } else { ", " };
        let level = if is_edited && entity % 1_000 == 999 { generation } else { 0 };
        let _ = write!(
            text,
            "{comma}{{\"id\": \"{entity:016x}\", \"name\": \"Lamp {entity}\", \"on\": true, \"level\": {level}, \"area\": null}}"
        );
        entity += 1;
    }
    text.push_str("]}");
    text
}

fn list(entry: impl Fn(usize) -> String) -> String {
    let mut text = String::from("[");
    let mut place = 0;
    while text.len() < BYTES {
        text.push_str(if place == 0 { "" } else { "," });
        text.push_str(&entry(place));
        place += 1;
    }
    text.push(']');
    text
}

fn scrambled(number: usize) -> usize {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn strings(seed: usize) -> String {
    list(|place| format!("\"{:012x}\"", scrambled(place * 1_000_003 + seed)))
}

fn numbers(seed: usize) -> String {
    list(|place| (scrambled(place * 1_000_003 + seed) % 1_000_000_007).to_string())
}

fn points(first: usize) -> String {
    list(|place| format!("{{\"x\": {}, \"y\": {}}}", scrambled(place + first), place + first))
}

fn repeating(step: usize) -> String {
    list(|place| (scrambled(place * step) % 10).to_string())
}

fn deep(inner: &str) -> String {
    format!("{}{inner}{}", "[".repeat(BYTES / 2), "]".repeat(BYTES / 2))
}

fn lines(more: usize) -> String {
    let mut text = String::new();
    for line in 0..BYTES / 60 + more {
        let _ = writeln!(text, "{{\"line\": {line}, \"text\": \"something happened here\"}}");
    }
    text
}

fn flipped(text: &str) -> String {
    let (head, tail) = text.split_at(text.len() / 2);
    format!("{head}\u{1}{tail}")
}
