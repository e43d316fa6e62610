//! Reading the configuration again: what is new replaces the old whole, or is refused, and the old one stays.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::OBSERVATIONS;
use super::systemd::Systemd;
use crate::checkup::Canary;
use crate::clock;
use crate::config::{Options, Settings, Surroundings, Watch, load};
use crate::disk::Disk;
use crate::error::Cause;
use crate::event::{Event, Fact};
use crate::expose::View;
use crate::health::{Check, Health, Level};
use crate::record::log::Logging;
use crate::recover::Renewal;
use crate::stage::{Fatal, Heartbeat, Latch};
use crate::steer::{Answer, Reload, said};
use crate::validate;
use crate::watch::Watching;

/// Reading a few small files takes no longer, unless their disk hangs.
const READING_LIMIT: Duration = Duration::from_secs(20);

/// All that a reload reaches.
pub(super) struct Reloading {
    pub(super) settings: Arc<Settings>,
    pub(super) options: Options,
    pub(super) surroundings: Surroundings,
    pub(super) disk: Disk,
    pub(super) watching: mpsc::Sender<Watching>,
    pub(super) renewals: mpsc::Sender<Renewal>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) drain: watch::Receiver<bool>,
    pub(super) watch_beat: Heartbeat,
    pub(super) canary: Canary,
    pub(super) health_interval: watch::Sender<Duration>,
    pub(super) view: View,
    pub(super) logging: Arc<Logging>,
    pub(super) systemd: Systemd,
}

/// Runs one watch stage after the other: the next takes over as soon as it is there, and the first one's end is the end.
///
/// # Errors
/// The present one cannot go on.
pub(super) async fn watch_in_turn(first: Watching, mut next: mpsc::Receiver<Watching>) -> Result<(), Fatal> {
    let mut present = first;
    loop {
        tokio::select! {
            ended = present.run() => return ended,
            Some(other) = next.recv() => present = other,
        }
    }
}

impl Reloading {
    /// Answers wishes until the drain.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Reload>) {
        let mut drain = self.drain.clone();
        let work = async {
            while let Some(wish) = wishes.recv().await {
                self.reload(wish).await;
            }
        };
        tokio::select! {
            () = work => {}
            // One that is under way ends here, too: what it would have changed ends anyway.
            () = async { drop(drain.wait_for(|drain| *drain).await) } => {}
        }
    }

    async fn reload(&mut self, wish: Reload) {
        self.systemd.reloading(true);
        let asker = wish.asker;
        let answer = match self.read().await {
            Ok(settings) => self.take_over(settings).await,
            Err(why) => Err(why),
        };
        let fact = match &answer {
            Ok(outcome) => Fact::Reloaded { asker, outcome: outcome.clone() },
            Err(cause) => {
                self.view.metrics.reloaded(None);
                Fact::ReloadRefused { asker, why: cause.to_string() }
            }
        };
        self.say(fact).await;
        self.systemd.reloading(false);
        let answer: Answer = answer.map(|outcome| said(format!("the configuration was read again: {outcome}")));
        // Who asked may be gone.
        wish.answer.map(|to| to.send(answer));
    }

    /// The new settings, whole and valid.
    async fn read(&self) -> Result<Settings, Cause> {
        let (options, surroundings, disk) = (self.options.clone(), self.surroundings.clone(), self.disk.clone());
        let reading = tokio::task::spawn_blocking(move || load(&options, &surroundings, &disk, validate::check_schema));
        let loaded = match tokio::time::timeout(READING_LIMIT, reading).await {
            Ok(Ok(loaded)) => loaded.map_err(|error| Cause::Usage(error.to_string()))?,
            Ok(Err(_)) | Err(_) => return Err(Cause::Refused("its files could not be read in time".to_owned())),
        };
        if loaded.settings.watches.is_empty() {
            return Err(Cause::Usage("it leaves nothing to guard".to_owned()));
        }
        Ok(loaded.settings)
    }

    /// Guards by other settings from now on; returns what that changed, in words.
    async fn take_over(&mut self, mut settings: Settings) -> Result<String, Cause> {
        let ends = || Cause::NoDaemon("the daemon is about to end".to_owned());
        let kept = keep_what_cannot_change(&self.settings, &mut settings);
        let mut outcome = difference(&self.settings.watches, &settings.watches);
        if !kept.is_empty() {
            outcome.push(format!("{} changed, and need a restart", kept.join(" and ")));
        }
        outcome.extend(settings.left_out.iter().map(|problem| format!("left out: {problem}")));
        let settings = Arc::new(settings);
        let (observation_sender, observations) = mpsc::channel(OBSERVATIONS);
        let (done, is_done) = oneshot::channel();
        // First whoever owns the documents listens to the new stage, then that one begins: nothing falls between.
        let renewal = Renewal { settings: settings.clone(), observations, done };
        self.renewals.send(renewal).await.map_err(|_| ends())?;
        is_done.await.map_err(|_| ends())?;
        self.view.metrics.watch_instead(&settings.watches);
        self.view.hosts.replace(&settings.hosts);
        self.health_interval.send_replace(settings.health_interval);
        if let Err(error) = self.logging.set_level(&settings.log.level) {
            tracing::error!(event = "log_level_refused", "{error}");
        }
        tell_left_out(&settings, &self.view.health);
        self.view.metrics.reloaded(Some(clock::now()));
        let watching = Watching {
            settings: settings.clone(),
            state_dir: self.view.identity.state_dir.clone(),
            disk: self.disk.clone(),
            observations: observation_sender,
            events: self.events.clone(),
            drain: self.drain.clone(),
            // Ready once is ready.
            placed: Latch::new("watches").0,
            heartbeat: self.watch_beat.clone(),
            hints: true,
            canary: self.canary.clone(),
        };
        self.watching.send(watching).await.map_err(|_| ends())?;
        self.settings = settings;
        Ok(outcome.join("; "))
    }

    async fn say(&self, fact: Fact) {
        // At a fatal end there is nobody left to tell.
        let _ = self.events.send(Event { at: clock::now(), fact }).await;
    }
}

