//! Ctrl-C and Ctrl-\\: while the editor has the terminal they are meant for it alone, as git has it; before and after they
//! end us.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGQUIT};
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::unregister;

/// What becomes of them as long as this lives.
pub(super) struct Interrupts {
    end_us: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Interrupts {
    pub(super) fn new() -> Self {
        let end_us = Arc::new(AtomicBool::new(true));
        let register = |signal| register_conditional_default(signal, Arc::clone(&end_us));
        // Where no handler is to be had, they always end us.
        let registered = [SIGINT, SIGQUIT].into_iter().filter_map(|signal| register(signal).ok()).collect();
        Self { end_us, registered }
    }

    /// Does something that they are left to.
    pub(super) fn left_to<T>(&self, run: impl FnOnce() -> T) -> T {
        self.end_us.store(false, Ordering::SeqCst);
        let ended = run();
        self.end_us.store(true, Ordering::SeqCst);
        ended
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}
