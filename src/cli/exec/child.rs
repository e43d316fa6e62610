//! The command.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::process::Pid;

use super::forward::Forwarding;
use crate::error::{Cause, Error, Result};

/// The command as a child of this process.
pub(super) struct Child(std::process::Child);

impl Child {
    /// Starts it, with our input, output and environment.
    ///
    /// # Errors
    /// There is no such program, or it may not be run.
    pub(super) fn spawn(command: &[OsString]) -> Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Error::new("starting", "a command", Cause::Usage("name one behind --".to_owned())));
        };
        Command::new(program).args(arguments).spawn().map(Self).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new("starting", program, Cause::Usage("there is no such program".to_owned())),
            _ => Error::new("starting", program, error),
        })
    }

    /// Waits for its end, and passes signals on meanwhile; its exit status as a shell has it.
    pub(super) fn wait(mut self, forwarding: Forwarding) -> u8 {
        let pid = Pid::from_child(&self.0);
        let ended = forwarding.pass_on(pid, || self.0.try_wait().transpose());
        // Without a word from the kernel there is still the call that waits.
        ended.and_then(std::result::Result::ok).or_else(|| self.0.wait().ok()).map_or(74, status)
    }
}

/// Its own status, or 128 and the number of the signal that ended it.
fn status(ended: ExitStatus) -> u8 {
    let status = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal));
    status.and_then(|status| u8::try_from(status).ok()).unwrap_or(74)
}
