//! A root with nothing in it but the program: what the image is without what a container runtime adds.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{LIMIT, Launch, World, command, is_root, skip, wait_until};

/// The same command, where nothing is at /proc.
fn without_proc(command: &mut Command) {
    let mut bare = Command::new("unshare");
    bare.args(["--mount", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"]);
    bare.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bare.env(name, value),
            None => bare.env_remove(name),
        };
    }
    bare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    *command = bare;
}

#[test]
fn without_proc_it_guards_and_answers() {
    if !is_root() {
        return skip("a root without /proc", "not root");
    }
    let world = World::new();
    let path = world.write("a.json", "{\"lamp\": \"on\"}");
    let config = format!("[[watch]]\nname = \"test\"\npaths = [{:?}]\nsettle = \"200ms\"\n", world.files);
    let _daemon = Launch::new(&world).config(&world, &config).with(without_proc).start();
    fs::write(&path, "{\"lamp\": ").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&path).is_ok_and(|bytes| bytes == b"{\"lamp\": \"on\"}"));
    let mut ask = command();
    ask.arg("status").env("RUNTIME_DIRECTORY", &world.run);
    without_proc(&mut ask);
    let output = ask.stdout(Stdio::piped()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("from the daemon at"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("a.json"), "{output:?}");
}
