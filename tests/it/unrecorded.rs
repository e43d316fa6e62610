//! What is known of a document's versions rots, or is lost: what was suspicious stays it, and what was good is put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, StateDirectory, World, command, document, wait_until};

const TORN: &[u8] = b"{\"torn";

fn configuration(world: &World, rules: &str) -> PathBuf {
    let path = world.root.join("unrecorded.toml");
    let text = format!(
        "[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nbackup.min_interval = \"0s\"\nmax_repairs = 0\n{rules}\n",
        world.files.display()
    );
    fs::write(&path, text).unwrap();
    path
}

fn guarding(world: &World, rules: &str) -> Daemon {
    Launch::new(world).arg("--config").arg(configuration(world, rules)).start()
}

fn by_hand(world: &World, rules: &str, arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments).arg("--state-dir").arg(&world.state).arg("--config").arg(configuration(world, rules));
    command.current_dir(&world.files).output().unwrap()
}

/// Where the only file stands: its state, and why.
fn standing(daemon: &Daemon) -> (String, String) {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let word = |key: &str| files[0][key].as_str().unwrap_or_default().to_owned();
    (word("state"), word("reason"))
}

/// A daemon that has started, and holds the file as suspicious.
#[track_caller]
fn holding(world: &World, rules: &str, file: &Path, bytes: &[u8]) -> Daemon {
    let daemon = guarding(world, rules);
    wait_until(LIMIT, "it is held", || standing(&daemon) == ("held".into(), "suspicious".into()));
    assert_eq!(fs::read(file).unwrap(), bytes);
    daemon
}

