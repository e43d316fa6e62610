//! Where configured paths lead, and whose a file is.

use std::fs;

use super::*;

#[test]
fn the_folder_that_is_configured_may_be_removed_and_made_again() {
    let folder = Folder::new();
    let file = folder.write("top/a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(folder.at("top"))])], OFTEN, true);
    fs::remove_dir_all(folder.at("top")).unwrap();
    stage.until(&file, |sight| matches!(sight, Sight::Missing | Sight::DirectoryMissing));
    stage.until(&file, is_gone);
    folder.write("top/a.json", "[]");
    stage.until_present(&file);
}

#[test]
fn another_folder_at_the_same_path_is_noticed() {
    let folder = Folder::new();
    let file = folder.write("top/a.json", "{}");
    folder.write("other/a.json", "[1]");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(folder.at("top"))])], OFTEN, true);
    fs::rename(folder.at("top"), folder.at("away")).unwrap();
    fs::rename(folder.at("other"), folder.at("top")).unwrap();
    let seen = stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == 3));
    let Some(Observation::Document { directory, .. }) = seen.last() else { panic!() };
    let found = Disk::default().look(directory, file.file_name().unwrap()).unwrap().unwrap();
    assert_eq!(found.bytes, 3);
    // What happens in the old folder is no longer ours; what happens in the new one is.
    folder.write("away/a.json", "[1, 2, 3, 4]");
    folder.write("top/b.json", "{}");
    let seen = stage.until_present(&folder.at("top/b.json"));
    assert!(!sights(&seen, &file).iter().any(|sight| matches!(sight, Sight::Present(found) if found.bytes == 12)));
}

#[test]
fn the_first_watch_that_matches_has_the_file() {
    let folder = Folder::new();
    folder.write("a.json", "{}");
    folder.write("b.json", "{}");
    let watches = vec![watch("literal", vec![path(folder.at("a.json"))]), watch("folder", vec![path(&folder.path)])];
    let (mut stage, seen) = Stage::start(watches, NEVER, true);
    let owners = owners(&seen);
    assert_eq!(owners[&folder.at("a.json")], ("literal".to_owned(), true));
    assert_eq!(owners[&folder.at("b.json")], ("folder".to_owned(), false));
    let seen = stage.until_present(&folder.write("c.json", "{}"));
    assert_eq!(self::owners(&seen)[&folder.at("c.json")].0, "folder");
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_another_document() {
    let folder = Folder::new();
    let (one, two) = (folder.write("data/one.json", "{}"), folder.write("data2/two.json", "{}"));
    let link = folder.at("link.json");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let (mut stage, seen) = Stage::start(vec![watch("w", vec![path(&link)])], OFTEN, true);
    assert_eq!(owners(&seen)[&one], ("w".to_owned(), true));
    std::os::unix::fs::symlink(&two, folder.at("next")).unwrap();
    fs::rename(folder.at("next"), &link).unwrap();
    stage.until_all(&[(&two, &is_present), (&one, &is_gone)]);
    // A file where the link was is a document of its own.
    fs::rename(folder.write("plain", "{}"), &link).unwrap();
    stage.until_all(&[(&link, &is_present), (&two, &is_gone)]);
    // And a link where the file was leads on at once.
    std::os::unix::fs::symlink(&one, folder.at("next")).unwrap();
    fs::rename(folder.at("next"), &link).unwrap();
    stage.until_all(&[(&one, &is_present), (&link, &is_gone)]);
}

#[test]
fn links_that_lead_nowhere_are_told_and_missing() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("gone.json", folder.at("dangling.json")).unwrap();
    std::os::unix::fs::symlink("loop.json", folder.at("loop.json")).unwrap();
    let paths = ["dangling.json", "loop.json", "no/such.json", "plain.json"].map(|name| path(folder.at(name)));
    let (mut stage, seen) = Stage::start(vec![watch("w", paths.to_vec())], OFTEN, true);
    for (name, sight) in [
        ("gone.json", Sight::Missing),
        ("loop.json", Sight::Missing),
        ("no/such.json", Sight::DirectoryMissing),
        ("plain.json", Sight::Missing),
    ] {
        assert_eq!(sights(&seen, &folder.at(name)), [&sight], "{name}");
    }
    let is_nothing = |fact: &&Fact| matches!(fact, Fact::NothingFound { .. });
    assert_eq!(stage.facts().iter().filter(is_nothing).count(), 4);
    // Each is said once, not at every sweep.
    let again = stage.until_swept(3);
    assert!(owners(&again).is_empty(), "{again:?}");
    assert_eq!(stage.facts().iter().filter(is_nothing).count(), 0);
    stage.until_present(&folder.write("no/such.json", "{}"));
    stage.until_present(&folder.write("gone.json", "{}"));
}

#[test]
fn a_pattern_without_files_is_told_once() {
    let folder = Folder::new();
    folder.write("a.txt", "");
    let watches = vec![watch("w", vec![glob(&folder.path, "*.json", Some(0)), path(folder.at("a.txt"))])];
    let mut stage = Stage::launch(watches, OFTEN, true, 64);
    stage.until_fact(|fact| matches!(fact, Fact::NothingFound { path, .. } if path.ends_with("*.json")));
    stage.until_fact(|fact| matches!(fact, Fact::Swept { documents: 1, .. }));
    assert!(!stage.facts().iter().any(|fact| matches!(fact, Fact::NothingFound { .. })));
}
