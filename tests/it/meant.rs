//! The one law in our own hands: what is suspicious beside the last good version never becomes good because one of our
//! commands wrote after it, over it or by it, unless somebody says that it is meant.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Output, Stdio};

use jsonwarden::{Guarded, Options, WriteError};
use serde_json::{Value, json};

use crate::patching::{run, said, status};
use crate::support::{Daemon, LIMIT, Launch, STRANGER, World, command, document, is_root, skip, wait_until};

/// A daemon that guards the folder by these rules, which the commands read too.
fn guarding(world: &World, rules: &str) -> Daemon {
    configure(world, rules);
    Launch::new(world).arg("--config").arg(world.root.join("jsonwarden.toml")).start()
}

fn configure(world: &World, rules: &str) {
    let text = format!(
        "[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nsettle = \"200ms\"\nbackup.min_interval = \"0s\"\n{rules}\n",
        world.files.display()
    );
    fs::write(world.root.join("jsonwarden.toml"), text).unwrap();
}

/// A command by this world's configuration.
fn by(world: &World, arguments: &[&str], input: Option<&[u8]>) -> Output {
    let config = world.root.join("jsonwarden.toml");
    let arguments = [&["--config", config.to_str().unwrap()], arguments].concat();
    run(world, &arguments, input.map(|bytes| std::str::from_utf8(bytes).unwrap()))
}

#[track_caller]
fn ends(output: &Output, expected: i32) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(status(output), expected, "{printed}{}", said(output));
    said(output)
}

/// Version numbers and their marks, the newest first.
fn marks(world: &World) -> Vec<(u64, String)> {
    let output = by(world, &["history", "a.json", "--json"], None);
    let versions: Value = serde_json::from_slice(&output.stdout).unwrap();
    let versions = versions.as_array().or_else(|| versions["versions"].as_array()).unwrap();
    versions.iter().map(|one| (one["version"].as_u64().unwrap(), one["mark"].as_str().unwrap().to_owned())).collect()
}

fn standing(daemon: &Daemon) -> (String, String, String) {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let word = |key: &str| files[0][key].as_str().unwrap_or_default().to_owned();
    (word("state"), word("reason"), word("kind"))
}

#[track_caller]
fn wait_held(daemon: &Daemon, kind: &str) {
    wait_until(LIMIT, "it is held as suspicious", || {
        standing(daemon) == ("held".into(), "suspicious".into(), kind.into())
    });
}

#[track_caller]
fn wait_healthy(daemon: &Daemon) {
    wait_until(LIMIT, "it is healthy", || standing(daemon).0 == "healthy");
}

/// Runs a command that somebody was told to run, as a shell takes it.
#[track_caller]
fn obey(world: &World, told: &str, which: usize) -> Output {
    let told = told.split('`').filter(|part| part.starts_with("jsonwarden ")).nth(which);
    let line = told.unwrap_or_else(|| panic!("no command is named"));
    let line = line.replacen("jsonwarden", "\"$JSONWARDEN\" --config \"$CONFIG\" --state-dir \"$STATE\"", 1);
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &line]).env("JSONWARDEN", command().get_program()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.env("CONFIG", world.root.join("jsonwarden.toml")).env("STATE", &world.state).output().unwrap()
}

