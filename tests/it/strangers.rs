//! Root among strangers, on the real binary: what a folder's owner plays with names gets nothing out of us that is not theirs.

use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{LIMIT, Launch, STRANGER, World, command, is_root, skip, wait_until};

const GOOD: &str = "{\"whose\": \"theirs\"}";
const SECRET: &str = "{\"whose\": \"root's\"}";

/// A folder of a stranger's, with a document of theirs, and a file of root's outside.
fn strange() -> Option<(World, PathBuf, PathBuf)> {
    if !is_root() {
        skip("root among strangers", "the tests do not run as root");
        return None;
    }
    let world = World::new();
    let path = world.write("a.json", GOOD);
    for path in [&world.files, &path] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let outside = world.root.join("outside");
    fs::create_dir(&outside).unwrap();
    let secret = outside.join("a.json");
    fs::write(&secret, SECRET).unwrap();
    Some((world, path, secret))
}

fn is_kept_anywhere(world: &World, bytes: &str) -> bool {
    let mut folders = vec![world.state.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).is_ok_and(|held| held == bytes.as_bytes()) {
                return true;
            }
        }
    }
    false
}

fn relink(link: &Path, target: &Path) {
    // Theirs before it has the name: one of root's would be followed.
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    lchown(&new, Some(STRANGER), Some(STRANGER)).unwrap();
    fs::rename(&new, link).unwrap();
}

#[test]
fn a_document_that_its_owner_makes_a_link_to_root_s_file_is_unreadable_and_says_why() {
    let Some((world, path, secret)) = strange() else { return };
    let daemon = Launch::new(&world)
        .config(&world, &format!("sweep_interval = \"1s\"\n[[watch]]\nname = \"test\"\npaths = [{path:?}]\n"))
        .start();
    daemon.wait_stored(&path, GOOD.as_bytes());
    relink(&path, &secret);
    daemon.wait_state(&path, "unreadable");
    wait_until(LIMIT, "three more sweeps", || daemon.count("sweep_duration_seconds_count", &[]) >= 3);
    assert!(daemon.log_text().contains("does not own what this link leads to"), "{}", daemon.log_text());
    assert_eq!(daemon.state_of(&secret), None);
    assert!(!is_kept_anywhere(&world, SECRET));

    let theirs = world.write("b.json", "{\"whose\": \"theirs, too\"}");
    chown(&theirs, Some(STRANGER), None).unwrap();
    relink(&path, &theirs);
    daemon.wait_stored(&theirs, b"{\"whose\": \"theirs, too\"}");
    wait_until(LIMIT, "the link is no document", || daemon.state_of(&path).is_none());
}

#[test]
fn a_command_of_root_s_does_not_follow_a_stranger_s_link_to_root_s_file() {
    let Some((world, path, secret)) = strange() else { return };
    let daemon = Launch::new(&world).arg(&secret).start();
    daemon.wait_stored(&secret, SECRET.as_bytes());
    daemon.terminate();
    fs::write(&secret, "{").unwrap();
    relink(&path, &secret);
    for verb in [&["repair"][..], &["restore"], &["accept"], &["history"]] {
        let ended = command().args(verb).arg(&path).arg("--state-dir").arg(&world.state).output().unwrap();
        assert_eq!(ended.status.code(), Some(5), "{verb:?}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(fs::read_to_string(&secret).unwrap(), "{");
    }
}
