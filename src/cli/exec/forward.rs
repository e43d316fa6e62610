//! Signals that are meant for the command.

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, Result};

/// Those that are passed on.
const FORWARDED: [(i32, Signal); 7] = [
    (SIGTERM, Signal::TERM),
    (SIGINT, Signal::INT),
    (SIGHUP, Signal::HUP),
    (SIGQUIT, Signal::QUIT),
    (SIGUSR1, Signal::USR1),
    (SIGUSR2, Signal::USR2),
    (SIGWINCH, Signal::WINCH),
];

/// Signals that came, in their order; those that a process sent twice before we looked come once.
pub(super) struct Forwarding(SignalsInfo<WithOrigin>);

impl Forwarding {
    /// From now on signals are kept until they can be passed on.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(super) fn new() -> Result<Self> {
        let signals = FORWARDED.iter().map(|(number, _)| *number).chain([SIGCHLD]);
        let signals = SignalsInfo::new(signals);
        signals.map(Self).map_err(|error| Error::new("listening for signals", "signal(7)", error))
    }

    /// Passes signals on to a process until `ended` says how it ended; it is asked at the start and after each signal.
    pub(super) fn pass_on<T>(mut self, to: Pid, mut ended: impl FnMut() -> Option<T>) -> Option<T> {
        if let Some(ended) = ended() {
            return Some(ended);
        }
        for origin in self.0.forever() {
            if let Some((_, signal)) = FORWARDED.iter().find(|(number, _)| *number == origin.signal)
                && !is_of_terminal(&origin)
            {
                // It may have ended by now.
                let _ = kill_process(to, *signal);
            }
            if let Some(ended) = ended() {
                return Some(ended);
            }
        }
        None
    }
}

/// What a terminal sends it sends to all the processes before it, the command too.
fn is_of_terminal(origin: &Origin) -> bool {
    origin.cause == Cause::Kernel
}
