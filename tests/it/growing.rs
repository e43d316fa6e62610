//! Logs of JSON lines, which programs append to for days without closing them, and writers who hold a lock.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::support::{LIMIT, Launch, World, wait_until};

fn launch(world: &World) -> Launch {
    let files = world.files.to_str().unwrap();
    let settings = format!(
        "sweep_interval = \"1s\"\n[defaults]\nsettle = \"200ms\"\n[[watch]]\nname = \"test\"\npaths = [{files:?}]\n"
    );
    Launch::new(world).config(world, &settings)
}

#[test]
fn of_a_log_with_a_torn_last_line_only_that_line_is_taken_back() {
    let world = World::new();
    let first = b"{\"line\": 0}\n";
    let path = world.write("events.jsonl", first);
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, first);
    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    let mut whole = first.to_vec();
    for number in 1..=25 {
        let line = format!("{{\"line\": {number}}}\n");
        log.write_all(line.as_bytes()).unwrap();
        whole.extend(line.bytes());
    }
    log.write_all(b"{\"line\": 26, \"te").unwrap();
    drop(log);
    wait_until(LIMIT, "the log ends with its last whole line", || fs::read(&path).is_ok_and(|bytes| bytes == whole));
    wait_until(LIMIT, "it is told", || daemon.state.incidents_of(&path, "repaired").len() == 1);
}

#[test]
fn who_holds_the_lock_is_at_work_and_no_accident() {
    let world = World::new();
    let path = world.write("state.json", b"{\"n\": 1}");
    let lock = File::create(world.files.join("state.json.lock")).unwrap();
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, b"{\"n\": 1}");
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    fs::write(&path, b"{\"n\": ").unwrap();
    let sweeps = || daemon.count("sweep_duration_seconds_count", &[]);
    let before = sweeps();
    wait_until(LIMIT, "it was looked at while the lock was held", || sweeps() >= before + 3);
    fs::write(&path, b"{\"n\": 2}").unwrap();
    flock(&lock, FlockOperation::Unlock).unwrap();
    daemon.wait_stored(&path, b"{\"n\": 2}");
    assert_eq!(fs::read(&path).unwrap(), b"{\"n\": 2}");
    assert!(daemon.state.incidents_of(&path, "corrupted").is_empty(), "a save is no incident");
}

#[test]
fn what_lies_beside_a_file_that_was_deleted_goes_too() {
    let world = World::new();
    let path = world.write("gone.json", b"{\"n\": 1}");
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, b"{\"n\": 1}");
    fs::write(&path, b"{").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&path).is_ok_and(|bytes| bytes == b"{\"n\": 1}"));
    fs::remove_file(&path).unwrap();
    let is_empty = || fs::read_dir(&world.files).unwrap().count() == 0;
    wait_until(Duration::from_secs(90), "nothing of ours is left", is_empty);
}
