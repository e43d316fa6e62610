//! What reads, but hardly is what was meant: told, kept, never used, and accepted with one command.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

/// Where the only file stands: its state, why, and the kind.
fn standing(daemon: &Daemon) -> (String, String, String) {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let word = |key: &str| files[0][key].as_str().unwrap_or_default().to_owned();
    (word("state"), word("reason"), word("kind"))
}

#[track_caller]
fn wait_suspicious(daemon: &Daemon, kind: &str) {
    wait_until(LIMIT, "it is held as suspicious", || {
        standing(daemon) == ("held".into(), "suspicious".into(), kind.into())
    });
}

#[track_caller]
fn wait_healthy(daemon: &Daemon) {
    wait_until(LIMIT, "it is healthy", || standing(daemon).0 == "healthy");
}

fn accept(world: &World, path: &Path) -> Output {
    command().args(["accept", "--state-dir"]).arg(&world.state).arg(path).output().unwrap()
}

fn guarding(world: &World, rules: &str) -> Daemon {
    let text = format!(
        "[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nbackup.min_interval = \"0s\"\n{rules}\n",
        world.files.display()
    );
    Launch::new(world).config(world, &text).start()
}

#[test]
fn a_reset_file_is_told_once_and_left_alone_until_it_is_back() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    wait_suspicious(&daemon, "reset");
    // Growing on from nothing makes it no better.
    fs::write(&path, "{\"a\":[1]}").unwrap();
    wait_suspicious(&daemon, "shrunk");
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\":[1]}");
    assert_eq!(daemon.logged("held").len(), 1, "{}", daemon.log_text());
    fs::write(&path, document(2, 4_000)).unwrap();
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("corrupted").len() + daemon.logged("repaired").len(), 0);
}

#[test]
fn damage_after_a_reset_is_held_and_an_accepted_version_is_what_a_repair_puts_back() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    daemon.wait_stored(&path, b"{}");
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "the damage is held", || {
        standing(&daemon) == ("held".into(), "suspicious".into(), "truncated".into())
    });
    assert_eq!(accept(&world, &path).status.code(), Some(1), "what stands there is not what is stored");
    fs::write(&path, "{}").unwrap();
    wait_suspicious(&daemon, "reset");
    assert_eq!(accept(&world, &path).status.code(), Some(0));
    wait_healthy(&daemon);
    assert_eq!(accept(&world, &path).status.code(), Some(1), "there is nothing left to accept");
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "the accepted version is back", || fs::read(&path).is_ok_and(|bytes| bytes == b"{}"));
}

#[test]
fn what_was_accepted_once_is_quiet_ever_after() {
    let world = World::new();
    let path = world.write("a.json", document(1, 4_000));
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &document(1, 4_000));
    fs::write(&path, "{}").unwrap();
    wait_suspicious(&daemon, "reset");
    daemon.wait_stored(&path, b"{}");
    assert_eq!(accept(&world, &path).status.code(), Some(0));
    wait_healthy(&daemon);
    fs::write(&path, document(2, 4_000)).unwrap();
    daemon.wait_stored(&path, &document(2, 4_000));
    let judged = daemon.count("validations_total", &[("result", "suspicious")]);
    fs::write(&path, "{}").unwrap();
    wait_until(LIMIT, "it was looked at", || daemon.count("validations_total", &[("result", "suspicious")]) > judged);
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("held").len(), 1, "{}", daemon.log_text());
}

#[test]
fn where_the_rules_say_so_a_reset_is_repaired_like_damage_and_kept() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "on_suspicious = \"restore\"");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    wait_until(LIMIT, "the good version is back", || fs::read(&path).is_ok_and(|bytes| bytes == good));
    wait_until(LIMIT, "it is told", || daemon.logged("repaired").len() == 1);
    assert!(daemon.state.quarantine(&path).iter().any(|(_, bytes)| bytes == b"{}"));
    wait_healthy(&daemon);
}

#[test]
fn where_the_rules_say_so_whatever_reads_is_good() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "on_suspicious = \"accept\"");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    daemon.wait_stored(&path, b"{}");
    wait_healthy(&daemon);
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "the newest version is back", || fs::read(&path).is_ok_and(|bytes| bytes == b"{}"));
    assert_eq!(daemon.logged("held").len(), 0);
}

#[test]
fn what_readers_may_stumble_over_is_counted_once_shown_and_left_alone() {
    let world = World::new();
    let path = world.write("a.json", "{}");
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, b"{}");
    let text = "{\"a\": 1, \"a\": 1e999}";
    fs::write(&path, text).unwrap();
    daemon.wait_stored(&path, text.as_bytes());
    wait_until(LIMIT, "it is shown", || {
        daemon.get("/api/v1/files").body.contains(r#"["duplicate_key","number_range"]"#)
    });
    wait_until(LIMIT, "it is counted", || daemon.count("findings_total", &[("kind", "duplicate_key")]) == 1);
    let other = "{\"a\": 2, \"a\": 1e999}";
    fs::write(&path, other).unwrap();
    daemon.wait_stored(&path, other.as_bytes());
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("found").len(), 2, "{}", daemon.log_text());
}

#[test]
fn suspicion_waits_for_an_editor_that_is_at_work() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    let swap = world.write(".a.json.swp", "vim is at it");
    fs::write(&path, "{}").unwrap();
    wait_until(LIMIT, "it is waited for", || standing(&daemon).1 == "editing");
    assert!(daemon.logged("held").iter().all(|line| !line.to_string().contains("suspicious")), "{}", daemon.log_text());
    fs::remove_file(&swap).unwrap();
    wait_suspicious(&daemon, "reset");
    // Who goes on editing and finishes is never told of.
    fs::write(&swap, "vim again").unwrap();
    fs::write(&path, document(2, 4_000)).unwrap();
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("corrupted").len() + daemon.logged("repaired").len(), 0);
}

#[test]
fn a_planned_migration_is_one_command_away_and_then_ordinary_life() {
    let world = World::new();
    let entries: Vec<String> =
        (0..60).map(|number| format!("{{\"name\": \"entry {number}\", \"on\": true}}")).collect();
    let old = format!("{{\"version\": 1, \"entries\": [{}]}}", entries.join(", "));
    let path = world.write("a.json", &old);
    let daemon = guarding(&world, "required = [\"/version\"]\nmonotonic = [\"/version\"]");
    daemon.wait_stored(&path, old.as_bytes());
    let new = "{\"version\": 2, \"names\": [\"entry 0\", \"entry 1\"]}";
    fs::write(&path, new).unwrap();
    wait_suspicious(&daemon, "shrunk");
    daemon.wait_stored(&path, new.as_bytes());
    assert_eq!(accept(&world, &path).status.code(), Some(0));
    wait_healthy(&daemon);
    let edited = new.replace("entry 1", "another");
    fs::write(&path, &edited).unwrap();
    daemon.wait_stored(&path, edited.as_bytes());
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("held").len(), 1, "{}", daemon.log_text());
    fs::write(&path, "{\"version\": 2, \"na").unwrap();
    wait_until(LIMIT, "the migrated version is back", || fs::read(&path).is_ok_and(|bytes| bytes == edited.as_bytes()));
}