/// An editor that adds an entry.
fn editor(world: &World) -> String {
    let path = world.root.join("editor");
    fs::write(&path, "#!/bin/sh\nprintf '{\"x\": 1}' > \"$1\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn edit(world: &World, arguments: &[&str]) -> Output {
    let mut command = command();
    command.arg("--config").arg(world.root.join("jsonwarden.toml")).arg("--state-dir").arg(&world.state);
    command.args(["edit", "a.json"]).args(arguments).current_dir(&world.files).stdout(Stdio::piped());
    command.env_remove("VISUAL").env("EDITOR", editor(world)).output().unwrap()
}

#[track_caller]
fn assert_untouched(world: &World, path: &Path, output: &Output) {
    let told = ends(output, 5);
    assert!(
        told.contains("reset") && told.contains("jsonwarden accept ") && told.contains("jsonwarden restore "),
        "{told}"
    );
    assert_eq!(fs::read(path).unwrap(), b"{}");
    assert_eq!(marks(world), [(2, "suspicious".into()), (1, "good".into())]);
}

#[test]
fn nothing_is_made_from_a_held_version_and_its_hold_goes_on() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    daemon.wait_stored(&path, b"{}");
    wait_held(&daemon, "reset");
    assert_untouched(&world, &path, &by(&world, &["patch", "a.json", "--set", "/x=1"], None));
    assert_untouched(&world, &path, &by(&world, &["publish", "a.json", "{\"type\":\"t\"}"], None));
    assert_untouched(&world, &path, &by(&world, &["publish", "a.json", "{\"type\":\"t\"}", "--keep", "1"], None));
    assert_untouched(&world, &path, &edit(&world, &[]));
    wait_held(&daemon, "reset");
    // A whole document, as its program would save it, ends that.
    let whole = document(2, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&whole)), 0);
    wait_healthy(&daemon);
    assert_eq!(marks(&world)[..2], [(3, "good".into()), (2, "suspicious".into())]);
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "the whole document is back", || fs::read(&path).is_ok_and(|bytes| bytes == whole));
}

#[test]
fn without_a_daemon_a_reset_that_stands_there_is_kept_as_what_it_is() {
    let world = World::new();
    configure(&world, "");
    let good = document(1, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&good)), 0);
    let path = world.write("a.json", "{}");
    assert_untouched(&world, &path, &by(&world, &["patch", "a.json", "--set", "/x=1"], None));
    let grown = b"{\"a\": [1]}";
    fs::write(&path, grown).unwrap();
    let whole = document(2, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&whole)), 0);
    assert_eq!(
        marks(&world),
        [(4, "good".into()), (3, "suspicious".into()), (2, "suspicious".into()), (1, "good".into())]
    );
    assert_eq!(fs::read(&path).unwrap(), whole);
    // The same when a person puts a version back over it.
    fs::write(&path, "[]").unwrap();
    ends(&by(&world, &["restore", "a.json", "4"], None), 0);
    assert_eq!(marks(&world)[..2], [(6, "good".into()), (5, "suspicious".into())]);
}

#[test]
fn what_is_told_to_be_run_does_what_it_says() {
    for which in 0..2 {
        let world = World::new();
        configure(&world, "");
        let good = document(1, 4_000);
        let name = "it's a $(file).json";
        ends(&by(&world, &["write", name], Some(&good)), 0);
        let path = world.write(name, "{}");
        let told = ends(&by(&world, &["patch", name, "--set", "/x=1"], None), 5);
        ends(&obey(&world, &told, which), 0);
        let patched = by(&world, &["patch", name, "--set", "/x=1"], None);
        ends(&patched, 0);
        let expected = if which == 0 { json!(null) } else { json!("core.entities") };
        let now: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!((&now["x"], &now["key"]), (&json!(1), &expected));
    }
}

#[test]
fn damage_after_a_suspicious_version_is_told_with_commands_that_work() {
    for which in 0..2 {
        let world = World::new();
        let good = document(1, 4_000);
        let path = world.write("a.json", &good);
        let daemon = guarding(&world, "");
        daemon.wait_stored(&path, &good);
        fs::write(&path, "{}").unwrap();
        daemon.wait_stored(&path, b"{}");
        wait_held(&daemon, "reset");
        fs::write(&path, "{\"torn").unwrap();
        let held = || daemon.state.incidents_of(&path, "held");
        wait_until(LIMIT, "the damage is held", || held().len() == 2);
        let told = held()[1]["detail"].as_str().unwrap().to_owned();
        ends(&by(&world, &["repair", "a.json"], None), 5);
        ends(&obey(&world, &told, which), 0);
        let expected = if which == 0 { b"{}".to_vec() } else { good };
        assert_eq!(fs::read(&path).unwrap(), expected);
        wait_healthy(&daemon);
    }
}

