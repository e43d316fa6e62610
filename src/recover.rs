//! The recover stage: the one owner of every document's state. It steps the machine, has looks and repairs done on
//! blocking threads, and says what happened.

mod absent;
mod balance;
mod beside;
mod by_hand;
mod compare;
mod grown;
mod job;
mod lanes;
mod look;
mod noted;
mod orders;
mod outcome;
mod readiness;
mod remembered;
mod renewal;
mod repaired;
mod scrub;
mod sighted;
mod spares;
mod sparing;
mod stale;
mod tracked;
mod unowned;
mod unrepairable;
mod upkeep;
mod verified;
mod weighed;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use crate::backup::Backups;
use crate::clock;
use crate::config::{Settings, WatchName};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::document::DocumentId;
use crate::error::{Error, Result};
use crate::event::{Event, Fact, IncidentId, Status};
use crate::quarantine::Quarantine;
use crate::stage::{Fatal, Heartbeat, Latch};
use crate::steer::{Ask, Standing};
use crate::watch::Observation;
use beside::Owners;
use compare::Comparing;
use job::{Tools, Work};
use lanes::{Finished, Lanes};
use orders::Waiting;
pub use remembered::Remembered;
use scrub::Scrubbing;
use spares::Spares;
use sparing::Sparing;
use stale::Stale;
use tracked::Tracked;
use unowned::Unowned;
use verified::Verifying;

/// What the stage is connected to.
#[derive(Debug)]
pub struct Recovering {
    /// What was seen; when it closes, the stage finishes what runs and ends.
    pub observations: mpsc::Receiver<Observation>,
    /// Where facts go.
    pub events: mpsc::Sender<Event>,
    /// Where everything stands, for whoever answers questions.
    pub status: watch::Sender<Arc<Status>>,
    /// Opens when the first sweep has been judged.
    pub judged: Latch,
    /// The sign of life.
    pub heartbeat: Heartbeat,
    /// The number of the next incident.
    pub next_incident: IncidentId,
    /// What is remembered of documents from before a restart.
    pub remembered: HashMap<DocumentId, Remembered>,
    /// Other settings, one after the other.
    pub renewals: mpsc::Receiver<Renewal>,
    /// What people ask.
    pub orders: mpsc::Receiver<Ask>,
    /// What they asked before a restart, as far as it is in force.
    pub standing: Standing,
}

/// Other settings to guard by, with the observations that follow from them.
#[derive(Debug)]
pub struct Renewal {
    /// They replace the old ones whole.
    pub settings: Arc<Settings>,
    /// From now on only these count.
    pub observations: mpsc::Receiver<Observation>,
    /// Told when that is so.
    pub done: oneshot::Sender<()>,
}

/// The status is told at most this often.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// Telling the status takes no more than this part of the time.
const STATUS_SHARE: u32 = 20;

/// The status is never older than this, however long telling it takes.
const STATUS_AGE_MAX: Duration = Duration::from_secs(5);

/// How long the drain waits for what runs.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
struct Recover {
    settings: Arc<Settings>,
    events: mpsc::Sender<Event>,
    status: watch::Sender<Arc<Status>>,
    judged: Option<Latch>,
    next_incident: IncidentId,
    remembered: HashMap<DocumentId, Remembered>,
    /// Boxed: a table keeps room for as many again, and each takes about a kilobyte.
    documents: HashMap<DocumentId, Box<Tracked>>,
    owners: Owners,
    due: BinaryHeap<Reverse<(Instant, DocumentId)>>,
    lanes: Lanes,
    running: usize,
    unlooked: usize,
    is_swept: bool,
    is_storage_low: bool,
    is_asking_for_room: bool,
    is_stock_changed: bool,
    balancing: Sparing,
    upkeep_due: Option<Instant>,
    /// The clock has leapt, and since then nothing goes for its age.
    clock_doubted: Option<Instant>,
    scrubbing: Scrubbing,
    verifying: Verifying,
    comparing: Comparing,
    spares: Spares,
    changes_due: Option<Instant>,
    unguarded_bytes: u64,
    /// The watches of which it was said that some files could not be repaired.
    unrepairable: BTreeSet<WatchName>,
    unowned: Unowned,
    stale: Stale,
    standing: Standing,
    waiting: Vec<Waiting>,
    state: Directory,
    disk: Disk,
    /// Grows with every renewal.
    generation: u64,
}

