//! The daemon looks at itself: what fails is said once, degrades, and is well again by itself; nothing of it stops the
//! guarding.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Daemon, Fuse, LIMIT, Launch, Mount, World, command, document, wait_until};

/// A mount is said to hang after 30 s.
const STALLED: Duration = Duration::from_secs(90);

fn guarding(world: &World, extra: &str) -> Daemon {
    let files = world.files.display();
    let text = format!(
        "health_interval = \"1s\"\nsweep_interval = \"500ms\"\n[[watch]]\nname = \"w\"\npaths = [\"{files}\"]\nsettle = \"200ms\"\n{extra}"
    );
    Launch::new(world).config(world, &text).start()
}

/// How bad a check is, and what is wrong.
fn check(daemon: &Daemon, name: &str) -> (String, String) {
    let health: Value = serde_json::from_str(&daemon.get("/healthz").body).unwrap();
    let text = |key: &str| health["checks"][name][key].as_str().unwrap().to_owned();
    (text("status"), text("detail"))
}

#[track_caller]
fn wait_check(daemon: &Daemon, name: &str, level: &str) {
    wait_until(LIMIT, &format!("{name} is {level}"), || check(daemon, name).0 == level);
}

fn told(daemon: &Daemon, event: &str, check: &str) -> usize {
    daemon.logged(event).iter().filter(|line| line["kind"].as_str() == Some(check)).count()
}

/// Has the daemon an inotify watch on this folder (proc_pid_fdinfo(5))?
fn is_listened_to(daemon: &Daemon, folder: &Path) -> bool {
    let Ok(found) = fs::metadata(folder) else { return false };
    let watched = format!(" ino:{:x} ", found.ino());
    let table = fs::read_dir(format!("/proc/{}/fdinfo", daemon.pid().as_raw_nonzero())).unwrap();
    let mut texts = table.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.any(|text| text.lines().any(|line| line.starts_with("inotify ") && line.contains(&watched)))
}

#[track_caller]
fn assert_repairs(file: &Path, good: &[u8]) {
    fs::write(file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(file).is_ok_and(|bytes| bytes == good));
}

#[test]
fn a_full_state_directory_degrades_and_is_said_once_until_there_is_room() {
    let world = World::new();
    let (file, good) = (world.write("a.json", document(1, 500)), document(1, 500));
    let Some(state) = Mount::tmpfs(&world.state, "size=16m") else { return };
    let daemon = guarding(&world, "");
    let body = daemon.get("/healthz").body;
    assert!(body.starts_with("{\"status\":\"healthy\""), "{body}");
    daemon.wait_stored(&file, &good);
    state.fill();
    wait_until(LIMIT, "that is said", || told(&daemon, "check_failed", "state_dir") == 1);
    wait_check(&daemon, "state_dir", "degraded");
    assert_eq!(daemon.count("health_check_ok", &[("check", "state_dir")]), 0);
    // Two more looks say the same, and nothing new.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(told(&daemon, "check_failed", "state_dir"), 1);
    state.empty();
    wait_check(&daemon, "state_dir", "healthy");
    wait_until(LIMIT, "that is said", || told(&daemon, "check_passed", "state_dir") == 1);
    assert_eq!(daemon.count("health_check_ok", &[("check", "state_dir")]), 1);
    assert_repairs(&file, &good);
}

#[test]
fn a_state_directory_that_hangs_is_unhealthy_and_alive_and_all_goes_on_when_it_answers() {
    let world = World::new();
    let (file, good) = (world.write("a.json", document(1, 500)), document(1, 500));
    let behind = world.root.join("behind");
    fs::create_dir(&behind).unwrap();
    fs::create_dir(&world.state).unwrap();
    let Some(server) = Fuse::pass(&behind, &world.state) else { return };
    let daemon = guarding(&world, "");
    // Ended first, whatever happens: threads that wait for it cannot end.
    let server = server;
    daemon.wait_stored(&file, &good);
    server.stop();
    fs::write(&file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is unhealthy", || {
        assert_eq!(daemon.get("/livez").status, 200);
        daemon.get("/healthz").status == 503
    });
    let (level, why) = check(&daemon, "state_dir");
    assert!(level == "unhealthy" && why.contains("does not answer"), "{why}");
    server.go_on();
    wait_check(&daemon, "state_dir", "healthy");
    wait_until(LIMIT, "it is repaired", || fs::read(&file).is_ok_and(|bytes| bytes == good));
}

