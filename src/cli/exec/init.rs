//! As the first process of a container: everything else runs in a child of this process, which does what the kernel expects of
//! process 1. It reaps whatever is left without a parent, and passes signals on.

use std::process::Command;

use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, wait};

use super::forward::Forwarding;
use crate::error::{Error, Result};

/// Is this process 1?
pub(super) fn is_first_process() -> bool {
    getpid() == Pid::INIT
}

/// Runs this same program once more, and returns its exit status.
pub(super) fn run() -> Result<u8> {
    let forwarding = Forwarding::new()?;
    let again = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).spawn();
    let again = again.map_err(|error| Error::new("starting", "/proc/self/exe", error))?;
    let pid = Pid::from_child(&again);
    Ok(forwarding.pass_on(pid, || reap(pid)).unwrap_or(74))
}

/// Reaps all that have ended; says how that one did, if it did.
fn reap(wanted: Pid) -> Option<u8> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        ended = if pid == wanted { exit_status(status) } else { ended };
    }
    ended
}

fn exit_status(status: WaitStatus) -> Option<u8> {
    let signalled = || status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or_else(signalled).and_then(|status| u8::try_from(status).ok())
}
