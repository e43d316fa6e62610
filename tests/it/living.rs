//! Starting, being ready, being watched, ending.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{LIMIT, Launch, World, command, document, wait_until};

/// What the contract gives the daemon to end in.
const DRAIN: Duration = Duration::from_secs(5);

#[test]
fn it_ends_with_0_within_five_seconds_of_sigterm_and_of_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::new();
        world.write("a.json", document(1, 500));
        let daemon = Launch::new(&world).arg(&world.files).start();
        daemon.signal(signal);
        let (status, took) = daemon.wait_end(DRAIN);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        println!("{signal:?}: ended after {took:?}");
    }
}

#[test]
fn a_client_that_never_finishes_its_request_does_not_delay_the_end() {
    let world = World::new();
    world.write("a.json", "{}");
    let daemon = Launch::new(&world).arg(&world.files).start();
    let mut half_open = TcpStream::connect(daemon.address()).unwrap();
    half_open.write_all(b"GET /metrics HTTP/1.1\r\nHost:").unwrap();
    daemon.signal(Signal::TERM);
    let (status, _) = daemon.wait_end(DRAIN);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = World::new();
    world.write("a.json", "{}");
    let daemon = Launch::new(&world).arg(&world.files).start();
    let mut half_open = TcpStream::connect(daemon.address()).unwrap();
    half_open.write_all(b"GET /metrics HTTP/1.1\r\nHost:").unwrap();
    daemon.signal(Signal::TERM);
    // The kernel makes one of two signals that wait together.
    wait_until(DRAIN, "the first signal is heard", || !daemon.logged("draining").is_empty());
    daemon.signal(Signal::TERM);
    daemon.wait_end(Duration::from_secs(1));
}

#[test]
fn ready_means_that_every_file_has_been_judged() {
    let world = World::new();
    for number in 0..2_000 {
        world.write(format!("{number}.json"), document(number, 600));
    }
    let daemon = Launch::new(&world).arg(&world.files).spawn();
    assert_eq!(daemon.get("/livez").status, 200, "alive before it is ready");
    daemon.wait_ready();
    let judged = daemon.count("validations_total", &[("result", "valid")]);
    assert_eq!(judged, 2_000, "ready before all were judged");
    wait_until(LIMIT, "all are healthy", || daemon.count("files", &[("state", "healthy")]) == 2_000);
    for (path, twin) in [("/livez", "/health/live"), ("/readyz", "/health/ready"), ("/healthz", "/health")] {
        assert_eq!((daemon.get(path).status, daemon.get(twin).status), (200, 200), "{path}");
    }
    let health: serde_json::Value = serde_json::from_str(&daemon.get("/healthz").body).unwrap();
    assert!(matches!(health["status"].as_str(), Some("healthy" | "degraded")), "{health}");
    assert!(daemon.get("/readyz?verbose").body.lines().count() > 1);
    assert_eq!(daemon.get("/no-such-page").status, 404);
}

#[test]
fn nothing_to_guard_is_a_usage_error_that_says_what_to_do() {
    let world = World::new();
    let output = command()
        .args(["run", "--state-dir"])
        .arg(&world.state)
        .env("HOME", &world.root)
        .arg("--config")
        .arg(empty_configuration(&world))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("jsonwarden run") || said.contains("[[watch]]"), "no mend in {said:?}");
    assert!(!world.state.exists(), "a usage error must leave nothing behind");
}

fn empty_configuration(world: &World) -> std::path::PathBuf {
    let path = world.root.join("empty.toml");
    fs::write(&path, "").unwrap();
    path
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    let world = World::new();
    let path = world.root.join("typo.toml");
    fs::write(&path, "sweep_interval = \"5s\"\nsweep_intervall = \"5s\"\n").unwrap();
    let output = command().args(["run", "--config"]).arg(&path).arg(&world.files).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("typo.toml:2:1") && said.contains("sweep_intervall"), "{said:?}");
}

/// Damages the file and waits until it is whole.
fn assert_it_still_guards(world: &World, name: &str, good: &[u8]) {
    let path = world.write(name, b"{\"torn");
    wait_until(LIMIT, "the file is whole again", || fs::read(&path).is_ok_and(|bytes| bytes == good));
}

/// A port that was free a moment ago, for daemons whose log cannot be read.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_closed_standard_error_does_not_stop_the_guarding() {
    let world = World::new();
    let good = document(1, 2_000);
    let path = world.write("a.json", &good);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let daemon = Launch::new(&world).arg(&world.files).with(|command| _ = command.stderr(writer)).spawn();
    daemon.wait_stored(&path, &good);
    assert_it_still_guards(&world, "a.json", &good);
}

#[test]
fn a_log_on_a_full_disk_does_not_stop_the_guarding() {
    let world = World::new();
    let good = document(1, 2_000);
    let path = world.write("a.json", &good);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let daemon = Launch::new(&world).arg(&world.files).with(|command| _ = command.stderr(Stdio::from(full))).spawn();
    daemon.wait_stored(&path, &good);
    assert_it_still_guards(&world, "a.json", &good);
}

#[test]
fn a_port_that_is_taken_is_a_clear_error() {
    let world = World::new();
    world.write("a.json", "{}");
    let taken = TcpListener::bind(free_address()).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command()
        .args(["run", "--listen", &address, "--state-dir"])
        .arg(&world.state)
        .arg(&world.files)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&address) && said.to_lowercase().contains("in use"), "{said:?}");
}
