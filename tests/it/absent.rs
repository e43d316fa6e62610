//! Files that are not there: told, put back where the rules say so, and never where a folder is another than it was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, Mount, World, document, wait_until};

/// A daemon with one watch of these paths.
fn guard(world: &World, paths: &[&str], keys: &str) -> Daemon {
    let paths: Vec<String> = paths.iter().map(|path| format!("\"{}\"", world.file(path).display())).collect();
    let text = format!(
        "sweep_interval = \"500ms\"\n[[watch]]\nname = \"w\"\nsettle = \"100ms\"\npaths = [{}]\n{keys}\n",
        paths.join(", ")
    );
    Launch::new(world).config(world, &text).start()
}

/// The folder that it is in is written down.
fn wait_noted(daemon: &Daemon, file: &Path) {
    let folder = format!("{}@", daemon.state.0.join("backups").join(file.strip_prefix("/").unwrap()).display());
    wait_until(LIMIT, "its place is noted", || Path::new(&folder).join("place").exists());
}

fn entry(daemon: &Daemon, file: &Path) -> Value {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let mut found = files.as_array().unwrap().iter().filter(|one| one["path"].as_str().map(Path::new) == Some(file));
    found.next().cloned().unwrap_or_default()
}

fn is_missing(daemon: &Daemon, file: &Path, reason: Option<&str>) -> bool {
    let entry = entry(daemon, file);
    entry["state"] == "missing" && entry["reason"].as_str() == reason
}

#[test]
fn a_missing_file_is_put_back_with_all_that_it_had_once_it_has_been_missing_for_ten_seconds() {
    let world = World::new();
    let good = document(1, 6_000);
    let file = world.write("a.json", &good);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
    let has_attribute = setxattr(&file, c"user.note", b"keep me", XattrFlags::empty()).is_ok();
    let daemon = guard(&world, &["*.json"], "on_missing = \"restore\"");
    daemon.wait_stored(&file, &good);
    wait_noted(&daemon, &file);
    fs::remove_file(&file).unwrap();
    let removed = Instant::now();
    wait_until(LIMIT, "it is missing", || is_missing(&daemon, &file, None));
    wait_until(LIMIT, "it is back", || fs::read(&file).is_ok_and(|bytes| bytes == good));
    assert!(removed.elapsed() >= Duration::from_secs(9), "after {:?}", removed.elapsed());
    println!("put back {:.1?} after it was removed", removed.elapsed());
    daemon.wait_state(&file, "healthy");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o604);
    if has_attribute {
        let mut kept = [0; 7];
        assert_eq!(getxattr(&file, c"user.note", &mut kept), Ok(7));
        assert_eq!(&kept, b"keep me");
    }
    assert_eq!(daemon.state.incidents_of(&file, "corrupted")[0]["kind"], "missing");
    assert_eq!(daemon.state.incidents_of(&file, "repaired")[0]["version"], 1);
    assert_eq!(daemon.count("restores_total", &[("outcome", "repaired")]), 1);
    // Whoever puts something there is not overruled.
    fs::remove_file(&file).unwrap();
    wait_until(LIMIT, "it is missing", || is_missing(&daemon, &file, None));
    fs::write(&file, document(2, 6_000)).unwrap();
    daemon.wait_stored(&file, &document(2, 6_000));
    assert_eq!(fs::read(&file).unwrap(), document(2, 6_000));
}

#[test]
fn where_files_are_is_noted_as_fast_as_they_are_stored() {
    let world = World::new();
    let files: Vec<_> = (0..40).map(|number| world.write(format!("{number}.json"), document(number, 600))).collect();
    let launched = Instant::now();
    let daemon = guard(&world, &["*.json"], "on_missing = \"restore\"");
    assert!(launched.elapsed() < Duration::from_secs(8), "started after {:?}", launched.elapsed());
    for file in &files {
        wait_noted(&daemon, file);
    }
    assert!(launched.elapsed() < Duration::from_secs(8), "noted after {:?}", launched.elapsed());
}

