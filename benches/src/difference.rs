//! How long differences and salvage of 10 MB documents take: CPU time of one thread.

use std::fmt::Write;
use std::hint::black_box;

use jsonwarden::difference::{VALUES_MAX, compare};
use jsonwarden::document::Dialect;
use jsonwarden::salvage::salvage;
use jsonwarden::validate::{Content, Reader};
use serde_json::Value;

use crate::numbers::{Effort, Rounds, cpu_seconds};
use crate::table::Table;

const BYTES: usize = 10 << 20;

/// Both, of documents that people have and of such as nobody should.
pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let registry = registry(0, false);
    let pairs = [
        ("a registry, reformatted", registry.clone(), registry.replace(", ", ",\n  ")),
        ("a registry, every 1,000th entry edited", registry.clone(), self::registry(1, true)),
        ("a registry and nothing", registry.clone(), "{}".to_owned()),
        ("two unrelated lists of strings", strings(1), strings(2)),
        ("two unrelated lists of numbers", numbers(1), numbers(2)),
        ("lists without anything to match by, shifted", points(0), points(1)),
        ("numbers that repeat, shuffled", repeating(1), repeating(7)),
    ];
    for (name, old, new) in &pairs {
        beside_json_patch(effort, table, name, old, new);
    }
    // What the other cannot read: it is too deep, or not one document.
    for (name, old, new, dialect) in [
        ("5 million brackets", deep("1"), deep("2"), Dialect::Json),
        ("JSON Lines, 20 more", lines(0), lines(20), Dialect::Jsonl),
    ] {
        let rounds = Rounds::of(effort.rounds(7, 3), 1, |_, _| ours(&old, &new, dialect));
        table.rounds(format!("difference of 10 MB: {name}"), &rounds, &[], shown);
    }
    measure_salvage(effort, table, &registry);
}

fn measure_salvage(effort: Effort, table: &mut Table, registry: &str) {
    for (name, damaged) in [
        ("cut in the middle", registry[..BYTES / 2].to_owned()),
        ("a flipped byte in the middle", flipped(registry)),
        ("two documents", format!("{registry}{registry}")),
        ("open brackets alone", "[".repeat(BYTES)),
        ("as it begins, over and over", "{\"id\":1x".repeat(BYTES / 8)),
    ] {
        let rounds = Rounds::of(effort.rounds(7, 3), 1, |_, _| {
            cpu_seconds(|| drop(black_box(salvage(damaged.as_bytes(), &Reader::default()))))
        });
        table.rounds(format!("salvage of 10 MB: {name}"), &rounds, &[], shown);
    }
}

fn shown(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// Both start from bytes.
fn beside_json_patch(effort: Effort, table: &mut Table, name: &str, old: &str, new: &str) {
    let rounds = Rounds::of(effort.rounds(7, 3), 2, |candidate, _| {
        if candidate == 0 { ours(old, new, Dialect::Json) } else { json_patch(old, new) }
    });
    table.rounds(
        format!("difference of 10 MB: {name}"),
        &rounds,
        &["json_patch::diff (by position), parsing included"],
        shown,
    );
}

fn ours(old: &str, new: &str, dialect: Dialect) -> f64 {
    let [old, new] = [old, new].map(|text| Content { bytes: black_box(text).as_bytes(), dialect });
    cpu_seconds(|| assert!(compare(old, new, VALUES_MAX, &mut |change| drop(black_box(change))).is_ok()))
}

fn json_patch(old: &str, new: &str) -> f64 {
    let parse = |text| serde_json::from_str::<Value>(black_box(text)).unwrap();
    cpu_seconds(|| drop(black_box(json_patch::diff(&parse(old), &parse(new)))))
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
