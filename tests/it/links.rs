//! A guarded path that is a link stays one: the file that it leads to is guarded, and another file when it leads elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

fn launch(world: &World, path: &Path) -> Daemon {
    let path = path.to_str().unwrap();
    let settings = format!("sweep_interval = \"1s\"\n[[watch]]\nname = \"test\"\npaths = [{path:?}]\n");
    Launch::new(world).config(world, &settings).start()
}

/// A file outside the folder of links.
fn outside(world: &World, name: &str, generation: u64) -> PathBuf {
    let path = world.root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, document(generation, 1_000)).unwrap();
    path
}

/// Damages what the path leads to, and waits until it is whole again.
#[track_caller]
fn assert_repaired(path: &Path, generation: u64) {
    fs::write(path, "{\"torn").unwrap();
    wait_until(LIMIT, &format!("{} is whole again", path.display()), || holds(path, generation));
}

fn holds(path: &Path, generation: u64) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes == document(generation, 1_000))
}

/// As `ln -sfn` does it.
fn point(link: &Path, target: &Path) {
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

#[test]
fn a_chain_of_links_through_linked_folders_stays_and_its_end_is_repaired() {
    let world = World::new();
    let target = outside(&world, "real/deep/a.json", 1);
    symlink(world.root.join("real"), world.file("folder")).unwrap();
    symlink("folder/deep/../deep/a.json", world.file("second")).unwrap();
    symlink(world.file("second"), world.file("first")).unwrap();
    let links = || ["folder", "second", "first"].map(|name| fs::read_link(world.file(name)).unwrap());
    let before = links();
    let daemon = launch(&world, &world.file("first"));
    daemon.wait_stored(&target, &document(1, 1_000));
    assert_repaired(&world.file("first"), 1);
    assert!(holds(&target, 1));
    daemon.wait_state(&target, "healthy");
    assert_eq!(links(), before);
}

#[test]
fn a_link_that_is_pointed_elsewhere_guards_another_document_and_the_first_one_s_versions_stay() {
    let world = World::new();
    let (one, other) = (outside(&world, "one/a.json", 1), outside(&world, "other/a.json", 2));
    let link = world.file("a.json");
    symlink(&one, &link).unwrap();
    let daemon = launch(&world, &link);
    daemon.wait_stored(&one, &document(1, 1_000));
    point(&link, &other);
    daemon.wait_stored(&other, &document(2, 1_000));
    wait_until(LIMIT, "the first is guarded no longer", || daemon.state_of(&one).is_none());
    assert_repaired(&link, 2);
    assert!(holds(&other, 2) && holds(&one, 1), "the first file is left alone");
    assert_eq!(fs::read_link(&link).unwrap(), other);
    assert!(daemon.state.newest_is(&one, &document(1, 1_000)), "each has a history of its own");
    assert_eq!(daemon.state.versions(&other)[0].bytes, document(2, 1_000));

    point(&link, &one);
    daemon.wait_state(&one, "healthy");
    assert_repaired(&link, 1);
    assert!(holds(&one, 1) && holds(&other, 2));
}

#[test]
fn a_linked_folder_that_is_pointed_elsewhere_is_followed() {
    let world = World::new();
    let (one, other) = (outside(&world, "one/a.json", 1), outside(&world, "other/a.json", 2));
    let link = world.file("current");
    symlink(one.parent().unwrap(), &link).unwrap();
    let daemon = launch(&world, &link);
    daemon.wait_stored(&one, &document(1, 1_000));
    point(&link, other.parent().unwrap());
    daemon.wait_stored(&other, &document(2, 1_000));
    assert_repaired(&link.join("a.json"), 2);
    wait_until(LIMIT, "the first is guarded no longer", || daemon.state_of(&one).is_none());
    assert!(holds(&one, 1) && daemon.state.newest_is(&one, &document(1, 1_000)));
}

#[test]
fn a_link_that_leads_nowhere_is_missing_until_it_leads_somewhere() {
    let world = World::new();
    let target = outside(&world, "a.json", 1);
    fs::remove_file(&target).unwrap();
    let link = world.file("a.json");
    symlink(&target, &link).unwrap();
    let daemon = launch(&world, &link);
    daemon.wait_state(&target, "missing");
    assert!(daemon.log_text().contains("a link leads to"), "{}", daemon.log_text());
    fs::write(&target, document(1, 1_000)).unwrap();
    daemon.wait_stored(&target, &document(1, 1_000));
    assert_repaired(&link, 1);
    assert_eq!(fs::read_link(&link).unwrap(), target);

    fs::remove_file(&target).unwrap();
    daemon.wait_state(&target, "missing");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && !target.exists());
}

#[test]
fn a_file_that_becomes_a_link_is_the_file_that_it_leads_to() {
    let world = World::new();
    let path = world.write("a.json", document(1, 1_000));
    let target = outside(&world, "real.json", 2);
    let daemon = launch(&world, &path);
    daemon.wait_stored(&path, &document(1, 1_000));
    point(&path, &target);
    daemon.wait_stored(&target, &document(2, 1_000));
    assert_repaired(&path, 2);
    assert_eq!(fs::read_link(&path).unwrap(), target);
    assert!(daemon.state.newest_is(&path, &document(1, 1_000)), "its versions stay");
}

#[test]
fn by_hand_a_linked_folder_and_a_link_to_what_is_gone_are_what_they_lead_to() {
    let world = World::new();
    let file = outside(&world, "real/a.json", 1);
    let (folder, link) = (world.file("folder"), world.file("link.json"));
    symlink(file.parent().unwrap(), &folder).unwrap();
    symlink(&file, &link).unwrap();
    let daemon = launch(&world, &folder);
    daemon.wait_stored(&file, &document(1, 1_000));
    daemon.terminate();
    let by_hand = |arguments: &[&str]| {
        let ended = command()
            .args(arguments)
            .arg("--state-dir")
            .arg(&world.state)
            .arg("--config")
            .arg(world.root.join("jsonwarden.toml"))
            .output()
            .unwrap();
        assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    };
    fs::write(&file, "{\"torn").unwrap();
    by_hand(&["repair"]);
    assert!(holds(&file, 1), "repair finds what the configuration names through a link");
    fs::remove_file(&file).unwrap();
    by_hand(&["restore", link.to_str().unwrap()]);
    assert!(holds(&file, 1) && fs::symlink_metadata(&link).unwrap().is_symlink());
}
