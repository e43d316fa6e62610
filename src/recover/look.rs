//! One look at a document: read it, judge it, and store it if it is good and new. The bytes judged are the bytes stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::absent;
use super::grown::whole_lines;
use super::job::{Known, Odd, Task, Tools, is_current, known, with_ground};
use super::weighed;
use crate::backup::{Added, Batch, Keep, New, Taken};
use crate::config::Share;
use crate::decide::Seen;
use crate::disk::prospects::Prospects;
use crate::disk::{self, signature::Signature};
use crate::document::{Dialect, Digest, Mark, Stored};
use crate::error::{Error, Result};
use crate::lock::{self, Sidecar};
use crate::read::{self, Look, OpenWriter, Reading};
use crate::repair::{self, Redone};
use crate::verdict::{Certainty, Found, Reason, Verdict};

/// What a look came to.
#[derive(Debug)]
pub(super) struct Looked {
    pub seen: Seen,
    /// The verdict in a word, and how long it took; `None`: there was nothing to judge.
    pub judged: Option<(&'static str, Duration)>,
    /// What readers may stumble over in it; `None`: not looked for, its bytes are known.
    pub findings: Option<Vec<Found>>,
    /// The file that was looked at.
    pub signature: Option<Signature>,
    /// Its bytes are worth storing, and are not stored yet.
    pub is_unstored: bool,
    /// It is being stored together with others.
    pub is_batched: bool,
    /// The version that was stored now.
    pub stored: Option<Stored>,
    /// How many versions, and bytes, were pruned after it.
    pub pruned: (usize, u64),
    /// Why it could not be stored.
    pub trouble: Option<Error>,
    /// What the state directory holds; `None`: it could not be asked.
    pub known: Option<Arc<Known>>,
    /// The room there, when it was asked.
    pub room: Option<Room>,
    /// What a repair would come to.
    pub prospects: Prospects,
}

/// The room in the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub available_bytes: u64,
    /// Less than `min_free`: nothing new is stored.
    pub is_low: bool,
}

/// Looks at a task's document once.
pub(super) fn look(
    tools: &Tools,
    task: &Task,
    open_writer: OpenWriter,
    confirmed: Option<Digest>,
    stores: bool,
    batch: Option<&mut Batch>,
) -> Looked {
    let mut looked = Looked::nothing();
    match known_and_whole(tools, task) {
        Ok(Some(known)) => looked.known = Some(known),
        // Somebody has a file open that is half rewritten: what it reads like by now means nothing.
        Ok(None) => return looked,
        Err(error) => looked.trouble = Some(error),
    }
    let limit = task.watch.rules.max_size;
    match read::look(&tools.disk, &task.directory, &task.document, limit, open_writer) {
        Ok(Look::Read(reading)) => {
            looked.signature = Some(reading.signature);
            let mut worth = looked.judge(tools, task, &reading);
            if !matches!(looked.seen, Seen::Valid { .. }) && looked.knows_too_little(tools, task) {
                // A cooperating writer stored, just now, what it was about to put there.
                worth = looked.judge(tools, task, &reading);
            }
            looked.see_who_is_at_it(tools, task);
            // Nobody is writing: a repair may be next, so the interval between versions does not count.
            if stores || reading.certainty == Certainty::Certified {
                looked.store_whole_lines(tools, task, &reading);
            }
            let is_sure = reading.certainty == Certainty::Certified || confirmed == Some(reading.digest);
            if let Some((mark, dialect)) = worth {
                looked.is_unstored = true;
                if stores && is_sure && looked.may_store(tools) {
                    looked.store(tools, task, &reading, mark, dialect, batch);
                }
            }
        }
        Ok(Look::Missing) => looked.seen = absent::seen(tools, task),
        Ok(other) => looked.seen = unread(&other, limit),
        Err(error) => looked.seen = unreadable(&error),
    }
    // The batch holds the lock of its versions until it is finished: then its place is noted.
    if matches!(looked.seen, Seen::Valid { .. }) && !looked.is_batched {
        absent::note_place(tools, task);
    }
    let lacks_leases = matches!(
        looked.seen,
        Seen::Valid { certainty: Certainty::Unleased, .. } | Seen::Corrupt { certainty: Certainty::Unleased, .. }
    );
    looked.prospects = tools.disk.prospects(&task.directory, task.document.name(), lacks_leases);
    looked
}

/// What is known of the document, once a rewrite in place that was interrupted has been finished; `None`: not yet.
fn known_and_whole(tools: &Tools, task: &Task) -> Result<Option<Arc<Known>>> {
    let remembered = task.known.clone().filter(|known| is_current(tools, &task.document, known));
    let known_before = remembered.map_or_else(|| known(tools, task), Ok)?;
    if !known_before.has_redo {
        return Ok(Some(known_before));
    }
    match with_ground(tools, task, repair::finish_redo)? {
        Redone::Waiting => Ok(None),
        Redone::Nothing | Redone::Finished(_) => known(tools, task).map(Some),
    }
}