/// Runs the stage until the observations end and what runs is done.
///
/// # Errors
/// The state directory cannot be opened, or the other stages are gone.
pub async fn run(
    settings: Arc<Settings>,
    disk: Disk,
    state_dir: &Directory,
    ends: Recovering,
) -> std::result::Result<(), Fatal> {
    let fatal = |error: Error| Fatal { stage: "recover", why: error.to_string() };
    let tools = tools(&settings, disk.clone(), state_dir).map_err(fatal)?;
    let state = state_dir.duplicate().map_err(fatal)?;
    let (finished_sender, finished) = mpsc::channel(64);
    let recover = Recover {
        settings,
        events: ends.events,
        status: ends.status,
        judged: Some(ends.judged),
        next_incident: ends.next_incident,
        remembered: ends.remembered,
        documents: HashMap::new(),
        owners: Owners::default(),
        due: BinaryHeap::new(),
        lanes: Lanes::new(Arc::new(tools), finished_sender),
        running: 0,
        unlooked: 0,
        is_swept: false,
        is_storage_low: false,
        is_asking_for_room: false,
        is_stock_changed: false,
        balancing: Sparing::default(),
        upkeep_due: Some(Instant::now()),
        clock_doubted: None,
        scrubbing: Scrubbing::default(),
        verifying: Verifying::default(),
        comparing: Comparing::default(),
        spares: Spares::default(),
        changes_due: Some(Instant::now()),
        unguarded_bytes: 0,
        unrepairable: BTreeSet::new(),
        unowned: Unowned::default(),
        stale: Stale::default(),
        standing: ends.standing,
        waiting: Vec::new(),
        state,
        disk,
        generation: 0,
    };
    recover.run(ends.observations, ends.renewals, ends.orders, finished, ends.heartbeat).await;
    Ok(())
}

fn tools(settings: &Settings, disk: Disk, state: &Directory) -> Result<Tools> {
    Ok(Tools {
        backups: Backups::new(disk.clone(), state.duplicate()?),
        quarantine: Quarantine::new(disk.clone(), state.duplicate()?).limited_to(settings.storage.quarantine_max_bytes),
        state: state.duplicate()?,
        min_free: settings.min_free,
        disk,
    })
}

impl Recover {
    async fn run(
        mut self,
        mut observations: mpsc::Receiver<Observation>,
        mut renewals: mpsc::Receiver<Renewal>,
        mut orders: mpsc::Receiver<Ask>,
        mut finished: mpsc::Receiver<Finished>,
        heartbeat: Heartbeat,
    ) {
        let mut beat = tokio::time::interval(Heartbeat::PERIOD);
        let mut tell_at = Instant::now();
        loop {
            heartbeat.beat();
            let due = self.due.peek().map_or_else(far_away, |Reverse((due, _))| *due);
            tokio::select! {
                biased;
                Some(done) = finished.recv() => self.finished(done).await,
                () = tokio::time::sleep_until(due.into()) => self.look_at_what_is_due(),
                Some(renewal) = renewals.recv() => observations = self.renew(renewal),
                Some(ask) = orders.recv() => self.asked(ask).await,
                () = tokio::time::sleep_until(tell_at.into()), if self.stale.is_any() => {
                    let begun = Instant::now();
                    let is_repair_news = self.tell_status();
                    if is_repair_news && self.judged.is_none() {
                        self.tell_unrepairable().await;
                    }
                    tell_at = begun + status_pause(begun.elapsed());
                }
                observation = observations.recv() => match observation {
                    Some(observation) => self.observed(observation).await,
                    None => break,
                },
                _ = beat.tick() => {
                    self.end_pauses().await;
                    self.give_up_waiting(Instant::now());
                    self.balance();
                    self.keep_up();
                    self.scrub();
                    self.verify();
                    self.keep_spares();
                    self.look_for_changes();
                    self.compare_next();
                }
            }
        }
        drop((orders, renewals));
        self.drain(finished, heartbeat).await;
    }

