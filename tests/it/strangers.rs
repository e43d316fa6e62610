//! Root among strangers, on the real binary: what a folder's owner plays with names gets nothing out of us that is not theirs.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, mknodat};

use crate::support::{LIMIT, Launch, STRANGER, World, command, is_root, skip, wait_until};

const GOOD: &str = "{\"whose\": \"theirs\"}";
const DAMAGED: &str = "{\"whose\": \"th";
const SECRET: &str = "{\"whose\": \"root's\"}";

/// A folder of a stranger's, with a document of theirs, and a file of root's outside.
fn strange() -> Option<(World, PathBuf, PathBuf)> {
    if !is_root() {
        skip("root among strangers", "the tests do not run as root");
        return None;
    }
    let world = World::new();
    let path = world.write("a.json", GOOD);
    for path in [&world.files, &path] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let outside = world.root.join("outside");
    fs::create_dir(&outside).unwrap();
    let secret = outside.join("a.json");
    fs::write(&secret, SECRET).unwrap();
    Some((world, path, secret))
}

/// Do these bytes occur in any file of the state directory?
fn is_kept_anywhere(world: &World, bytes: &str) -> bool {
    let mut folders = vec![world.state.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path)
                .is_ok_and(|held| held.windows(bytes.len()).any(|window| window == bytes.as_bytes()))
            {
                return true;
            }
        }
    }
    false
}

fn relink(link: &Path, target: &Path) {
    // Theirs before it has the name: one of root's would be followed.
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    lchown(&new, Some(STRANGER), Some(STRANGER)).unwrap();
    fs::rename(&new, link).unwrap();
}

#[test]
fn a_document_that_its_owner_makes_a_link_to_root_s_file_is_unreadable_and_says_why() {
    let Some((world, path, secret)) = strange() else { return };
    let daemon = Launch::new(&world)
        .config(&world, &format!("sweep_interval = \"1s\"\n[[watch]]\nname = \"test\"\npaths = [{path:?}]\n"))
        .start();
    daemon.wait_stored(&path, GOOD.as_bytes());
    relink(&path, &secret);
    daemon.wait_state(&path, "unreadable");
    wait_until(LIMIT, "three more sweeps", || daemon.count("sweep_duration_seconds_count", &[]) >= 3);
    assert!(daemon.log_text().contains("does not own what this link leads to"), "{}", daemon.log_text());
    assert_eq!(daemon.state_of(&secret), None);
    assert!(!is_kept_anywhere(&world, SECRET));

    let theirs = world.write("b.json", "{\"whose\": \"theirs, too\"}");
    chown(&theirs, Some(STRANGER), None).unwrap();
    relink(&path, &theirs);
    daemon.wait_stored(&theirs, b"{\"whose\": \"theirs, too\"}");
    wait_until(LIMIT, "the link is no document", || daemon.state_of(&path).is_none());
}

