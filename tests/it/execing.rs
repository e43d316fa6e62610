//! `exec` as containers use it: whole files first, then the command, its signals and its status.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::patching::{run, said, status};
use crate::support::{LIMIT, World, command, is_root, skip, wait_until};

const GOOD: &str = "{\"lamp\": \"on\"}";

/// A world with a file that has a version, and is damaged now.
fn damaged() -> World {
    let world = World::new();
    let path = world.write("a.json", GOOD);
    assert_eq!(status(&run(&world, &["patch", "a.json", "--test", "/lamp=\"on\""], None)), 0);
    fs::write(path, "{\"lamp\": \"o").unwrap();
    world
}

fn exec(world: &World, arguments: &[&str]) -> Command {
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).args(["exec", "--listen", ""]).args(arguments);
    command.current_dir(&world.files).env("JSONWARDEN_LOG", "warn").env("RUNTIME_DIRECTORY", &world.run);
    command
}

#[test]
fn the_command_finds_its_files_whole_and_its_status_is_ours() {
    let world = damaged();
    let output =
        exec(&world, &["a.json", "--", "sh", "-c", "cat a.json; exit 7"]).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(status(&output), 7, "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), GOOD, "nothing else is printed");
    let output = exec(&world, &["a.json", "--", "sh", "-c", "kill -KILL $$"]).output().unwrap();
    assert_eq!(status(&output), 137, "{}", said(&output));
}

#[test]
fn what_is_damaged_while_the_command_runs_is_repaired() {
    let world = World::new();
    let path = world.write("a.json", GOOD);
    let script = "printf '{\"lamp\": \"o' > a.json; for i in $(seq 300); do grep -q on a.json && exit 0; sleep 0.1; done; exit 9";
    let output = exec(&world, &["a.json", "--", "sh", "-c", script]).output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), GOOD);
}

#[test]
fn nothing_is_started_on_a_file_that_cannot_be_repaired_unless_it_is_forced() {
    let world = World::new();
    world.write("a.json", "{\"lamp\": \"o");
    let output = exec(&world, &["a.json", "--", "touch", "started"]).output().unwrap();
    assert_eq!(status(&output), 5, "{}", said(&output));
    assert!(!world.file("started").exists());
    let output = exec(&world, &["--force", "a.json", "--", "touch", "started"]).output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert!(world.file("started").exists());
}

#[test]
fn with_force_the_command_starts_though_nothing_is_named_to_guard() {
    let world = World::new();
    let output = exec(&world, &["--force", "--", "sh", "-c", "exit 3"]).output().unwrap();
    assert_eq!(status(&output), 3, "{}", said(&output));
    assert!(said(&output).contains("nothing to guard"), "{}", said(&output));
}

/// Runs until a file is there.
const UNTIL: &str = "touch up; for i in $(seq 3000); do test -e over && exit 0; sleep 0.02; done; exit 9";

#[test]
fn beside_another_with_the_same_files_and_state_directory_it_runs_and_takes_over() {
    let world = damaged();
    let path = world.file("a.json");
    let mut first = exec(&world, &["a.json", "--", "sh", "-c", UNTIL]).stderr(Stdio::null()).spawn().unwrap();
    wait_until(LIMIT, "the first is up", || world.file("up").exists());
    let second = "cat a.json; touch second; for i in $(seq 3000); do test -e end && exit 7; sleep 0.02; done";
    let second =
        exec(&world, &["a.json", "--", "sh", "-c", second]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let second = second.unwrap();
    wait_until(LIMIT, "the second is up", || world.file("second").exists());
    fs::write(world.file("over"), "").unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(0));
    fs::write(&path, "{\"lamp\": \"o").unwrap();
    wait_until(LIMIT, "the second guards now", || fs::read_to_string(&path).unwrap() == GOOD);
    fs::write(world.file("end"), "").unwrap();
    let output = second.wait_with_output().unwrap();
    assert_eq!((status(&output), String::from_utf8_lossy(&output.stdout).as_ref()), (7, GOOD), "{}", said(&output));
    assert!(said(&output).contains("guarded by the daemon"), "{}", said(&output));
}

#[test]
fn beside_another_that_has_other_files_it_is_refused_once_unless_it_is_forced() {
    let world = damaged();
    world.write("b.json", GOOD);
    let mut first = exec(&world, &["a.json", "--", "sh", "-c", UNTIL]).stderr(Stdio::null()).spawn().unwrap();
    wait_until(LIMIT, "the first is up", || world.file("up").exists());
    let output = exec(&world, &["b.json", "--", "touch", "started"]).output().unwrap();
    assert_eq!(status(&output), 4, "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("b.json") && !world.file("started").exists(), "{told}");
    assert_eq!(told.matches("another jsonwarden").count(), 1, "{told}");
    let output = exec(&world, &["--force", "b.json", "--", "touch", "started"]).output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert!(world.file("started").exists());
    fs::write(world.file("over"), "").unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_started_is_a_usage_error() {
    let world = World::new();
    world.write("a.json", GOOD);
    for arguments in [&["--", "true"][..], &["a.json"], &["a.json", "--", "/no/such/program"]] {
        let output = exec(&world, arguments).output().unwrap();
        assert_eq!(status(&output), 2, "{arguments:?}: {}", said(&output));
    }
    assert!(
        !world.run.join("control.sock").exists() && !world.state.join("control.sock").exists(),
        "the guard has ended"
    );
}

#[test]
fn signals_are_passed_on() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")] {
        let world = World::new();
        world.write("a.json", GOOD);
        let script = format!("trap 'echo {name}; exit 3' {name}; echo up; while :; do sleep 0.05; done");
        let mut child = exec(&world, &["a.json", "--", "sh", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "up");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), name);
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
}

#[test]
fn as_process_1_it_reaps_what_has_no_parent_left() {
    let world = World::new();
    world.write("a.json", GOOD);
    let unshare = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).stderr(Stdio::null()).status();
    if !is_root() || !unshare.is_ok_and(|status| status.success()) {
        return skip("exec as process 1", "it needs root and unshare(1)");
    }
    // The orphan ends at once; whether a zombie is left of it is seen in its own name space.
    let script = "(sh -c 'exit 0' & ); sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status && exit 9; exit 4";
    let inner = exec(&world, &["a.json", "--", "sh", "-c", script]);
    let mut outer = Command::new("unshare");
    outer.args(["-pf", "--mount-proc"]).arg(inner.get_program()).args(inner.get_args()).current_dir(&world.files);
    let output = outer.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(status(&output), 4, "{}{}", String::from_utf8_lossy(&output.stdout), said(&output));
}

#[test]
fn repair_before_the_first_start_needs_neither_daemon_nor_state_directory() {
    let world = World::new();
    let path = world.write("a.json", GOOD);
    let config = world.root.join("c.toml");
    fs::write(&config, format!("[[watch]]\nname = \"a\"\npaths = [{:?}]\n", path.display().to_string())).unwrap();
    let arguments = ["-c", config.to_str().unwrap(), "repair", "--offline"];
    let output = run(&world, &arguments, None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    fs::write(&path, "{").unwrap();
    let output = run(&world, &arguments, None);
    assert_eq!(status(&output), 5, "{}", said(&output));
    fs::remove_file(&path).unwrap();
    wait_until(LIMIT, "a file that is not there is no damage", || status(&run(&world, &arguments, None)) == 0);
}
