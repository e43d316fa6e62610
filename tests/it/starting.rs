//! What the daemon finds when it starts: damage, rot, and state directories of every sort.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::support::{Daemon, LIMIT, Launch, Mount, World, command, document, wait_until};

/// Waits until the daemon has looked at everything three more times.
fn wait_for_three_sweeps(daemon: &Daemon) {
    let sweeps = || daemon.count("sweep_duration_seconds_count", &[]);
    let before = sweeps();
    wait_until(LIMIT, "three more sweeps", || sweeps() >= before + 3);
}

/// Guards the world's files with a sweep a second.
fn launch(world: &World) -> Launch {
    let files = world.files.to_str().unwrap();
    let settings = format!("sweep_interval = \"1s\"\n[[watch]]\nname = \"test\"\npaths = [{files:?}]\n");
    Launch::new(world).config(world, &settings)
}

fn wait_whole(path: &Path, good: &[u8]) {
    wait_until(LIMIT, &format!("{} is whole again", path.display()), || {
        fs::read(path).is_ok_and(|bytes| bytes == good)
    });
}

#[test]
fn a_file_that_is_corrupt_at_the_very_first_start_is_left_alone_and_told() {
    let world = World::new();
    let path = world.write("a.json", "{\"never\": \"whole\"");
    let daemon = launch(&world).start();
    daemon.wait_state(&path, "unproven");
    wait_for_three_sweeps(&daemon);
    assert_eq!(fs::read(&path).unwrap(), b"{\"never\": \"whole\"");
    assert_eq!(daemon.state_of(&path).as_deref(), Some("unproven"));
    assert_eq!(daemon.count("files", &[("state", "unproven")]), 1);
    assert_eq!(daemon.state.incidents_of(&path, "unproven").len(), 1, "told once");
    assert!(daemon.state.versions(&path).is_empty(), "corrupt bytes must never be a backup");
    assert_eq!(daemon.count("restores_total", &[]), 0);

    world.write("a.json", "{\"now\": \"whole\"}");
    daemon.wait_state(&path, "healthy");
    daemon.wait_stored(&path, b"{\"now\": \"whole\"}");
}

#[test]
fn what_was_damaged_while_the_daemon_was_down_is_repaired_at_start() {
    let world = World::new();
    let good = document(1, 3_000);
    let path = world.write("a.json", &good);
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, &good);
    daemon.terminate();
    world.write("a.json", vec![0; 3_000]);

    let daemon = launch(&world).start();
    wait_whole(&path, &good);
    wait_until(LIMIT, "the repair is told", || daemon.state.incidents_of(&path, "repaired").len() == 1);
    assert_eq!(daemon.state.quarantine(&path)[0].1, vec![0; 3_000]);
}

#[test]
fn incident_numbers_and_versions_go_on_after_a_restart() {
    let world = World::new();
    let path = world.write("a.json", document(1, 500));
    for generation in 1..=3 {
        let daemon = launch(&world).start();
        let good = document(generation, 500);
        world.write("a.json", &good);
        daemon.wait_stored(&path, &good);
        world.write("a.json", "{");
        wait_whole(&path, &good);
        let told = usize::try_from(generation).unwrap();
        wait_until(LIMIT, "the repair is told", || daemon.state.incidents_of(&path, "repaired").len() == told);
        daemon.terminate();
    }
    let daemon = launch(&world).start();
    let numbers = |event: &str| -> Vec<u64> {
        daemon.state.incidents_of(&path, event).iter().map(|line| line["incident"].as_u64().unwrap()).collect()
    };
    let incidents = numbers("corrupted");
    assert!(incidents.is_sorted_by(|a, b| a < b), "numbers only grow: {incidents:?}");
    assert_eq!(incidents, numbers("repaired"));
    let versions: Vec<u64> = daemon.state.versions(&path).iter().map(|stored| stored.version).collect();
    assert!(versions.len() >= 3 && versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let sequence: Vec<u64> = daemon.state.incidents().iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(sequence.is_sorted_by(|a, b| a < b), "{sequence:?}");
}

#[test]
fn a_rotten_newest_version_is_passed_over_for_the_older_one_and_told() {
    let world = World::new();
    let (older, newer) = (document(1, 3_000), document(2, 3_000));
    let path = world.write("a.json", &older);
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, &older);
    world.write("a.json", &newer);
    daemon.wait_stored(&path, &newer);
    rot(&daemon.state.versions(&path).last().unwrap().path);

    world.write("a.json", "{");
    wait_whole(&path, &older);
    wait_until(LIMIT, "the rot is told", || daemon.state.incidents_of(&path, "rotten").len() == 1);
    assert_eq!(daemon.count("rot_total", &[]), 1);
}