/// Says which fragments of the configuration are not in force.
pub(super) fn tell_left_out(settings: &Settings, health: &Health) {
    for problem in &settings.left_out {
        tracing::error!(event = "config_fragment_left_out", "{problem} (the whole file is left out)");
    }
    match settings.left_out.first() {
        Some(problem) => health.set(Check::Config, Level::Degraded, format!("left out: {problem}")),
        None => health.clear(Check::Config),
    }
}

/// What only a restart can change stays as it is; returns the names of what would have changed.
fn keep_what_cannot_change(old: &Settings, new: &mut Settings) -> Vec<&'static str> {
    let mut kept = Vec::new();
    if old.state_dir != new.state_dir {
        new.state_dir.clone_from(&old.state_dir);
        kept.push("state_dir");
    }
    if old.listen != new.listen {
        new.listen = old.listen;
        kept.push("http.listen");
    }
    if old.log.format != new.log.format {
        new.log.format = old.log.format;
        kept.push("log.format");
    }
    kept
}

/// Which watches came, went or changed, in words.
fn difference(old: &[Arc<Watch>], new: &[Arc<Watch>]) -> Vec<String> {
    let in_ = |watches: &[Arc<Watch>], one: &Watch| watches.iter().find(|watch| watch.name == one.name).cloned();
    let names = |watches: Vec<&Arc<Watch>>| watches.iter().map(|watch| watch.name.to_string()).collect::<Vec<_>>();
    let added = names(new.iter().filter(|watch| in_(old, watch).is_none()).collect());
    let removed = names(old.iter().filter(|watch| in_(new, watch).is_none()).collect());
    let is_changed = |watch: &Arc<Watch>| in_(old, watch).is_some_and(|old| !is_same(&old, watch));
    let changed = names(new.iter().filter(|watch| is_changed(watch)).collect());
    let parts = [("added", added), ("removed", removed), ("changed", changed)];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(word, names)| format!("{word} {}", names.join(", "))).collect();
    if parts.is_empty() { vec!["the same watches".to_owned()] } else { parts }
}

fn is_same(one: &Watch, other: &Watch) -> bool {
    // Globs compare by what they were made from.
    format!("{:?}{:?}", one.paths, one.exclude) == format!("{:?}{:?}", other.paths, other.exclude)
        && one.rules == other.rules
}
