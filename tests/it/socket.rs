//! The socket: who may ask for what, and which daemon answers.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::support::{Daemon, LIMIT, Launch, STRANGER, World, command, document, is_root, skip, wait_until};

/// What the daemon answers to a request over its socket, as it is.
fn exchange(world: &World, request: &str) -> String {
    let mut stream = UnixStream::connect(world.run.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn post(world: &World, order: &str, body: &str) -> String {
    let length = body.len();
    exchange(world, &format!("POST /api/v1/{order} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"))
}

fn asked(world: &World, arguments: &[&str], change: impl FnOnce(&mut std::process::Command)) -> Output {
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", &world.run).args(arguments).stdout(Stdio::piped());
    change(&mut command);
    command.output().unwrap()
}

#[track_caller]
fn ends(output: &Output, status: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{printed}{said}");
    (printed, said)
}

fn guarding(world: &World, listen: &str) -> Daemon {
    let text = format!(
        "http.listen = \"{listen}\"\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nbackup.min_interval = \"1h\"\n",
        world.files.display()
    );
    Launch::new(world).config(world, &text).spawn()
}

#[test]
fn the_socket_answers_what_http_answers_and_status_finds_it() {
    let world = World::new();
    let file = world.write("a.json", document(1, 500));
    let daemon = guarding(&world, "");
    wait_until(LIMIT, "ready", || {
        world.run.join("control.sock").exists() && exchange(&world, "GET /readyz HTTP/1.0\r\n\r\n").contains(" 200 OK")
    });
    assert!(exchange(&world, "GET /metrics HTTP/1.0\r\n\r\n").contains("jsonwarden_build_info"));
    assert!(
        exchange(&world, "GET /api/v1/files HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n").contains("a.json")
    );
    let (printed, said) = ends(&asked(&world, &["status"], |_| {}), 0);
    assert!(printed.contains(file.to_str().unwrap()), "{printed}");
    assert!(said.contains("control.sock"), "{said}");
    let mode = fs::metadata(world.run.join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "any local user may ask");
    daemon.terminate();
    assert!(!world.run.join("control.sock").exists());
}

#[test]
fn a_dead_daemon_s_socket_is_replaced_and_a_living_one_keeps_its_own() {
    let world = World::new();
    world.write("a.json", document(1, 500));
    let first = Launch::new(&world).arg(&world.files).start();
    let other = World::new();
    let second = Launch::new(&other).arg(&world.files).with(|command| {
        command.env("RUNTIME_DIRECTORY", &world.run);
    });
    let second = second.start();
    let pid = |answer: &str| answer.split("\"pid\":").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned);
    let answering = || pid(&exchange(&world, "GET /api/v1/daemon HTTP/1.0\r\n\r\n"));
    assert_eq!(answering(), Some(first.pid().as_raw_nonzero().to_string()));
    // The second one is found by its state directory.
    let paused = asked(&world, &["pause", "--state-dir", other.state.to_str().unwrap()], |_| {});
    assert!(ends(&paused, 0).1.contains(other.state.to_str().unwrap()));
    wait_until(LIMIT, "it is told", || (first.logged("paused").len(), second.logged("paused").len()) == (0, 1));
    second.terminate();
    first.signal(rustix::process::Signal::KILL);
    first.wait_end(LIMIT);
    assert!(world.run.join("control.sock").exists(), "nobody took it away");
    ends(&asked(&world, &["pause"], |_| {}), 3);
    let third = Launch::new(&world).arg(&world.files).start();
    assert_eq!(answering(), Some(third.pid().as_raw_nonzero().to_string()));
}

#[test]
fn whoever_names_a_state_directory_alone_hears_no_other_daemon() {
    let world = World::new();
    world.write("a.json", document(1, 500));
    let daemon = Launch::new(&world).arg(&world.files).start();
    let (other, configuration) = (World::new(), world.root.join("configuration"));
    fs::create_dir(&configuration).unwrap();
    let listen = format!("http.listen = \"{}\"\n", daemon.address());
    fs::write(configuration.join("jsonwarden.toml"), listen).unwrap();
    let status = |arguments: &[&str]| {
        let mut command = command();
        command.env("RUNTIME_DIRECTORY", &other.run).env("CONFIGURATION_DIRECTORY", &configuration);
        command.args(arguments).stdout(Stdio::piped()).output().unwrap()
    };
    let (printed, said) = ends(&status(&["status", "--state-dir", other.state.to_str().unwrap()]), 3);
    assert!(printed.is_empty() && said.contains("no daemon answers"), "{printed}{said}");
    let (_, said) = ends(
        &status(&[
            "status",
            "--state-dir",
            world.state.to_str().unwrap(),
            "--config",
            configuration.join("jsonwarden.toml").to_str().unwrap(),
        ]),
        0,
    );
    assert!(said.contains(&daemon.address().to_string()), "{said}");
}

#[test]
fn orders_are_taken_over_the_socket_alone_and_nonsense_is_refused() {
    let world = World::new();
    let file = world.write("a.json", document(1, 500));
    let daemon = Launch::new(&world).arg(&world.files).start();
    assert_eq!(daemon.get("/api/v1/pause").status, 404);
    assert_eq!(daemon.get("/api/v1/daemon").status, 404);
    assert!(exchange(&world, "GET /api/v1/pause HTTP/1.0\r\n\r\n").contains(" 405 "));
    assert!(exchange(&world, "POST /api/v1/files HTTP/1.0\r\nContent-Length: 0\r\n\r\n").contains(" 405 "));
    assert!(post(&world, "pause", "{\"path\":\"relative\"}").contains(" 400 "));
    assert!(post(&world, "pause", &format!("{{\"path\":\"/{}\"}}", "x".repeat(40_000))).contains(" 400 "));
    assert!(post(&world, "store", "{\"path\":\"/etc/passwd\"}").contains(" 404 "));
    let path = file.to_str().unwrap();
    let other = "0".repeat(32);
    assert!(post(&world, "store", &format!("{{\"path\":\"{path}\",\"digest\":\"{other}\"}}")).contains(" 409 "));
    assert_eq!(daemon.get("/livez").status, 200);
}

#[test]
fn a_file_is_stored_on_request_at_once() {
    let world = World::new();
    let file = world.write("a.json", document(1, 500));
    let daemon = guarding(&world, "127.0.0.1:0");
    daemon.wait_stored(&file, &document(1, 500));
    fs::write(&file, document(2, 500)).unwrap();
    let answer = post(&world, "store", &format!("{{\"path\":\"{}\"}}", file.display()));
    assert!(answer.contains(" 200 ") && answer.contains("\"version\":2"), "{answer}");
    assert!(daemon.state.newest_is(&file, &document(2, 500)), "although an hour should lie between two");
    fs::write(&file, "{\"cut").unwrap();
    let answer = post(&world, "store", &format!("{{\"path\":\"{}\"}}", file.display()));
    assert!(answer.contains(" 409 ") && answer.contains("truncated"), "{answer}");
}

/// A world that strangers may look into, with a file of root's in it.
fn open_world() -> (World, PathBuf) {
    let world = World::new();
    fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
    let file = world.write("a.json", document(1, 4_000));
    (world, file)
}

fn as_stranger(world: &World, arguments: &[&str], path: &Path) -> Output {
    asked(world, arguments, |command| {
        command.env("HOME", "/nowhere").arg(path).uid(STRANGER).gid(STRANGER).current_dir("/");
    })
}

#[test]
fn a_stranger_may_steer_nothing_and_accept_only_what_he_may_write() {
    if !is_root() {
        return skip("orders of other users", "not root");
    }
    let (world, file) = open_world();
    let daemon = guarding(&world, "127.0.0.1:0");
    daemon.wait_stored(&file, &document(1, 4_000));
    for order in [&["pause"][..], &["resume"], &["observe"], &["guard"]] {
        let (_, said) = ends(&as_stranger(&world, order, &file), 77);
        assert!(said.contains("only root may"), "{said}");
    }
    assert_eq!(daemon.logged("paused").len(), 0);
    fs::write(&file, "{}").unwrap();
    daemon.wait_state(&file, "held");
    ends(&as_stranger(&world, &["accept"], &file), 77);
    chown(&file, Some(STRANGER), None).unwrap();
    let (printed, said) = ends(&as_stranger(&world, &["accept"], &file), 0);
    assert!(printed.contains("is the good one") && said.contains("control.sock"), "{printed}{said}");
    daemon.wait_state(&file, "healthy");
}

#[test]
fn before_somebody_else_s_write_the_daemon_stores_what_it_replaces() {
    if !is_root() {
        return skip("a write by another user", "not root");
    }
    let (world, file) = open_world();
    for path in [&world.files, &file] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let home = world.root.join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(STRANGER), Some(STRANGER)).unwrap();
    let daemon = guarding(&world, "127.0.0.1:0");
    daemon.wait_stored(&file, &document(1, 4_000));
    // Too soon after the first for the daemon to store it of its own accord.
    fs::write(&file, document(2, 4_000)).unwrap();
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", &world.run).env("HOME", &home).current_dir("/").uid(STRANGER).gid(STRANGER);
    command.env("JSONWARDEN_STATE_DIR", &world.state).arg("write").arg(&file);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&document(3, 4_000)).unwrap();
    let (_, said) = ends(&child.wait_with_output().unwrap(), 0);
    assert!(said.contains("control.sock") && said.contains("versions are kept in"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), document(3, 4_000));
    assert!(daemon.state.versions(&file).iter().any(|stored| stored.bytes == document(2, 4_000)), "{said}");
}