fn unread(look: &Look, limit_bytes: u64) -> Seen {
    match look {
        Look::Other(found) => Seen::Unreadable(Reason::NotRegular, format!("it is a {}", found.file_type())),
        Look::TooLarge(found) => {
            let why =
                format!("it has {} bytes, more than its max_size of {limit_bytes}: it is not guarded", found.bytes);
            Seen::Unreadable(Reason::TooLarge, why)
        }
        Look::Busy | Look::Changed | Look::Missing | Look::Read(_) => Seen::Busy,
    }
}

fn unreadable(error: &Error) -> Seen {
    Seen::Unreadable(Reason::of(error), error.to_string())
}

impl Looked {
    fn nothing() -> Self {
        Self {
            seen: Seen::Busy,
            judged: None,
            findings: None,
            signature: None,
            is_unstored: false,
            is_batched: false,
            stored: None,
            pruned: (0, 0),
            trouble: None,
            known: None,
            room: None,
            prospects: Prospects::default(),
        }
    }

    /// Judges what was read; says how it is worth storing, if it is new. Bytes that are stored as good are not parsed again.
    fn judge(&mut self, tools: &Tools, task: &Task, reading: &Reading) -> Option<(Mark, Dialect)> {
        let &Reading { digest, certainty, .. } = reading;
        let known = self.known.clone().unwrap_or_default();
        let newest = known.newest.as_ref().filter(|newest| newest.digest == digest);
        if newest.is_some_and(|newest| newest.mark.is_last_good()) {
            self.judged = Some(("valid", Duration::ZERO));
            self.seen = Seen::Valid { digest, certainty, is_stored: true, store_at: None };
            return None;
        }
        let is_known = |odd: &&Odd| odd.digest == digest && odd.last_good == known.last_good_version();
        if let Some(odd) = task.odd.as_deref().filter(is_known).filter(|_| newest.is_some()) {
            self.seen = Seen::Odd { reason: Reason::Suspicious, digest, fault: odd.fault.clone() };
            return None;
        }
        let started = Instant::now();
        let verdict = match weighed::judge(tools, task, &known, &reading.bytes) {
            Ok(verdict) => verdict,
            Err(error) => {
                // What cannot be weighed now is not taken for good: it is looked at again.
                self.trouble = Some(error);
                self.seen = Seen::Busy;
                return None;
            }
        };
        self.judged = Some((verdict.label(), started.elapsed()));
        self.findings = weighed::findings(&verdict, &reading.bytes);
        self.seen = weighed::seen(&verdict, task.watch.rules.on_suspicious, &known, reading);
        let is_guarded = known.last_good.is_some();
        match verdict {
            Verdict::Valid { dialect, proves } => {
                let mark = if certainty == Certainty::Certified { Mark::Good } else { Mark::Uncertified };
                (proves || is_guarded).then_some((mark, dialect))
            }
            Verdict::Suspicious(dialect, _) if matches!(self.seen, Seen::Valid { .. }) => {
                Some((Mark::Accepted, dialect))
            }
            Verdict::Suspicious(dialect, _) => newest.is_none().then_some((Mark::Suspicious, dialect)),
            Verdict::Corrupt(_) | Verdict::Told(_) => None,
        }
    }

    /// Has something been stored since we asked? Then it is asked again.
    fn knows_too_little(&mut self, tools: &Tools, task: &Task) -> bool {
        if self.known.as_ref().is_none_or(|known| is_current(tools, &task.document, known)) {
            return false;
        }
        self.known = known(tools, task).ok();
        self.known.is_some()
    }

    /// Damage that somebody who cooperates is in the middle of is no accident, and half a change is no reset.
    fn see_who_is_at_it(&mut self, tools: &Tools, task: &Task) {
        let is_proven = self.known.as_ref().is_some_and(|known| known.last_good.is_some());
        let (digest, fault) = match &self.seen {
            Seen::Corrupt { digest, fault, .. } => (*digest, fault),
            Seen::Odd { reason: Reason::Suspicious, digest, fault } if is_proven => (*digest, fault),
            _ => return,
        };
        let lock = lock::try_existing(&tools.disk, &task.directory, &task.document, task.watch.rules.lock);
        let is_edited = || lock::is_in_an_editor(&tools.disk, &task.directory, &task.document);
        if matches!(lock, Ok(Sidecar::Taken)) || matches!(is_edited(), Ok(true)) {
            self.seen = Seen::Edited { digest, fault: fault.clone() };
        }
    }

