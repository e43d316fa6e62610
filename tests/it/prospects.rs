//! What could not be repaired is said before the incident.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, Mount, STRANGER, World, document, is_root, skip, wait_until};

fn launch(world: &World) -> Launch {
    let files = world.files.to_str().unwrap();
    let settings = format!("sweep_interval = \"1s\"\n[[watch]]\nname = \"test\"\npaths = [{files:?}]\n");
    Launch::new(world).config(world, &settings)
}

/// Why the first file could not be repaired.
fn why(daemon: &Daemon) -> Option<String> {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    files[0]["unrepairable"].as_str().map(str::to_owned)
}

/// It is said everywhere, once.
#[track_caller]
fn assert_said(daemon: &Daemon, words: &str) {
    assert!(why(daemon).is_some_and(|why| why.contains(words)), "{:?}", why(daemon));
    assert_eq!(daemon.count("files_unrepairable", &[("watch", "test")]), 1);
    let said = daemon.logged("unrepairable");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(daemon.log_text().contains(words), "{}", daemon.log_text());
    assert!(daemon.get("/healthz").body.contains("not to be repaired where they are"));
}

#[test]
fn a_mount_that_is_read_only_and_becomes_writable_is_told_of_both_times() {
    let world = World::new();
    let file = world.write("a.json", document(1, 1_000));
    let Some(mount) = Mount::bind(&world.files, &world.files) else { return };
    mount.remount("ro");
    let daemon = launch(&world).start();
    daemon.wait_stored(&file, &document(1, 1_000));
    assert_said(&daemon, "read-only mount");
    mount.remount("rw");
    wait_until(LIMIT, "it can be repaired", || why(&daemon).is_none());
    wait_until(LIMIT, "that is counted", || daemon.count("files_unrepairable", &[("watch", "test")]) == 0);
    wait_until(LIMIT, "that is said", || daemon.logged("repairable").len() == 1);
    fs::write(&file, "{").unwrap();
    mount.remount("ro");
    daemon.wait_state(&file, "held");
    wait_until(LIMIT, "it cannot again", || why(&daemon).is_some());
    mount.remount("rw");
    wait_until(LIMIT, "it is repaired as soon as it can be", || {
        fs::read(&file).is_ok_and(|bytes| bytes == document(1, 1_000))
    });
}

#[test]
fn an_immutable_file_is_told_and_left_alone() {
    let world = World::new();
    let file = world.write("a.json", document(1, 1_000));
    let change = |flag: &str| Command::new("chattr").arg(flag).arg(&file).status().is_ok_and(|ended| ended.success());
    if !is_root() || !change("+i") {
        return skip("an immutable file", "chattr(1) needs root, and a file system that knows it");
    }
    let daemon = launch(&world).start();
    daemon.wait_stored(&file, &document(1, 1_000));
    assert_said(&daemon, "immutable");
    change("-i");
    wait_until(LIMIT, "it can be repaired", || why(&daemon).is_none());
}

#[test]
fn a_user_s_daemon_says_which_files_of_others_it_cannot_repair() {
    if !is_root() {
        return skip("a daemon of another user's", "the tests do not run as root");
    }
    let world = World::new();
    let file = world.write("a.json", document(1, 1_000));
    fs::create_dir(&world.state).unwrap();
    for path in [&world.state, &world.root] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let daemon = launch(&world)
        .with(|command| {
            command.uid(STRANGER).gid(STRANGER);
        })
        .start();
    daemon.wait_stored(&file, &document(1, 1_000));
    assert_said(&daemon, "its folder may not be written, and the file itself may not be written");
    chown(&world.files, Some(STRANGER), None).unwrap();
    wait_until(LIMIT, "another reason", || why(&daemon).is_some_and(|why| why.contains("give files away")));
    chown(&file, Some(STRANGER), Some(STRANGER)).unwrap();
    wait_until(LIMIT, "it can be repaired", || why(&daemon).is_none());
}
