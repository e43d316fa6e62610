//! What wakes somebody who follows a document: the kernel, a signal, or time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::cli::say;
use crate::document::DocumentId;
use crate::error::{Error, Result};

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// It may be worth looking.
    Looks,
    /// A signal says that it is enough.
    Ends,
}

/// Hints from the kernel about one document, and the signals that end.
pub(super) struct Waking {
    hints: Receiver<()>,
    ends: Arc<AtomicBool>,
    /// Dropped, it watches no more.
    _watcher: Option<RecommendedWatcher>,
}

impl Waking {
    /// Watches the document's folder: a watch on the file itself would end with the first exchange. Without one, time wakes.
    ///
    /// # Errors
    /// The system refuses a handler or a thread.
    pub(super) fn new(document: &DocumentId) -> Result<Self> {
        // One hint waits at most: two say no more.
        let (sender, hints) = sync_channel(1);
        let ends = Arc::new(AtomicBool::new(false));
        end_by_signal(&ends, sender.clone())?;
        let watcher = watch(document, sender);
        if let Err(error) = &watcher {
            say(format_args!("without hints from the kernel, events come up to a second later: {error}"));
        }
        Ok(Self { hints, ends, _watcher: watcher.ok() })
    }

    /// Waits for a hint, or so long.
    pub(super) fn wait(&self, longest: Duration) -> Woken {
        // When it is over no sender has gone: the watcher and the signals have one each.
        let _ = self.hints.recv_timeout(longest);
        if self.ends.load(Ordering::SeqCst) { Woken::Ends } else { Woken::Looks }
    }
}

fn watch(document: &DocumentId, sender: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let name = document.name().to_owned();
    let mut watcher = notify::recommended_watcher(move |heard: notify::Result<notify::Event>| {
        let is_worth_a_look = heard.map_or(true, |event| {
            let changes =
                !matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
            let is_ours = event.paths.iter().any(|path| path.file_name() == Some(&name));
            event.need_rescan() || (changes && is_ours)
        });
        if is_worth_a_look {
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(document.directory(), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// The first signal ends in order, the second at once.
fn end_by_signal(ends: &Arc<AtomicBool>, sender: SyncSender<()>) -> Result<()> {
    let failed = |error| Error::new("listening for signals", "signal(7)", error);
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        flag::register_conditional_shutdown(signal, 0, Arc::clone(ends)).map_err(failed)?;
        flag::register(signal, Arc::clone(ends)).map_err(failed)?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let wake = move || {
        for _ in signals.forever() {
            let _ = sender.try_send(());
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wake).map_err(failed)?;
    Ok(())
}
