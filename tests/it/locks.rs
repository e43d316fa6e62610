//! The real ones: Python's `filelock` and `fcntl`, flock(1), Node's `proper-lockfile`, all at one file with us. Nobody loses an
//! update.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use jsonwarden::config::LockKind;
use jsonwarden::{Guarded, Options, WriteError};

use crate::support::{World, skip};

/// Each writer's numbers, in order.
type Numbers = BTreeMap<String, Vec<u32>>;

/// How many each of them writes.
const EACH: u32 = 40;

/// One update in Python, whatever the lock: read, change, write beside, replace.
const PYTHON_UPDATE: &str = "
import json, os, sys
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def update(number):
    with open(path) as file:
        numbers = json.load(file)
    numbers.setdefault(name, []).append(number)
    with open(path + '.' + name + '.tmp', 'w') as file:
        json.dump(numbers, file)
    os.replace(path + '.' + name + '.tmp', path)
";

const PYTHON_FILELOCK: &str = "
import filelock
for number in range(count):
    with getattr(filelock, sys.argv[4])(path + '.lock', timeout=60):
        update(number)
";

const PYTHON_FCNTL: &str = "
import fcntl
for number in range(count):
    with open(path + '.lock', 'a') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        update(number)
";

const NODE: &str = "
const fs = require('fs'), lockfile = require('proper-lockfile');
const [path, name, count] = process.argv.slice(1);
(async () => {
    for (let number = 0; number < Number(count); number++) {
        const release = await lockfile.lock(path, { retries: { retries: 10000, minTimeout: 1, maxTimeout: 20 } });
        const numbers = JSON.parse(fs.readFileSync(path));
        (numbers[name] = numbers[name] || []).push(number);
        fs.writeFileSync(path + '.' + name + '.tmp', JSON.stringify(numbers));
        fs.renameSync(path + '.' + name + '.tmp', path);
        await release();
    }
})();
";

/// A Python that has this module.
fn python(module: &str) -> Option<Command> {
    let has = |python: &&str| {
        let tried = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    if found.is_none() {
        skip("contending with Python", &format!("no python3 with the module {module}"));
    }
    found.map(Command::new)
}

fn node() -> Option<Command> {
    let command = || {
        let mut command = Command::new("node");
        command.env("NODE_PATH", "/usr/share/nodejs");
        command
    };
    let tried = command().args(["-e", "require('proper-lockfile')"]).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        skip("contending with Node", "no node with the module proper-lockfile");
        return None;
    }
    Some(command())
}

fn guarded(world: &World, path: &Path, kind: LockKind) -> Guarded<Numbers> {
    let options = Options::new().state_dir(&world.state).lock(kind).lock_timeout(Duration::from_secs(60));
    Guarded::open_with(path, &options).unwrap()
}

/// Has two of `theirs` and two of ours write at once; all that they wrote must be there, each writer's in order.
fn contend(kind: LockKind, theirs: impl Fn(&Path, &str) -> Child) {
    let world = World::new();
    let path = world.write("shared.json", b"{}");
    let mut children = [theirs(&path, "their-0"), theirs(&path, "their-1")];
    std::thread::scope(|scope| {
        for ours in 0..2 {
            let guarded = guarded(&world, &path, kind);
            scope.spawn(move || {
                for number in 0..EACH {
                    let push = |numbers: &mut Numbers| numbers.entry(format!("our-{ours}")).or_default().push(number);
                    guarded.update(push).unwrap();
                }
            });
        }
    });
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let numbers: Numbers = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(numbers.len(), 4);
    for (name, held) in numbers {
        assert!(held.iter().copied().eq(0..EACH), "{name}: {held:?}");
    }
}

fn started(mut command: Command, script: &str, path: &Path, name: &str, more: &[&str]) -> Child {
    let flag = if script == NODE { "-e" } else { "-c" };
    command.args([flag, script]).arg(path).args([name, &EACH.to_string()]).args(more).spawn().unwrap()
}

#[test]
fn nothing_is_lost_beside_the_file_lock_of_python() {
    if python("filelock").is_none() {
        return;
    }
    let script = [PYTHON_UPDATE, PYTHON_FILELOCK].concat();
    for kind in [LockKind::Auto, LockKind::Flock] {
        contend(kind, |path, name| started(python("filelock").unwrap(), &script, path, name, &["FileLock"]));
    }
}

