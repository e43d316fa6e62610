//! Pausing, observing and guarding: by order, recorded, and across restarts.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

fn order(world: &World, arguments: &[&str]) -> Output {
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", &world.run).args(arguments).stdout(Stdio::piped()).output().unwrap()
}

#[track_caller]
fn obeys(world: &World, arguments: &[&str]) -> String {
    let output = order(world, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A guarded file with a stored version.
fn guarded(world: &World, rules: &str) -> (PathBuf, Daemon) {
    let file = world.write("a.json", document(1, 500));
    let daemon = launch(world, rules);
    daemon.wait_stored(&file, &document(1, 500));
    (file, daemon)
}

fn launch(world: &World, rules: &str) -> Daemon {
    let files = world.files.display();
    let text = format!("[[watch]]\nname = \"w\"\npaths = [\"{files}\"]\nsettle = \"200ms\"\n{rules}\n");
    Launch::new(world).config(world, &text).start()
}

fn reason(daemon: &Daemon) -> String {
    let files: serde_json::Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    format!("{} {}", files[0]["state"].as_str().unwrap(), files[0]["reason"].as_str().unwrap_or("-"))
}

#[track_caller]
fn wait_repaired(file: &std::path::Path) {
    wait_until(LIMIT, "it is repaired", || fs::read(file).is_ok_and(|bytes| bytes == document(1, 500)));
}

#[test]
fn a_paused_file_is_held_and_repaired_when_it_is_resumed() {
    let world = World::new();
    let (file, daemon) = guarded(&world, "");
    obeys(&world, &["pause", file.to_str().unwrap()]);
    fs::write(&file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is held", || reason(&daemon) == "held paused");
    assert_eq!(fs::read(&file).unwrap(), b"{\"cut");
    assert_eq!(daemon.count("files", &[("state", "held")]), 1);
    let printed = obeys(&world, &["status"]);
    assert!(printed.contains("paused"), "{printed}");
    assert_eq!(order(&world, &["resume", "--watch", "none"]).status.code(), Some(1));
    obeys(&world, &["resume"]);
    wait_repaired(&file);
    let line = &daemon.state.incidents().into_iter().find(|line| line["event"] == "paused").unwrap();
    assert_eq!(line["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(line["scope_path"], file.to_str().unwrap());
    assert!(line["pid"].as_i64() > Some(0) && line["user"].is_string(), "{line}");
}

#[test]
fn a_pause_survives_a_restart_and_ends_when_its_time_is_over() {
    let world = World::new();
    let (file, daemon) = guarded(&world, "");
    obeys(&world, &["pause", "--watch", "w", "--for", "6s"]);
    daemon.terminate();
    fs::write(&file, "{\"cut").unwrap();
    let daemon = launch(&world, "");
    wait_until(LIMIT, "it is held", || reason(&daemon) == "held paused");
    assert_eq!(fs::read(&file).unwrap(), b"{\"cut");
    wait_repaired(&file);
    wait_until(LIMIT, "its end is recorded", || daemon.state.incidents().iter().any(|line| line["event"] == "resumed"));
}

#[test]
fn observing_is_only_telling_until_guarding_is_ordered() {
    let world = World::new();
    let (file, daemon) = guarded(&world, "");
    obeys(&world, &["observe"]);
    fs::write(&file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is held", || reason(&daemon) == "held observe");
    daemon.terminate();
    let daemon = launch(&world, "");
    wait_until(LIMIT, "it is held still", || reason(&daemon) == "held observe");
    assert_eq!(fs::read(&file).unwrap(), b"{\"cut");
    obeys(&world, &["guard"]);
    wait_repaired(&file);
}

#[test]
fn an_order_to_guard_counts_more_than_a_configuration_that_observes() {
    let world = World::new();
    let (file, daemon) = guarded(&world, "mode = \"observe\"");
    fs::write(&file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is held", || reason(&daemon) == "held observe");
    obeys(&world, &["guard", "--watch", "w"]);
    wait_repaired(&file);
}

#[test]
fn a_part_of_a_pause_cannot_be_resumed_and_that_is_said() {
    let world = World::new();
    let (file, _daemon) = guarded(&world, "");
    obeys(&world, &["pause"]);
    let refused = order(&world, &["resume", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(5), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("everything is paused"));
}

#[test]
fn without_a_daemon_there_is_nobody_to_steer() {
    let world = World::new();
    for arguments in [&["pause"][..], &["resume"], &["observe"], &["guard"], &["reload"]] {
        assert_eq!(order(&world, arguments).status.code(), Some(3), "{arguments:?}");
    }
    assert_eq!(order(&world, &["pause", "--for", "soon"]).status.code(), Some(2));
}