#[test]
fn the_commands_that_a_hold_names_end_it() {
    for which in 0..2 {
        let world = World::new();
        let good = document(1, 4_000);
        let path = world.write("a.json", &good);
        let daemon = guarding(&world, "");
        daemon.wait_stored(&path, &good);
        fs::write(&path, "{}").unwrap();
        wait_held(&daemon, "reset");
        wait_until(LIMIT, "it is told", || daemon.logged("held").len() == 1);
        let told = daemon.logged("held")[0].to_string();
        ends(&obey(&world, &told, which), 0);
        wait_healthy(&daemon);
        let expected = if which == 0 { b"{}".to_vec() } else { good };
        assert_eq!(fs::read(&path).unwrap(), expected);
    }
}

#[test]
fn where_suspicious_versions_are_undone_one_is_written_only_when_somebody_says_that_it_is_meant() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "on_suspicious = \"restore\"");
    daemon.wait_stored(&path, &good);
    for (kind, bytes) in [("reset", b"{}".to_vec()), ("shrunk", document(1, 300)), ("reset", b"null".to_vec())] {
        let told = ends(&by(&world, &["write", "a.json"], Some(&bytes)), 5);
        assert!(told.contains(kind) && told.contains("--accept"), "{told}");
    }
    for patch in [&["--merge", "{\"entities\":[]}"][..], &["--set", "/entities/0/name=\"***\""], &["--set", "={}"]] {
        let told = ends(&by(&world, &[&["patch", "a.json"], patch].concat(), None), 5);
        assert!(told.contains("--accept"), "{told}");
    }
    ends(&edit(&world, &[]), 5);
    assert_eq!((fs::read(&path).unwrap(), marks(&world).len()), (good, 1), "nothing was changed");
    ends(&by(&world, &["patch", "a.json", "--merge", "{\"entities\":[]}", "--accept"], None), 0);
    ends(&by(&world, &["write", "a.json", "--accept"], Some(b"{}")), 0);
    assert_eq!(marks(&world)[..2], [(3, "accepted".into()), (2, "accepted".into())]);
    wait_healthy(&daemon);
    // From here on it is ordinary life.
    ends(&by(&world, &["patch", "a.json", "--set", "/x=1"], None), 0);
    wait_healthy(&daemon);
    assert_eq!(daemon.logged("held").len() + daemon.logged("corrupted").len(), 0, "{}", daemon.log_text());
    ends(&by(&world, &["write", "a.json", "--accept"], Some(b"{\"torn")), 1);
}

#[test]
fn accepting_what_is_written_accepts_what_stands_there_already() {
    let world = World::new();
    configure(&world, "monotonic = [\"/version\"]\nrequired = [\"/version\"]");
    ends(&by(&world, &["write", "a.json"], Some(&document(5, 4_000))), 0);
    let path = world.write("a.json", document(4, 4_000));
    ends(&by(&world, &["write", "a.json"], Some(&document(4, 4_000))), 1);
    ends(&by(&world, &["write", "a.json", "--accept"], Some(&document(4, 4_000))), 0);
    assert_eq!(marks(&world), [(2, "accepted".into()), (1, "good".into())]);
    // What every version must have, this one must have too.
    ends(&by(&world, &["write", "a.json", "--accept"], Some(b"{}")), 1);
    assert_eq!(fs::read(&path).unwrap(), document(4, 4_000));
}

#[test]
fn where_the_rules_restore_what_is_suspicious_the_commands_do_so_too() {
    let world = World::new();
    configure(&world, "on_suspicious = \"restore\"");
    let good = document(1, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&good)), 0);
    let path = world.write("a.json", "{}");
    ends(&by(&world, &["patch", "a.json", "--test", "/key=\"core.entities\""], None), 0);
    assert_eq!(fs::read(&path).unwrap(), good);
    fs::write(&path, "{}").unwrap();
    ends(&by(&world, &["repair"], None), 0);
    assert_eq!(fs::read(&path).unwrap(), good);
    fs::write(&path, "{}").unwrap();
    let output = by(&world, &["exec", "--listen", "", "--", "cat", "a.json"], None);
    ends(&output, 0);
    assert_eq!(output.stdout, good);
}

