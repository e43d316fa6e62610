//! Signals: the first SIGTERM or SIGINT drains, the second leaves at once; SIGHUP has the configuration read again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use tokio::sync::{mpsc, watch};

use crate::error::{Error, Result};
use crate::steer::Reload;

/// Waits for signals on a thread of its own: a runtime that is stuck still hears them. Where there is nothing to drain,
/// somebody else in this process has them.
///
/// # Errors
/// The system refuses a handler or a thread.
pub(super) fn listen(drain: Option<watch::Sender<bool>>, reload: mpsc::Sender<Reload>) -> Result<()> {
    let Some(drain) = drain else { return Ok(()) };
    let failed = |error| Error::new("listening for signals", "signal(7)", error);
    let asked_before = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal sets the flag, the second finds it set.
        flag::register_conditional_shutdown(signal, 0, Arc::clone(&asked_before)).map_err(failed)?;
        flag::register(signal, Arc::clone(&asked_before)).map_err(failed)?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let wait = move || {
        for signal in signals.forever() {
            if signal == SIGHUP {
                // As many as can wait, wait already: each of them reads what is there by then.
                let _ = reload.try_send(Reload { asker: None, answer: None });
            } else {
                drain.send_replace(true);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(())
}
