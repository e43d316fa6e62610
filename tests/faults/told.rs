//! A running daemon meets errors: each is counted once, in one counter, and told; what cannot be read is never taken for
//! corrupt; and when the trouble is over everything is made up for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::strace;
use crate::support::{Daemon, LIMIT, Launch, World, document, is_root, wait_until};

/// strace at all threads of a daemon.
struct Attached {
    child: Child,
    trace: PathBuf,
}

impl Attached {
    /// Only calls about `path`, if there is one.
    fn new(daemon: &Daemon, world: &World, expressions: &[&str], path: Option<&str>) -> Self {
        let trace = world.root.join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-o"]).arg(&trace);
        for expression in expressions {
            command.arg("-e").arg(expression);
        }
        if let Some(path) = path {
            command.arg("-P").arg(path);
        }
        let pid = daemon.pid().as_raw_nonzero().to_string();
        let child = command.args(["-p", &pid]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until(LIMIT, "strace is at every thread", || {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            let is_traced = |thread: &Path| {
                fs::read_to_string(thread.join("status")).is_ok_and(|text| !text.contains("TracerPid:\t0\n"))
            };
            threads.flatten().all(|thread| is_traced(&thread.path()))
        });
        Self { child, trace }
    }

    /// Lets go; how many calls failed because of it and name this.
    fn detach(self, naming: &str) -> usize {
        self.failed(naming).len()
    }

    /// Lets go; the lines of the calls that failed because of it and name this.
    fn failed(mut self, naming: &str) -> Vec<String> {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        self.child.wait().unwrap();
        let text = String::from_utf8_lossy(&fs::read(&self.trace).unwrap()).into_owned();
        let failed = text.lines().filter(|line| line.contains("(INJECTED)") && line.contains(naming));
        failed.map(str::to_owned).collect()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file with one version, and its daemon.
fn guarded(world: &World) -> (PathBuf, Daemon) {
    let file = world.write("a.json", document(1, 3_000));
    let text = format!(
        "sweep_interval = \"1s\"\n[defaults]\nmax_repairs = 0\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
        world.files.display()
    );
    let daemon = Launch::new(world).config(world, &text).start();
    daemon.wait_stored(&file, &document(1, 3_000));
    (file, daemon)
}

/// What can be counted of trouble.
const COUNTERS: [(&str, &[(&str, &str)]); 6] = [
    ("backups_total", &[("outcome", "failed")]),
    ("restores_total", &[("outcome", "failed")]),
    ("validations_total", &[("result", "unreadable")]),
    ("corruptions_total", &[]),
    ("restores_total", &[("outcome", "repaired")]),
    ("rot_total", &[]),
];

fn counted(daemon: &Daemon) -> Vec<usize> {
    let scrape = daemon.scrape();
    COUNTERS.iter().map(|(name, labels)| scrape.count(name, labels)).collect()
}

/// Each failed sync is of another file: one whose sync failed is garbage, and never synced again.
fn are_all_others(lines: &[String]) {
    let path = |line: &String| line.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned();
    let paths: BTreeSet<String> = lines.iter().map(path).collect();
    assert_eq!(paths.len(), lines.len(), "{lines:#?}");
}

/// A new version cannot be stored while this call fails.
fn a_backup_fails(call: &str, error: &str, words: &str) {
    let world = World::new();
    let (file, daemon) = guarded(&world);
    let expressions = [format!("trace={call}"), format!("inject={call}:error={error}")];
    let attached = Attached::new(&daemon, &world, &[&expressions[0], &expressions[1]], None);
    fs::write(&file, document(2, 3_000)).unwrap();
    wait_until(LIMIT, &format!("{error} from {call} is told"), || !daemon.logged("backup_failed").is_empty());
    let lines = attached.failed("/backups/");
    // The version and the line about it are synced at once: both fail, and are one failure.
    let failed = lines.iter().filter(|line| call != "fsync" || !line.contains("record.jsonl")).count();
    if call == "fsync" {
        are_all_others(&lines);
    }
    daemon.wait_stored(&file, &document(2, 3_000));
    wait_until(LIMIT, "health is well", || daemon.get("/healthz").body.contains("\"healthy\""));
    assert_eq!(counted(&daemon), [failed, 0, 0, 0, 0, 0], "{error} from {call}: {lines:#?}");
    let told = daemon.logged("backup_failed");
    assert!(told[0]["message"].as_str().unwrap().contains(words), "{told:?}");
    println!("{error} from {call} while storing: {failed} failures, as many counted, told, and made up for");
}

/// Damage cannot be repaired while this call fails: a failure is counted and tried again; where there is no room, or nothing
/// may be written, the file is held, and that is told.
fn a_repair_fails(call: &str, error: &str, words: &str, event: &str) {
    let world = World::new();
    let (file, daemon) = guarded(&world);
    let expressions = [format!("trace={call}"), format!("inject={call}:error={error}")];
    let attached = Attached::new(&daemon, &world, &[&expressions[0], &expressions[1]], None);
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, &format!("{error} from {call} is told"), || !daemon.logged(event).is_empty());
    assert_eq!(fs::read(&file).unwrap(), b"{\"torn");
    let failed = attached.detach(&format!("{}/", world.files.display()));
    wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == document(1, 3_000)));
    wait_until(LIMIT, "it is told", || daemon.count("restores_total", &[("outcome", "repaired")]) == 1);
    let failures = if event == "held" { 0 } else { failed };
    assert_eq!(counted(&daemon), [0, failures, 0, 1, 1, 0], "{error} from {call}");
    let told = daemon.logged(event);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["message"].as_str().unwrap().contains(words), "{told:?}");
    println!("{error} from {call} while repairing: {failed} times, {event}, and made up for");
}

