//! The stage's task: it starts the sweep threads, gives them the beat, and says what they did. It never touches a watched
//! file system itself, so none can keep it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, sleep_until};

use super::mount::{Mount, Shared, lock};
use super::round::{Finished, Rounds, Silence, patience};
use super::territory::Territory;
use super::{Observation, Watching, fatal, stall, sweeper};
use crate::clock;
use crate::config::{NOTHING_IN_FOLDER, Settings, Target};
use crate::event::{Event, Fact};
use crate::stage::{Fatal, Heartbeat, Latch};

/// The task's state.
pub(super) struct Conductor {
    pub(super) shared: Arc<Shared>,
    settings: Arc<Settings>,
    observations: mpsc::Sender<Observation>,
    events: mpsc::Sender<Event>,
    drain: tokio::sync::watch::Receiver<bool>,
    placed: Option<Latch>,
    heartbeat: Heartbeat,
    rounds: Rounds,
    /// Of each mount in `shared.swept`: how long it has been silent, and was it given up?
    silences: Vec<(Silence, Duration, bool)>,
    /// The watches that the kernel is known not to tell everything of.
    lost: BTreeMap<usize, String>,
    /// The mounts that were said to hang, each with the folder that was told.
    stalled: BTreeMap<usize, PathBuf>,
}

impl Conductor {
    /// Starts a thread for each mount that a configured path lies on.
    pub(super) fn new(watching: Watching) -> Result<Self, Fatal> {
        let Watching { settings, state_dir, disk, observations, events, drain, placed, heartbeat, hints, canary } =
            watching;
        let territory = Territory::new(&settings.watches, vec![settings.state_dir.clone(), state_dir]);
        let flags = || territory.roots().iter().map(|_| AtomicBool::new(false)).collect::<Box<[AtomicBool]>>();
        let (found, complained) = (flags(), flags());
        let shared = Arc::new(Shared {
            hints,
            canary,
            mounts: RwLock::new(Arc::new(disk.mounts())),
            swept: Mutex::default(),
            observations: observations.downgrade(),
            events: events.downgrade(),
            done: Arc::new(Notify::new()),
            ends: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            most_open: raise_descriptor_limit() / 2,
            nowhere: Arc::new(disk.open_nowhere(&settings.state_dir).map_err(|error| fatal(error.to_string()))?),
            found,
            complained,
            territory: RwLock::new(Arc::new(territory)),
            disk,
        });
        let rounds = Rounds::new(settings.sweep_interval, Instant::now());
        let conductor = Self {
            shared,
            settings,
            observations,
            events,
            drain,
            placed: Some(placed),
            heartbeat,
            rounds,
            silences: Vec::new(),
            lost: BTreeMap::new(),
            stalled: BTreeMap::new(),
        };
        conductor.share_out_roots()?;
        Ok(conductor)
    }

    fn share_out_roots(&self) -> Result<(), Fatal> {
        let mounts = self.shared.mounts();
        let mut by_device = BTreeMap::<u64, Vec<_>>::new();
        for (index, root) in (0..).zip(self.shared.territory().roots().iter()) {
            let device = mounts.of(root.start()).device;
            by_device.entry(device).or_default().push((index, vec![device]));
        }
        for (device, roots) in by_device {
            let mount = sweeper::mount_of(&self.shared, device).map_err(|error| fatal(error.to_string()))?;
            mount.inbox.leave(|work| work.roots.extend(roots));
        }
        Ok(())
    }

    /// Keeps the beat until the drain.
    pub(super) async fn conduct(&mut self) -> Result<(), Fatal> {
        while !*self.drain.borrow_and_update() {
            self.heartbeat.beat();
            let now = Instant::now();
            self.listen(now)?;
            self.tell_stalled().await?;
            if self.rounds.due().is_some_and(|due| due <= now) {
                self.begin(now);
            } else if self.rounds.due().is_none() && self.is_settled() {
                self.finish(now).await?;
            }
            let next = (now + Heartbeat::PERIOD).min(self.rounds.due().unwrap_or(now + Heartbeat::PERIOD));
            tokio::select! {
                changed = self.drain.changed() => if changed.is_err() { break },
                () = self.shared.done.notified() => {}
                () = sleep_until(next.into()) => {}
            }
        }
        Ok(())
    }

    /// Tells the threads to end, without waiting for them.
    pub(super) fn end(&self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for mount in lock(&self.shared.swept).iter() {
            mount.inbox.leave(|work| work.ends = true);
        }
    }

    fn mounts(&self) -> Vec<Arc<Mount>> {
        lock(&self.shared.swept).clone()
    }