#[test]
fn a_repair_says_what_is_suspicious_and_a_service_starts_all_the_same() {
    let world = World::new();
    configure(&world, "required = [\"/version\"]");
    let good = document(1, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&good)), 0);
    let lacking = String::from_utf8(good.clone()).unwrap().replacen("version", "revision", 1);
    for (kind, bytes) in [("reset", "{}"), ("required", lacking.as_str())] {
        let path = world.write("a.json", bytes);
        let told = ends(&by(&world, &["repair"], None), 1);
        assert!(told.contains("required") && told.contains("jsonwarden accept "), "{kind}: {told}");
        let output = by(&world, &["exec", "--listen", "", "--", "cat", "a.json"], None);
        let told = ends(&output, 0);
        assert!(told.contains("jsonwarden accept "), "{told}");
        assert_eq!(
            (output.stdout.as_slice(), fs::read(&path).unwrap().as_slice()),
            (bytes.as_bytes(), bytes.as_bytes())
        );
    }
    let told = ends(&by(&world, &["repair", "--offline", "a.json"], None), 1);
    ends(&obey(&world, &told, 0), 0);
    ends(&by(&world, &["repair"], None), 0);
}

#[test]
fn a_number_that_only_grows_cannot_begin_anew_by_way_of_a_version_without_it() {
    for between in ["{}", "{\"revision\": null}", "{\"revision\": \"9\"}"] {
        let world = World::new();
        let path = world.write("a.json", "{\"revision\": 10}");
        let daemon = guarding(&world, "monotonic = [\"/revision\"]");
        daemon.wait_stored(&path, b"{\"revision\": 10}");
        fs::write(&path, between).unwrap();
        wait_until(LIMIT, "it is held", || standing(&daemon).1 == "suspicious");
        fs::write(&path, "{\"revision\": 2}").unwrap();
        wait_held(&daemon, "backwards");
        ends(&by(&world, &["write", "a.json"], Some(b"{\"revision\": 3}")), 1);
        fs::write(&path, "{\"revision\": 11}").unwrap();
        wait_healthy(&daemon);
    }
}

#[test]
fn a_program_that_writes_by_the_library_is_told_so_in_its_own_types() {
    let world = World::new();
    let path = world.file("a.json");
    let state: Value = serde_json::from_slice(&document(1, 4_000)).unwrap();
    let options = Options::new().state_dir(&world.state);
    let guarded = Guarded::<Value>::open_with(&path, &options).unwrap();
    guarded.replace(&state).unwrap();
    let refused = |result| matches!(result, Err(WriteError::Suspicious(fault)) if fault.kind.label() == "redacted");
    let mask = |state: &mut Value| state["entities"][0]["name"] = json!("***");
    let mut masked = state.clone();
    mask(&mut masked);
    assert!(refused(guarded.replace(&masked).map(drop)));
    assert!(refused(guarded.update(mask)));
    assert!(refused(jsonwarden::write(&path, masked.to_string().as_bytes(), &options).map(drop)));
    assert!(refused(jsonwarden::update_all(&[&guarded], |states| mask(&mut states[0]))));
    assert_eq!(guarded.read().unwrap(), state);
    fs::write(&path, "{}").unwrap();
    assert!(matches!(guarded.update(|state| state["x"] = json!(1)), Err(WriteError::Held(..))));
    let accepting = Guarded::<Value>::open_with(&path, &options.accepting(true)).unwrap();
    accepting.update(|state| state["x"] = json!(1)).unwrap();
    assert_eq!(guarded.read().unwrap(), json!({"x": 1}));
    guarded.update(|state| state["y"] = json!(1)).unwrap();
    // A program that empties its state means to.
    guarded.replace(&state).unwrap();
    guarded.update(|state| *state = json!({})).unwrap();
    assert_eq!(guarded.read().unwrap(), json!({}));
}

