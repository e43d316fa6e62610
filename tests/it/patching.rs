//! `patch` as scripts use it: what is named changes, the rest stays byte for byte, and a refusal changes nothing.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Launch, STRANGER, World, command, is_root, skip};

const TEXT: &str = "{\n  // kept\n  \"lamp\": {\"level\": 7.0, \"on\": true},\n  \"list\": [1, 2],\n}\n";

pub(crate) fn run(world: &World, arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).args(arguments).current_dir(&world.files);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Who does not read its input ends before it is all there.
    let _ = child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_refused(world: &World, arguments: &[&str], expected: i32, says: &str) {
    let before = fs::read(world.file("a.jsonc")).unwrap();
    let output = run(world, &[&["patch", "a.jsonc"], arguments].concat(), None);
    assert_eq!(status(&output), expected, "{arguments:?}: {}", said(&output));
    assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    assert_eq!(fs::read(world.file("a.jsonc")).unwrap(), before, "{arguments:?}");
}

#[test]
fn operations_are_done_in_one_step_in_the_order_of_the_command_line() {
    let world = World::new();
    let path = world.write("a.jsonc", TEXT);
    let arguments = [
        "--test",
        "/lamp/level=7",
        "--set",
        "/lamp/level=8.50",
        "--merge",
        r#"{"lamp":{"on":null}}"#,
        "--patch",
        r#"[{"op":"add","path":"/list/0","value":0}]"#,
        "--test",
        "/list=[0,1,2]",
        "--set",
        "/list/-=3",
        "--json",
    ];
    let output = run(&world, &[&["patch", "a.jsonc"], &arguments[..]].concat(), None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    let expected =
        TEXT.replace("{\"level\": 7.0, \"on\": true}", "{\"level\": 8.50}").replace("[1, 2]", "[0, 1, 2, 3]");
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["version"].as_u64(), report["changed"].as_bool()), (Some(2), Some(true)));
    let piped = run(&world, &["patch", "a.jsonc", "--merge", "-"], Some("{\"list\":null}"));
    assert_eq!((status(&piped), fs::read_to_string(&path).unwrap().contains("list")), (0, false));
}