/// A daemon that starts holds the file, whatever it becomes: as suspicious bytes, and as damage that comes after them.
#[track_caller]
fn is_held_still(world: &World, rules: &str, file: &Path, bytes: &[u8]) {
    let daemon = holding(world, rules, file, bytes);
    fs::write(file, TORN).unwrap();
    wait_until(LIMIT, "the damage is held", || {
        daemon.get("/api/v1/files").body.contains("truncated")
            && standing(&daemon) == ("held".into(), "suspicious".into())
    });
    daemon.terminate();
    let refused = by_hand(world, rules, &["repair", "a.json"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert_eq!(fs::read(file).unwrap(), TORN);
    fs::write(file, bytes).unwrap();
}

/// A file with a good first version and a suspicious second one, which is there, and no daemon.
fn held(world: &World, rules: &str, good: &[u8], bytes: &[u8]) -> PathBuf {
    let file = world.write("a.json", good);
    let daemon = guarding(world, rules);
    daemon.wait_stored(&file, good);
    fs::write(&file, bytes).unwrap();
    wait_until(LIMIT, "it is held", || standing(&daemon) == ("held".into(), "suspicious".into()));
    daemon.wait_stored(&file, bytes);
    daemon.terminate();
    file
}

fn stored(world: &World, file: &Path) -> Vec<PathBuf> {
    StateDirectory(world.state.clone()).stored_paths(file)
}

fn record(world: &World, file: &Path) -> PathBuf {
    stored(world, file)[0].with_file_name("record.jsonl")
}

/// Flips a bit in so many of the lines about a version.
fn rot_lines(world: &World, file: &Path, version: u64, most: usize) {
    let path = record(world, file);
    let (text, mut rotten) = (fs::read_to_string(&path).unwrap(), 0);
    let rot = |line: &str| {
        let is_it = line.contains(&format!("\"version\":{version},")) && rotten < most;
        rotten += usize::from(is_it);
        if is_it { line.replacen("mark", "marj", 1) } else { line.to_owned() }
    };
    let lines: Vec<String> = text.split('\n').map(rot).collect();
    assert!(rotten > 0, "{text}");
    fs::write(&path, lines.join("\n")).unwrap();
}

fn flip_in_the_middle(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_line_of_a_suspicious_version_that_rots_makes_no_good_one_of_it() {
    let world = World::new();
    let file = held(&world, "", &document(1, 4_000), b"{}");
    rot_lines(&world, &file, 2, 1);
    is_held_still(&world, "", &file, b"{}");
}

#[test]
fn whatever_made_a_version_suspicious_is_found_again_when_nothing_is_recorded_of_it_any_more() {
    let good = "{\"version\": 2, \"data\": [1, 2, 3]}";
    for (rules, bytes) in [
        ("required = [\"/data\"]", "{\"version\": 2, \"date\": [1, 2, 3]}"),
        ("monotonic = [\"/version\"]", "{\"version\": 1, \"data\": [1, 2, 3]}"),
        ("pinned = true", "{\"version\": 2, \"data\": [1, 2, 4]}"),
        ("", "{}"),
    ] {
        let world = World::new();
        let file = held(&world, rules, good.as_bytes(), bytes.as_bytes());
        rot_lines(&world, &file, 2, usize::MAX);
        is_held_still(&world, rules, &file, bytes.as_bytes());
    }
}

#[test]
fn a_record_that_is_lost_or_older_makes_no_good_version_of_a_suspicious_one() {
    let world = World::new();
    let file = held(&world, "", &document(1, 4_000), b"{}");
    let whole = fs::read_to_string(record(&world, &file)).unwrap();
    fs::write(record(&world, &file), whole.lines().next().unwrap().to_owned() + "\n").unwrap();
    is_held_still(&world, "", &file, b"{}");
    fs::remove_file(record(&world, &file)).unwrap();
    is_held_still(&world, "", &file, b"{}");
}

#[test]
fn what_a_record_says_of_other_bytes_says_nothing() {
    let world = World::new();
    let good = document(1, 4_000);
    let file = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&file, &good);
    fs::write(&file, document(2, 4_000)).unwrap();
    daemon.wait_stored(&file, &document(2, 4_000));
    daemon.terminate();
    let other = fs::read(record(&world, &file)).unwrap();
    fs::remove_dir_all(&world.state).unwrap();
    // The same numbers, in a state directory that began anew.
    let file = held(&world, "", &good, b"{}");
    fs::write(record(&world, &file), other).unwrap();
    is_held_still(&world, "", &file, b"{}");
}

#[test]
fn a_lost_record_costs_no_repair_and_no_restore_of_what_was_good() {
    let world = World::new();
    let file = world.write("a.json", document(1, 4_000));
    let daemon = guarding(&world, "");
    for generation in 1..4 {
        fs::write(&file, document(generation, 4_000)).unwrap();
        daemon.wait_stored(&file, &document(generation, 4_000));
    }
    daemon.terminate();
    fs::remove_file(record(&world, &file)).unwrap();
    fs::write(&file, TORN).unwrap();
    let daemon = guarding(&world, "");
    wait_until(LIMIT, "the newest is back", || fs::read(&file).is_ok_and(|bytes| bytes == document(3, 4_000)));
    daemon.terminate();
    let restored = by_hand(&world, "", &["restore", "a.json", "1"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(fs::read(&file).unwrap(), document(1, 4_000));
}

#[test]
fn an_accepted_version_whose_lines_rot_is_quiet_after_it_was_accepted_once_more() {
    let world = World::new();
    let file = held(&world, "", &document(1, 4_000), b"{}");
    assert_eq!(by_hand(&world, "", &["accept", "a.json"]).status.code(), Some(0));
    rot_lines(&world, &file, 2, 3);
    let daemon = guarding(&world, "");
    daemon.wait_state(&file, "healthy");
    daemon.terminate();
    rot_lines(&world, &file, 2, usize::MAX);
    let daemon = guarding(&world, "");
    wait_until(LIMIT, "it is held", || standing(&daemon).0 == "held");
    assert_eq!(by_hand(&world, "", &["accept", "a.json"]).status.code(), Some(0));
    daemon.wait_state(&file, "healthy");
    daemon.terminate();
    fs::write(&file, TORN).unwrap();
    let daemon = guarding(&world, "");
    wait_until(LIMIT, "the accepted one is back", || fs::read(&file).is_ok_and(|bytes| bytes == b"{}"));
    assert!(daemon.logged("held").is_empty(), "{}", daemon.log_text());
}

#[test]
fn a_suspicious_version_stays_it_when_no_good_one_is_whole_or_there_any_more() {
    let world = World::new();
    let file = held(&world, "", &document(1, 4_000), b"{}");
    flip_in_the_middle(&stored(&world, &file)[0]);
    is_held_still(&world, "", &file, b"{}");
    let refused = by_hand(&world, "", &["patch", "a.json", "--set", "/a=1"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    fs::remove_file(&stored(&world, &file)[0]).unwrap();
    holding(&world, "", &file, b"{}").terminate();
    assert_eq!(by_hand(&world, "", &["accept", "a.json"]).status.code(), Some(0));
    let daemon = guarding(&world, "");
    daemon.wait_state(&file, "healthy");
}

#[test]
fn a_reset_is_told_by_its_size_where_the_good_version_has_rotted() {
    let world = World::new();
    let file = world.write("a.json", document(1, 4_000));
    let daemon = guarding(&world, "");
    daemon.wait_stored(&file, &document(1, 4_000));
    daemon.terminate();
    flip_in_the_middle(&stored(&world, &file)[0]);
    fs::write(&file, "{}").unwrap();
    let daemon = guarding(&world, "");
    wait_until(LIMIT, "it is held", || standing(&daemon) == ("held".into(), "suspicious".into()));
}

#[test]
fn nothing_is_made_from_a_suspicious_version_whose_good_one_has_rotted() {
    let world = World::new();
    let rules = "monotonic = [\"/version\"]";
    let bytes = b"{\"version\": 1, \"data\": [1, 2, 3]}";
    let file = held(&world, rules, b"{\"version\": 2, \"data\": [1, 2, 3]}", bytes);
    flip_in_the_middle(&stored(&world, &file)[0]);
    let refused = by_hand(&world, rules, &["patch", "a.json", "--set", "/a=1"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    is_held_still(&world, rules, &file, bytes);
}

#[test]
fn what_may_have_been_accepted_is_not_undone_where_suspicion_is_damage() {
    let world = World::new();
    let rules = "on_suspicious = \"restore\"";
    let file = held(&world, "", &document(1, 4_000), b"{}");
    assert_eq!(by_hand(&world, "", &["accept", "a.json"]).status.code(), Some(0));
    fs::remove_file(record(&world, &file)).unwrap();
    let refused = by_hand(&world, rules, &["repair", "a.json"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let daemon = guarding(&world, rules);
    wait_until(LIMIT, "it is held", || standing(&daemon) == ("held".into(), "suspicious".into()));
    assert_eq!(fs::read(&file).unwrap(), b"{}");
    assert_eq!(by_hand(&world, rules, &["accept", "a.json"]).status.code(), Some(0));
    daemon.wait_state(&file, "healthy");
}

#[test]
fn of_two_versions_with_one_number_the_good_one_is_put_back() {
    let world = World::new();
    let (good, newer) = (document(1, 4_000), document(2, 4_000));
    let file = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&file, &good);
    fs::write(&file, &newer).unwrap();
    daemon.wait_stored(&file, &newer);
    daemon.terminate();
    let other = stored(&world, &file)[1].clone();
    let kept = (other.file_name().unwrap().to_owned(), fs::read(&other).unwrap());
    // Another begins with the same version, and one of the first is put back among its.
    fs::remove_dir_all(&world.state).unwrap();
    let file = held(&world, "", &good, b"{}");
    fs::write(other.with_file_name(&kept.0), kept.1).unwrap();
    fs::write(&file, TORN).unwrap();
    let repaired = by_hand(&world, "on_suspicious = \"restore\"", &["repair", "a.json"]);
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    assert_eq!(fs::read(&file).unwrap(), newer);
}