#[test]
fn an_unmount_or_another_folder_is_no_deletion() {
    let world = World::new();
    let good = document(1, 6_000);
    let (source, at, folder) = (world.root.join("source"), world.file("mounted"), world.file("folder"));
    for place in [&source, &at, &folder] {
        fs::create_dir(place).unwrap();
    }
    fs::write(source.join("a.json"), &good).unwrap();
    fs::write(folder.join("b.json"), &good).unwrap();
    let mounted = Mount::tmpfs(&source, "size=1m").and_then(|outer| {
        fs::write(source.join("a.json"), &good).unwrap();
        Some((Mount::bind(&source, &at)?, outer))
    });
    let names = if mounted.is_some() { vec!["mounted/a.json", "folder/b.json"] } else { vec!["folder/b.json"] };
    let daemon = guard(&world, &names, "on_missing = \"restore\"");
    let files: Vec<_> = names.iter().map(|name| world.file(name)).collect();
    for file in &files {
        daemon.wait_stored(file, &good);
        wait_noted(&daemon, file);
    }
    let outer = mounted.map(|(inner, outer)| {
        drop(inner);
        outer
    });
    fs::rename(&folder, world.file("elsewhere")).unwrap();
    fs::create_dir(&folder).unwrap();
    for file in &files {
        wait_until(LIMIT, "its folder is missing", || is_missing(&daemon, file, Some("directory")));
    }
    // Longer than what it takes to put a file back.
    thread::sleep(Duration::from_secs(13));
    assert!(files.iter().all(|file| !file.exists() && is_missing(&daemon, file, Some("directory"))));
    assert_eq!(daemon.state.incidents().iter().filter(|line| line["event"] == "corrupted").count(), 0);
    fs::remove_dir(&folder).unwrap();
    fs::rename(world.file("elsewhere"), &folder).unwrap();
    let again = outer.as_ref().and_then(|_| Mount::bind(&source, &at));
    for file in &files {
        daemon.wait_state(file, "healthy");
    }
    drop((again, daemon));
}

#[test]
fn by_default_a_file_named_literally_is_told_and_one_that_a_glob_matched_is_not() {
    let world = World::new();
    let good = document(1, 6_000);
    let (named, matched) = (world.write("named.json", &good), world.write("matched.json", &good));
    let daemon = guard(&world, &["named.json", "m*.json"], "");
    for file in [&named, &matched] {
        daemon.wait_stored(file, &good);
        fs::remove_file(file).unwrap();
    }
    wait_until(LIMIT, "it is told", || daemon.state.incidents_of(&named, "told").len() == 1);
    wait_until(LIMIT, "it left the watch", || entry(&daemon, &matched).is_null());
    thread::sleep(Duration::from_secs(12));
    assert!(!named.exists() && !matched.exists());
    assert!(is_missing(&daemon, &named, None));
    assert!(daemon.state.incidents_of(&matched, "told").is_empty());
}

#[test]
fn the_incident_of_a_damaged_file_that_is_removed_ends_as_gone_and_not_as_recovered() {
    let world = World::new();
    let good = document(1, 6_000);
    let (file, other) = (world.write("a.json", &good), world.write("m.json", &good));
    let daemon = guard(&world, &["a.json", "m*.json"], "mode = \"observe\"");
    for file in [&file, &other] {
        daemon.wait_stored(file, &good);
        fs::write(file, b"{\"torn").unwrap();
        wait_until(LIMIT, "it is believed", || !daemon.state.incidents_of(file, "corrupted").is_empty());
        fs::remove_file(file).unwrap();
        wait_until(LIMIT, "the incident ends", || !daemon.state.incidents_of(file, "gone").is_empty());
        assert!(daemon.state.incidents_of(file, "recovered").is_empty());
    }
    let told = daemon.get("/api/v1/incidents").body;
    assert_eq!(told.matches("\"outcome\":\"gone\"").count(), 2, "{told}");
    daemon.terminate();
    let daemon = guard(&world, &["a.json", "m*.json"], "mode = \"observe\"");
    let told = daemon.get("/api/v1/incidents").body;
    assert_eq!(told.matches("\"outcome\":\"gone\"").count(), 2, "{told}");
}

#[test]
fn a_watched_folder_in_whose_place_a_pipe_was_is_watched_again() {
    let world = World::new();
    let good = document(1, 6_000);
    let (folder, aside) = (world.file("d"), world.file("d9"));
    fs::create_dir(&folder).unwrap();
    let file = world.write("d/b.json", &good);
    let daemon = guard(&world, &["d"], "");
    daemon.wait_stored(&file, &good);
    fs::rename(&folder, &aside).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &folder, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    wait_until(LIMIT, "that is told", || daemon.log_text().contains("and was a folder"));
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    daemon.wait_state(&file, "healthy");
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&file).is_ok_and(|bytes| bytes == good));
}