    /// What runs is finished; what waits is found again by the first sweep of the next start.
    async fn drain(mut self, mut finished: mpsc::Receiver<Finished>, heartbeat: Heartbeat) {
        self.running = self.running.saturating_sub(self.lanes.drain());
        let deadline = tokio::time::Instant::now() + DRAIN_LIMIT;
        while self.running > 0 {
            heartbeat.beat();
            match tokio::time::timeout_at(deadline, finished.recv()).await {
                Ok(Some(Finished::One(document, done))) => {
                    self.done(&document, *done).await;
                    // What would follow from it is found again, too.
                    self.running = self.running.saturating_sub(self.lanes.drain());
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        self.tell_status();
    }

    /// Has a document looked at, now or as soon as what runs with it is done.
    fn look(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        if tracked.is_in_flight {
            tracked.again = true;
            return;
        }
        if !tracked.is_reachable() {
            // Through the handle that stands for its folder nothing can be found: the next sweep says more.
            return;
        }
        let work = tracked.look(Instant::now());
        self.start(document, work);
    }

    fn start(&mut self, document: &DocumentId, work: Work) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.is_in_flight = true;
        if !matches!(work, Work::Leftover { .. } | Work::Prune { .. }) {
            tracked.machine.due = None;
        }
        self.running += 1;
        let is_first_look = !tracked.is_looked_at && !self.is_swept;
        self.lanes.push(tracked.device(), tracked.task(work), is_first_look);
    }

    fn look_at_what_is_due(&mut self) {
        let now = Instant::now();
        while self.due.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((due, document))) = self.due.pop() else { return };
            let Some(tracked) = self.documents.get_mut(&document) else { continue };
            tracked.queued = tracked.queued.filter(|queued| *queued != due);
            // A document may have been seen since: then this time is not its own any more.
            if tracked.machine.due == Some(due) {
                self.look(&document);
            }
        }
    }

    async fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::One(document, done) => self.done(&document, *done).await,
            Finished::Thread(key, thread) => self.lanes.is_free(key, thread),
            Finished::KeptUp(kept) => self.kept_up(kept).await,
            Finished::Room(room) => self.room_is(room).await,
            Finished::Changed(documents) => self.changed(documents),
            Finished::Rotten(document, version, path) => self.rotten(document, version, path).await,
            Finished::RecordDamaged(document, path) => self.record_damaged(document, path).await,
            Finished::VersionsRead => self.versions_read(),
            Finished::Verified(verified) => self.verified(verified).await,
            Finished::Spared(device, spared) => self.spared(device, spared).await,
            Finished::Whose(claimed) => claimed.into_iter().for_each(|claimed| self.claimed(*claimed)),
            Finished::Compared(compared) => self.compared(compared).await,
        }
        if self.running == 0 {
            self.compare_next();
        }
    }

    /// Says what happened; when the record stage falls behind, this waits for it.
    async fn say(&self, fact: Fact) {
        // The receiver outlives this stage; at a fatal end there is nobody left to tell.
        let _ = self.events.send(Event { at: clock::now(), fact }).await;
    }
}

/// How long the status stands that took so long to tell.
fn status_pause(took: Duration) -> Duration {
    (took * STATUS_SHARE).clamp(STATUS_INTERVAL, STATUS_AGE_MAX)
}

/// A time that does not come.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(60 * 60)
}
