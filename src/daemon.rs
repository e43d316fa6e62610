//! The wiring: stages, the channels between them, signals, the drain. Crash-only: a stage that ends before the drain ends
//! the daemon, systemd starts it anew, and the first sweep finds the truth on disk.

mod progress;
mod reload;
mod signals;
mod socket;
mod state_dir;
mod systemd;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::checkup::{Canary, Checkup};
use crate::clock;
use crate::config::{Options, Settings, Surroundings};
use crate::disk::Disk;
use crate::document::DocumentId;
use crate::error::{Cause, Error, Escaped, Result};
use crate::event::{Event, Fact, Status};
use crate::expose::{self, Hosts, Identity, Limits, Listeners, View};
use crate::health::Health;
use crate::record::incidents::{Incidents, Recall};
use crate::record::log::Logging;
use crate::record::metrics::Metrics;
use crate::record::recent::Recent;
use crate::record::{self, Recorder, log};
use crate::recover::{self, Recovering, Remembered};
use crate::stage::{Fatal, Heartbeat, Latch, Latched};
use crate::steer::Orders;
use crate::watch::Watching;
use reload::{Reloading, tell_left_out, watch_in_turn};
use state_dir::StateDir;
use systemd::{Source, Systemd};

/// Workers of the runtime. The stages wait for channels and timers; files are read on threads of their own.
const WORKERS: usize = 2;

/// Observations that may wait for the recover stage; the sweep waits when there are more.
const OBSERVATIONS: usize = 1024;

/// Events that may wait for the record stage; whoever says more waits.
const EVENTS: usize = 1024;

/// Orders of people that may wait; who gives one more hears that the daemon is busy.
const ORDERS: usize = 64;

/// Wishes for a reload that may wait.
const RELOADS: usize = 4;

/// From the first signal to the end, whatever hangs.
const DRAIN_LIMIT: Duration = Duration::from_millis(4_800);

/// What the daemon was started with.
#[derive(Debug)]
pub struct Start {
    /// What to guard, and how.
    pub settings: Settings,
    /// What the command line said: it holds at every reload.
    pub options: Options,
    /// What the environment says.
    pub surroundings: Surroundings,
    /// Who ends it, and says why it could not begin; `None`: SIGTERM and SIGINT end it, and the log says so.
    pub companion: Option<Companion>,
}

/// Who runs a guard beside something else.
#[derive(Clone, Debug)]
pub struct Companion {
    /// Where it hears that the guard has begun.
    pub hears: SyncSender<Guarding>,
    /// Has it?
    pub has_begun: Arc<AtomicBool>,
}

/// A guard that has begun, for whoever runs it beside something else.
#[derive(Debug)]
pub struct Guarding {
    /// `true` ends it.
    pub drain: watch::Sender<bool>,
    /// Open when all files have been looked at once.
    pub ready: Vec<Latched>,
}

impl Guarding {
    /// Whoever asked for it waits for it.
    fn tell(self, companion: Option<Companion>) {
        if let Some(Companion { hears, has_begun }) = companion {
            has_begun.store(true, Ordering::SeqCst);
            let _ = hears.send(self);
        }
    }
}