#[test]
fn a_small_document_is_meant_by_whoever_writes_it_but_ends_no_hold() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    ends(&by(&world, &["patch", "a.json", "--set", "/entities/0/name=\"***\""], None), 5);
    assert!(ends(&by(&world, &["write", "a.json"], Some(b"{}")), 0).contains("stored as accepted"));
    assert_eq!(marks(&world), [(2, "accepted".into()), (1, "good".into())]);
    wait_healthy(&daemon);
    ends(&by(&world, &["write", "a.json"], Some(&good)), 0);
    // What another program reset is held, and another small document is no end of it.
    world.write("a.json", "[]");
    wait_held(&daemon, "reset");
    for bytes in [&b"[]"[..], b"null"] {
        assert!(ends(&by(&world, &["write", "a.json"], Some(bytes)), 5).contains("--accept"));
    }
    wait_held(&daemon, "reset");
    assert_eq!(fs::read(&path).unwrap(), b"[]");
}

/// The incidents that the log tells of: number, kind, outcome.
fn incidents(world: &World) -> Vec<(u64, String, String)> {
    let output = by(world, &["incidents", "--json"], None);
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    all.iter().map(|one| (one["incident"].as_u64().unwrap(), text(one, "kind"), text(one, "outcome"))).collect()
}

#[test]
fn what_is_held_as_suspicious_is_one_incident_until_it_is_over_also_across_a_restart() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    wait_held(&daemon, "reset");
    wait_until(LIMIT, "it is told", || incidents(&world) == [(1, "reset".into(), "open".into())]);
    wait_until(LIMIT, "its hold is told", || daemon.state.incidents_of(&path, "held").len() == 1);
    assert_eq!(daemon.state.incidents_of(&path, "held")[0]["incident"], 1);
    wait_until(LIMIT, "it is counted", || daemon.count("incidents_open", &[]) == 1);
    fs::write(&path, "{\"a\": [1]}").unwrap();
    wait_held(&daemon, "shrunk");
    daemon.terminate();
    let daemon = guarding(&world, "");
    wait_held(&daemon, "shrunk");
    assert_eq!(daemon.logged("held").len() + daemon.logged("suspected").len(), 0, "{}", daemon.log_text());
    fs::write(&path, &good).unwrap();
    wait_healthy(&daemon);
    wait_until(LIMIT, "it is over", || incidents(&world) == [(1, "reset".into(), "recovered".into())]);
    fs::write(&path, "[]").unwrap();
    wait_held(&daemon, "reset");
    wait_until(LIMIT, "it is stored", || marks(&world)[0].1 == "suspicious");
    ends(&by(&world, &["accept", "a.json"], None), 0);
    wait_until(LIMIT, "it is over", || {
        incidents(&world) == [(2, "reset".into(), "recovered".into()), (1, "reset".into(), "recovered".into())]
    });
    let report = by(&world, &["report", "--json"], None);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["incidents"], &report["with_loss"]), (&json!(2), &json!(0)), "{report}");
    wait_until(LIMIT, "none is open", || daemon.count("incidents_open", &[]) == 0);
}

#[test]
fn damage_on_top_of_what_is_suspicious_is_told_in_the_same_incident() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    daemon.wait_stored(&path, b"{}");
    wait_held(&daemon, "reset");
    fs::write(&path, "{\"torn").unwrap();
    wait_until(LIMIT, "it is told", || incidents(&world) == [(1, "truncated".into(), "open".into())]);
    wait_until(LIMIT, "it is counted", || daemon.count("corruptions_total", &[("kind", "truncated")]) == 1);
    wait_held(&daemon, "truncated");
    ends(&by(&world, &["restore", "a.json", "1"], None), 0);
    wait_until(LIMIT, "it is over", || incidents(&world)[0].2 == "recovered");
    assert_eq!(incidents(&world).len(), 1);
}

