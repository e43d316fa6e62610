//! The guard beside the command, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::{Session, say};
use crate::config::Loaded;
use crate::daemon::{self, Companion, Guarding, Start};
use crate::disk::Disk;
use crate::error::{Cause, Error, Result};

/// The command waits no longer than this for the first sweep.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked whether the first sweep is over, or the guard has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// How often it is asked whether another guard has ended.
const SUCCESSION_INTERVAL: Duration = Duration::from_secs(1);

/// The guard's own limit for its drain, and a little more.
const DRAIN_LIMIT: Duration = Duration::from_secs(6);

/// A guard that runs, or that begins when another ends.
pub(super) struct Guard {
    begins: Receiver<Guarding>,
    guarding: Option<Guarding>,
    /// Dropped, it no longer waits for another to end.
    _stays: SyncSender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Guard {
    /// Starts it, and waits until it has seen all files once.
    ///
    /// # Errors
    /// It could not begin.
    pub(super) fn start(loaded: Loaded, session: &Session<'_>) -> Result<Self> {
        let mut guard = Self::spawned(loaded, session, |start, _| daemon::run(start))?;
        let Ok(guarding) = guard.begins.recv() else {
            let ended = guard.thread.join().unwrap_or(Ok(()));
            let why = || Error::new("guarding", "the files", Cause::Damaged("it ended before it began".to_owned()));
            return Err(ended.err().unwrap_or_else(why));
        };
        let deadline = Instant::now() + READY_LIMIT;
        while !guarding.ready.iter().all(crate::stage::Latched::is_open) && !guard.thread.is_finished() {
            if Instant::now() >= deadline {
                say("jsonwarden: the first look at all files is not over yet; the command starts all the same");
                break;
            }
            std::thread::sleep(PAUSE);
        }
        guard.guarding = Some(guarding);
        Ok(guard)
    }

    /// One that begins when the guard ends that now has the state directory.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn after_another(loaded: Loaded, session: &Session<'_>) -> Result<Self> {
        Self::spawned(loaded, session, |start, ends| {
            let disk = Disk::default();
            while daemon::is_taken(&disk, &start.settings.state_dir).unwrap_or(true) {
                if ends.recv_timeout(SUCCESSION_INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                    return Ok(());
                }
            }
            say("jsonwarden: the other guard has ended; from now on this one guards");
            let has_begun = start.companion.as_ref().map(|companion| Arc::clone(&companion.has_begun));
            daemon::run(start).inspect_err(|error| {
                if has_begun.is_some_and(|has_begun| !has_begun.load(Ordering::SeqCst)) {
                    say(format_args!("jsonwarden: nobody guards any more: {error}"));
                }
            })
        })
    }

    fn spawned(
        loaded: Loaded,
        session: &Session<'_>,
        run: impl FnOnce(Start, &Receiver<()>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (hears, begins) = sync_channel(1);
        let (stays, ends) = sync_channel(1);
        let start = Start {
            settings: loaded.settings,
            options: session.options.clone(),
            surroundings: session.surroundings.clone(),
            companion: Some(Companion { hears, has_begun: Arc::new(AtomicBool::new(false)) }),
        };
        let thread = std::thread::Builder::new().name("guard".into()).spawn(move || run(start, &ends));
        let thread = thread.map_err(|error| Error::new("starting", "a thread", error))?;
        Ok(Self { begins, guarding: None, _stays: stays, thread })
    }

    /// Lets it finish the repair in hand.
    pub(super) fn end(self) {
        let Self { begins, mut guarding, _stays: stays, thread } = self;
        drop(stays);
        let deadline = Instant::now() + DRAIN_LIMIT;
        while !thread.is_finished() && Instant::now() < deadline {
            guarding = guarding.or_else(|| begins.try_recv().ok());
            if let Some(guarding) = &guarding {
                guarding.drain.send_replace(true);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
