//! A file system whose server can be stopped, as one on a network can.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::owner::is_root;
use super::skip::skip;
use super::wait::wait_until;

/// A folder passed on by bindfs(1). Ended when dropped; drop it before whoever may wait for it.
pub(crate) struct Fuse {
    server: Child,
    at: PathBuf,
}

impl Fuse {
    /// Passes a folder on; `None`, told as a skip, where that is not possible.
    #[track_caller]
    pub(crate) fn pass(what: &Path, at: &Path) -> Option<Self> {
        let mut bindfs = Command::new("bindfs");
        bindfs.arg("-f").arg(what).arg(at).stdout(Stdio::null()).stderr(Stdio::null());
        let server = if is_root() && Path::new("/dev/fuse").exists() { bindfs.spawn().ok() } else { None };
        let Some(server) = server else {
            skip("a FUSE server that hangs", "it needs root, bindfs(1) and /dev/fuse");
            return None;
        };
        let fuse = Self { server, at: at.to_owned() };
        let line = format!(" {} ", at.display());
        let is_mounted = || std::fs::read_to_string("/proc/self/mountinfo").is_ok_and(|mounts| mounts.contains(&line));
        wait_until(Duration::from_secs(20), "bindfs has mounted it", is_mounted);
        Some(fuse)
    }

    /// From now on it answers nothing.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// It answers again.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server), signal).unwrap();
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.server), Signal::CONT);
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