#[test]
fn nothing_is_lost_beside_the_soft_file_lock_of_python() {
    if python("filelock").is_none() {
        return;
    }
    let script = [PYTHON_UPDATE, PYTHON_FILELOCK].concat();
    contend(LockKind::Soft, |path, name| started(python("filelock").unwrap(), &script, path, name, &["SoftFileLock"]));
}

#[test]
fn nothing_is_lost_beside_the_record_locks_of_python() {
    if python("fcntl").is_none() {
        return;
    }
    let script = [PYTHON_UPDATE, PYTHON_FCNTL].concat();
    contend(LockKind::Posix, |path, name| started(python("fcntl").unwrap(), &script, path, name, &[]));
}

#[test]
fn nothing_is_lost_beside_flock_1() {
    if python("json").is_none() {
        return;
    }
    // Ten updates each time the lock is held: starting Python takes longer than all of them.
    let script = [PYTHON_UPDATE, "\nfor number in range(count, count + 10):\n    update(number)\n"].concat();
    contend(LockKind::Flock, |path, name| {
        let each = r#"for number in $(seq 0 10 $(($4 - 1))); do flock "$2.lock" python3 -c "$1" "$2" "$3" $number || exit 1; done"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", each, "sh", &script]).arg(path).args([name, &EACH.to_string()]).spawn().unwrap()
    });
}

#[test]
fn nothing_is_lost_beside_the_proper_lockfile_of_node() {
    if node().is_none() {
        return;
    }
    contend(LockKind::ProperLockfile, |path, name| started(node().unwrap(), NODE, path, name, &[]));
}

#[test]
fn a_lock_of_a_process_that_died_is_free_and_one_of_a_living_process_is_not() {
    let world = World::new();
    let path = world.write("shared.json", b"{}");
    let lock = world.file("shared.json.lock");
    let write = |kind| {
        let options = Options::new().state_dir(&world.state).lock(kind).lock_timeout(Duration::from_millis(300));
        jsonwarden::write(&path, format!("[{}]", rand()).as_bytes(), &options)
    };
    let is_locked = |kind| matches!(write(kind), Err(error @ WriteError::Failed(_)) if error.exit_status() == 4);
    // As filelock writes them: process and machine.
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    let host = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    let namespace = fs::metadata("/proc/self/ns/pid").unwrap().ino();
    let host = if namespace == 0xefff_fffc { host } else { format!("{host}?pidns-{namespace:x}") };
    fs::write(&lock, format!("{}\n{host}\n", sleeper.id())).unwrap();
    assert!(is_locked(LockKind::Soft), "it is alive");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    write(LockKind::Soft).unwrap();
    assert!(!lock.exists(), "letting it go is removing it");
    fs::write(&lock, "").unwrap();
    assert!(is_locked(LockKind::Soft), "whose it is cannot be known");
    fs::remove_file(&lock).unwrap();
    // A folder is alive as long as it is dated.
    fs::create_dir(&lock).unwrap();
    assert!(is_locked(LockKind::ProperLockfile) && is_locked(LockKind::Auto));
    let long_ago = SystemTime::now() - Duration::from_secs(11);
    fs::File::open(&lock).unwrap().set_modified(long_ago).unwrap();
    write(LockKind::ProperLockfile).unwrap();
    assert!(!lock.exists());
    let left: Vec<_> = fs::read_dir(&world.files).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shared.json"]);
}

#[test]
fn a_long_update_keeps_its_folder_dated() {
    let world = World::new();
    let path = world.write("shared.json", b"{}");
    let lock = world.file("shared.json.lock");
    guarded(&world, &path, LockKind::ProperLockfile)
        .update(|_| {
            let date = || fs::metadata(&lock).unwrap().modified().unwrap();
            let (first, begun) = (date(), Instant::now());
            while date() == first {
                assert!(begun.elapsed() < Duration::from_secs(9), "its date must change within 10 s");
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .unwrap();
    assert!(!lock.exists());
}

/// Something that was not written before.
fn rand() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}
