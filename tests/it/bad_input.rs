//! Whatever lies in a guarded folder: no crash, no hang, no lost byte, and the file beside it is still guarded.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::support::{Daemon, LIMIT, Launch, STRANGER, World, document, is_root, skip, wait_until};

/// The folder and these files named literally, with a sweep a second and one series a file.
fn launch(world: &World, literally: &[&Path]) -> Launch {
    let mut paths = vec![format!("{:?}", world.files.to_str().unwrap())];
    paths.extend(literally.iter().map(|path| format!("{:?}", path.to_str().unwrap())));
    let settings = format!(
        "sweep_interval = \"1s\"\n[defaults]\nper_file_metrics = true\n[[watch]]\nname = \"test\"\npaths = [{}]\n",
        paths.join(", ")
    );
    Launch::new(world).config(world, &settings)
}

/// Damages `path` and waits until it is whole again.
fn assert_guarded(daemon: &Daemon, path: &Path) {
    let good = fs::read(path).unwrap();
    daemon.wait_stored(path, &good);
    fs::write(path, b"{\"torn").unwrap();
    wait_until(LIMIT, &format!("{} is whole again", path.display()), || {
        fs::read(path).is_ok_and(|bytes| bytes == good)
    });
    assert_eq!(daemon.get("/livez").status, 200);
}

fn node(path: &Path, kind: FileType, device: u64) -> bool {
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device).is_ok()
}

#[test]
fn what_is_no_regular_file_is_told_and_never_opened_for_long() {
    let world = World::new();
    let normal = world.write("normal.json", document(1, 2_000));
    let names = ["pipe", "socket", "dangling", "looping", "device", "folder"];
    let [pipe, socket, dangling, looping, device, folder] = names.map(|name| world.file(format!("{name}.json")));
    assert!(node(&pipe, FileType::Fifo, 0));
    let _socket = UnixListener::bind(&socket).unwrap();
    symlink("/nowhere/at/all.json", &dangling).unwrap();
    symlink("looping.json", &looping).unwrap();
    fs::create_dir(&folder).unwrap();
    let inside = folder.join("inside.json");
    fs::write(&inside, document(2, 500)).unwrap();
    let mut odd = vec![pipe, socket, dangling, looping, folder];
    if is_root() && node(&device, FileType::CharacterDevice, makedev(1, 3)) {
        odd.push(device);
    } else {
        skip("a device among the guarded files", "making one needs root");
    }

    let literally: Vec<&Path> = odd.iter().map(PathBuf::as_path).collect();
    let daemon = launch(&world, &literally).start();
    assert_guarded(&daemon, &normal);
    assert_guarded(&daemon, &inside);
    for path in &odd {
        let state = daemon.state_of(path);
        let is_fine = state.as_deref().is_none_or(|state| matches!(state, "unreadable" | "missing"));
        assert!(is_fine, "{}: {state:?}", path.display());
        assert!(fs::symlink_metadata(path).is_ok(), "{} is gone", path.display());
    }
    assert!(daemon.count("files", &[("state", "unreadable")]) > 0, "nothing is told");
    daemon.terminate();
}

#[test]
fn names_cannot_forge_log_lines_or_steer_terminals() {
    let world = World::new();
    let names: [&[u8]; 5] = [
        b"not-\xff-utf-8.json",
        b"line\nbreak.json",
        b"\x1b[31mred.json",
        b"quote\"back\\slash.json",
        "bidi\u{202e}.json".as_bytes(),
    ];
    let paths: Vec<PathBuf> = names.iter().map(|name| world.write(OsStr::from_bytes(name), document(1, 500))).collect();
    let daemon = launch(&world, &[]).start();
    for path in &paths {
        assert_guarded(&daemon, path);
    }
    let scrape = daemon.get("/metrics").body;
    let answers = [daemon.get("/api/v1/files").body, daemon.get("/healthz").body, scrape];
    for answer in answers {
        assert!(
            !answer.contains('\x1b') && !answer.contains('\u{202e}') && !answer.contains("line\nbreak"),
            "{answer}"
        );
    }
    daemon.scrape();
    let log = String::from_utf8(daemon.log_bytes()).expect("the log is UTF-8");
    assert!(!log.contains('\x1b') && !log.contains('\u{202e}'), "{log:?}");
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "a forged line: {line:?}");
    }
    let incidents = fs::read_to_string(world.state.join("incidents.jsonl")).unwrap();
    assert!(!incidents.contains('\x1b'));
    assert!(daemon.state.incidents().len() >= 2 * paths.len());
}

#[test]
fn extreme_sizes_and_depths_are_judged_or_told() {
    let world = World::new();
    let normal = world.write("normal.json", document(1, 2_000));
    let zero = world.write("zero.json", "");
    let huge = world.write("huge.json", "{}");
    fs::File::options().write(true).open(&huge).unwrap().set_len(200 << 20).unwrap();
    let levels = 5_000_000;
    let deep = world.write("deep.json", ["[".repeat(levels), "]".repeat(levels)].concat());
    let endless = world.write("endless.json", "[{\"a\":".repeat(levels / 2));
    let daemon = launch(&world, &[&zero, &huge]).start();
    assert_guarded(&daemon, &normal);
    assert_guarded(&daemon, &deep);
    daemon.wait_state(&zero, "unproven");
    daemon.wait_state(&endless, "unproven");
    daemon.wait_state(&huge, "unreadable");
    assert_eq!(fs::metadata(&huge).unwrap().len(), 200 << 20);
    let told = daemon.state.incidents_of(&huge, "told");
    assert_eq!(told.len(), 1, "told once");
    assert_eq!(told[0]["kind"], "too_large");
    daemon.terminate();
}