#[test]
fn who_may_not_enter_the_state_directory_has_the_daemon_told_what_is_meant() {
    if !is_root() {
        return skip("writing as another user", "not root");
    }
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
    let home = world.root.join("home");
    fs::create_dir(&home).unwrap();
    for path in [&world.files, &path, &home] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    let as_stranger = |arguments: &[&str]| {
        let mut command = command();
        command.env("RUNTIME_DIRECTORY", &world.run).env("HOME", &home).current_dir(&world.files);
        command.env("JSONWARDEN_STATE_DIR", &world.state).args(arguments).uid(STRANGER).gid(STRANGER);
        command.output().unwrap()
    };
    ends(&as_stranger(&["patch", "a.json", "--merge", "{\"entities\":[]}"]), 0);
    wait_healthy(&daemon);
    wait_until(LIMIT, "it is accepted", || marks(&world)[0].1 == "accepted");
    assert_ne!(fs::read(&path).unwrap(), good);
}

#[test]
fn nothing_is_made_from_a_merge_that_is_not_finished_and_a_whole_document_ends_it() {
    let world = World::new();
    configure(&world, "");
    ends(&by(&world, &["write", "a.json"], Some(b"{\"a\": 1}")), 0);
    let merge = "{\n<<<<<<< ours\n\"a\": 2\n=======\n\"a\": 3\n>>>>>>> theirs\n}\n";
    let path = world.write("a.json", merge);
    let told = ends(&by(&world, &["patch", "a.json", "--set", "/x=1"], None), 5);
    assert!(told.contains("conflict_markers"), "{told}");
    let told = ends(&by(&world, &["repair", "a.json"], None), 1);
    assert!(told.contains("conflict_markers"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), merge);
    ends(&by(&world, &["write", "a.json"], Some(b"{\"a\": 3}")), 0);
    assert_eq!(fs::read(&path).unwrap(), b"{\"a\": 3}");
}

#[test]
fn an_edit_that_nobody_confirms_goes_back_however_much_less_was_there() {
    let world = World::new();
    configure(&world, "monotonic = [\"/n\"]");
    let path = world.write("a.json", "{\"n\": 1}");
    let script = world.root.join("editor");
    let grown = String::from_utf8(document(1, 3_000)).unwrap().replacen('{', "{\"n\": 2,", 1);
    fs::write(world.root.join("grown"), &grown).unwrap();
    fs::write(&script, format!("#!/bin/sh\ncp '{}' \"$1\"\n", world.root.join("grown").display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command();
    command.arg("--config").arg(world.root.join("jsonwarden.toml")).arg("--state-dir").arg(&world.state);
    command.args(["edit", "a.json", "--confirm", "1s"]).current_dir(&world.files).stdout(Stdio::piped());
    let output = command.env_remove("VISUAL").env("EDITOR", &script).output().unwrap();
    ends(&output, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\": 1}", "{}", said(&output));
}

#[test]
fn to_restore_the_suspicious_version_that_stands_there_accepts_it() {
    let world = World::new();
    let good = document(1, 4_000);
    let path = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&path, &good);
    fs::write(&path, "{}").unwrap();
    daemon.wait_stored(&path, b"{}");
    wait_held(&daemon, "reset");
    ends(&by(&world, &["restore", "a.json", "2"], None), 0);
    wait_healthy(&daemon);
    assert_eq!(marks(&world), [(2, "accepted".into()), (1, "good".into())]);
}

#[test]
fn that_little_is_left_hides_nothing_else_that_is_wrong_with_what_is_written() {
    let world = World::new();
    configure(&world, "monotonic = [\"/version\"]");
    let good = document(5, 4_000);
    ends(&by(&world, &["write", "a.json"], Some(&good)), 0);
    ends(&by(&world, &["write", "a.json"], Some(&document(4, 300))), 1);
    ends(&by(&world, &["write", "a.json"], Some(b"{}")), 1);
    let mut masked: Value = serde_json::from_slice(&good).unwrap();
    let first = masked["entities"][0].clone();
    masked["entities"] = json!([first]);
    masked["entities"][0]["name"] = json!("***");
    ends(&by(&world, &["write", "a.json"], Some(masked.to_string().as_bytes())), 5);
    assert_eq!((fs::read(world.file("a.json")).unwrap(), marks(&world).len()), (good, 1), "nothing was changed");
    masked["entities"][0]["name"] = json!("kept");
    ends(&by(&world, &["write", "a.json"], Some(masked.to_string().as_bytes())), 0);
}
