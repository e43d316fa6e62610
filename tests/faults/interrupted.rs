//! A rewrite in place was interrupted, and no daemon runs: whoever does something by hand ends it first. What stands in the
//! file is a mix of two versions, and may read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output};

use jsonwarden::backup::Redo;
use jsonwarden::document::{Digest, Mark};

use crate::bench::{Bench, GOOD};

const OLD: &[u8] = b"{\"width\": 1, \"height\": 1}\n";
const NEW: &[u8] = b"{\"width\": 2, \"height\": 2}\n";

/// New until we died, and old from there on; what nobody wrote.
const MIX: &[u8] = b"{\"width\": 2, \"height\": 1}\n";

/// Both are stored, and the newer one was being written in place over the older.
fn interrupted() -> Bench {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let hands = bench.hands();
    hands.store(OLD, Mark::Good);
    let version = hands.store(NEW, Mark::Good).version;
    bench.write(MIX);
    let inode = fs::metadata(bench.path()).unwrap().ino();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    folder.lock().unwrap();
    folder.write_redo(&Redo { version, digest: Digest::of(NEW), damaged: Digest::of(OLD), inode }).unwrap();
    bench
}

fn asked(bench: &Bench, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsonwarden"));
    command.args(arguments).arg(bench.path()).arg("--state-dir").arg(&bench.state);
    command.output().unwrap()
}

fn ends_with(bench: &Bench, expected: &[u8]) {
    assert_eq!(bench.read(), expected);
    assert_eq!(bench.quarantined(), [MIX], "the mix is kept");
    let versions = bench.hands().versions();
    assert!(!versions.iter().any(|version| version == MIX), "and is no version: nobody wrote it");
    assert!(!bench.stored_files().iter().any(|path| path.ends_with("redo")));
}

#[test]
fn a_repair_by_hand_ends_an_interrupted_rewrite_though_the_mix_reads() {
    let bench = interrupted();
    let output = asked(&bench, &["repair", "--offline"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted rewrite"), "{output:?}");
    ends_with(&bench, NEW);
}

#[test]
fn a_restore_by_hand_ends_an_interrupted_rewrite_and_keeps_no_mix_as_a_version() {
    let bench = interrupted();
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsonwarden"));
    let output =
        command.arg("restore").arg(bench.path()).args(["1", "--state-dir"]).arg(&bench.state).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    ends_with(&bench, GOOD);
}

#[test]
fn nothing_is_accepted_by_hand_before_an_interrupted_rewrite_has_ended() {
    let bench = interrupted();
    let output = asked(&bench, &["accept"]);
    assert_eq!(output.status.code(), Some(1), "what it was rewritten to is good: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted rewrite"), "{output:?}");
    ends_with(&bench, NEW);
}

#[test]
fn a_mix_that_is_suspicious_is_not_accepted_while_somebody_has_it_open() {
    let bench = interrupted();
    let configuration = bench.state.join("strict.toml");
    let text = format!("[[watch]]\nname = \"w\"\npaths = [{:?}]\npinned = true\n", bench.path());
    fs::write(&configuration, text).unwrap();
    let strictly = || asked(&bench, &["accept", "--config", configuration.to_str().unwrap()]);
    let writer = fs::OpenOptions::new().append(true).open(bench.path()).unwrap();
    assert_eq!(strictly().status.code(), Some(5), "{:?}", strictly());
    assert_eq!(bench.read(), MIX);
    drop(writer);
    assert_eq!(strictly().status.code(), Some(1), "{:?}", strictly());
    ends_with(&bench, NEW);
}

#[test]
fn a_file_that_somebody_has_open_is_not_rewritten_and_that_is_said() {
    let bench = interrupted();
    let writer = fs::OpenOptions::new().append(true).open(bench.path()).unwrap();
    let output = asked(&bench, &["repair", "--offline"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(bench.read(), MIX);
    drop(writer);
    assert!(asked(&bench, &["repair", "--offline"]).status.success());
    ends_with(&bench, NEW);
}