/// The file cannot be read.
fn a_read_fails(error: &str, words: &str) {
    let world = World::new();
    let (file, daemon) = guarded(&world);
    let path = file.to_str().unwrap();
    let inject = format!("inject=read,pread64:error={error}");
    let attached = Attached::new(&daemon, &world, &["trace=read,pread64", &inject], Some(path));
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "that it is unreadable is told", || !daemon.logged("told").is_empty());
    daemon.wait_state(&file, "unreadable");
    assert_eq!(fs::read(&file).unwrap(), b"{\"torn", "what cannot be read is left alone");
    fs::write(&file, document(2, 3_000)).unwrap();
    attached.detach("");
    daemon.wait_stored(&file, &document(2, 3_000));
    daemon.wait_state(&file, "healthy");
    let counts = counted(&daemon);
    assert!(counts[2] > 0 && [counts[0], counts[1], counts[3], counts[4], counts[5]] == [0; 5], "{error}: {counts:?}");
    let told = daemon.logged("told");
    assert!(told.len() == 1 && told[0]["message"].as_str().unwrap().contains(words), "{told:?}");
    println!("{error} while reading: counted {} times as unreadable, told once, never taken for damage", counts[2]);
}

#[test]
fn every_error_while_storing_is_counted_once_and_told_and_made_up_for() {
    if !strace::is_there() || !is_root() {
        return;
    }
    std::thread::scope(|scope| {
        for (call, error, words) in [
            ("fsync", "EIO", "Input/output error"),
            ("fsync", "ENOSPC", "No space left"),
            ("renameat2", "EDQUOT", "quota"),
            ("renameat2", "EROFS", "Read-only"),
            ("fallocate", "ENOSPC", "No space left"),
            ("pwrite64", "ENOMEM", "memory"),
            ("pwrite64", "EACCES", "Permission denied"),
        ] {
            scope.spawn(move || a_backup_fails(call, error, words));
        }
    });
}

#[test]
fn a_call_that_is_interrupted_is_no_failure() {
    if !strace::is_there() || !is_root() {
        return;
    }
    let world = World::new();
    let (file, daemon) = guarded(&world);
    // Each thread's first such call, and every third after it.
    let inject = "inject=fsync,pwrite64,fallocate,read:error=EINTR:when=1+3";
    let attached = Attached::new(&daemon, &world, &["trace=fsync,pwrite64,fallocate,read", inject], None);
    fs::write(&file, document(2, 3_000)).unwrap();
    daemon.wait_stored(&file, &document(2, 3_000));
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == document(2, 3_000)));
    wait_until(LIMIT, "it is told", || daemon.count("restores_total", &[("outcome", "repaired")]) == 1);
    let interrupted = attached.detach("");
    assert!(interrupted > 10, "{interrupted}");
    assert_eq!(counted(&daemon), [0, 0, 0, 1, 1, 0], "{}", daemon.log_text());
    println!("{interrupted} calls interrupted, none counted as a failure");
}

#[test]
fn every_error_while_repairing_is_counted_once_and_told_and_made_up_for() {
    if !strace::is_there() || !is_root() {
        return;
    }
    std::thread::scope(|scope| {
        for (call, error, words, event) in [
            ("fsync", "EIO", "Input/output error", "repair_failed"),
            ("pwrite64", "ENOMEM", "memory", "repair_failed"),
            ("renameat2", "ENOSPC", "No space left", "held"),
            ("fallocate", "EDQUOT", "quota", "held"),
            ("pwrite64", "EROFS", "Read-only", "held"),
        ] {
            scope.spawn(move || a_repair_fails(call, error, words, event));
        }
    });
}

#[test]
fn what_cannot_be_read_is_told_once_and_never_taken_for_damage() {
    if !strace::is_there() || !is_root() {
        return;
    }
    std::thread::scope(|scope| {
        for (error, words) in [("EIO", "Input/output error"), ("EACCES", "Permission denied"), ("ENOMEM", "memory")] {
            scope.spawn(move || a_read_fails(error, words));
        }
    });
}

