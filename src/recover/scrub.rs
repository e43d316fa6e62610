//! The scrub: every live file is read in full now and then although nothing says that it changed (a store through a mapping
//! may leave no trace), and so is every stored version.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Recover;
use super::job::Tools;
use super::lanes::Finished;
use crate::config::{Scrub, WatchName};
use crate::document::{DocumentId, Version};
use crate::event::{Fact, Subject};

/// Stored versions are read again this often, from one beginning to the next, or as soon as the last pass is over.
const VERSIONS_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);

/// A file costs as much as this even if it is empty.
const FILE_BYTES_MIN: u64 = 4096;

/// Of so many rotten versions that nobody guards it is remembered that they were told.
const REMEMBERED: usize = 4096;

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Scrubbing {
    /// When the present pass over the live files began.
    begun: Option<Instant>,
    /// Those that are still to be read in it.
    ahead: VecDeque<DocumentId>,
    /// How many bytes may be read now; less than nothing: a large file was.
    allowance: i64,
    /// When the last pass over the stored versions began.
    versions_begun: Option<Instant>,
    is_reading_versions: bool,
    /// Rotten versions of files that nobody guards, which were told.
    told: HashSet<(DocumentId, Version)>,
}

impl Recover {
    /// Once a second: so much as the rate allows.
    pub(super) fn scrub(&mut self) {
        if self.judged.is_some() {
            return;
        }
        let now = Instant::now();
        for document in self.next_turn(now) {
            self.look(&document);
        }
        let is_time = self.scrubbing.versions_begun.is_none_or(|begun| now - begun >= VERSIONS_INTERVAL);
        if is_time && !self.scrubbing.is_reading_versions {
            let rate = self.settings.scrub;
            let work = move |tools: &Tools, tell: &dyn Fn(Finished)| read_versions(tools, rate, tell);
            self.scrubbing.is_reading_versions = self.lanes.aside_telling(work);
            self.scrubbing.versions_begun = Some(now);
        }
    }

    /// The live files whose turn it is.
    fn next_turn(&mut self, now: Instant) -> Vec<DocumentId> {
        let Scrub { interval, bytes_per_second } = self.settings.scrub;
        let scrubbing = &mut self.scrubbing;
        // The first sweep has read them all.
        let begun = *scrubbing.begun.get_or_insert(now);
        if scrubbing.ahead.is_empty() && now - begun >= interval {
            scrubbing.begun = Some(now);
            scrubbing.ahead.extend(self.documents.keys().cloned());
        }
        let rate = i64::try_from(bytes_per_second).unwrap_or(i64::MAX);
        scrubbing.allowance = scrubbing.allowance.saturating_add(rate).min(rate);
        let mut turn = Vec::new();
        while scrubbing.allowance > 0
            && let Some(document) = scrubbing.ahead.pop_front()
        {
            let signature = self.documents.get(&document).and_then(|tracked| tracked.signature);
            let bytes = signature.map_or(0, |signature| signature.bytes).max(FILE_BYTES_MIN);
            scrubbing.allowance = scrubbing.allowance.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
            turn.push(document);
        }
        turn
    }

    pub(super) fn versions_read(&mut self) {
        self.scrubbing.is_reading_versions = false;
    }

    /// A stored version is not what was stored any more. What stands in the file is stored anew, if it was that.
    pub(super) async fn rotten(&mut self, document: DocumentId, version: Version, path: PathBuf) {
        let Some(tracked) = self.documents.get_mut(&document) else {
            let is_new =
                self.scrubbing.told.len() < REMEMBERED && self.scrubbing.told.insert((document.clone(), version));
            if is_new {
                let subject = Subject { document, watch: WatchName::new("_other") };
                self.say(Fact::Rotten { subject, version, path }).await;
            }
            return;
        };
        if tracked.told_rotten.contains(&version) {
            return;
        }
        tracked.told_rotten.push(version);
        if let Some(known) = tracked.known.as_mut().filter(|known| is_newest(known, version)) {
            Arc::make_mut(known).newest = None;
        }
        let subject = tracked.subject();
        self.say(Fact::Rotten { subject, version, path }).await;
        self.look(&document);
    }
}

impl Recover {
    /// What is recorded of a document's versions is damaged, not they themselves. Told at every pass.
    pub(super) async fn record_damaged(&mut self, document: DocumentId, path: PathBuf) {
        let unguarded = || Subject { document: document.clone(), watch: WatchName::new("_other") };
        let subject = self.documents.get(&document).map_or_else(unguarded, |tracked| tracked.subject());
        self.say(Fact::RecordDamaged { subject, path }).await;
    }
}

fn is_newest(known: &super::job::Known, version: Version) -> bool {
    known.newest.as_ref().is_some_and(|newest| newest.version == version)
}

/// One pass over all stored versions, no faster than the rate.
fn read_versions(tools: &Tools, rate: Scrub, tell: &dyn Fn(Finished)) -> Finished {
    // What cannot be listed now is read in the next pass.
    let _ = tools.backups.each(|_, folder| {
        clear(tools, folder.document());
        for path in folder.damaged_records().unwrap_or_default() {
            tell(Finished::RecordDamaged(folder.document().clone(), path));
        }
        let _ = folder.scrub(|one| {
            if one.is_rotten {
                tell(Finished::Rotten(folder.document().clone(), one.version, one.path));
            }
            std::thread::sleep(
                Duration::from_secs(1).mul_f64(ratio(one.file_bytes.max(FILE_BYTES_MIN), rate.bytes_per_second)),
            );
            true
        });
        true
    });
    Finished::VersionsRead
}

/// What processes that died left half done goes. On a handle of its own: the lock must not last as long as the reading.
fn clear(tools: &Tools, document: &DocumentId) {
    if let Ok(Some(folder)) = tools.backups.find(document)
        && folder.lock().is_ok()
    {
        // The next store or pass tries again.
        let _ = folder.clear();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
fn ratio(bytes: u64, bytes_per_second: u64) -> f64 {
    (bytes as f64 / bytes_per_second.max(1) as f64).min(3600.0)
}
