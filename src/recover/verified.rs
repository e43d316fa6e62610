//! Is what a repair would put back there, and whole? At every checkup some of the good files are asked about, each in its
//! turn, so that all come round within half a day; a file whose version is gone is stored anew at once.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Recover;
use super::job::Tools;
use super::lanes::Finished;
use super::tracked::Tracked;
use crate::document::{DocumentId, Version};
use crate::error::{Cause, Result};
use crate::event::Fact;
use crate::health::{Check, Level};
use crate::verdict::State;

/// At least so many files at a time.
const FILES: usize = 256;

/// All come round in this time, if they are not too large for the rate.
const ROUND: Duration = Duration::from_secs(12 * 60 * 60);

/// A version that was read longer ago than this is not known to be whole.
const LIMIT: Duration = Duration::from_secs(26 * 60 * 60);

/// A document, and the version that a repair would put back.
type Asked = (DocumentId, Version);

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    due: Option<Instant>,
    /// Those that are still to be asked about in this round.
    ahead: VecDeque<DocumentId>,
    /// What was told to be wrong.
    told: Option<String>,
    is_at_work: bool,
}

/// What some of them came to.
#[derive(Debug, Default)]
pub(super) struct Verified {
    whole: Vec<Asked>,
    gone: Vec<Asked>,
    rotten: Vec<(Asked, PathBuf)>,
    /// They wait for the next time: enough was read.
    left: Vec<DocumentId>,
}

impl Recover {
    /// Begins, once everything has been looked at and the time has come.
    pub(super) fn verify(&mut self) {
        let now = Instant::now();
        let interval = self.settings.health_interval;
        if self.judged.is_some() || self.verifying.is_at_work {
            return;
        }
        // At first the scrub reads all of them.
        if *self.verifying.due.get_or_insert(now + interval) > now {
            return;
        }
        self.verifying.due = Some(now + interval);
        let asked = self.next_to_verify(interval);
        // As much as the scrub may read: of an interval's time, a second a minute.
        let bytes = self.settings.scrub.bytes_per_second.saturating_mul((interval.as_secs() / 60).max(1));
        let work = move |tools: &Tools| Finished::Verified(read(tools, asked, bytes));
        self.verifying.is_at_work = self.lanes.aside(work);
    }

    fn next_to_verify(&mut self, interval: Duration) -> Vec<Asked> {
        if self.verifying.ahead.is_empty() {
            self.verifying.ahead.extend(self.documents.keys().cloned());
        }
        let rounds = usize::try_from(ROUND.as_secs() / interval.as_secs().max(1)).unwrap_or(1).max(1);
        let files = FILES.max(self.documents.len().div_ceil(rounds)).min(self.verifying.ahead.len());
        let next: Vec<DocumentId> = self.verifying.ahead.drain(..files).collect();
        let asked = next.into_iter().filter_map(|document| {
            let version = self.documents.get(&document).and_then(|tracked| promised(tracked))?;
            Some((document, version))
        });
        asked.collect()
    }

    /// Some were read again.
    pub(super) async fn verified(&mut self, verified: Verified) {
        self.verifying.is_at_work = false;
        let now = Instant::now();
        for document in verified.left.into_iter().rev() {
            self.verifying.ahead.push_front(document);
        }
        for (document, version) in verified.whole {
            if let Some(tracked) = self.still(&document, version) {
                tracked.verified_at = now;
            }
        }
        for (document, version) in verified.gone {
            self.version_gone(document, version).await;
        }
        for ((document, version), path) in verified.rotten {
            if self.still(&document, version).is_some() {
                self.rotten(document, version, path).await;
            }
        }
        self.tell_unverified(now).await;
    }

    /// The document, if that version is still what a repair would put back.
    fn still(&mut self, document: &DocumentId, version: Version) -> Option<&mut Tracked> {
        self.documents.get_mut(document).map(Box::as_mut).filter(|tracked| promised(tracked) == Some(version))
    }

    async fn version_gone(&mut self, document: DocumentId, version: Version) {
        let Some(tracked) = self.still(&document, version) else { return };
        tracked.known = None;
        tracked.is_backed_up = false;
        // There is nothing that the interval between two versions would spare.
        tracked.stored_at = None;
        let subject = tracked.subject();
        self.stale.add(&document);
        self.say(Fact::VersionLost { subject, version }).await;
        self.look(&document);
    }

    /// Says so when good files have no version that is known to be whole, and when all have one again.
    async fn tell_unverified(&mut self, now: Instant) {
        let mut unverified = self.documents.values().filter(|tracked| is_unverified(tracked, now));
        let first = unverified.next().map(|tracked| tracked.document.clone());
        let why = first.map(|first| {
            let others = match unverified.count() {
                0 => String::new(),
                some => format!(" (and {some} more)"),
            };
            format!("no stored version of {first}{others} is known to be there and whole")
        });
        if why == self.verifying.told {
            return;
        }
        self.verifying.told.clone_from(&why);
        self.say(match why {
            Some(why) => Fact::CheckFailed { check: Check::Versions, level: Level::Degraded, why },
            None => Fact::CheckPassed { check: Check::Versions },
        })
        .await;
    }
}

/// What a repair would put back over a file that is good now.
fn promised(tracked: &Tracked) -> Option<Version> {
    let is_good = tracked.machine.state().0 == State::Healthy;
    tracked.known.as_ref().filter(|_| is_good)?.last_good_version()
}

fn is_unverified(tracked: &Tracked, now: Instant) -> bool {
    let is_good = tracked.is_looked_at && tracked.machine.state().0 == State::Healthy;
    let is_whole = promised(tracked).is_some_and(|version| !tracked.told_rotten.contains(&version));
    is_good && !(is_whole && now.saturating_duration_since(tracked.verified_at) < LIMIT)
}

/// Reads versions again, until so many bytes have been read.
fn read(tools: &Tools, asked: Vec<Asked>, most_bytes: u64) -> Verified {
    let (mut verified, mut bytes) = (Verified::default(), 0);
    for (document, version) in asked {
        if bytes >= most_bytes {
            verified.left.push(document);
            continue;
        }
        match read_one(tools, &document, version) {
            Ok(Some(read)) => {
                bytes += read;
                verified.whole.push((document, version));
            }
            Ok(None) => verified.gone.push((document, version)),
            Err(error) if matches!(error.cause(), Cause::Damaged(_)) => {
                verified.rotten.push(((document, version), error.path().to_owned()));
            }
            // The disk's fault, or no descriptor is left: that says nothing against the version.
            Err(_) => {}
        }
    }
    verified
}

/// How many bytes the version has; `None`: there is none.
fn read_one(tools: &Tools, document: &DocumentId, version: Version) -> Result<Option<u64>> {
    let Some(folder) = tools.backups.find(document)? else { return Ok(None) };
    match folder.bytes(version) {
        Ok(bytes) => Ok(Some(bytes.len() as u64)),
        Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
