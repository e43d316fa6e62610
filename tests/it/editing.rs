//! `edit` with editors that are scripts: what is valid is shown and written, what is not is kept, and what nobody confirms goes back.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::patching::{said, status};
use crate::support::{LIMIT, World, command, wait_until};

const TEXT: &str = "{\n  \"lamp\": 7.0,\n  \"name\": \"x\"\n}\n";

/// An editor that runs this script; `$1` is the copy.
fn editor(world: &World, script: &str) -> String {
    let path = world.root.join("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn edit(world: &World, editor: &str, arguments: &[&str]) -> Command {
    fs::create_dir_all(world.root.join("tmp")).unwrap();
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).args(["edit", "a.json"]).args(arguments).current_dir(&world.files);
    command.env("TMPDIR", world.root.join("tmp")).env_remove("VISUAL").env("EDITOR", editor).stdout(Stdio::piped());
    command
}

fn copies(world: &World) -> Vec<PathBuf> {
    fs::read_dir(world.root.join("tmp")).unwrap().map(|entry| entry.unwrap().path().join("a.json")).collect()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_the_editor_leaves_is_shown_and_written() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    let script = "test \"$1\" = -x && shift; stat -c %a \"$1\" > \"$TMPDIR/../mode\"; sed -i 's/7.0/8.50/' \"$1\"";
    let output = edit(&world, &format!("{} -x", editor(&world, script)), &[]).output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), TEXT.replace("7.0", "8.50"));
    assert!(printed(&output).contains("/lamp") && printed(&output).contains("8.50"), "{}", printed(&output));
    assert_eq!(fs::read_to_string(world.root.join("mode")).unwrap(), "600\n", "nobody else may read the copy");
    assert!(copies(&world).is_empty());
}

#[test]
fn what_is_not_changed_is_not_written() {
    let world = World::new();
    world.write("a.json", TEXT);
    let output = edit(&world, "true", &[]).output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert!(printed(&output).contains("nothing changed"));
    assert!(copies(&world).is_empty());
}

#[test]
fn what_is_not_valid_is_kept_and_named_and_changes_nothing() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    let output = edit(&world, &editor(&world, "echo '{' > \"$1\""), &[]).output().unwrap();
    assert_eq!(status(&output), 1, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), TEXT);
    let kept = copies(&world).remove(0);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "{\n");
    assert!(said(&output).contains(&kept.display().to_string()), "{}", said(&output));
}

#[test]
fn where_nothing_was_written_nothing_is_kept() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    for script in ["exit 3", "rm \"$1\""] {
        let output = edit(&world, &editor(&world, script), &[]).output().unwrap();
        assert_eq!(status(&output), 1, "{}", said(&output));
        assert!(!said(&output).contains("kept"), "{}", said(&output));
        assert!(copies(&world).is_empty(), "{script}");
    }
    let output = edit(&world, "/no/such/editor", &[]).output().unwrap();
    assert_eq!(status(&output), 1, "{}", said(&output));
    assert!(!said(&output).contains("kept") && copies(&world).is_empty(), "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), TEXT);
}

#[test]
fn an_empty_variable_hides_no_other() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    let output = edit(&world, &editor(&world, "sed -i 's/7.0/9/' \"$1\""), &[]).env("VISUAL", "").output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), TEXT.replace("7.0", "9"));
}

#[test]
fn an_interrupt_is_the_editor_s_and_not_the_end_of_us() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    let script =
        "touch \"$TMPDIR/../up\"; while test -e \"$TMPDIR/../up\"; do sleep 0.02; done; sed -i 's/7.0/9/' \"$1\"";
    let child = edit(&world, &editor(&world, script), &[]).spawn().unwrap();
    wait_until(LIMIT, "the editor is up", || world.root.join("up").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    fs::remove_file(world.root.join("up")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), TEXT.replace("7.0", "9"));
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    let world = World::new();
    let path = world.write("a.json", TEXT);
    let script = format!("sed -i 's/7.0/8/' \"$1\"; echo '{{\"lamp\": 9}}' > {}", path.display());
    let output = edit(&world, &editor(&world, &script), &[]).output().unwrap();
    assert_eq!(status(&output), 1, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), "{\"lamp\": 9}\n");
    assert!(said(&output).contains("meanwhile"), "{}", said(&output));
    assert_eq!(copies(&world).len(), 1);
}

/// Starts an edit that waits to be confirmed.
fn waiting(world: &World, within: &str) -> Child {
    let path = world.write("a.json", TEXT);
    let editor = editor(world, "sed -i 's/7.0/8.50/' \"$1\"");
    let child = edit(world, &editor, &["--confirm", within]).stdin(Stdio::piped()).spawn().unwrap();
    wait_until(LIMIT, "it is written", || fs::read_to_string(&path).unwrap().contains("8.50"));
    child
}

#[test]
fn a_confirmed_edit_stays() {
    let world = World::new();
    let mut child = waiting(&world, "5m");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert!(fs::read_to_string(world.file("a.json")).unwrap().contains("8.50"));
}

#[test]
fn what_nobody_confirms_goes_back() {
    let world = World::new();
    let mut child = waiting(&world, "300ms");
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(status(&output), 1, "{}", said(&output));
    assert_eq!(fs::read_to_string(world.file("a.json")).unwrap(), TEXT);
}

#[test]
fn when_the_terminal_goes_away_it_goes_back_too() {
    let hang_up = |child: &mut Child| kill_process(Pid::from_child(child), Signal::HUP).unwrap();
    let close = |child: &mut Child| drop(child.stdin.take());
    let refuse = |child: &mut Child| child.stdin.take().unwrap().write_all(b"no\n").unwrap();
    for way in [&hang_up as &dyn Fn(&mut Child), &close, &refuse] {
        let world = World::new();
        let mut child = waiting(&world, "5m");
        // The signal is handled once the question is asked.
        std::thread::sleep(Duration::from_millis(300));
        way(&mut child);
        wait_until(LIMIT, "the old text is back", || fs::read_to_string(world.file("a.json")).unwrap() == TEXT);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(status(&ended), 1, "{}", said(&ended));
    }
}