/// Has another daemon this state directory now?
///
/// # Errors
/// It cannot be made or written.
pub fn is_taken(disk: &Disk, state_dir: &Path) -> Result<bool> {
    match StateDir::open(disk, state_dir) {
        Ok(_) => Ok(false),
        Err(error) if matches!(error.cause(), Cause::Locked(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Guards until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start (the state directory, the listener), or a stage ended by itself.
pub fn run(start: Start) -> Result<()> {
    let health = Arc::new(Health::new());
    let logging = Arc::new(log::init(&start.settings.log, Arc::clone(&health))?);
    let has_begun = start.companion.as_ref().map(|companion| Arc::clone(&companion.has_begun));
    let ended = guard(start, health, Arc::clone(&logging));
    if let Err(error) = &ended
        && has_begun.is_none_or(|has_begun| has_begun.load(Ordering::SeqCst))
    {
        tracing::error!(event = "fatal", "{error}");
    }
    logging.flush(Duration::from_secs(1));
    ended
}

fn guard(start: Start, health: Arc<Health>, logging: Arc<Logging>) -> Result<()> {
    let disk = Disk::default();
    let state_dir = StateDir::open(&disk, &start.settings.state_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::new("starting", "the runtime", error))?;
    let ended = runtime.block_on(stages(start, disk, &state_dir, health, logging));
    // Dropping a runtime waits for threads that may hang on a dead disk.
    runtime.shutdown_background();
    ended
}

async fn stages(
    start: Start,
    disk: Disk,
    state_dir: &StateDir,
    health: Arc<Health>,
    logging: Arc<Logging>,
) -> Result<()> {
    let Start { settings, options, surroundings, companion } = start;
    let settings = Arc::new(settings);
    let (drain, drained) = watch::channel(false);
    let (reload_sender, wishes) = mpsc::channel(RELOADS);
    signals::listen(companion.is_none().then(|| drain.clone()), reload_sender.clone())?;
    let tcp = listen(settings.listen).await?;
    // Removed at the end, when nobody is answered any more.
    let (_socket, socket) = socket::listen(&disk, &surroundings.socket_folders(), state_dir.directory.path())?.unzip();
    tell_left_out(&settings, &health);
    let (journal, recall) = journal(&disk, state_dir, &health)?;
    let (next_incident, remembered) = (recall.next_incident, remembered(&recall));
    let (recent, standing) = (Arc::new(Recent::new(recall.recent)), recall.standing);

    let (event_sender, events) = mpsc::channel(EVENTS);
    let (order_sender, orders) = mpsc::channel(ORDERS);
    let (renewal_sender, renewals) = mpsc::channel(1);
    let (next_watching, watchings) = mpsc::channel(1);
    let (observation_sender, observations) = mpsc::channel(OBSERVATIONS);
    let (status_sender, status) = watch::channel(Arc::new(Status::default()));
    let (placed, is_placed) = Latch::new("watches");
    let (judged, is_judged) = Latch::new("first_sweep");
    let beats = ["watch", "recover", "record", "expose"].map(Heartbeat::new);
    let [watch_beat, recover_beat, record_beat, expose_beat] = beats.clone();
    let (health_interval, checkup) = checkup(&settings, &disk, state_dir, &event_sender, &drained)?;

    let watching = Watching {
        settings: Arc::clone(&settings),
        state_dir: state_dir.directory.path().to_owned(),
        disk: disk.clone(),
        observations: observation_sender,
        events: event_sender.clone(),
        drain: drained.clone(),
        placed,
        heartbeat: watch_beat.clone(),
        hints: true,
        canary: checkup.canary.clone(),
    };
    let ends = Recovering {
        observations,
        events: event_sender.clone(),
        status: status_sender,
        judged,
        heartbeat: recover_beat,
        next_incident,
        remembered,
        renewals,
        orders,
        standing,
    };
    let view = View {
        status,
        metrics: Arc::new(registered(&settings)?),
        recent,
        feeds: Arc::default(),
        health,
        heartbeats: beats.to_vec(),
        latches: vec![is_placed, is_judged],
        draining: Arc::default(),
        hosts: Hosts::new(&settings.hosts),
        identity: Identity { state_dir: state_dir.directory.path().to_owned() },
        orders: Orders { documents: order_sender, reload: reload_sender },
        disk: disk.clone(),
    };
    let recorder = recorder(&view, journal);
    Guarding { drain, ready: view.latches.clone() }.tell(companion);
    let systemd = Systemd::start(Source::of(&view))?;
    let reloading = Reloading {
        settings: Arc::clone(&settings),
        options,
        surroundings,
        disk: disk.clone(),
        watching: next_watching,
        renewals: renewal_sender,
        events: event_sender.clone(),
        drain: drained.clone(),
        watch_beat,
        canary: checkup.canary.clone(),
        health_interval,
        view: view.clone(),
        logging,
        systemd: systemd.clone(),
    };
    tokio::spawn(reloading.run(wishes));
    // It ends by itself, and nothing waits for it.
    tokio::spawn(progress::show(view.status.clone()));
    let draining = Arc::clone(&view.draining);

    let mut running: Running = JoinSet::new();
    running.spawn(async { ("watch", watch_in_turn(watching, watchings).await) });
    running.spawn(async { ("checkup", checkup.run().await) });
    let state_dir = state_dir.directory.duplicate()?;
    running.spawn(async move { ("recover", recover::run(settings, disk, &state_dir, ends).await) });
    let (recording, over) = watch::channel(());
    running.spawn(async move {
        record::run(events, recorder, record_beat).await;
        drop(recording);
        ("record", Ok(()))
    });
    let listeners = Listeners { tcp, socket };
    running.spawn(async move {
        ("expose", expose::run(listeners, view, Limits::default(), closed(over), expose_beat).await)
    });
    supervise(running, drained, event_sender, &draining, &systemd).await
}

fn recorder(view: &View, journal: Incidents) -> Recorder {
    let (metrics, recent) = (Arc::clone(&view.metrics), Arc::clone(&view.recent));
    Recorder::new(metrics, journal, recent, Arc::clone(&view.feeds), Arc::clone(&view.health))
}

/// The look at ourselves, and what sets how often that is.
fn checkup(
    settings: &Settings,
    disk: &Disk,
    state_dir: &StateDir,
    events: &mpsc::Sender<Event>,
    drained: &watch::Receiver<bool>,
) -> Result<(watch::Sender<Duration>, Checkup)> {
    let (sender, interval) = watch::channel(settings.health_interval);
    let checkup = Checkup {
        interval,
        disk: disk.clone(),
        state: state_dir.directory.duplicate()?,
        canary: Canary::new(state_dir.directory.path()),
        events: events.clone(),
        drain: drained.clone(),
    };
    Ok((sender, checkup))
}

fn registered(settings: &Settings) -> Result<Metrics> {
    let revision = option_env!("JSONWARDEN_REVISION").unwrap_or("unknown");
    Metrics::new(&settings.watches, env!("CARGO_PKG_VERSION"), revision)
        .map_err(|error| Error::new("registering", "metrics", Cause::Damaged(error.to_string())))
}

/// Opens the log of incidents, and says if some of its lines are damaged.
fn journal(disk: &Disk, state_dir: &StateDir, health: &Arc<Health>) -> Result<(Incidents, Recall)> {
    let (journal, recall) = Incidents::open(disk.clone(), state_dir.directory.duplicate()?, Arc::clone(health))?;
    let lines = recall.rotten_lines;
    if lines > 0 {
        let path = state_dir.directory.path().join("incidents.jsonl");
        let path = Escaped(path.as_os_str());
        tracing::error!(event = "incidents_damaged", lines, "{path}: damaged lines are passed over; the others count");
    }
    Ok((journal, recall))
}

/// What the log of incidents says of documents: their incidents, holds and breakers go on.
fn remembered(recall: &Recall) -> HashMap<DocumentId, Remembered> {
    let mut all: HashMap<DocumentId, Remembered> = HashMap::new();
    for (document, incident) in &recall.open {
        let remembered = all.entry(document.clone()).or_default();
        remembered.incident = Some(*incident);
        remembered.is_suspicion = recall.suspicions.contains(incident);
    }
    for (document, hold) in &recall.held {
        all.entry(document.clone()).or_default().held = Some(hold.reason);
    }
    for (document, repairs) in &recall.repairs {
        all.entry(document.clone()).or_default().repairs.clone_from(repairs);
    }
    all
}

/// The stages that run, each with its name and how it ended.
type Running = JoinSet<(&'static str, std::result::Result<(), Fatal>)>;

/// HTTP goes last, so that it says "draining" to the end: when the record stage, the last of the others, is over.
async fn closed(mut over: watch::Receiver<()>) {
    while over.changed().await.is_ok() {}
}

/// Waits for the drain, and then for the stages to end in their order. A stage that ends before is fatal.
async fn supervise(
    mut running: Running,
    mut drained: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
    draining: &AtomicBool,
    systemd: &Systemd,
) -> Result<()> {
    let ended = tokio::select! {
        ended = running.join_next() => Some(ended),
        _ = drained.wait_for(|drain| *drain) => None,
    };
    // A stage that heard of the drain before we did has ended as asked.
    if let Some(ended) = ended.filter(|_| !*drained.borrow()) {
        let why = match ended {
            Some(Ok((_, Err(fatal)))) => fatal.to_string(),
            Some(Ok((stage, Ok(())))) => format!("{stage} ended before it was asked to"),
            Some(Err(error)) => format!("a stage panicked: {error}"),
            None => "nothing runs".to_owned(),
        };
        return Err(Error::new("guarding", "the stages", Cause::Damaged(why)));
    }
    draining.store(true, Ordering::Relaxed);
    systemd.stopping();
    // When the record stage is behind, the word is not worth the wait.
    let _ = events.try_send(Event { at: clock::now(), fact: Fact::Draining });
    drop(events);
    let all = async {
        while let Some(ended) = running.join_next().await {
            if let Ok((stage, Err(error))) = ended {
                tracing::error!(event = "fatal", stage, "{error}");
            }
        }
    };
    if tokio::time::timeout(DRAIN_LIMIT, all).await.is_err() {
        tracing::warn!(event = "drain_cut_short", "not everything ended in time; nothing is lost by that");
    }
    Ok(())
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let failed = |error: std::io::Error| {
        let why = format!("{error}; choose another address (http.listen, or --listen), or \"\" for none");
        Error::new("listening on", address.to_string(), Cause::Refused(why))
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(event = "listening", address = %address, "probes and metrics at http://{address}/");
    Ok(Some(listener))
}