#[test]
fn a_reload_while_the_state_directory_hangs_takes_over_or_is_refused_and_the_daemon_stays_alive() {
    let world = World::new();
    let (file, good) = (world.write("a.json", document(1, 500)), document(1, 500));
    let [behind, at, more] = ["behind", "at", "more"].map(|name| world.root.join(name));
    for folder in [&behind, &at, &more, &behind.join("state")] {
        fs::create_dir(folder).unwrap();
    }
    // Below the mount: of its own root the kernel knows what it is without asking.
    symlink(at.join("state"), &world.state).unwrap();
    let Some(server) = Fuse::pass(&behind, &at) else { return };
    let daemon = guarding(&world, "");
    // Ended first, whatever happens: threads that wait for it cannot end.
    let server = server;
    daemon.wait_stored(&file, &good);
    server.stop();
    wait_until(LIMIT, "it is unhealthy", || daemon.get("/healthz").status == 503);
    let config = world.root.join("jsonwarden.toml");
    let watch = format!("[[watch]]\nname = \"more\"\npaths = [\"{}\"]\n", more.display());
    fs::write(&config, fs::read_to_string(&config).unwrap() + &watch).unwrap();
    let mut reload = command();
    reload.env("RUNTIME_DIRECTORY", &world.run).arg("reload");
    let reload = std::thread::spawn(move || reload.status().unwrap());
    let began = Instant::now();
    // Longer than whoever is stuck is believed to be alive.
    while !reload.is_finished() || began.elapsed() < Duration::from_secs(15) {
        assert_eq!(daemon.get("/livez").status, 200, "{}", daemon.get("/livez?verbose").body);
        assert!(began.elapsed() < LIMIT, "the reload is answered");
        std::thread::sleep(Duration::from_millis(200));
    }
    let succeeded = reload.join().unwrap().success();
    assert_eq!(daemon.count("config_last_reload_successful", &[]), usize::from(succeeded));
    server.go_on();
    assert_repairs(&file, &good);
}

#[test]
fn a_change_that_is_not_heard_of_degrades_until_it_is_and_the_sweep_looks_meanwhile() {
    let world = World::new();
    let good = document(1, 500);
    let file = world.write("a.json", &good);
    let daemon = guarding(&world, "");
    daemon.wait_stored(&file, &good);
    let canary = world.state.join("canary");
    wait_until(LIMIT, "the canary is listened to", || is_listened_to(&daemon, &canary));
    assert_eq!(check(&daemon, "event_source").0, "healthy");
    // Whatever listened to this folder hears nothing of the next one at the same place.
    wait_until(LIMIT, "the canary is gone", || fs::remove_dir(&canary).is_ok());
    wait_check(&daemon, "event_source", "degraded");
    assert!(check(&daemon, "event_source").1.contains("the sweep alone"));
    assert_repairs(&file, &good);
    wait_check(&daemon, "event_source", "healthy");
    assert_eq!(told(&daemon, "check_failed", "event_source"), 1);
}

#[test]
fn a_good_file_whose_versions_are_gone_is_stored_anew_before_they_are_needed() {
    let world = World::new();
    let good = document(1, 500);
    let file = world.write("a.json", &good);
    let daemon = guarding(&world, "backup.min_interval = \"1h\"\n");
    daemon.wait_stored(&file, &good);
    daemon.wait_state(&file, "healthy");
    fs::remove_dir_all(world.state.join("backups")).unwrap();
    wait_until(LIMIT, "that is said", || daemon.logged("version_lost").len() == 1);
    daemon.wait_stored(&file, &good);
    wait_check(&daemon, "versions", "healthy");
    assert_repairs(&file, &good);
}

#[test]
fn a_file_system_that_hangs_stops_neither_the_guarding_of_others_nor_liveness() {
    let world = World::new();
    let good = document(1, 500);
    let (behind, at) = (world.root.join("behind"), world.root.join("at"));
    for folder in [&behind, &at] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(behind.join("hung.json"), &good).unwrap();
    let Some(server) = Fuse::pass(&behind, &at) else { return };
    let file = world.write("a.json", &good);
    let watch = format!("[[watch]]\nname = \"fuse\"\npaths = [\"{}\"]\nsettle = \"200ms\"\n", at.display());
    let daemon = guarding(&world, &watch);
    // Ended first, whatever happens: threads that wait for it cannot end.
    let server = server;
    let hung = at.join("hung.json");
    for stored in [&file, &hung] {
        daemon.wait_stored(stored, &good);
    }
    server.stop();
    assert_repairs(&file, &good);
    wait_until(STALLED, "it is said to hang", || {
        assert_eq!(daemon.get("/livez").status, 200);
        check(&daemon, "mounts").0 == "degraded"
    });
    assert!(check(&daemon, "mounts").1.contains("does not answer"));
    daemon.wait_state(&hung, "unreadable");
    assert_repairs(&file, &good);
    assert_eq!((daemon.get("/livez").status, daemon.logged("mount_stalled").len()), (200, 1));
    server.go_on();
    wait_check(&daemon, "mounts", "healthy");
    daemon.wait_state(&hung, "healthy");
    assert_repairs(&hung, &good);
    assert_eq!(daemon.logged("mount_back").len(), 1);
}
