//! The checkup: at every `health_interval` the daemon looks at itself. Is the state directory writable; does what the kernel
//! tells arrive; does memory suffice? What is wrong is told once, and so is that it is well again.
//!
//! *Invariant:* nothing that guards files waits for any of it. What touches a disk runs on a thread of its own, of which
//! there is never more than one.

mod canary;
mod state_dir;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub use canary::{Canary, Ear};

use crate::clock;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::memory::Memory;
use crate::event::{Event, Fact};
use crate::health::{Check, Level};
use crate::stage::Fatal;

/// After this long without an answer the state directory's disk is said to hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// A process that uses more than this share of what it may is about to be killed.
const OF_LIMIT: f64 = 0.9;

/// A guardian that takes more than this share of the whole machine harms what it guards.
const OF_MACHINE: f64 = 0.5;

/// The stage, before it runs.
#[derive(Debug)]
pub struct Checkup {
    /// How often; a reload may change it.
    pub interval: watch::Receiver<Duration>,
    /// The file system.
    pub disk: Disk,
    /// The state directory.
    pub state: Directory,
    /// Who must hear of a change.
    pub canary: Canary,
    /// Where facts go.
    pub events: mpsc::Sender<Event>,
    /// Becomes true when the daemon is to end.
    pub drain: watch::Receiver<bool>,
}

/// What one look found wrong.
type Findings = BTreeMap<Check, (Level, String)>;

/// The checks that are this stage's.
const CHECKS: [Check; 3] = [Check::StateDir, Check::EventSource, Check::Memory];

impl Checkup {
    /// Looks until the drain. A look that hangs is left behind.
    ///
    /// # Errors
    /// None: the daemon guards also when it cannot look at itself.
    pub async fn run(mut self) -> std::result::Result<(), Fatal> {
        let mut drain = self.drain.clone();
        tokio::select! {
            () = self.look_again_and_again() => {}
            // Whoever held the other end is gone with the daemon.
            _ = drain.wait_for(|drains| *drains) => {}
        }
        Ok(())
    }

    async fn look_again_and_again(&mut self) {
        let (disk, canary) = (self.disk.clone(), self.canary.clone());
        let mut told = Findings::new();
        let Ok(state) = self.state.duplicate().map(Arc::new) else { return std::future::pending().await };
        loop {
            let begun = Instant::now();
            let (answer, mut answered) = oneshot::channel();
            let look = {
                let (disk, canary, state) = (disk.clone(), canary.clone(), Arc::clone(&state));
                move || drop(answer.send(look(&disk, &state, &canary)))
            };
            // Where no thread is to be had, the answer is that nobody answers.
            let _ = std::thread::Builder::new().name("checkup".to_owned()).spawn(look);
            let findings = if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answered).await {
                answer.unwrap_or_else(|_| unlooked())
            } else {
                let why = "its file system does not answer: nothing can be stored".to_owned();
                let hangs = Findings::from([(Check::StateDir, (Level::Unhealthy, why))]);
                self.tell(&mut told, hangs, &[Check::StateDir]).await;
                answered.await.unwrap_or_else(|_| unlooked())
            };
            self.tell(&mut told, findings, &CHECKS).await;
            self.wait(begun).await;
        }
    }

    /// Until the next look is due.
    async fn wait(&mut self, begun: Instant) {
        loop {
            let due = begun + *self.interval.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                changed = self.interval.changed() => if changed.is_err() {
                    // Nobody can change it any more.
                    return tokio::time::sleep_until(due).await;
                },
            }
        }
    }

    /// Says what is wrong now and was not before, or is another matter; and what is well again.
    async fn tell(&self, told: &mut Findings, found: Findings, of: &[Check]) {
        for check in of {
            let fact = match (told.get(check), found.get(check)) {
                (Some((_, before)), Some((_, now))) if before == now => continue,
                (_, Some((level, why))) => {
                    told.insert(*check, (*level, why.clone()));
                    Fact::CheckFailed { check: *check, level: *level, why: why.clone() }
                }
                (Some(_), None) => {
                    told.remove(check);
                    Fact::CheckPassed { check: *check }
                }
                (None, None) => continue,
            };
            // At a fatal end there is nobody left to tell.
            let _ = self.events.send(Event { at: clock::now(), fact }).await;
        }
    }
}

fn unlooked() -> Findings {
    let why = "it could not be looked at: no thread is to be had".to_owned();
    Findings::from([(Check::StateDir, (Level::Degraded, why))])
}

/// One look at all; it may take as long as the state directory's disk does.
fn look(disk: &Disk, state: &Directory, canary: &Canary) -> Findings {
    let mut findings = Findings::new();
    let touched = canary.listen(|| state_dir::probe(disk, state));
    match touched {
        Err(error) => {
            // What is stored already can be put back from a full disk, too.
            let level = if error.label() == "full" { Level::Degraded } else { Level::Unhealthy };
            findings
                .insert(Check::StateDir, (level, format!("it cannot be written: {error}: nothing new can be stored")));
        }
        Ok(0) => {}
        Ok(deaf) => {
            let who = if deaf == 1 { "a listener".to_owned() } else { format!("{deaf} listeners") };
            let why = format!("a change made as a test was not heard of by {who}: the sweep alone looks there");
            findings.insert(Check::EventSource, (Level::Degraded, why));
        }
    }
    if let Some(why) = disk.memory().and_then(too_much) {
        findings.insert(Check::Memory, (Level::Degraded, why));
    }
    findings
}

/// What is wrong with the memory that is used.
#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn too_much(memory: Memory) -> Option<String> {
    let (limit, share, whose) = match memory.limit_bytes {
        Some(limit) if limit < memory.machine_bytes => (limit, OF_LIMIT, "this service may have"),
        _ => (memory.machine_bytes, OF_MACHINE, "this machine has"),
    };
    let (used, all) = (memory.resident_bytes >> 20, limit >> 20);
    let is_too_much = memory.resident_bytes as f64 > limit as f64 * share;
    is_too_much.then(|| format!("{used} MiB are used of the {all} MiB that {whose}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_measured_by_the_limit_of_the_service_or_by_the_machine() {
        let memory = |used: u64, limit: Option<u64>| {
            too_much(Memory {
                resident_bytes: used << 20,
                limit_bytes: limit.map(|limit| limit << 20),
                machine_bytes: 1_000 << 20,
            })
        };
        assert_eq!(memory(89, Some(100)), None);
        assert_eq!(memory(95, Some(100)).unwrap(), "95 MiB are used of the 100 MiB that this service may have");
        assert_eq!(memory(400, None), None);
        assert!(memory(600, None).is_some() && memory(600, Some(4_000)).is_some());
    }
}