#[test]
fn a_refusal_changes_nothing_and_says_why() {
    let world = World::new();
    world.write("a.jsonc", TEXT);
    assert_refused(
        &world,
        &["--set", "/list/-=3", "--test", "/lamp/level=8"],
        1,
        "the test of /lamp/level does not hold",
    );
    assert_refused(&world, &["--set", "/no/where=1"], 1, "there is no /no: \"\" (the whole document) is an object");
    assert_refused(&world, &["--patch", r#"[{"op":"remove","path":"/list/9"}]"#], 1, "/list is an array of 2 elements");
    assert_refused(&world, &["--set", "/list/0=NaN"], 1, "would not read");
    assert_refused(&world, &["--set", "/name=lamp"], 2, "a string needs its quotes");
    assert_refused(&world, &["--set", "lamp=1"], 2, "no JSON Pointer");
    assert_refused(&world, &["--patch", "{}"], 2, "use --merge");
    assert_refused(&world, &[], 2, "nothing to do");
    assert_refused(&world, &["--if-version", "9", "--set", "/a=1"], 1, "its newest version is 1, not 9");
}

#[test]
fn a_version_that_is_the_newest_lets_a_patch_pass_once() {
    let world = World::new();
    let path = world.write("a.json", "{\"n\":0}");
    assert_eq!(status(&run(&world, &["patch", "a.json", "--set", "/n=1"], None)), 0);
    assert_eq!(status(&run(&world, &["patch", "a.json", "--if-version", "2", "--set", "/n=2"], None)), 0);
    assert_eq!(status(&run(&world, &["patch", "a.json", "--if-version", "2", "--set", "/n=3"], None)), 1);
    assert_eq!(fs::read_to_string(path).unwrap(), "{\"n\":2}");
}

#[test]
fn what_is_no_file_is_refused_and_named() {
    let world = World::new();
    fs::create_dir(world.file("folder.json")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, world.file("pipe.json"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (name, expected, says) in
        [("folder.json", 5, "folder"), ("pipe.json", 5, "pipe"), ("none.json", 1, "not there")]
    {
        let output = run(&world, &["patch", name, "--set", "/a=1"], None);
        assert_eq!(status(&output), expected, "{name}: {}", said(&output));
        assert!(said(&output).contains(says), "{name}: {}", said(&output));
    }
    assert!(!world.file("none.json.lock").exists(), "nothing is made for what is not there");
}

#[test]
fn a_link_is_followed_and_stays_one() {
    let world = World::new();
    let path = world.write("real.json", "{\"n\":0}");
    std::os::unix::fs::symlink("real.json", world.file("link.json")).unwrap();
    assert_eq!(status(&run(&world, &["patch", "link.json", "--set", "/n=1"], None)), 0);
    assert_eq!(fs::read_to_string(path).unwrap(), "{\"n\":1}");
    assert!(world.file("link.json").is_symlink());
}

#[test]
fn a_holder_that_never_leaves_is_named_when_the_time_is_over() {
    let world = World::new();
    world.write("a.json", "{\"n\":0}");
    let mut holder = std::process::Command::new("flock");
    let Ok(mut holder) = holder.arg(world.file("a.json.lock")).args(["sleep", "60"]).spawn() else {
        return skip("flock(1)", "a holder of the lock");
    };
    crate::support::wait_until(crate::support::LIMIT, "flock holds the lock", || {
        let output = run(&world, &["patch", "a.json", "--lock-timeout", "0s", "--test", "/n=0"], None);
        status(&output) == 4
    });
    let output = run(&world, &["patch", "a.json", "--lock-timeout", "200ms", "--set", "/n=1"], None);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(status(&output), 4, "{}", said(&output));
    assert!(said(&output).contains("a.json.lock"), "{}", said(&output));
    assert_eq!(fs::read_to_string(world.file("a.json")).unwrap(), "{\"n\":0}");
}

#[test]
fn a_damaged_document_is_repaired_first() {
    let world = World::new();
    let path = world.write("a.json", "{\"n\":0,\"m\":5}");
    let config = world.root.join("c.toml");
    fs::write(&config, "[defaults]\nsettle = \"100ms\"\n").unwrap();
    let config = config.to_str().unwrap();
    assert_eq!(status(&run(&world, &["-c", config, "patch", "a.json", "--set", "/n=1"], None)), 0);
    fs::write(&path, "{\"n\":").unwrap();
    let output = run(&world, &["-c", config, "patch", "a.json", "--set", "/k=2"], None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":1,\"m\":5,\"k\":2}");
}

#[test]
fn what_may_be_neither_replaced_nor_written_is_refused_with_77_and_stays() {
    if !is_root() {
        return skip("a file of somebody else's", "not root");
    }
    let world = World::new();
    let path = world.write("a.json", "{\"n\":0}");
    fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(&world.state).unwrap();
    chown(&world.state, Some(STRANGER), Some(STRANGER)).unwrap();
    for lock in ["auto", "none"] {
        let config = world.root.join("jsonwarden.toml");
        fs::write(&config, format!("[defaults]\nlock = \"{lock}\"\n")).unwrap();
        let mut command = command();
        command.arg("--state-dir").arg(&world.state).arg("-c").arg(&config).args(["patch", "a.json", "--set", "/n=1"]);
        command.env("HOME", "/nowhere").current_dir(&world.files).uid(STRANGER).gid(STRANGER);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(status(&output), 77, "{}", said(&output));
        assert!(said(&output).contains("a.json"), "{}", said(&output));
        assert_eq!(fs::read(&path).unwrap(), b"{\"n\":0}");
        assert_eq!(fs::read_dir(&world.files).unwrap().count(), 1, "nothing is left beside it");
    }
}

#[test]
fn a_daemon_takes_a_patch_for_what_it_is() {
    let world = World::new();
    let path = world.write("a.json", "{\"n\":0}");
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&path, b"{\"n\":0}");
    for n in 1..=5 {
        assert_eq!(status(&run(&world, &["patch", "a.json", "--set", &format!("/n={n}")], None)), 0);
    }
    assert_eq!(fs::read_to_string(Path::new(&path)).unwrap(), "{\"n\":5}");
    daemon.wait_state(&path, "healthy");
    assert!(daemon.state.incidents_of(&path, "corrupted").is_empty());
}
