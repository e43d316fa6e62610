//! Bits that flip in our own records: survived, and told. (Stored versions that rot are in `tests/it`.)

use std::fs;
use std::path::{Path, PathBuf};

use jsonwarden::backup::Redo;
use jsonwarden::document::{Digest, Mark, Version};
use jsonwarden::repair::{Redone, finish_redo};
use serde_json::Value;

use crate::bench::{Bench, DAMAGED, GOOD, NEWER};
use crate::support::{Daemon, LIMIT, Launch, World, document, is_long, wait_until};

/// Every so many bits, or all in the long mode.
fn bits(path: &Path, about: usize) -> Vec<usize> {
    let all = fs::read(path).unwrap().len() * 8;
    // A step that is odd meets every bit of a byte.
    let step = if is_long() { 1 } else { (all / about).max(1) | 1 };
    (0..all).step_by(step).collect()
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

fn record_of(bench: &Bench, name: &str) -> PathBuf {
    bench.stored_files().into_iter().find(|path| path.ends_with(name)).unwrap()
}

#[test]
fn a_bit_that_flips_in_a_record_of_versions_costs_no_version_and_is_noticed() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let hands = bench.hands();
    hands.store(NEWER, Mark::Good);
    let path = record_of(&bench, "record.jsonl");
    let whole = fs::read(&path).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    assert_eq!(folder.damaged_records().unwrap(), Vec::<PathBuf>::new());
    let bits = bits(&path, 1_000);
    for bit in &bits {
        flip(&path, *bit);
        assert_eq!(hands.versions(), [NEWER, GOOD], "bit {bit}");
        assert!(folder.versions().unwrap().iter().all(|stored| stored.mark.is_last_good()), "bit {bit}");
        assert_eq!(folder.damaged_records().unwrap(), std::slice::from_ref(&path), "bit {bit} is not noticed");
        fs::write(&path, &whole).unwrap();
    }
    println!("record.jsonl: {} flips, all noticed, no version lost", bits.len());
}

#[test]
fn a_bit_that_flips_in_a_redo_record_writes_nothing_and_is_noticed() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let hands = bench.hands();
    hands.quarantine.keep(&hands.document, "truncated", DAMAGED).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(bench.path()).unwrap());
    let redo = Redo { version: Version(1), digest: Digest::of(GOOD), damaged: Digest::of(DAMAGED), inode };
    folder.lock().unwrap();
    folder.write_redo(&redo).unwrap();
    let path = record_of(&bench, "redo");
    let whole = fs::read(&path).unwrap();
    drop(folder);
    let mix = [&GOOD[..9], &DAMAGED[9..]].concat();
    for bit in 0..whole.len() * 8 {
        fs::write(&path, &whole).unwrap();
        bench.write(&mix);
        flip(&path, bit);
        let folder = hands.backups.find(&hands.document).unwrap().unwrap();
        assert_eq!(folder.damaged_records().unwrap(), std::slice::from_ref(&path), "bit {bit} is not noticed");
        drop(folder);
        assert_eq!(finish_redo(&hands.ground()).unwrap(), Redone::Nothing, "bit {bit}");
        assert_eq!(bench.read(), mix, "bit {bit}");
    }
    println!("redo: {} flips, all noticed, nothing written", whole.len() * 8);
}

fn launch(world: &World) -> Daemon {
    let text =
        format!("[defaults]\nmax_repairs = 0\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n", world.files.display());
    Launch::new(world).config(world, &text).start()
}

#[test]
fn a_bit_that_flips_in_the_log_of_incidents_or_in_a_record_is_survived_and_told() {
    let world = World::new();
    let good = document(1, 2_000);
    let file = world.write("a.json", &good);
    let daemon = launch(&world);
    daemon.wait_stored(&file, &good);
    let damage_and_repair = |daemon: &Daemon, number: usize| {
        fs::write(&file, format!("{{\"torn {number}")).unwrap();
        wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == good));
        daemon.wait_state(&file, "healthy");
    };
    damage_and_repair(&daemon, 0);
    wait_until(LIMIT, "it is told", || !daemon.state.incidents_of(&file, "repaired").is_empty());
    daemon.terminate();
    let log = world.state.join("incidents.jsonl");
    let whole = fs::read(&log).unwrap();
    let bits = bits(&log, if is_long() { 200 } else { 8 });
    for (number, bit) in bits.iter().enumerate() {
        fs::write(&log, &whole).unwrap();
        flip(&log, *bit);
        let daemon = launch(&world);
        assert_eq!(daemon.logged("incidents_damaged").len(), 1, "bit {bit}: {}", daemon.log_text());
        damage_and_repair(&daemon, number + 1);
        let numbered = |line: &Value| line["event"] == "corrupted" && line["seq"].as_u64().is_some();
        let lines = fs::read(&log).unwrap();
        let read = |line: &[u8]| serde_json::from_slice::<Value>(line).ok();
        wait_until(LIMIT, "the log goes on", || fs::read(&log).unwrap().len() > whole.len());
        assert!(lines.split(|byte| *byte == b'\n').filter_map(read).any(|line| numbered(&line)));
        daemon.terminate();
    }
    let record = daemon.state.stored_paths(&file)[0].with_file_name("record.jsonl");
    flip(&record, 300);
    let daemon = launch(&world);
    wait_until(LIMIT, "it is told", || daemon.logged("record_damaged").len() == 1);
    damage_and_repair(&daemon, bits.len() + 1);
    println!("incidents.jsonl: {} flips, each told, and every damage repaired", bits.len());
}