#[test]
fn a_command_of_root_s_does_not_follow_a_stranger_s_link_to_root_s_file() {
    let Some((world, path, secret)) = strange() else { return };
    let daemon = Launch::new(&world).arg(&secret).start();
    daemon.wait_stored(&secret, SECRET.as_bytes());
    daemon.terminate();
    fs::write(&secret, "{").unwrap();
    relink(&path, &secret);
    for verb in [&["repair"][..], &["restore"], &["accept"], &["history"]] {
        let ended = command().args(verb).arg(&path).arg("--state-dir").arg(&world.state).output().unwrap();
        assert_eq!(ended.status.code(), Some(5), "{verb:?}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(fs::read_to_string(&secret).unwrap(), "{");
    }
}

/// What tells the flipping process where to work.
const FLIPPED: &str = "JSONWARDEN_TEST_FLIPPED";

/// How long everything is flipped.
const SPAN: Duration = Duration::from_secs(60);

/// The process that flips: not a test, but run as one by the test below, as the stranger.
#[test]
#[ignore = "it is a part of the test below"]
fn the_flipping_process() {
    let root = PathBuf::from(std::env::var_os(FLIPPED).expect("where to work"));
    let deadline = Instant::now() + SPAN;
    std::thread::scope(|scope| {
        scope.spawn(|| flip_a_folder(&root, deadline));
        scope.spawn(|| flip_a_file(&root, deadline));
    });
}

/// A folder is, in turn, itself, a link to root's folder, a pipe, and a link to root's file.
fn flip_a_folder(root: &Path, deadline: Instant) {
    let (folder, away) = (root.join("files/conf"), root.join("files/away"));
    for turn in (0_u64..).take_while(|_| Instant::now() < deadline) {
        fs::rename(&folder, &away).unwrap();
        become_something_else(&folder, &root.join("outside"), turn);
        pause(turn);
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        let file = folder.join("a.json");
        if turn % 20 == 0 {
            fs::write(&file, DAMAGED).unwrap();
        }
        let is_damaged = || fs::read_to_string(&file).is_ok_and(|bytes| bytes == DAMAGED);
        // Now and then it stays long enough for a repair.
        let stays = Instant::now() + Duration::from_secs(u64::from(turn % 20 == 0) * 4);
        while is_damaged() && Instant::now() < stays.min(deadline) {
            std::thread::sleep(Duration::from_millis(1));
        }
        pause(turn / 3);
    }
}

/// A file is, in turn, a folder, a link to root's file, a pipe, a second name of root's file, and theirs and damaged.
fn flip_a_file(root: &Path, deadline: Instant) {
    let path = root.join("files/b.json");
    for turn in (0_u64..).take_while(|_| Instant::now() < deadline) {
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        if turn % 5 == 4 {
            fs::write(&path, DAMAGED).unwrap();
            let stays = Instant::now() + Duration::from_secs(u64::from(turn % 100 == 99) * 4);
            let is_damaged = || fs::read_to_string(&path).is_ok_and(|bytes| bytes == DAMAGED);
            while is_damaged() && Instant::now() < stays.min(deadline) {
                std::thread::sleep(Duration::from_millis(1));
            }
        } else if turn % 5 == 3 {
            let _ = fs::create_dir(&path);
        } else {
            let name = if turn % 2 == 0 { "a.json" } else { "damaged.json" };
            become_something_else(&path, &root.join("outside").join(name), turn);
        }
        pause(turn);
    }
}

fn become_something_else(path: &Path, outside: &Path, turn: u64) {
    let file = if outside.is_dir() { outside.join("a.json") } else { outside.to_owned() };
    // What is brought back at the name meanwhile is in the way, once.
    let made = match turn % 3 {
        0 => symlink(outside, path),
        1 => mknodat(CWD, path, FileType::Fifo, 0o600.into(), 0).map_err(Into::into),
        _ => fs::hard_link(file, path),
    };
    assert!(made.is_ok() || made.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists));
}

fn pause(turn: u64) {
    std::thread::sleep(Duration::from_micros(turn.wrapping_mul(7919) % 3_000));
}

/// Every file below a folder, with all that a stranger's tricks must not change.
fn all_below(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, u32, i64)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let found = fs::symlink_metadata(&path).unwrap();
            let bytes = fs::read(&path).unwrap();
            (path, (bytes, found.uid(), found.mode(), found.mtime_nsec()))
        })
        .collect()
}

#[test]
fn whatever_a_folder_s_owner_makes_of_it_for_a_minute_leads_root_nowhere() {
    let Some((world, _, secret)) = strange() else { return };
    let outside = secret.parent().unwrap().to_owned();
    fs::write(outside.join("damaged.json"), "{\"whose\": \"root's\",").unwrap();
    // So that even a system that protects hard links lets them be made.
    for path in [secret.clone(), outside.join("damaged.json")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let folder = world.file("conf");
    fs::create_dir(&folder).unwrap();
    let files = [folder.join("a.json"), world.write("b.json", GOOD)];
    fs::write(&files[0], GOOD).unwrap();
    for path in [&folder, &files[0], &files[1]] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let settings = format!(
        "sweep_interval = \"1s\"\n[defaults]\nmax_repairs = 0\nsettle = \"100ms\"\non_missing = \"restore\"\n\
         [[watch]]\nname = \"folder\"\npaths = [{folder:?}]\n[[watch]]\nname = \"file\"\npaths = [{:?}]\n",
        files[1]
    );
    let daemon = Launch::new(&world).config(&world, &settings).start();
    for file in &files {
        daemon.wait_stored(file, GOOD.as_bytes());
    }
    let (before, mtime) = (all_below(&outside), fs::metadata(&outside).unwrap().mtime_nsec());

    let flipping = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "strangers::the_flipping_process", "--ignored"])
        .env(FLIPPED, &world.root)
        .uid(STRANGER)
        .gid(STRANGER)
        .output()
        .unwrap();
    assert!(flipping.status.success(), "{}", String::from_utf8_lossy(&flipping.stdout));
    let repairs =
        ["folder", "file"].map(|watch| daemon.count("restores_total", &[("watch", watch), ("outcome", "repaired")]));
    eprintln!("repairs among flips, of the folder's file and of the other: {repairs:?}");
    assert!(repairs.iter().all(|repairs| *repairs > 0), "{repairs:?}: nothing was repaired, so nothing was shown");
    assert_eq!(daemon.get("/livez").status, 200);

    assert_eq!(all_below(&outside), before, "root's files are as they were");
    assert_eq!(fs::metadata(&outside).unwrap().mtime_nsec(), mtime, "nothing was made or removed beside them");
    daemon.terminate();
    assert!(!is_kept_anywhere(&world, "root's"), "nothing of root's was read into the state directory");
    for below in [&world.files, &folder] {
        for entry in fs::read_dir(below).into_iter().flatten().map(Result::unwrap) {
            let found = entry.metadata().unwrap();
            assert!(found.uid() == STRANGER || found.nlink() > 1, "{:?} is root's", entry.path());
        }
    }
}
