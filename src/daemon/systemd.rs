//! What systemd is told, by a thread of its own: ready, alive, reloading, stopping. A notify socket that is lost, or that
//! nobody reads, costs the word, never the guarding (sd_notify(3)).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::event::Status;
use crate::expose::View;
use crate::health::{Check, Health, Level};
use crate::stage::{Heartbeat, Latched};
use crate::verdict::State;

/// How often it is looked whether we are ready.
const STARTING_TICK: Duration = Duration::from_millis(100);

/// How often the status is told anew, if it is another.
const STATUS_TICK: Duration = Duration::from_secs(2);

/// While we are starting and make progress, systemd waits at least this much longer, again and again.
const EXTENSION: Duration = Duration::from_secs(30);

/// The way to the thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct Systemd {
    words: SyncSender<Word>,
}

enum Word {
    Reloading(bool),
    Stopping,
}

/// What the thread speaks of.
pub(super) struct Source {
    pub(super) heartbeats: Vec<Heartbeat>,
    pub(super) latches: Vec<Latched>,
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) health: Arc<Health>,
}

impl Source {
    pub(super) fn of(view: &View) -> Self {
        Self {
            heartbeats: view.heartbeats.clone(),
            latches: view.latches.clone(),
            status: view.status.clone(),
            health: Arc::clone(&view.health),
        }
    }
}

impl Systemd {
    /// Starts the thread, if systemd wants to hear anything.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(source: Source) -> Result<Self> {
        let (words, heard) = sync_channel(16);
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            let speaker = Speaker {
                source,
                is_ready: false,
                is_told_ready: false,
                told: String::new(),
                extended: None,
                fed: None,
            };
            let thread = std::thread::Builder::new().name("systemd".to_owned());
            let failed = |error| Error::new("starting the thread that tells", "systemd", error);
            thread.spawn(move || speaker.run(&heard)).map_err(failed)?;
        }
        Ok(Self { words })
    }

    /// The configuration is being read again, or that is over.
    pub(super) fn reloading(&self, begins: bool) {
        // Whoever is that far behind is not told everything.
        let _ = self.words.try_send(Word::Reloading(begins));
    }

    /// The daemon was asked to end.
    pub(super) fn stopping(&self) {
        let _ = self.words.try_send(Word::Stopping);
    }
}

struct Speaker {
    source: Source,
    is_ready: bool,
    /// Was that said, and heard?
    is_told_ready: bool,
    /// The last status that was heard.
    told: String,
    extended: Option<Instant>,
    fed: Option<Instant>,
}

impl Speaker {
    fn run(mut self, heard: &Receiver<Word>) {
        let watchdog = sd_notify::watchdog_enabled().filter(|span| !span.is_zero());
        // Twice as often as must be, and once more for a tick that comes late.
        let feed = watchdog.map(|span| span / 3);
        loop {
            self.look(Instant::now(), feed);
            let tick = if self.is_ready { feed.unwrap_or(STATUS_TICK).min(STATUS_TICK) } else { STARTING_TICK };
            match heard.recv_timeout(tick) {
                Ok(Word::Reloading(true)) => {
                    let now = NotifyState::monotonic_usec_now();
                    tell(&[NotifyState::Reloading].into_iter().chain(now.ok()).collect::<Vec<_>>());
                }
                Ok(Word::Reloading(false)) => self.is_told_ready = false,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Stopping) => {
                    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in hand")]);
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, now: Instant, feed: Option<Duration>) {
        let is_alive = self.source.heartbeats.iter().all(Heartbeat::is_alive);
        let is_due = |last: Option<Instant>, span| last.is_none_or(|last| now.saturating_duration_since(last) >= span);
        if !self.is_ready && is_alive && is_due(self.extended, Duration::from_secs(1)) {
            self.extended = Some(now);
            let micros = u32::try_from(EXTENSION.as_micros()).unwrap_or(u32::MAX);
            tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
        }
        if !self.is_ready && self.source.latches.iter().all(Latched::is_open) {
            self.is_ready = true;
        }
        // What was not heard is said again at the next tick.
        if self.is_ready && !self.is_told_ready {
            self.is_told_ready = tell(&[NotifyState::Ready]);
        }
        if is_alive && feed.is_some_and(|span| is_due(self.fed, span)) && tell(&[NotifyState::Watchdog]) {
            self.fed = Some(now);
        }
        let status =
            words(&self.source.status.borrow().clone(), self.is_ready, is_alive) + &failing(&self.source.health);
        if status != self.told && tell(&[NotifyState::Status(&status)]) {
            self.told = status;
        }
    }
}

/// Was it heard? If not, there is nobody to complain to.
fn tell(states: &[NotifyState]) -> bool {
    sd_notify::notify(states).is_ok()
}

/// One line for `systemctl status`.
fn words(status: &Status, is_ready: bool, is_alive: bool) -> String {
    let count = |state: State| status.files.iter().filter(|file| file.state == state).count();
    let files = status.files.len();
    if !is_alive {
        return format!("{files} files known; no progress");
    }
    if !is_ready {
        return format!("first look: {} of {files} files", status.judged);
    }
    let rest = State::ALL.iter().filter(|state| **state != State::Healthy);
    let rest = rest.filter(|state| count(**state) > 0).map(|state| format!(", {} {}", count(*state), state.label()));
    let orders = status.standing.all().len();
    let orders = if orders == 0 { String::new() } else { format!("; {orders} orders in force (jsonwarden status)") };
    format!("guarding {files} files: {} healthy{}{orders}", count(State::Healthy), rest.collect::<String>())
}

/// What is wrong with the guarding itself, by name; /healthz says more.
fn failing(health: &Health) -> String {
    let board = Check::ALL.into_iter().zip(health.all());
    let failing = board.filter(|(_, standing)| standing.level > Level::Healthy);
    let (worst, names) = failing.fold((Level::Healthy, String::new()), |(worst, names), (check, standing)| {
        let comma = if names.is_empty() { "" } else { ", " };
        (worst.max(standing.level), names + comma + check.label())
    });
    if names.is_empty() { names } else { format!("; {}: {names}", worst.label()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_names_the_checks_that_fail() {
        let health = Health::new();
        assert_eq!(failing(&health), "");
        health.set(Check::Memory, Level::Degraded, "much");
        health.set(Check::StateDir, Level::Unhealthy, "read-only");
        assert_eq!(failing(&health), "; unhealthy: state_dir, memory");
    }

    #[test]
    fn the_status_line_counts_what_is_not_healthy() {
        let status = Status { judged: 3, ..Status::default() };
        assert_eq!(words(&status, false, true), "first look: 3 of 0 files");
        assert_eq!(words(&status, true, true), "guarding 0 files: 0 healthy");
        assert_eq!(words(&status, true, false), "0 files known; no progress");
    }
}
