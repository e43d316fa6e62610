//! The clock jumps: nothing is missed, nothing is pruned that must stay, and the newest version stays the newest.

use std::fs;
use std::path::{Path, PathBuf};

use std::process::{Command, Stdio};

use crate::support::{Daemon, LIMIT, Launch, StateDirectory, World, command, document, skip, wait_until};

/// The library of faketime(1).
fn library() -> Option<PathBuf> {
    let found = ["/usr/lib", "/usr/lib64"].iter().flat_map(|folder| {
        let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        below.chain([PathBuf::from(folder)]).map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
    });
    let found = found.into_iter().find(|library| library.exists());
    if found.is_none() {
        skip("jumps of the clock", "faketime is not installed");
    }
    found
}

/// A daemon whose wall clock, and nothing else, is what `clock` says.
fn with_clock(world: &World, library: &Path, clock: &Path) -> Daemon {
    guarding(world, &world.files, library, clock)
}

fn guarding(world: &World, guarded: &Path, library: &Path, clock: &Path) -> Daemon {
    Launch::new(world).arg(guarded).with(|command| believing(command, library, clock)).start()
}

fn believing(command: &mut Command, library: &Path, clock: &Path) {
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
}

fn set(clock: &Path, offset: &str) {
    fs::write(clock.with_extension("new"), offset).unwrap();
    fs::rename(clock.with_extension("new"), clock).unwrap();
}

/// A new version is stored, and comes back when it is damaged.
fn still_guards(daemon: &Daemon, file: &Path, generation: u64) {
    let good = document(generation, 3_000);
    fs::write(file, &good).unwrap();
    daemon.wait_stored(file, &good);
    fs::write(file, format!("{{\"torn {generation}")).unwrap();
    let took = wait_until(LIMIT, "it is whole again", || fs::read(file).is_ok_and(|bytes| bytes == good));
    println!("version {generation}: whole after {took:.1?}");
    wait_until(LIMIT, "it is told", || daemon.state.incidents_of(file, "repaired").len() as u64 == generation);
    daemon.wait_state(file, "healthy");
}

#[test]
fn a_clock_that_jumps_back_five_days_and_forward_a_year_costs_nothing() {
    let Some(library) = library() else { return };
    let world = World::new();
    let clock = world.root.join("clock");
    set(&clock, "+0");
    let file = world.write("a.json", document(0, 3_000));
    let daemon = with_clock(&world, &library, &clock);
    daemon.wait_stored(&file, &document(0, 3_000));
    let offsets = ["+0", "-5d", "-5d", "+365d", "+365d", "+0"];
    for (generation, offset) in (1..).zip(offsets) {
        set(&clock, offset);
        still_guards(&daemon, &file, generation);
    }
    let versions = daemon.state.versions(&file);
    let taken: Vec<String> =
        versions.iter().map(|stored| stored.path.file_name().unwrap().to_string_lossy()[9..13].to_owned()).collect();
    assert!(taken.iter().max() > taken.iter().min(), "the clock did not jump: {taken:?}");
    let good: Vec<Vec<u8>> = (0..7).map(|generation| document(generation, 3_000)).collect();
    assert!(
        good.iter().all(|good| versions.iter().any(|stored| stored.bytes == *good)),
        "a version is gone: {taken:?}"
    );
    assert_eq!(daemon.state.quarantine(&file).len(), 6, "all that was damaged is kept");
    let numbers: Vec<u64> = versions.iter().map(|stored| stored.version).collect();
    assert!(numbers.is_sorted() && versions.last().unwrap().bytes == document(6, 3_000), "{numbers:?}");
    // And over a restart, with the clock behind what it wrote.
    daemon.terminate();
    set(&clock, "-30d");
    fs::write(&file, b"{\"torn while nobody was there").unwrap();
    let daemon = with_clock(&world, &library, &clock);
    wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == document(6, 3_000)));
    // It is whole a moment before the copy is kept.
    wait_until(LIMIT, "what was damaged is kept", || daemon.state.quarantine(&file).len() == 7);
}

#[test]
fn nothing_goes_for_its_age_when_the_clock_leaps_by_a_year() {
    let Some(library) = library() else { return };
    let world = World::new();
    let clock = world.root.join("clock");
    set(&clock, "+0");
    let (file, other) = (world.write("a.json", document(0, 3_000)), world.write("b.json", document(0, 3_000)));
    let daemon = with_clock(&world, &library, &clock);
    daemon.wait_stored(&other, &document(0, 3_000));
    daemon.wait_stored(&file, &document(0, 3_000));
    still_guards(&daemon, &file, 1);
    wait_until(LIMIT, "what was damaged is kept", || daemon.state.quarantine(&file).len() == 1);
    daemon.terminate();
    // From here on nobody guards the other one, which is noted at the start.
    let daemon = guarding(&world, &file, &library, &clock);
    let shelf = daemon.state.stored_paths(&other)[0].parent().unwrap().to_owned();
    let is_note = |name: std::ffi::OsString| name.to_string_lossy().starts_with(".gone-");
    let is_noted = || fs::read_dir(&shelf).unwrap().any(|entry| is_note(entry.unwrap().file_name()));
    wait_until(LIMIT, "it is noted that the other one is guarded no more", is_noted);
    daemon.terminate();
    // As on a machine whose clock is set only after the start.
    set(&clock, "+365d");
    let daemon = guarding(&world, &file, &library, &clock);
    wait_until(LIMIT, "the leap is told", || daemon.logged("clock_doubted").len() == 1);
    assert_eq!(daemon.state.quarantine(&file).len(), 1, "what was damaged a minute ago is gone");
    assert_eq!(daemon.state.versions(&other).len(), 1, "versions of a file that is guarded no more are gone");
    daemon.terminate();
    set(&clock, "+0");
    let daemon = guarding(&world, &file, &library, &clock);
    daemon.wait_state(&file, "healthy");
    assert_eq!(daemon.logged("clock_doubted").len(), 0, "the clock is right again");
    assert_eq!(daemon.state.versions(&file).len(), 2);
}

#[test]
fn writes_without_a_daemon_remove_nothing_for_its_age_when_the_clock_leaps() {
    let Some(library) = library() else { return };
    let world = World::new();
    let clock = world.root.join("clock");
    let file = world.file("a.json");
    let write = |generation: u64, offset: &str| {
        set(&clock, offset);
        let input = world.write("input", document(generation, 300));
        let mut command = command();
        believing(&mut command, &library, &clock);
        command.arg("--state-dir").arg(&world.state).arg("write").arg(&file);
        let status = command.stdin(fs::File::open(input).unwrap()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success());
    };
    let state = StateDirectory(world.state.clone());
    // Every 16 versions those go that need not stay: of the last hour all stay.
    (1..=64).for_each(|generation| write(generation, if generation < 40 { "+0" } else { "+365d" }));
    assert_eq!(state.versions(&file).len(), 64, "versions of a minute ago are gone");
    (65..=80).for_each(|generation| write(generation, "+0"));
    assert_eq!(state.versions(&file).len(), 80, "and none goes when it is right again");
    assert!(!world.state.join("clock-doubted").exists(), "nor is it doubted any more");
}
