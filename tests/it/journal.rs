//! journald, by its own protocol, at its own place: a datagram socket of ours stands there, in a mount namespace of the
//! daemon's own.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{LIMIT, World, command, document, is_root, skip, wait_until};

/// Puts the socket in the place of journald's, and becomes the daemon.
const BECOME: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && \
    mount --bind \"$0\" /run/systemd/journal/socket && exec \"$@\"";

struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    fn new(world: &World) -> Self {
        let path = world.root.join("journal");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path }
    }

    /// Sends until nothing more fits: whoever sends after this waits.
    fn fill(&self) {
        let stranger = UnixDatagram::unbound().unwrap();
        stranger.set_nonblocking(true).unwrap();
        while stranger.send_to(b"MESSAGE=filler\n", &self.path).is_ok() {}
    }

    fn read(&self) -> Option<String> {
        let mut buffer = vec![0; 64 << 10];
        match self.socket.recv(&mut buffer) {
            Ok(count) => Some(String::from_utf8_lossy(&buffer[..count]).into_owned()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                None
            }
        }
    }
}

/// Killed when dropped.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(world: &World, journal: &Path) -> Option<Guard> {
    if !is_root() {
        skip("a stalled journal", "a mount namespace needs root");
        return None;
    }
    let config = world.root.join("jsonwarden.toml");
    let watch = format!("[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nsettle = \"200ms\"\n", world.files.display());
    fs::write(&config, format!("log.format = \"journald\"\nlog.level = \"debug\"\nhttp.listen = \"\"\n{watch}"))
        .unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", BECOME]).arg(journal).arg(command().get_program());
    unshare.args(["run", "--state-dir"]).arg(&world.state).arg("--config").arg(config);
    unshare.env("RUNTIME_DIRECTORY", &world.run).stdout(Stdio::null()).stdin(Stdio::null());
    Some(Guard(unshare.spawn().unwrap()))
}

fn is_ready(world: &World) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(world.run.join("control.sock"))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains(" 200 OK"))
}

#[test]
fn a_journal_that_reads_nothing_never_stops_the_guarding_and_hears_all_that_fits_afterwards() {
    let world = World::new();
    let good = document(1, 500);
    let files: Vec<PathBuf> = (0..5).map(|number| world.write(format!("{number}\nPRIORITY=0.json"), &good)).collect();
    let journal = Journal::new(&world);
    journal.fill();
    let Some(mut daemon) = start(&world, &journal.path) else { return };
    wait_until(LIMIT, "ready", || is_ready(&world));
    for file in &files {
        fs::write(file, "{\"cut").unwrap();
    }
    for file in &files {
        wait_until(LIMIT, "it is repaired", || fs::read(file).is_ok_and(|bytes| bytes == good));
    }
    let mut heard = Vec::new();
    wait_until(LIMIT, "the journal hears of all repairs", || {
        heard.extend(journal.read());
        heard.iter().filter(|entry| entry.contains("JSONWARDEN_EVENT=repaired\n")).count() == files.len()
    });
    let repaired = heard.iter().find(|entry| entry.contains("JSONWARDEN_EVENT=repaired\n")).unwrap();
    assert!(repaired.contains("\\x0aPRIORITY=0.json\n") && repaired.starts_with("PRIORITY=4\n"), "{repaired}");
    assert!(!heard.iter().any(|entry| entry.contains("\nPRIORITY=0")), "a name became a field");
    journal.fill();
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    wait_until(Duration::from_secs(8), "it ends although its last words wait", || {
        daemon.0.try_wait().unwrap().is_some()
    });
}
