//! The words for systemd, on a notify socket of our own.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Daemon, LIMIT, Launch, World, command, document};

/// What systemd would listen at.
struct Notify(UnixDatagram);

impl Notify {
    fn new(world: &World) -> Self {
        let socket = UnixDatagram::bind(world.root.join("notify")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    fn start(world: &World, watchdog: bool) -> Daemon {
        let launch = Launch::new(world).arg(&world.files).with(|command| {
            command.env("NOTIFY_SOCKET", world.root.join("notify"));
            if watchdog {
                command.env("WATCHDOG_USEC", "1500000");
            }
        });
        launch.spawn()
    }

    /// Waits for a word; returns all that was said up to it.
    #[track_caller]
    fn hear(&self, word: &str) -> String {
        let mut all = String::new();
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            let mut buffer = [0; 4096];
            let length = self.0.recv(&mut buffer).unwrap_or_else(|error| panic!("no {word}: {error}; {all}"));
            all += std::str::from_utf8(&buffer[..length]).unwrap();
            if all.lines().any(|line| line.starts_with(word)) {
                return all;
            }
        }
        panic!("no {word} in {all}");
    }

    /// Is this word not said for so long?
    fn is_silent(&self, word: &str, span: Duration) -> bool {
        self.0.set_read_timeout(Some(span)).unwrap();
        let mut buffer = [0; 4096];
        let until = Instant::now() + span;
        while let Ok(length) = self.0.recv(&mut buffer) {
            if std::str::from_utf8(&buffer[..length]).unwrap().lines().any(|line| line.starts_with(word)) {
                return false;
            }
            if Instant::now() > until {
                break;
            }
        }
        true
    }
}

#[test]
fn systemd_hears_of_the_start_a_reload_and_the_end() {
    let world = World::new();
    world.write("a.json", document(1, 500));
    let notify = Notify::new(&world);
    let daemon = Notify::start(&world, false);
    let start = notify.hear("READY=1");
    assert!(start.contains("EXTEND_TIMEOUT_USEC="), "{start}");
    assert_eq!(daemon.get("/readyz").status, 200);
    notify.hear("STATUS=guarding 1 files: 1 healthy");
    let reloading = std::thread::spawn({
        let run = world.run.clone();
        move || command().env("RUNTIME_DIRECTORY", run).arg("reload").stdout(Stdio::null()).status().unwrap()
    });
    let said = notify.hear("RELOADING=1");
    assert!(said.contains("MONOTONIC_USEC="), "{said}");
    notify.hear("READY=1");
    assert_eq!(reloading.join().unwrap().code(), Some(0));
    daemon.signal(Signal::TERM);
    notify.hear("STOPPING=1");
    assert_eq!(daemon.wait_end(LIMIT).0.code(), Some(0));
}

#[test]
fn the_watchdog_is_fed_while_all_make_progress() {
    let world = World::new();
    world.write("a.json", document(1, 500));
    let notify = Notify::new(&world);
    let daemon = Notify::start(&world, true);
    notify.hear("WATCHDOG=1");
    notify.hear("WATCHDOG=1");
    daemon.signal(Signal::STOP);
    // What had been said before the stop may still be there.
    notify.is_silent("WATCHDOG=1", Duration::from_millis(200));
    assert!(notify.is_silent("WATCHDOG=1", Duration::from_secs(2)), "a stopped process feeds nobody");
    daemon.signal(Signal::CONT);
    notify.0.set_read_timeout(Some(LIMIT)).unwrap();
    notify.hear("WATCHDOG=1");
}

#[test]
fn a_notify_socket_that_is_lost_or_full_stops_nothing() {
    let world = World::new();
    let good = document(1, 500);
    let file = world.write("a.json", &good);
    let notify = Notify::new(&world);
    let daemon = Notify::start(&world, true);
    daemon.wait_ready();
    // Nobody reads: the socket's queue fills. Then it is gone.
    daemon.wait_stored(&file, &good);
    drop(notify);
    fs::remove_file(world.root.join("notify")).unwrap();
    fs::write(&file, "{\"cut").unwrap();
    crate::support::wait_until(LIMIT, "it is repaired", || fs::read(&file).is_ok_and(|bytes| bytes == good));
    daemon.terminate();
}

#[test]
fn what_nobody_heard_is_said_again_when_the_notify_socket_is_back() {
    let world = World::new();
    world.write("a.json", document(1, 500));
    let daemon = Notify::start(&world, true);
    daemon.wait_ready();
    let notify = Notify::new(&world);
    notify.hear("READY=1");
    notify.hear("STATUS=guarding 1 files: 1 healthy");
    drop(notify);
    fs::remove_file(world.root.join("notify")).unwrap();
    fs::write(world.files.join("b.json"), document(2, 500)).unwrap();
    daemon.wait_state(&world.files.join("b.json"), "healthy");
    // Longer than until the status would have been said.
    std::thread::sleep(Duration::from_secs(3));
    let last = Notify::new(&world);
    last.hear("STATUS=guarding 2 files: 2 healthy");
}