#[test]
fn a_file_that_becomes_a_folder_and_back_is_never_repaired() {
    let world = World::new();
    let normal = world.write("normal.json", document(1, 2_000));
    let good = document(2, 2_000);
    let path = world.write("changing.json", &good);
    let daemon = launch(&world, &[&path]).start();
    daemon.wait_stored(&path, &good);
    for _ in 0..300 {
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::remove_dir(&path).unwrap();
        fs::write(&path, &good).unwrap();
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("kept.txt"), "mine").unwrap();
    daemon.wait_state(&path, "unreadable");
    assert_guarded(&daemon, &normal);
    assert_eq!(fs::read(path.join("kept.txt")).unwrap(), b"mine");
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, &good).unwrap();
    daemon.wait_state(&path, "healthy");
    wait_until(LIMIT, "the repair of the normal file is told", || daemon.count("restores_total", &[]) == 1);
    assert!(daemon.state.incidents_of(&path, "corrupted").is_empty(), "a folder is no corruption");
}

#[test]
fn a_file_that_may_not_be_read_is_told_and_the_others_are_guarded() {
    if !is_root() {
        return skip("a file that may not be read", "the daemon must run as another user than the file's");
    }
    let world = World::new();
    let normal = world.write("normal.json", document(1, 2_000));
    let secret = world.write("secret.json", "{}");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for path in [&world.root, &world.files, &normal] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let as_stranger = |command: &mut std::process::Command| {
        command.uid(STRANGER).gid(STRANGER);
    };
    let launch = launch(&world, &[&secret]).with(as_stranger);
    fs::set_permissions(world.root.join("jsonwarden.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let daemon = launch.start();
    daemon.wait_state(&secret, "unreadable");
    assert_guarded(&daemon, &normal);
    assert_eq!(fs::read(&secret).unwrap(), b"{}");
}

#[test]
fn a_link_to_a_file_is_followed_once_and_its_target_is_repaired() {
    let world = World::new();
    let target_folder = world.root.join("elsewhere");
    fs::create_dir(&target_folder).unwrap();
    let target = target_folder.join("real.json");
    fs::write(&target, document(1, 1_000)).unwrap();
    let link = world.file("link.json");
    symlink(&target, &link).unwrap();
    let daemon = launch(&world, &[&link]).start();
    assert_guarded(&daemon, &target);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "the link itself stays");
}

/// As [`launch`], run by the user that the rest of the world belongs to.
fn launch_as_stranger(world: &World, paths: &[&Path]) -> Launch {
    let launch = launch(world, paths).with(|command| {
        command.uid(STRANGER).gid(STRANGER);
    });
    let settings = world.root.join("jsonwarden.toml");
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644)).unwrap();
    chown(&world.root, Some(STRANGER), Some(STRANGER)).unwrap();
    launch
}

#[test]
fn a_folder_that_cannot_be_looked_into_is_told_once_and_no_longer_when_it_can() {
    if !is_root() {
        return skip("a folder that may not be read", "the daemon must run as another user than the folder's");
    }
    let world = World::new();
    let folder = world.file("closed");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("a.json");
    fs::write(&file, document(1, 1_000)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let daemon = launch_as_stranger(&world, &[]).start();
    daemon.wait_state(&folder, "unreadable");
    let told = |event: &str| {
        let about = |line: &serde_json::Value| line.to_string().contains(folder.to_str().unwrap());
        daemon.logged(event).iter().filter(|line| about(line)).count()
    };
    let sweeps = daemon.count("sweep_duration_seconds_count", &[]);
    wait_until(LIMIT, "two more sweeps", || daemon.count("sweep_duration_seconds_count", &[]) >= sweeps + 2);
    assert_eq!((told("told"), told("returned")), (1, 0), "{}", daemon.log_text());
    assert_eq!(daemon.count("files", &[("state", "unreadable")]), 1);

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    daemon.wait_stored(&file, &document(1, 1_000));
    wait_until(LIMIT, "the folder is no file", || daemon.state_of(&folder).is_none());
    assert_eq!((told("told"), told("returned")), (1, 1), "{}", daemon.log_text());
    assert_eq!(daemon.count("files", &[("state", "unreadable")]), 0);
}

#[test]
fn a_file_that_is_named_beside_its_folder_is_no_reason_to_warn() {
    let world = World::new();
    let path = world.write("a.json", "42");
    let daemon = launch(&world, &[&path]).start();
    daemon.wait_stored(&path, b"42");
    assert!(daemon.logged("nothing_found").is_empty(), "{}", daemon.log_text());
}
