//! Does somebody say that it is right? Whoever has locked themselves out cannot.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is right.
    Yes,
    /// It is not.
    No,
    /// The terminal is gone, or the process is told to end.
    Nobody,
    /// Nothing in time.
    Late,
}

/// What comes first: a line, a signal, or the end of the time.
pub(super) struct Confirmation(Receiver<Answer>);

impl Confirmation {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system refuses a handler or a thread.
    pub(super) fn new() -> Result<Self> {
        let (sender, answers) = sync_channel(2);
        let failed = |error| Error::new("listening for an answer", "standard input", error);
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
        let of_signals: SyncSender<Answer> = sender.clone();
        let wait = move || {
            if signals.forever().next().is_some() {
                let _ = of_signals.try_send(Answer::Nobody);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(failed)?;
        let listen = move || {
            let _ = sender.try_send(line());
        };
        std::thread::Builder::new().name("answer".into()).spawn(listen).map_err(failed)?;
        Ok(Self(answers))
    }

    /// The first answer within this time.
    pub(super) fn wait(&self, within: Duration) -> Answer {
        self.0.recv_timeout(within).unwrap_or(Answer::Late)
    }
}

/// Enter alone is a yes.
fn line() -> Answer {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(1..) => match line.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
        Ok(0) | Err(_) => Answer::Nobody,
    }
}
