//! What the kernel tells of is seen at once: no sweep comes by here.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_file_in_a_new_nested_folder_is_seen_by_hint() {
    let folder = Folder::new();
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    for round in 0..20 {
        let file = folder.write(&format!("new{round}/x/y/state.json"), "{}");
        stage.until_present(&file);
    }
    // The folders are watched by now, so later files in them are seen, too.
    let file = folder.write("new7/x/y/later.json", "{}");
    stage.until_present(&file);
}

#[test]
fn a_file_that_is_replaced_is_seen_again_and_again() {
    let folder = Folder::new();
    let file = folder.write("a.json", "0");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&file)])]);
    for round in 1..20 {
        let text = "1".repeat(round);
        fs::rename(folder.write("a.tmp", &text), &file).unwrap();
        let size = text.len() as u64;
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == size));
    }
    fs::remove_file(&file).unwrap();
    stage.until(&file, |sight| *sight == Sight::Missing);
    folder.write("a.json", "{}");
    stage.until_present(&file);
}

#[test]
fn the_end_of_a_write_is_said_even_when_nothing_else_changes() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    drop(fs::File::options().append(true).open(&file).unwrap());
    let seen = stage.until_present(&file);
    assert_eq!(sights(&seen, &file).len(), 1);
}

#[test]
fn our_own_reads_and_temporaries_are_not_seen() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    for _ in 0..100 {
        fs::read(&file).unwrap();
        fs::read_dir(&folder.path).unwrap().for_each(drop);
    }
    fs::remove_file(folder.write(".jsonwarden-0123456789abcdef-1", "{}")).unwrap();
    let seen = stage.settle(&folder);
    assert!(sights(&seen, &file).is_empty(), "{seen:?}");
    assert!(!seen.iter().any(|one| matches!(one, Observation::Leftover { .. })));
}

#[test]
fn an_overflow_leads_to_a_full_look_but_not_more_than_one_a_second() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, false);
    let overflow = |stage: &Stage| {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        lock(&stage.shared.swept)[0].inbox.hear(Ok(event));
    };
    for text in ["[1]", "[1, 2]"] {
        let began = Instant::now();
        fs::write(&file, text).unwrap();
        folder.write(&format!("{}.json", text.len()), "{}");
        overflow(&stage);
        stage.until_present(&folder.at(&format!("{}.json", text.len())));
        overflow(&stage);
        fs::write(&file, text.repeat(2)).unwrap();
        let size = 2 * text.len() as u64;
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == size));
        assert!(began.elapsed() > Duration::from_millis(900));
    }
    assert!(stage.facts().iter().any(|fact| matches!(fact, Fact::EventsOverflowed)));
}

#[test]
fn a_file_replaced_by_a_folder_is_seen_as_one() {
    let folder = Folder::new();
    let file = folder.write("a.json", "{}");
    let mut stage = Stage::hinted(vec![watch("w", vec![path(&folder.path)])]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.is_directory()));
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_watched_again() {
    let folder = Folder::new();
    let file = folder.write("below/a.json", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![path(&folder.path)])], NEVER, true);
    for _ in 0..10 {
        fs::remove_dir_all(folder.at("below")).unwrap();
        folder.write("below/a.json", "{}");
        stage.until_present(&file);
        fs::write(&file, "{\"later\": 1}").unwrap();
        stage.until(&file, |sight| matches!(sight, Sight::Present(found) if found.bytes == 12));
    }
}

#[test]
fn a_glob_takes_new_files_and_leaves_links_and_lock_files() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    folder.write("one/core.state", "{}");
    elsewhere.write("core.state", "{}");
    let (mut stage, _) = Stage::start(vec![watch("w", vec![glob(&folder.path, "*/*", Some(1))])], NEVER, true);
    std::os::unix::fs::symlink(elsewhere.at("core.state"), folder.at("one/link")).unwrap();
    std::os::unix::fs::symlink(&elsewhere.path, folder.at("linked")).unwrap();
    folder.write("one/core.state.lock", "");
    folder.write("one/too/deep", "{}");
    folder.write("two/new", "{}");
    let seen = stage.until_present(&folder.at("two/new"));
    let mut all = owners(&seen);
    all.extend(owners(&stage.until_present(&folder.write("one/last", "{}"))));
    let mut found: Vec<_> = all.into_keys().collect();
    found.sort();
    assert_eq!(found, [folder.at("one/last"), folder.at("two/new")]);
}
