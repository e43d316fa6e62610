//! A restart forgets nothing: open incidents, breakers and holds go on.

use std::fs;
use std::path::Path;

use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};

fn launch(world: &World) -> Daemon {
    let text = format!(
        "sweep_interval = \"200ms\"\n[defaults]\nsettle = \"100ms\"\nmax_repairs = 2\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
        world.files.display()
    );
    Launch::new(world).config(world, &text).start()
}

#[test]
fn an_open_breaker_stays_open_and_its_incident_is_the_same_one() {
    let world = World::new();
    let good = document(1, 2_000);
    let file = world.write("a.json", &good);
    let daemon = launch(&world);
    for round in 0..2 {
        fs::write(&file, format!("{{\"torn {round}")).unwrap();
        wait_until(LIMIT, "it is repaired", || daemon.state.incidents_of(&file, "repaired").len() == round + 1);
        daemon.wait_state(&file, "healthy");
    }
    fs::write(&file, b"{\"torn for good").unwrap();
    wait_until(LIMIT, "it is held", || !daemon.state.incidents_of(&file, "held").is_empty());
    daemon.terminate();
    let daemon = launch(&world);
    daemon.wait_state(&file, "held");
    // Two sweeps and several times the settle later it still is.
    wait_until(LIMIT, "some sweeps", || daemon.scrape().count("sweep_duration_seconds_count", &[]) > 5);
    assert_eq!(fs::read(&file).unwrap(), b"{\"torn for good");
    assert_eq!(daemon.state.incidents_of(&file, "held").len(), 1, "told once");
    let begun = daemon.state.incidents_of(&file, "corrupted");
    assert_eq!(begun.len(), 3, "no incident begins twice");
    fs::write(&file, document(2, 2_000)).unwrap();
    wait_until(LIMIT, "it is over", || !daemon.state.incidents_of(&file, "recovered").is_empty());
    assert_eq!(daemon.state.incidents_of(&file, "recovered")[0]["incident"], begun[2]["incident"]);
    // What somebody wrote closed the breaker.
    daemon.wait_stored(&file, &document(2, 2_000));
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired again", || fs::read(&file).is_ok_and(|bytes| bytes == document(2, 2_000)));
}

/// Another bit at the middle of a stored version, as a disk that rots makes it.
fn rot(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_rotted_is_found_told_once_and_never_restored_and_the_live_file_is_stored_anew() {
    let world = World::new();
    let (plain, packed) =
        (world.write("plain.json", document(1, 900)), world.write("packed.json", document(1, 90_000)));
    let daemon = launch(&world);
    for (file, size) in [(&plain, 900), (&packed, 90_000)] {
        daemon.wait_stored(file, &document(1, size));
        fs::write(file, document(2, size)).unwrap();
        daemon.wait_stored(file, &document(2, size));
    }
    daemon.terminate();
    for file in [&plain, &packed] {
        rot(&daemon.state.stored_paths(file)[1]);
    }
    let daemon = launch(&world);
    for (file, size) in [(&plain, 900), (&packed, 90_000)] {
        wait_until(LIMIT, "it is told", || daemon.state.incidents_of(file, "rotten").len() == 1);
        // The live file's version is stored once more, for what was stored of it is gone.
        daemon.wait_stored(file, &document(2, size));
        fs::write(file, b"{\"torn").unwrap();
        wait_until(LIMIT, "it is whole again", || fs::read(file).is_ok_and(|bytes| bytes == document(2, size)));
        assert_eq!(daemon.state.incidents_of(file, "rotten").len(), 1, "told once");
    }
    assert_eq!(daemon.count("rot_total", &[]), 2);
}

/// What a repair leaves that dies, where names cannot be exchanged, after it made room and before it put a version in.
fn made_room(file: &Path, version: &[u8]) {
    let name = file.file_name().unwrap().as_encoded_bytes();
    let stem = format!(".jsonwarden-{}-0123456789abcdef", &blake3::hash(name).to_hex()[..16]);
    fs::rename(file, file.with_file_name(format!("{stem}.aside-1"))).unwrap();
    fs::write(file.with_file_name(format!("{stem}-1")), version).unwrap();
}

#[test]
fn a_matched_document_that_was_renamed_aside_when_we_died_is_put_back_and_repaired() {
    let world = World::new();
    let (good, torn) = (document(1, 2_000), b"{\"torn".to_vec());
    let files = [world.write("a.json", &good), world.write("b.json", &good)];
    let start = || Launch::new(&world).arg(&world.files).start();
    let daemon = start();
    for file in &files {
        daemon.wait_stored(file, &good);
    }
    daemon.terminate();
    for (file, bytes) in files.iter().zip([&torn, &good]) {
        fs::write(file, bytes).unwrap();
        made_room(file, &good);
    }
    let daemon = start();
    for file in &files {
        wait_until(LIMIT, "it is back, and whole", || fs::read(file).is_ok_and(|bytes| bytes == good));
        daemon.wait_state(file, "healthy");
    }
    assert_eq!(daemon.state.quarantine(&files[0])[0].1, torn);
    assert_eq!(daemon.state.incidents_of(&files[1], "corrupted").len(), 0);
}

#[test]
fn what_lies_beside_a_matched_document_that_is_gone_since_is_ended_with_after_a_restart() {
    let world = World::new();
    let (good, other) = (document(1, 2_000), document(2, 2_000));
    let (file, stays) = (world.write("a.json", &good), world.write("b.json", &other));
    let daemon = launch(&world);
    daemon.wait_stored(&file, &good);
    daemon.wait_stored(&stays, &other);
    daemon.terminate();
    fs::remove_file(&file).unwrap();
    let stem = format!(".jsonwarden-{}-0123456789abcdef", &blake3::hash(b"a.json").to_hex()[..16]);
    let (staged, theirs) = (world.file(format!("{stem}.part")), world.file(".jsonwarden-0000000000000000-1.part"));
    fs::write(&staged, &good[..900]).unwrap();
    fs::write(&theirs, b"of nobody that we know").unwrap();
    let daemon = launch(&world);
    wait_until(LIMIT, "it is gone", || !staged.exists());
    wait_until(LIMIT, "its document is forgotten again", || daemon.state_of(&file).is_none());
    assert!(theirs.exists() && !file.exists());
    daemon.wait_state(&stays, "healthy");
}
