//! What a person does by hand, beside a running daemon and without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

/// Runs a command on this world's state directory and configuration.
fn by_hand(world: &World, arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments).arg("--state-dir").arg(&world.state).stdout(Stdio::piped());
    command.arg("--config").arg(configuration(world)).current_dir(&world.files);
    command.output().unwrap()
}

fn configuration(world: &World) -> PathBuf {
    let path = world.root.join("by_hand.toml");
    let text = format!("[[watch]]\nname = \"files\"\npaths = [\"{}\"]\n", world.files.display());
    fs::write(&path, text).unwrap();
    path
}

#[track_caller]
fn ends(output: &Output, status: i32) -> String {
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{printed}{said}");
    format!("{printed}{said}")
}

fn launch(world: &World) -> Daemon {
    Launch::new(world).arg("--config").arg(configuration(world)).start()
}

/// A file with three versions, 1 to 3, and the daemon that stored them.
fn with_history(world: &World) -> (PathBuf, Daemon) {
    let file = world.write("a.json", document(1, 6_000));
    let daemon = launch(world);
    for generation in 2..4 {
        fs::write(&file, document(generation, 6_000)).unwrap();
        daemon.wait_stored(&file, &document(generation, 6_000));
    }
    (file, daemon)
}

fn is(file: &Path, generation: u64) -> bool {
    fs::read(file).is_ok_and(|bytes| bytes == document(generation, 6_000))
}

#[test]
fn a_version_is_put_back_over_a_valid_file_and_the_daemon_leaves_it_there() {
    let world = World::new();
    let (file, daemon) = with_history(&world);
    let unsaid = ends(&by_hand(&world, &["restore", "a.json"]), 2);
    assert!(unsaid.contains("VERSION"), "{unsaid}");
    let plan = ends(&by_hand(&world, &["restore", "a.json", "1", "--dry-run"]), 0);
    assert!(plan.contains("version 1") && plan.contains("kept as a version"), "{plan}");
    assert!(is(&file, 3), "a dry run changes nothing");
    // Not stored yet when it is replaced: that is done first.
    daemon.terminate();
    fs::write(&file, document(4, 6_000)).unwrap();
    let daemon = launch(&world);
    ends(&by_hand(&world, &["restore", "a.json", "1"]), 0);
    assert!(is(&file, 1));
    let stored = |generation| daemon.state.versions(&file).iter().any(|one| one.bytes == document(generation, 6_000));
    assert!((1..=4).all(stored), "what was replaced is kept");
    assert!(daemon.state.quarantine(&file).is_empty(), "valid bytes are no damage");
    daemon.wait_state(&file, "healthy");
    assert!(daemon.state.newest_is(&file, &document(1, 6_000)));
    assert!(is(&file, 1), "the daemon undid it");
    ends(&by_hand(&world, &["restore", "a.json", "latest"]), 0);
    assert_eq!(ends(&by_hand(&world, &["restore", "a.json", "999"]), 1).lines().count(), 1);
    // Damage now is repaired from what the person wanted.
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is whole again", || is(&file, 1));
}

#[test]
fn damage_and_a_missing_file_are_repaired_without_a_daemon() {
    let world = World::new();
    let (file, daemon) = with_history(&world);
    daemon.terminate();
    fs::write(&file, b"{\"torn").unwrap();
    ends(&by_hand(&world, &["repair", "--offline"]), 0);
    assert!(is(&file, 3));
    assert_eq!(daemon.state.quarantine(&file)[0].1, b"{\"torn");
    fs::write(&file, b"[1, 2").unwrap();
    ends(&by_hand(&world, &["restore", "a.json"]), 0);
    assert!(is(&file, 3));
    assert_eq!(daemon.state.quarantine(&file).len(), 2);
    fs::remove_file(&file).unwrap();
    ends(&by_hand(&world, &["restore", "a.json", "latest~1"]), 0);
    assert!(is(&file, 2));
    ends(&by_hand(&world, &["restore", "a.json", "3", "--output", "b.json"]), 0);
    assert!(is(&world.file("b.json"), 3) && is(&file, 2));
    ends(&by_hand(&world, &["restore", "a.json", "3", "--output", "b.json"]), 5);
    let unknown = world.write("unknown.json", b"{\"torn");
    ends(&by_hand(&world, &["repair", "unknown.json"]), 5);
    assert_eq!(fs::read(unknown).unwrap(), b"{\"torn");
}

#[test]
fn verify_finds_the_flipped_bit_and_only_that() {
    let world = World::new();
    let (file, daemon) = with_history(&world);
    ends(&by_hand(&world, &["verify"]), 0);
    let rotten = daemon.state.versions(&file)[1].path.clone();
    let mut bytes = fs::read(&rotten).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::remove_file(&rotten).unwrap();
    fs::write(&rotten, bytes).unwrap();
    let output = by_hand(&world, &["verify", "--json"]);
    ends(&output, 1);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["versions"], &told["bad"][0]["version"]), (&3.into(), &2.into()), "{told}");
    assert_eq!(told["bad"].as_array().unwrap().len(), 1);
    ends(&by_hand(&world, &["verify", "a.json"]), 1);
    ends(&by_hand(&world, &["verify", "none.json"]), 1);
}

#[test]
fn what_is_forgotten_is_nowhere_and_a_guarded_file_is_stored_anew() {
    let world = World::new();
    let (file, daemon) = with_history(&world);
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired", || !daemon.state.incidents_of(&file, "repaired").is_empty());
    let before = daemon.state.incidents().len();
    ends(&by_hand(&world, &["forget", "a.json"]), 0);
    assert!(daemon.state.quarantine(&file).is_empty());
    assert!(daemon.state.incidents_of(&file, "corrupted").is_empty());
    assert!(daemon.state.incidents().len() >= before, "the lines stay, and their numbers");
    daemon.wait_stored(&file, &document(3, 6_000));
    daemon.terminate();
    fs::remove_file(&file).unwrap();
    let orphans = ends(&by_hand(&world, &["status", "--orphans"]), 0);
    assert!(orphans.contains("a.json") && orphans.contains("gone"), "{orphans}");
    ends(&by_hand(&world, &["forget", "a.json"]), 0);
    ends(&by_hand(&world, &["forget", "a.json"]), 1);
    assert!(!world.state.join("backups").join(file.strip_prefix("/").unwrap().parent().unwrap()).exists());
    // The numbers of incidents go on.
    let daemon = launch(&world);
    let second = world.write("b.json", document(1, 6_000));
    daemon.wait_stored(&second, &document(1, 6_000));
    fs::write(&second, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired", || !daemon.state.incidents_of(&second, "repaired").is_empty());
    assert_eq!(daemon.state.incidents_of(&second, "repaired")[0]["incident"], 2);
}
