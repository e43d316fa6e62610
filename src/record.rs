//! Tells what happened: each fact becomes a log line, metrics, a line of `incidents.jsonl` and a mark on the health board.

mod account;
pub mod feeds;
pub mod incidents;
pub mod log;
mod lost;
pub mod metrics;
pub mod recent;
mod repeats;
mod steered;
mod troubles;
mod words;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::Level;

use self::account::Account;
use self::feeds::Feeds;
use self::incidents::Incidents;
use self::metrics::Metrics;
use self::recent::Recent;
use self::repeats::{Repeated, Repeats};
use self::troubles::Troubles;
use crate::config::WatchName;
use crate::event::Event;
use crate::health::Health;
use crate::stage::Heartbeat;

/// Everything that facts are written to.
pub struct Recorder {
    metrics: Arc<Metrics>,
    journal: Incidents,
    recent: Arc<Recent>,
    feeds: Arc<Feeds>,
    troubles: Troubles,
    repeats: Repeats,
}

impl Recorder {
    /// A recorder that counts in `metrics`, writes to `journal`, remembers in `recent`, tells `feeds` and marks trouble on
    /// `health`.
    #[must_use]
    pub fn new(
        metrics: Arc<Metrics>,
        journal: Incidents,
        recent: Arc<Recent>,
        feeds: Arc<Feeds>,
        health: Arc<Health>,
    ) -> Self {
        Self { metrics, journal, recent, feeds, troubles: Troubles::new(health), repeats: Repeats::default() }
    }

    fn tell(&mut self, event: &Event) {
        let Some(account) = self.account(event) else { return };
        self.journal.append(event.at, &account);
        self.feeds.tell(event.at, &account);
        let is_routine = matches!(account.level, Level::DEBUG | Level::TRACE);
        if is_routine || account.is_asked || self.repeats.is_new(&account, Instant::now()) {
            print(&account);
        }
    }

    /// What is done now and then, whether or not something happens.
    fn look_around(&mut self, now: Instant) {
        self.journal.look();
        self.feeds.look_around(now);
        if let Some(bytes) = self.journal.room_bytes() {
            self.metrics.state_dir_has(bytes, now);
        }
        self.tell_repeats(now);
    }

    fn tell_repeats(&mut self, now: Instant) {
        for Repeated { name, document, watch, repeats } in self.repeats.take_expired(now) {
            let path = document.map(|document| document.to_string());
            let whose = path.as_deref().or(watch.as_ref().map(WatchName::as_str)).unwrap_or("jsonwarden");
            let sentence = format!("{whose}: the same again, {} within a minute ({name})", words::times(repeats));
            tracing::warn!(
                event = "repeated",
                path = path.as_deref(),
                watch = watch.as_ref().map(WatchName::as_str),
                repeats,
                "{sentence}"
            );
        }
    }
}

/// Tells every event until the channel is closed and empty; then the last incidents get some time to reach the disk.
pub async fn run(mut events: mpsc::Receiver<Event>, mut recorder: Recorder, heartbeat: Heartbeat) {
    let mut tick = tokio::time::interval(Heartbeat::PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        heartbeat.beat();
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => recorder.tell(&event),
                None => break,
            },
            _ = tick.tick() => recorder.look_around(Instant::now()),
        }
    }
    recorder.journal.close().await;
}

/// Prints a line. The level of a `tracing` event must be known when it is compiled: hence four of them.
fn print(account: &Account<'_>) {
    let path = account.document.map(ToString::to_string);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = account.name,
                path = path.as_deref(),
                watch = account.watch.map(WatchName::as_str),
                kind = account.kind,
                version = account.version.map(|version| version.0),
                incident = account.incident.map(|incident| incident.0),
                "{}",
                account.sentence
            )
        };
    }
    match account.level {
        Level::ERROR => line!(error),
        Level::WARN => line!(warn),
        Level::INFO => line!(info),
        Level::DEBUG | Level::TRACE => line!(debug),
    }
}

#[cfg(test)]
#[path = "record/tests.rs"]
mod tests;