/// Limits the daemon, and undoes that when dropped.
struct Limited(Pid, Resource, Rlimit);

impl Limited {
    fn new(daemon: &Daemon, resource: Resource, current: u64) -> Self {
        // What it was started with: ours.
        let before = getrlimit(resource);
        let limit = Rlimit { current: Some(current), maximum: before.maximum };
        Self(daemon.pid(), resource, prlimit(Some(daemon.pid()), resource, limit).unwrap())
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = prlimit(Some(self.0), self.1, self.2);
    }
}

#[test]
fn without_descriptors_nothing_is_taken_for_damage_and_all_is_made_up_for() {
    let world = World::new();
    let (file, daemon) = guarded(&world);
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap().count() as u64;
    let address = daemon.address();
    let limited = Limited::new(&daemon, Resource::Nofile, open - 3);
    fs::write(&file, document(2, 3_000)).unwrap();
    wait_until(LIMIT, "it is told", || daemon.log_text().contains("Too many open files"));
    assert_eq!(fs::read(&file).unwrap(), document(2, 3_000));
    drop(limited);
    daemon.wait_stored(&file, &document(2, 3_000));
    assert_eq!(daemon.address(), address);
    let counts = counted(&daemon);
    assert_eq!(counts[3..], [0, 0, 0], "{counts:?}");
    daemon.wait_state(&file, "healthy");
    println!(
        "without descriptors: {} backups failed, {} looks unreadable, nothing taken for damage",
        counts[0], counts[2]
    );
}

#[test]
fn a_limit_to_the_length_of_files_cuts_writes_short_and_is_survived() {
    let world = World::new();
    let (file, daemon) = guarded(&world);
    let limited = Limited::new(&daemon, Resource::Fsize, 700);
    fs::write(&file, document(2, 3_000)).unwrap();
    wait_until(LIMIT, "it is told", || !daemon.logged("backup_failed").is_empty());
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "the repair is told to fail", || !daemon.logged("repair_failed").is_empty());
    assert_eq!(fs::read(&file).unwrap(), b"{\"torn");
    drop(limited);
    wait_until(LIMIT, "it is whole again", || fs::read(&file).is_ok_and(|bytes| bytes == document(1, 3_000)));
    // The log of incidents was cut short, too: its torn line costs no other.
    wait_until(LIMIT, "it is told", || {
        let text = fs::read_to_string(world.state.join("incidents.jsonl")).unwrap();
        text.lines().any(|line| line.contains("\"repaired\""))
    });
    assert!(!daemon.has_ended());
}

/// Several short lives, each ended by SIGKILL at any moment.
#[test]
fn a_daemon_that_is_killed_again_and_again_loses_nothing() {
    let world = World::new();
    let files: Vec<PathBuf> = (0..6).map(|number| world.write(format!("{number}.json"), document(0, 3_000))).collect();
    let text = format!(
        "[defaults]\nmax_repairs = 0\nsettle = \"100ms\"\n[defaults.backup]\nmin_interval = \"10ms\"\n\
         [[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
        world.files.display()
    );
    let daemon = Launch::new(&world).config(&world, &text).start();
    for file in &files {
        daemon.wait_stored(file, &document(0, 3_000));
    }
    drop(daemon);
    let lives = if crate::support::is_long() { 200 } else { 15 };
    for life in 1..=lives {
        let daemon = Launch::new(&world).config(&world, &text).spawn();
        for (number, file) in (0..).zip(&files) {
            std::thread::sleep(Duration::from_millis((life * 37 + number * 61) % 150));
            if (life + number).is_multiple_of(2) {
                fs::write(file, document(life, 3_000)).unwrap();
            } else {
                fs::write(file, format!("{{\"torn in life {life}")).unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(life * 53 % 700));
        daemon.signal(Signal::KILL);
        daemon.wait_end(LIMIT);
    }
    let daemon = Launch::new(&world).config(&world, &text).start();
    for (number, file) in (0..).zip(&files) {
        daemon.wait_state(file, "healthy");
        let present = fs::read(file).unwrap();
        let written = |generation: u64| generation == 0 || (generation + number).is_multiple_of(2);
        let whole: Vec<Vec<u8>> = (0..=lives).filter(|one| written(*one)).map(|one| document(one, 3_000)).collect();
        assert!(whole.contains(&present), "{}: nobody wrote what stands there", file.display());
        if written(lives) {
            assert_eq!(present, document(lives, 3_000), "{}: the last version is undone", file.display());
        }
        let versions = daemon.state.versions(file);
        assert!(versions.iter().all(|stored| whole.contains(&stored.bytes)), "{}: a torn version", file.display());
        let kept = daemon.state.quarantine(file);
        assert!(kept.iter().all(|(_, bytes)| bytes.starts_with(b"{\"torn in life ")), "{}", file.display());
    }
    println!("{lives} lives ended by SIGKILL, {} files, nothing lost", files.len());
}
