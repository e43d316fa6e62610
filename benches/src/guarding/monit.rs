//! Monit over the same files: `check file … if changed timestamp`, every five seconds as we look.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Idle;
use super::files::Files;
use crate::installed;
use crate::support::World;

/// Between two looks.
pub(super) const CYCLE: Duration = Duration::from_secs(5);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Runs it, and watches it once it has looked at all; `None`: it is not installed.
pub(super) fn watch(world: &World, files: &Files, watched: Duration) -> Option<Idle> {
    if !installed::has_program("monit") {
        return None;
    }
    let running = start(&world.root.join("monit"), &settings(world));
    // Reading its settings and its first cycle.
    thread::sleep(CYCLE * 2 + Duration::from_millis(files.count as u64));
    Some(Idle::watch(Pid::from_child(&running.0), watched))
}

fn start(folder: &Path, checks: &str) -> Running {
    fs::create_dir(folder).unwrap();
    let [log, id, state, pid, rc] = ["log", "id", "state", "pid", "monitrc"].map(|name| folder.join(name));
    let (log, id, state, pid) = (log.display(), id.display(), state.display(), pid.display());
    let seconds = CYCLE.as_secs();
    let settings = format!(
        "set daemon {seconds}\nset log {log}\nset idfile {id}\nset statefile {state}\nset pidfile {pid}\n{checks}"
    );
    fs::write(&rc, settings).unwrap();
    fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
    let mut monit = Command::new("monit");
    monit.args(["-I", "-c"]).arg(&rc).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(monit.spawn().unwrap())
}

fn settings(world: &World) -> String {
    let mut checks = String::new();
    for folder in fs::read_dir(&world.files).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().display();
            let path = path.display();
            let then = "if changed timestamp then exec \"/bin/true\"";
            let _ = writeln!(checks, "check file f{name} with path {path}\n  {then}");
        }
    }
    checks
}