    fn may_store(&mut self, tools: &Tools) -> bool {
        match room(tools) {
            Ok(room) => {
                self.room = Some(room);
                !room.is_low && self.trouble.is_none()
            }
            Err(error) => {
                self.trouble = Some(error);
                false
            }
        }
    }

    fn store(
        &mut self,
        tools: &Tools,
        task: &Task,
        reading: &Reading,
        mark: Mark,
        dialect: Dialect,
        batch: Option<&mut Batch>,
    ) {
        let attributes = match tools.disk.attributes(&reading.file, task.document.path()) {
            Ok(attributes) => attributes,
            Err(error) => return self.settle(tools, task, Err(error)),
        };
        let &Reading { ref bytes, digest, .. } = reading;
        let new = New { bytes, digest, mark, dialect, origin: "file", attributes };
        // What a cooperating writer replaced while we waited for its lock is not the newest any more.
        let stands = || {
            let found = tools.disk.look(&task.directory, task.document.name());
            found.is_ok_and(|found| found == Some(reading.signature))
        };
        let Some(batch) = batch else {
            return match take_if(tools, task, &new, stands) {
                Ok(Some((stored, pruned))) => {
                    self.pruned = pruned;
                    self.settle(tools, task, Ok(stored));
                }
                Ok(None) => self.seen = Seen::Busy,
                Err(error) => self.settle(tools, task, Err(error)),
            };
        };
        match batch.add_if(&task.document, &new, task.watch.rules.compress, stands) {
            Ok(Added::Staged) => self.is_batched = true,
            Ok(Added::Already(_)) => self.settle(tools, task, Ok(None)),
            Ok(Added::Not) => self.seen = Seen::Busy,
            Err(error) => self.settle(tools, task, Err(error)),
        }
    }

    /// Stores the whole lines of a log whose last line is torn.
    fn store_whole_lines(&mut self, tools: &Tools, task: &Task, reading: &Reading) {
        let lines = self.known.as_ref().and_then(|known| whole_lines(tools, task, reading, known, &self.seen));
        let Some(bytes) = lines.filter(|_| self.may_store(tools)) else { return };
        let Ok(attributes) = tools.disk.attributes(&reading.file, task.document.path()) else { return };
        let mark = if reading.certainty == Certainty::Certified { Mark::Good } else { Mark::Uncertified };
        let (digest, dialect) = (Digest::of(bytes), Dialect::Jsonl);
        let taken = take(tools, task, &New { bytes, digest, mark, dialect, origin: "lines", attributes });
        self.settle(tools, task, taken.map(|(stored, _)| stored));
    }

    /// Notes what storing came to; `None` within: the newest version had these bytes already.
    pub(super) fn settle(&mut self, tools: &Tools, task: &Task, stored: Result<Option<Stored>>) {
        let asked = stored.and_then(|stored| known(tools, task).map(|known| (stored, known)));
        match asked {
            Ok((stored, known)) => {
                self.stored = stored;
                self.known = Some(known);
                self.is_unstored = false;
                if let Seen::Valid { is_stored, .. } = &mut self.seen {
                    *is_stored = true;
                }
            }
            Err(error) => self.trouble = Some(error),
        }
    }
}

fn take(tools: &Tools, task: &Task, new: &New) -> Result<(Option<Stored>, (usize, u64))> {
    Ok(take_if(tools, task, new, || true)?.unwrap_or_default())
}

/// What was stored, if it was new, and how many versions and bytes were pruned; `None`: it is not to be stored any more.
type TakenIf = Option<(Option<Stored>, (usize, u64))>;

fn take_if(tools: &Tools, task: &Task, new: &New, stands: impl Fn() -> bool) -> Result<TakenIf> {
    let rules = &task.watch.rules;
    let folder = tools.backups.make(&task.document)?.compressing(rules.compress).expecting(&rules.expectations);
    folder.lock()?;
    if !stands() {
        return Ok(None);
    }
    match folder.take(new)? {
        Taken::Already(_) => Ok(Some((None, (0, 0)))),
        Taken::New(stored) => {
            // Only after a store that succeeded; what cannot be removed now goes next time.
            let pruned = folder.prune_as_of(Keep::of(rules), tools.backups.believed_now()).unwrap_or_default();
            Ok(Some((Some(stored), pruned)))
        }
    }
}

/// The room in the state directory, and whether it is less than wanted.
pub(super) fn room(tools: &Tools) -> Result<Room> {
    let disk::Room { available_bytes, all_bytes, .. } = tools.disk.room(&tools.state)?;
    let is_low = match tools.min_free {
        Share::Bytes(bytes) => available_bytes < bytes,
        #[expect(clippy::cast_precision_loss, reason = "a hundredth of a disk need not be exact")]
        Share::Percent(percent) => (available_bytes as f64) < all_bytes as f64 * percent / 100.0,
    };
    Ok(Room { available_bytes, is_low })
}
