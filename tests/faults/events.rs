//! The kernel tells nothing, too much, or nobody listens: the sweep finds every damage all the same.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::strace;
use crate::support::{Daemon, LIMIT, Launch, World, document, is_root, skip, wait_until};

/// The defaults: `sweep_interval`, `settle`, and 5 s.
const FOUND: Duration = Duration::from_secs(5 + 1 + 5);

/// Files in folders of their own.
fn scattered(world: &World, count: u64) -> Vec<PathBuf> {
    let file = |number| {
        let folder = world.file(format!("folder-{number}"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("a.json");
        fs::write(&path, document(number, 2_000)).unwrap();
        path
    };
    (0..count).map(file).collect()
}

fn all_are_stored(daemon: &Daemon, files: &[PathBuf]) {
    for (number, file) in (0..).zip(files) {
        daemon.wait_stored(file, &document(number, 2_000));
    }
}

/// Damages them all at once; each is whole again in time.
#[track_caller]
fn all_are_found(files: &[PathBuf], what: &str) {
    for file in files {
        fs::write(file, b"{\"torn").unwrap();
    }
    let begun = Instant::now();
    let is_whole = |number, file: &Path| fs::read(file).is_ok_and(|bytes| bytes == document(number, 2_000));
    let all = || (0..).zip(files).all(|(number, file)| is_whole(number, file));
    wait_until(FOUND, &format!("all are whole again, {what}"), all);
    println!("{what}: {} files damaged, 0 missed, whole after {:.1?}", files.len(), begun.elapsed());
}

#[test]
fn damage_behind_an_overflow_of_the_kernel_s_queue_is_found() {
    let world = World::new();
    let files = scattered(&world, 3);
    let daemon = Launch::new(&world).arg(&world.files).start();
    all_are_stored(&daemon, &files);
    daemon.signal(Signal::STOP);
    // Identical events in a row are one: by turns they are not.
    let others = ["x.json", "y.json"].map(|name| fs::File::create(world.file(name)).unwrap());
    for _ in 0..20_000 {
        for other in &others {
            other.write_all_at(b"[]", 0).unwrap();
        }
    }
    drop(others);
    for file in &files {
        fs::write(file, b"{\"torn").unwrap();
    }
    daemon.signal(Signal::CONT);
    all_are_found(&files, "events overflowed");
    wait_until(LIMIT, "the overflow is counted", || daemon.count("event_overflows_total", &[]) > 0);
}

/// The same daemon, in a user namespace of its own with this limit.
fn limited(world: &World, limit: &str) -> Option<Daemon> {
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let script = format!("echo {limit} && exec \"$@\"");
    if !works(Command::new("unshare").args(["-Ur", "sh", "-c", &script, "sh", "true"])) {
        skip("limits of inotify", "no user namespaces here");
        return None;
    }
    let launch = Launch::new(world).arg(&world.files).with(|command| {
        let mut inner = Command::new("unshare");
        inner.args(["-Ur", "sh", "-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
        inner.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inner.env(name, value),
                None => inner.env_remove(name),
            };
        }
        *command = inner;
    });
    Some(launch.start())
}

#[test]
fn damage_where_no_watch_is_left_is_found() {
    let world = World::new();
    let files = scattered(&world, 12);
    let Some(daemon) = limited(&world, "4 >/proc/sys/user/max_inotify_watches") else { return };
    all_are_stored(&daemon, &files);
    wait_until(LIMIT, "the loss is told", || daemon.count("event_source_up", &[]) == 0);
    assert_eq!(daemon.logged("event_source_lost").len(), 1, "once");
    all_are_found(&files, "4 inotify watches for 12 folders");
}

#[test]
fn damage_is_found_without_any_inotify_instance() {
    let world = World::new();
    let files = scattered(&world, 3);
    let Some(daemon) = limited(&world, "0 >/proc/sys/user/max_inotify_instances") else { return };
    all_are_stored(&daemon, &files);
    wait_until(LIMIT, "the loss is told", || daemon.count("event_source_up", &[]) == 0);
    all_are_found(&files, "no inotify instance");
}

/// The thread that listens to the kernel.
fn listener(daemon: &Daemon) -> Option<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero())).unwrap();
    let mut threads = threads.map(|thread| thread.unwrap().path());
    let is_it = |thread: &PathBuf| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("notify"));
    threads.find(is_it).map(|thread| thread.file_name().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn damage_is_found_after_the_thread_that_listens_has_died_and_another_takes_its_place() {
    if !strace::is_there() || !is_root() {
        return;
    }
    let world = World::new();
    let files = scattered(&world, 3);
    let daemon = Launch::new(&world).arg(&world.files).start();
    all_are_stored(&daemon, &files);
    let thread = listener(&daemon).unwrap();
    let mut tracer = Command::new("strace")
        .args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=epoll_wait",
            "-e",
            "inject=epoll_wait:error=EBADF",
            "-p",
            &thread,
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + LIMIT;
    while listener(&daemon).as_ref() == Some(&thread) && Instant::now() < end {
        fs::write(world.file("other.json"), b"{}").unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = tracer.kill();
    tracer.wait().unwrap();
    assert_ne!(listener(&daemon).as_ref(), Some(&thread), "it did not die");
    all_are_found(&files, "the listening thread died");
    // A folder that is new wants a watch of the dead one.
    let late = world.file("late");
    fs::create_dir(&late).unwrap();
    fs::write(late.join("a.json"), document(7, 2_000)).unwrap();
    daemon.wait_stored(&late.join("a.json"), &document(7, 2_000));
    wait_until(LIMIT, "another one listens", || listener(&daemon).is_some());
    assert!(!daemon.has_ended());
    assert_eq!(daemon.get("/livez").status, 200);
    all_are_found(&files, "another thread listens");
}
