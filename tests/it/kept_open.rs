//! Writers that keep their file open: what they wrote is kept all the same, marked; damage under them waits, or is repaired as
//! well as can be where the rules say so.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};

/// Opens a file as a program does that keeps it open.
fn keep_open(file: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(file).unwrap()
}

fn overwrite(mut writer: &File, bytes: &[u8]) {
    writer.rewind().unwrap();
    writer.write_all(bytes).unwrap();
    writer.set_len(bytes.len() as u64).unwrap();
}

fn is_held(daemon: &Daemon, file: &Path) -> bool {
    daemon.state.incidents_of(file, "held").iter().any(|line| line["reason"] == "open_writer")
}

#[test]
fn a_version_under_an_open_writer_is_stored_uncertified_and_that_is_told_when_it_is_used() {
    let world = World::new();
    let file = world.write("a.json", document(1, 6_000));
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&file, &document(1, 6_000));
    let writer = keep_open(&file);
    overwrite(&writer, &document(2, 6_000));
    daemon.wait_stored(&file, &document(2, 6_000));
    let is_marked = || daemon.get("/api/v1/files").body.contains("\"mark\":\"uncertified\"");
    wait_until(LIMIT, "its mark is shown", is_marked);
    drop(writer);
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&file).unwrap() == document(2, 6_000));
    wait_until(LIMIT, "that is told", || !daemon.state.incidents_of(&file, "repaired").is_empty());
    assert_eq!(daemon.state.incidents_of(&file, "repaired")[0]["mark"], "uncertified");
    let words = "read while a writer may have been at it";
    wait_until(LIMIT, "the log says it, too", || daemon.log_text().contains(words));
}

#[test]
fn damage_under_an_open_writer_waits_or_is_repaired_after_20_s_as_the_rules_say() {
    let world = World::new();
    let good = document(1, 6_000);
    let words = ["wait", "in_place", "rename"];
    let watch = |word: &str| {
        let file = world.write(format!("{word}.json"), &good);
        format!("[[watch]]\nname = \"{word}\"\npaths = [\"{}\"]\non_open_writer = \"{word}\"\n", file.display())
    };
    let watches = words.map(watch).concat();
    let files = words.map(|word| world.file(format!("{word}.json")));
    let daemon = Launch::new(&world).config(&world, &watches).start();
    for file in &files {
        daemon.wait_stored(file, &good);
    }
    let writers = files.each_ref().map(|file| keep_open(file));
    let inodes = files.each_ref().map(|file| fs::metadata(file).unwrap().ino());
    for writer in &writers {
        overwrite(writer, b"{\"torn");
    }
    let damaged = Instant::now();
    for file in &files {
        wait_until(LIMIT, "it is told", || is_held(&daemon, file));
    }
    println!("told {:.1?} after the damage", damaged.elapsed());
    for file in &files[1..] {
        wait_until(LIMIT * 2, "it is repaired", || fs::read(file).unwrap() == good);
        assert!(damaged.elapsed() >= Duration::from_secs(19), "after {:?}", damaged.elapsed());
        wait_until(LIMIT, "that is told", || daemon.state.incidents_of(file, "repaired").len() == 1);
        assert_eq!(daemon.state.quarantine(file)[0].1, b"{\"torn");
    }
    println!("repaired {:.1?} after the damage", damaged.elapsed());
    assert_eq!(fs::read(&files[0]).unwrap(), b"{\"torn", "it is waited for");
    let ino = |file: &Path| fs::metadata(file).unwrap().ino();
    assert_eq!(ino(&files[1]), inodes[1], "the writer has the same file");
    assert_ne!(ino(&files[2]), inodes[2], "the writer has the old one");
    let mut seen = Vec::new();
    (&writers[1]).rewind().unwrap();
    (&writers[1]).read_to_end(&mut seen).unwrap();
    assert_eq!(seen, good);
    assert!(daemon.get("/api/v1/files").body.contains("over open writers"), "it is labelled");

    // The one that was renamed finishes after all: what it wrote is the newest version.
    overwrite(&writers[2], &document(2, 6_000));
    drop(writers);
    wait_until(LIMIT, "it is repaired once its writer is gone", || fs::read(&files[0]).unwrap() == good);
    wait_until(LIMIT, "what its writer finished stands", || fs::read(&files[2]).unwrap() == document(2, 6_000));
    thread::sleep(Duration::from_secs(2));
    assert_eq!(fs::read(&files[1]).unwrap(), good);
}

#[test]
fn a_reader_of_a_file_that_must_be_rewritten_in_place_is_waited_for_and_told_after_20_s() {
    let world = World::new();
    let good = document(1, 6_000);
    let files = ["short.json", "long.json"].map(|name| {
        let file = world.write(name, &good);
        fs::hard_link(&file, world.root.join(name)).unwrap();
        file
    });
    let daemon = Launch::new(&world).arg(&world.files).start();
    for file in &files {
        daemon.wait_stored(file, &good);
    }
    let [short, long] = files.each_ref().map(|file| File::open(file).unwrap());
    for file in &files {
        // Readers do not keep a writer away.
        fs::write(file, b"{\"torn").unwrap();
    }
    let damaged = Instant::now();
    wait_until(LIMIT, "it is believed", || !daemon.state.incidents_of(&files[0], "corrupted").is_empty());
    thread::sleep(Duration::from_secs(5));
    assert_eq!(fs::read(&files[0]).unwrap(), b"{\"torn", "rewritten under a reader");
    drop(short);
    wait_until(LIMIT, "it is repaired once its reader is gone", || fs::read(&files[0]).unwrap() == good);
    assert!(daemon.state.incidents_of(&files[0], "held").is_empty(), "a reader who goes in time is none to be told");
    let is_told = || daemon.state.incidents_of(&files[1], "held").iter().any(|line| line["reason"] == "linked");
    wait_until(LIMIT * 2, "the reader who stays is told", is_told);
    println!("told {:.1?} after the damage", damaged.elapsed());
    assert!(damaged.elapsed() >= Duration::from_secs(15), "after {:?}", damaged.elapsed());
    assert_eq!(fs::read(&files[1]).unwrap(), b"{\"torn");
    drop(long);
    wait_until(LIMIT * 2, "it is repaired once its reader is gone", || fs::read(&files[1]).unwrap() == good);
    for name in ["short.json", "long.json"] {
        assert_eq!(fs::read(world.root.join(name)).unwrap(), good, "under its other name, too");
    }
}