    /// Which threads live, and which are silent?
    fn listen(&mut self, now: Instant) -> Result<(), Fatal> {
        let patience = patience(self.settings.sweep_interval);
        for (index, mount) in self.mounts().iter().enumerate() {
            if mount.thread.get().is_some_and(JoinHandle::is_finished) && !self.shared.ends() {
                return Err(fatal("a sweep thread panicked"));
            }
            if index == self.silences.len() {
                self.silences.push((Silence::new(now), Duration::ZERO, false));
            }
            let (silence, silent_for, is_given_up) = &mut self.silences[index];
            *silent_for = silence.listen(mount.pulse.at_risk(), now);
            if *silent_for < patience {
                *is_given_up = false;
            } else if !std::mem::replace(is_given_up, true) {
                stall::give_up(&self.shared, mount).map_err(|error| fatal(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Which mounts do not answer, and which do again?
    async fn tell_stalled(&mut self) -> Result<(), Fatal> {
        for (index, mount) in self.mounts().iter().enumerate() {
            let is_given_up = self.silences.get(index).is_some_and(|(.., is_given_up)| *is_given_up);
            if is_given_up && !self.stalled.contains_key(&index) {
                let folder = mount.place(&self.shared.territory());
                self.stalled.insert(index, folder.clone());
                self.say(Fact::MountStalled { folder }).await?;
            } else if !is_given_up && let Some(folder) = self.stalled.remove(&index) {
                self.say(Fact::MountBack { folder }).await?;
            }
        }
        Ok(())
    }

    /// A silent mount must not keep the rounds of the others. The first round waits until it is given up.
    fn is_settled(&self) -> bool {
        // Half an interval: waiting for it must not make the round look stretched.
        let waits = self.settings.sweep_interval / 2;
        self.mounts().iter().enumerate().all(|(index, mount)| {
            let is_left_behind = self.silences.get(index).is_some_and(|(_, silent_for, is_given_up)| {
                *is_given_up || self.rounds.has_finished() && *silent_for >= waits
            });
            is_left_behind || mount.inbox.is_settled()
        })
    }

    fn begin(&mut self, now: Instant) {
        self.shared.refresh_mounts();
        self.rounds.begin(now);
        for mount in self.mounts() {
            mount.inbox.leave(|work| work.sweep = true);
        }
    }

    async fn finish(&mut self, now: Instant) -> Result<(), Fatal> {
        // By other settings somebody else looks from now on, and drops this; what was not looked at any more says nothing.
        if self.is_superseded() {
            return Ok(());
        }
        let Some(Finished { took, first, stretches }) = self.rounds.finish(now) else { return Ok(()) };
        self.placed = None;
        let documents = self.mounts().iter().map(|mount| mount.documents.load(Ordering::Relaxed)).sum();
        self.tell_sources().await?;
        if first {
            self.tell_empty_roots().await?;
        }
        if stretches {
            self.say(Fact::SweepStretched { took }).await?;
        }
        self.say(Fact::Swept { took, documents }).await?;
        let swept = Observation::Swept { took, documents, first };
        let delivered = deliver(&self.observations, swept, &self.heartbeat, &mut self.drain).await;
        if self.is_superseded() { Ok(()) } else { delivered }
    }

    /// Does nobody listen any more to what is seen? (At a fatal end the stage that should have listened says so itself.)
    fn is_superseded(&self) -> bool {
        self.shared.ends() || self.observations.is_closed()
    }

    /// Of which watches does the kernel tell everything, and since when not?
    async fn tell_sources(&mut self) -> Result<(), Fatal> {
        let mut lost = BTreeMap::new();
        for mount in self.mounts() {
            lost.extend(lock(&mount.lost).clone());
        }
        let before = std::mem::replace(&mut self.lost, lost.clone());
        for (index, watch) in self.settings.clone().watches.iter().enumerate() {
            let watch = watch.name.clone();
            match (before.get(&index), lost.get(&index)) {
                (None, Some(why)) => self.say(Fact::EventSourceLost { watch, why: why.clone() }).await?,
                (Some(_), None) => self.say(Fact::EventSourceBack { watch }).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn tell_empty_roots(&mut self) -> Result<(), Fatal> {
        let shared = self.shared.clone();
        for (index, root) in shared.territory().roots().iter().enumerate() {
            let is_found = shared.found[index].load(Ordering::Relaxed);
            if !is_found && !shared.complained[index].swap(true, Ordering::Relaxed) {
                let why = match root.target {
                    Target::Path(_) => NOTHING_IN_FOLDER,
                    Target::Glob { .. } => "it matches no file that is not an earlier watch's",
                };
                let why = why.to_owned();
                self.say(Fact::NothingFound { watch: root.watch.name.clone(), path: root.configured(), why }).await?;
            }
        }
        Ok(())
    }

    async fn say(&mut self, fact: Fact) -> Result<(), Fatal> {
        deliver(&self.events, Event { at: clock::now(), fact }, &self.heartbeat, &mut self.drain).await
    }
}

/// Also when the daemon watches something else from now on, and drops this.
impl Drop for Conductor {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends, and waits while the receiver is busy, unless the daemon drains: a busy receiver is no reason to call us stuck.
async fn deliver<T>(
    sender: &mpsc::Sender<T>,
    message: T,
    heartbeat: &Heartbeat,
    drain: &mut tokio::sync::watch::Receiver<bool>,
) -> Result<(), Fatal> {
    loop {
        heartbeat.beat();
        tokio::select! {
            biased;
            permit = sender.reserve() => {
                permit.map_err(|_| fatal("nobody listens"))?.send(message);
                return Ok(());
            }
            _ = drain.wait_for(|drains| *drains) => return Ok(()),
            () = sleep(Heartbeat::PERIOD) => {}
        }
    }
}

/// Takes as many descriptors as we may have: each watched folder is kept open.
fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    // A limit that cannot be told is none.
    let most = if raised { getrlimit(Resource::Nofile).current } else { soft };
    usize::try_from(most.unwrap_or(1 << 16)).unwrap_or(1 << 16).min(1 << 20)
}