/// Turns one bit of a stored version over; the text stays valid JSON, so that only the digest can tell.
fn rot(stored: &Path) {
    let mut bytes = fs::read(stored).unwrap();
    let digit = bytes.iter().position(u8::is_ascii_digit).unwrap();
    bytes[digit] ^= 1;
    let folder = fs::metadata(stored).unwrap().permissions();
    fs::set_permissions(stored, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(stored, bytes).unwrap();
    fs::set_permissions(stored, folder).unwrap();
}

#[test]
fn when_every_version_is_rotten_the_file_is_held_and_untouched() {
    let world = World::new();
    let path = world.write("a.json", document(1, 3_000));
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, &document(1, 3_000));
    rot(&daemon.state.versions(&path).last().unwrap().path);
    world.write("a.json", "{\"torn");
    daemon.wait_state(&path, "held");
    assert_eq!(fs::read(&path).unwrap(), b"{\"torn");
    let held = daemon.state.incidents_of(&path, "held");
    assert_eq!(held[0]["reason"], "no_version");
}

#[test]
fn a_missing_state_directory_is_made_for_us_alone() {
    let mut world = World::new();
    world.state = world.root.join("not/there/yet");
    let path = world.write("a.json", "{}");
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, b"{}");
    assert_eq!(fs::metadata(&world.state).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_to_string(world.state.join("format")).unwrap().trim(), "1");
}

/// What `jsonwarden run` says when it cannot start.
fn refusal(world: &World) -> Output {
    let mut run = command();
    run.args(["run", "--listen", "127.0.0.1:0", "--state-dir"]).arg(&world.state).arg(&world.files);
    run.output().unwrap()
}

fn assert_is_a_clear_error(world: &World, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(world.state.to_str().unwrap()), "the error names the state directory: {said:?}");
    assert!(!said.contains("panicked"), "{said:?}");
}

#[test]
fn a_state_directory_that_is_none_is_a_clear_error() {
    let world = World::new();
    world.write("a.json", "{}");
    fs::write(&world.state, "I am a file").unwrap();
    assert_is_a_clear_error(&world, &refusal(&world));
    assert_eq!(fs::read(&world.state).unwrap(), b"I am a file");
}

#[test]
fn a_state_directory_of_another_daemon_is_a_clear_error_and_that_one_goes_on() {
    let world = World::new();
    let path = world.write("a.json", "{\"a\": 1}");
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, b"{\"a\": 1}");
    assert_is_a_clear_error(&world, &refusal(&world));
    world.write("a.json", "");
    wait_whole(&path, b"{\"a\": 1}");
    assert_eq!(daemon.get("/livez").status, 200);
}

#[test]
fn a_read_only_state_directory_is_a_clear_error() {
    let world = World::new();
    world.write("a.json", "{}");
    let Some(_mount) = Mount::tmpfs(&world.state, "size=1m,ro") else { return };
    assert_is_a_clear_error(&world, &refusal(&world));
}

#[test]
fn a_state_directory_that_is_full_at_start_is_told() {
    let world = World::new();
    let path = world.write("a.json", document(1, 3_000));
    let Some(mount) = Mount::tmpfs(&world.state, "size=64k") else { return };
    mount.fill();
    let daemon = launch(&world).spawn();
    wait_until(LIMIT, "it has ended, or says that it is not well", || {
        let log = daemon.log_text();
        daemon.has_ended() || (log.contains("listening") && daemon.get("/healthz").body.contains("degraded"))
    });
    if daemon.has_ended() {
        let (status, _) = daemon.wait_end(Duration::ZERO);
        assert_eq!(status.code(), Some(1));
        // The last of its log may be read a moment after its end is seen.
        wait_until(LIMIT, "it says where", || daemon.log_text().contains(world.state.to_str().unwrap()));
    }
    assert_eq!(fs::read(&path).unwrap(), document(1, 3_000));
}

#[test]
fn a_state_directory_that_fills_up_later_does_not_stop_the_guarding() {
    let world = World::new();
    let good = document(1, 3_000);
    let path = world.write("a.json", &good);
    let Some(mount) = Mount::tmpfs(&world.state, "size=1m") else { return };
    let daemon = launch(&world).start();
    daemon.wait_stored(&path, &good);
    mount.fill();

    let damaged = vec![b'{'; 20_000];
    world.write("a.json", &damaged);
    wait_whole(&path, &good);
    let kept_beside = || {
        let beside = fs::read_dir(&world.files).unwrap().map(|entry| entry.unwrap().path());
        beside
            .filter(|path| path != &world.file("a.json"))
            .any(|path| fs::read(path).is_ok_and(|bytes| bytes == damaged))
    };
    assert!(
        kept_beside() || daemon.state.quarantine(&path).iter().any(|(_, bytes)| *bytes == damaged),
        "damaged bytes lost"
    );
    wait_until(LIMIT, "health is degraded", || daemon.get("/healthz").body.contains("degraded"));
    assert_eq!(daemon.get("/livez").status, 200);

    mount.empty();
    wait_until(Duration::from_secs(90), "the damaged bytes are in quarantine", || {
        daemon.state.quarantine(&path).iter().any(|(_, bytes)| *bytes == damaged)
    });
    assert!(!daemon.has_ended());
}
