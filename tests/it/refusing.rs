//! What `write`, `patch` and `publish` refuse: each with its exit status and its own words, and nothing is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::patching::{run, said, status};
use crate::support::{IMAGES, Mount, World, is_root, skip};

/// Each of them, on a document of this size or larger.
fn all_writers(world: &World, path: &Path, bytes: usize) -> Vec<Output> {
    let (path, long) = (path.to_str().unwrap(), "x".repeat(bytes));
    let text = format!("{{\"long\": \"{long}\", \"events\": []}}");
    let event = format!("{{\"type\": \"t\", \"data\": \"{}\"}}\n", "y".repeat(bytes));
    vec![
        run(world, &["write", path], Some(&text)),
        run(world, &["patch", path, "--merge", "-"], Some(&text)),
        run(world, &["publish", path, "-"], Some(&event)),
    ]
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

const SHORT: &str = "{\"n\": 1, \"events\": []}\n";

#[test]
fn on_a_full_disk_nothing_is_changed_and_it_is_said_that_there_is_no_room() {
    for kind in ["tmpfs", "ext4"] {
        let world = World::new();
        let image = IMAGES.iter().find(|image| image.kind == kind);
        let mount = match image {
            Some(image) => Mount::image(&world.files, image),
            None => Mount::tmpfs(&world.files, "size=4m"),
        };
        let Some(mount) = mount else { continue };
        let path = world.write("a.json", SHORT);
        assert_eq!(status(&run(&world, &["patch", "a.json", "--test", "/n=1"], None)), 0);
        mount.fill();
        let before = names(&world.files);
        for output in all_writers(&world, &path, 200_000) {
            let said = said(&output);
            assert_eq!(status(&output), 74, "{kind}: {said}");
            assert!(
                said.contains("writing ") && said.contains("no room") && !said.contains("repair"),
                "{kind}: {said}"
            );
            assert_eq!(said.matches("a.json:").count(), 1, "{kind}: {said}");
            assert_eq!(fs::read_to_string(&path).unwrap(), SHORT);
            assert_eq!(names(&world.files), before, "{kind}");
        }
        mount.empty();
        assert_eq!(status(&run(&world, &["publish", "a.json", "{\"type\": \"t\"}"], None)), 0, "{kind}");
    }
}

#[test]
fn where_the_versions_have_no_room_nothing_is_changed_either() {
    let world = World::new();
    let Some(mount) = Mount::tmpfs(&world.state, "size=4m") else { return };
    let path = world.write("a.json", SHORT);
    assert_eq!(status(&run(&world, &["patch", "a.json", "--test", "/n=1"], None)), 0);
    mount.fill();
    for output in all_writers(&world, &path, 200_000) {
        let said = said(&output);
        assert_eq!(status(&output), 74, "{said}");
        assert!(said.contains("no room") && said.contains(world.state.to_str().unwrap()), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), SHORT);
    }
}

#[test]
fn what_is_immutable_or_append_only_is_refused_as_such() {
    for flag in ["i", "a"] {
        let world = World::new();
        let path = world.write("a.json", SHORT);
        let change = |sign: &str| {
            let ended = Command::new("chattr").arg(format!("{sign}{flag}")).arg(&path).status();
            ended.is_ok_and(|ended| ended.success())
        };
        if !is_root() || !change("+") {
            return skip("an immutable file", "chattr(1) needs root, and a file system that knows it");
        }
        let outputs = all_writers(&world, &path, 10);
        assert!(change("-"));
        for output in outputs {
            assert_eq!(status(&output), 5, "{}", said(&output));
            assert!(said(&output).contains("chattr"), "{}", said(&output));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), SHORT);
    }
}

#[test]
fn names_that_are_no_documents_are_refused() {
    let world = World::new();
    world.write("a.json", SHORT);
    world.write("plain", SHORT);
    fs::create_dir(world.file("folder")).unwrap();
    assert_eq!(status(&run(&world, &["patch", "a.json", "--test", "/n=1"], None)), 0);
    let inside = world.state.join("backups/x.json");
    for (name, says) in [
        ("a.json.lock", "the lock file of a.json"),
        ("plain.lock", "the lock file of plain"),
        ("gone.json.lock", "the lock file of gone.json"),
        (".jsonwarden-0123456789abcdef-1.json", "jsonwarden's own"),
        (".jsonwarden-spare", "jsonwarden's own"),
        (inside.to_str().unwrap(), "state directory"),
        ("new.json/", "names a folder"),
        ("folder/", "names a folder"),
    ] {
        let output = run(&world, &["write", name], Some("{}"));
        assert_eq!(status(&output), 2, "{name}: {}", said(&output));
        assert!(said(&output).contains(says), "{name}: {}", said(&output));
    }
    assert!(!inside.exists() && !world.file("new.json").exists());
    assert_eq!(fs::read(world.file("a.json.lock")).unwrap(), b"", "the lock is as it was");
    let output = run(&world, &["write", "composer.lock"], Some("{}"));
    assert_eq!(status(&output), 0, "some lock files are documents themselves: {}", said(&output));
}
