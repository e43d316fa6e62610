//! The real binary, running.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::http::{self, Response};
use super::metrics::Scrape;
use super::state::StateDirectory;
use super::wait::{wait_for, wait_until};
use super::world::World;

/// How long starting and ending may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a daemon will be started.
pub(crate) struct Launch {
    command: Command,
    state: StateDirectory,
}

impl Launch {
    /// `jsonwarden run` with this world's state directory and a port that the system chooses.
    pub(crate) fn new(world: &World) -> Self {
        let mut command = command();
        command.arg("run").arg("--state-dir").arg(&world.state).args(["--listen", "127.0.0.1:0"]);
        command.env("RUNTIME_DIRECTORY", &world.run);
        Self { command, state: StateDirectory(world.state.clone()) }
    }

    /// A command of the test's own, which keeps its versions in this state directory.
    pub(crate) fn of(command: Command, state: impl Into<PathBuf>) -> Self {
        Self { command, state: StateDirectory(state.into()) }
    }

    /// One more argument: a path to guard, or an option.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With this configuration file.
    pub(crate) fn config(self, world: &World, text: &str) -> Self {
        let path = world.root.join("jsonwarden.toml");
        fs::write(&path, text).unwrap();
        self.arg("--config").arg(path)
    }

    /// Changes the command in ways of its own (standard error, user).
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Starts it and returns at once.
    pub(crate) fn spawn(mut self) -> Daemon {
        let mut child = self.command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || keep(stderr, &log));
        }
        Daemon { child: RefCell::new(child), log, state: self.state }
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Daemon {
        let daemon = self.spawn();
        daemon.wait_ready();
        daemon
    }
}

/// The binary under test, without anything that the environment would tell it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsonwarden"));
    let ours = |name: &str| name.starts_with("JSONWARDEN_") || name.ends_with("_DIRECTORY") || name == "NOTIFY_SOCKET";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn keep(mut stderr: impl Read, log: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        log.lock().unwrap().extend_from_slice(&buffer[..length]);
    }
}

/// A running daemon, killed when dropped.
pub(crate) struct Daemon {
    child: RefCell<Child>,
    log: Arc<Mutex<Vec<u8>>>,
    pub(crate) state: StateDirectory,
}

impl Daemon {
    /// All that it has written to standard error.
    pub(crate) fn log_bytes(&self) -> Vec<u8> {
        self.log.lock().unwrap().clone()
    }

    /// The same, as text.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&self.log_bytes()).into_owned()
    }

    /// The log lines with this event, read as JSON.
    pub(crate) fn logged(&self, event: &str) -> Vec<Value> {
        let lines = self.log_text();
        let parsed = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| field(line, "event").as_str() == Some(event)).collect()
    }

    /// Where it answers.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        let limit = PATIENCE;
        wait_for(limit, "the daemon says where it listens", || {
            assert!(!self.has_ended(), "it ended before it listened:\n{}", self.log_text());
            self.listening()
        })
    }

    fn listening(&self) -> Option<SocketAddr> {
        let line = self.logged("listening").into_iter().next()?;
        field(&line, "address").as_str()?.parse().ok()
    }

    /// Asks for a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(self.address(), path).unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log_text()))
    }

    /// Waits for `/readyz`.
    #[track_caller]
    pub(crate) fn wait_ready(&self) {
        let address = self.address();
        wait_until(PATIENCE, "ready", || http::get(address, "/readyz").is_ok_and(|answer| answer.status == 200));
    }

    /// Its metrics.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        Scrape::parse(&self.get("/metrics").body)
    }

    /// How many a metric counts, over the samples with these labels.
    #[track_caller]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.scrape().count(name, labels)
    }

    /// The state of one file in `/api/v1/files`.
    #[track_caller]
    pub(crate) fn state_of(&self, file: &Path) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.get("/api/v1/files").body).unwrap();
        let files = answer.as_array().or_else(|| answer["files"].as_array()).expect("a list of files").clone();
        let one = files.iter().find(|one| one["path"].as_str().map(Path::new) == Some(file))?;
        one["state"].as_str().map(str::to_owned)
    }

    /// Waits until the newest stored version of `file` is `bytes`, and that is known to the daemon.
    #[track_caller]
    pub(crate) fn wait_stored(&self, file: &Path, bytes: &[u8]) {
        wait_until(PATIENCE, &format!("{} is stored", file.display()), || self.state.newest_is(file, bytes));
    }

    /// Waits until a file is in this state.
    #[track_caller]
    pub(crate) fn wait_state(&self, file: &Path, state: &str) {
        wait_until(PATIENCE, &format!("{} is {state}", file.display()), || {
            self.state_of(file).as_deref() == Some(state)
        });
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child.borrow())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn wait_end(&self, limit: Duration) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let status = wait_for(limit, "the daemon ends", || self.child.borrow_mut().try_wait().unwrap());
        (status, begun.elapsed())
    }

    /// Has it ended by itself?
    pub(crate) fn has_ended(&self) -> bool {
        self.child.borrow_mut().try_wait().unwrap().is_some()
    }

    /// Asks it to end, and asserts that it does so cleanly.
    #[track_caller]
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
        let (status, _) = self.wait_end(PATIENCE);
        assert_eq!(status.code(), Some(0), "{}", self.log_text());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            let files = self.listening().and_then(|address| http::get(address, "/api/v1/files").ok());
            eprintln!("--- the files\n{}", files.map_or("no answer".to_owned(), |answer| answer.body));
            eprintln!("--- the log\n{}---", self.log_text());
        }
        let _ = self.child.get_mut().kill();
        let _ = self.child.get_mut().wait();
    }
}

/// A field of a log line, at its top or under `fields`.
fn field<'a>(line: &'a Value, name: &str) -> &'a Value {
    if line[name].is_null() { &line["fields"][name] } else { &line[name] }
}
