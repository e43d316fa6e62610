//! One write, tried again for as long as programs that do not lock come in between (protocol A, steps 2 to 9).

use std::time::{Duration, Instant};

use super::exchange::Put;
use super::keeping::{Behind, Beside, Checked, Standing};
use super::{Damaged, Present, WriteError, Writer, Written, left};
use crate::backup::{Folder, Keep};
use crate::config::OnSuspicious;
use crate::disk::attributes::Attributes;
use crate::document::{Digest, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::hint;
use crate::lock::Lock;
use crate::read::{self, Look, OpenWriter, Reading};
use crate::repair::{self, Judged, Outcome, Redone};
use crate::swap;
use crate::validate::{self, Content};
use crate::verdict::{Certainty, Fault, Verdict};

/// What makes the new bytes; `None`: it does not want to.
type Edit<'a> = dyn FnMut(Option<Present>) -> Option<Vec<u8>> + 'a;

/// What is to be written.
pub(super) struct Wanted<'a, 'edit> {
    pub damaged: Damaged,
    /// What the new bytes are, where they are known beforehand.
    pub checked: Option<Checked>,
    pub edit: &'a mut Edit<'edit>,
}

/// So often another program may write between our look and our exchange.
const ATTEMPTS: usize = 32;

/// How long to wait before looking again at a file that somebody is writing.
const PAUSE: Duration = Duration::from_millis(2);

/// What to say when they do.
const KEPT_BUSY: &str = "other programs, which do not take its lock, keep writing it";

/// Where no lease proves that nobody was writing, a second read at least this much later has to be equal (protocol B, 4).
const PAIR_SPAN: Duration = Duration::from_secs(1);

/// Every so many versions those are removed that need not be kept.
const PRUNE_EVERY: u64 = 16;

/// Where there are many, that is when one in so many may have come to be too many: all of them are looked at.
const PRUNE_SHARE: u64 = 16;

/// What one attempt came to.
enum Ended {
    Written(Written),
    /// The update does not want to be written.
    CalledOff,
    /// Somebody else wrote meanwhile.
    Again,
    /// The same, after the new bytes had stood there.
    Overtaken(Stored),
    /// Somebody is at it, and may be for long.
    Busy(&'static str),
}

/// What stands at the name.
enum Found {
    Nothing,
    Bytes(Reading),
    /// Nothing that can be told from a writer's half.
    Unsure(&'static str),
}

/// What the new bytes are made from, or put in the place of.
enum Base {
    Good(Stored),
    Suspicious(Stored),
    /// Nothing that reads.
    Nothing,
    /// Something that must be repaired first.
    Damaged(Fault),
}

impl Writer {
    pub(super) fn write(
        &self,
        lock: &Lock,
        deadline: Instant,
        mut wanted: Wanted,
    ) -> std::result::Result<Option<Written>, WriteError> {
        self.finish_interrupted(deadline)?;
        let (mut attempts, mut stood) = (0, None);
        while attempts < ATTEMPTS {
            match self.attempt(lock, deadline, stood.as_ref(), &mut wanted)? {
                Ended::Written(written) => {
                    self.tidy_now_and_then();
                    return Ok(Some(written));
                }
                Ended::CalledOff => return Ok(None),
                Ended::Again => attempts += 1,
                Ended::Overtaken(stored) => (attempts, stood) = (attempts + 1, Some(stored)),
                Ended::Busy(why) if left(deadline).is_zero() => return Err(self.refused(why).into()),
                Ended::Busy(_) => {}
            }
            std::thread::sleep(PAUSE);
        }
        Err(self.refused(KEPT_BUSY).into())
    }

    fn attempt(
        &self,
        lock: &Lock,
        deadline: Instant,
        stood: Option<&Stored>,
        wanted: &mut Wanted,
    ) -> std::result::Result<Ended, WriteError> {
        let Wanted { damaged, checked, edit } = wanted;
        let damaged = *damaged;
        let folder = self.backups.make(&self.document).map_err(|error| self.told_of_room(error))?;
        let folder = folder.compressing(self.rules.compress).expecting(&self.rules.expectations);
        // Held from here to the end: nobody may take what we stage for the remains of a process that died.
        folder.lock_within(left(deadline).max(PAIR_SPAN))?;
        let present = match self.look(&folder)? {
            Found::Bytes(present) => present,
            Found::Nothing => return self.create(&folder, lock, edit),
            Found::Unsure(why) => return Ok(Ended::Busy(why)),
        };
        if present.signature.is_fixed {
            return Err(self.refused("it is immutable or append-only; take that off with `chattr -i -a` first").into());
        }
        let base = self.base(&folder, &present, damaged, *checked)?;
        if let Some(stored) = stood.filter(|stood| stood.digest == present.digest) {
            // Damage overtook them, and they were put back: to make the change once more would be to make it twice.
            return Ok(Ended::Written(written(stored, true)));
        }
        let stored = match &base {
            Base::Good(stored) | Base::Suspicious(stored) => Some(stored),
            Base::Nothing => None,
            Base::Damaged(fault) => {
                // The repair takes its lock anew.
                drop(folder);
                return self.repair(&present, fault).map(|()| Ended::Again).map_err(WriteError::from);
            }
        };
        let seen =
            stored.map(|stored| Present { bytes: &present.bytes, dialect: stored.dialect, version: stored.version });
        let Some(bytes) = edit(seen) else { return Ok(Ended::CalledOff) };
        let beside = match (&base, seen.map(|seen| Content { bytes: seen.bytes, dialect: seen.dialect })) {
            (Base::Good(_), Some(now)) if damaged == Damaged::RepairUnweighed => Beside::Trimmed(now),
            (Base::Good(_), Some(now)) => Beside::Present(now),
            (Base::Suspicious(_), _) => Beside::Held,
            _ => Beside::LastGood,
        };
        let known = checked.filter(|checked| matches!(&base, Base::Good(stored) if checked.is_beside(stored)));
        let fit = known.map_or_else(|| self.fit(&folder, beside, &bytes), |checked| Ok(checked.fit))?;
        let new = Digest::of(&bytes);
        if let Some(stored) = stored.filter(|stored| new == stored.digest) {
            folder.keeps(stored.digest)?;
            if matches!(base, Base::Suspicious(_)) {
                folder.mark(stored, fit.mark, "accept")?;
            }
            return Ok(Ended::Written(written(&Stored { mark: fit.mark, ..stored.clone() }, false)));
        }
        self.refuse_lost(lock)?;
        let put = self.put(&folder, present, (&bytes, new), fit, lock)?;
        Ok(self.ended(&folder, &put))
    }

    /// What the new bytes are made from, or put in the place of. Over a suspicious version a whole new document is written;
    /// nothing is made from one, unless somebody accepts it: it would pass for good. With no good version behind it nothing
    /// can have been lost.
    fn base(
        &self,
        folder: &Folder,
        present: &Reading,
        damaged: Damaged,
        checked: Option<Checked>,
    ) -> std::result::Result<Base, WriteError> {
        let replaces = damaged == Damaged::Replace;
        let read = checked.and_then(Checked::read);
        match self.keep(folder, present, read).map_err(|error| self.told_of_room(error))? {
            Standing::Good(stored) => Ok(Base::Good(stored)),
            Standing::Suspicious(stored, _, behind) if replaces || self.accepts || behind == Behind::Nothing => {
                Ok(Base::Suspicious(stored))
            }
            Standing::Suspicious(_, fault, _) if self.rules.on_suspicious == OnSuspicious::Restore => {
                Ok(Base::Damaged(fault))
            }
            Standing::Suspicious(_, fault, behind) => {
                Err(WriteError::Held(fault, hint::suspicious(&self.document, behind.good())))
            }
            Standing::Damaged(fault) | Standing::Unfinished(fault) if replaces => {
                self.quarantine.keep(&self.document, fault.kind.label(), &present.bytes)?;
                Ok(Base::Nothing)
            }
            Standing::Damaged(fault) => Ok(Base::Damaged(fault)),
            Standing::Unfinished(fault) => Err(WriteError::Held(fault, "finish that first".to_owned())),
        }
    }

    fn ended(&self, folder: &Folder, put: &Put) -> Ended {
        let stored = match put {
            Put::Done(stored) => stored,
            Put::Overtaken(stored) => return Ended::Overtaken(stored.clone()),
            Put::Yielded => return Ended::Again,
        };
        if is_time_to_prune(stored.version, || folder.count().unwrap_or_default()) {
            // Only after a write that succeeded; what cannot be removed now goes next time.
            let _ = folder.prune_as_of(Keep::of(&self.rules), self.backups.believed_in_passing());
        }
        Ended::Written(written(stored, true))
    }

    /// Puts the first bytes where nothing stands.
    fn create(&self, folder: &Folder, lock: &Lock, edit: &mut Edit) -> std::result::Result<Ended, WriteError> {
        let Some(bytes) = edit(None) else { return Ok(Ended::CalledOff) };
        let fit = self.fit(folder, Beside::LastGood, &bytes)?;
        self.refuse_lost(lock)?;
        let begun = swap::begin(&self.disk, &self.directory, &self.document, None);
        let begun = begun.map_err(|error| self.told_of_room(error))?;
        let attributes: Result<Attributes> = self.disk.attributes(&begun.file, self.document.path());
        let taken = attributes.and_then(|attributes| {
            let bytes = (bytes.as_slice(), Digest::of(&bytes));
            Self::store(folder, bytes, fit, &attributes).map(|(stored, is_new)| (stored, is_new, attributes))
        });
        let (stored, is_new, attributes) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                begun.discard(&self.disk, &self.directory);
                return Err(self.told_of_room(error).into());
            }
        };
        let put = self.put_new(begun, stored.clone(), &bytes, &attributes);
        if is_new && matches!(put, Ok(Put::Yielded) | Err((_, false))) {
            folder.retract(stored.version)?;
        }
        let put = put.map_err(|(error, has_stood)| if has_stood { error } else { self.told_of_room(error) })?;
        Ok(self.ended(folder, &put))
    }

    /// The present bytes, if nobody is writing them.
    fn look(&self, folder: &Folder) -> Result<Found> {
        Ok(match self.look_once()? {
            Look::Read(reading) if self.is_beyond_doubt(folder, &reading)? => Found::Bytes(reading),
            Look::Missing => Found::Nothing,
            Look::Other(found) => return Err(self.refused(&format!("it is a {}", found.file_type()))),
            Look::TooLarge(_) => return Err(self.refused("it has more bytes than its max_size")),
            Look::Read(_) | Look::Changed => Found::Unsure(KEPT_BUSY),
            Look::Busy => Found::Unsure("a program has it open for writing"),
        })
    }

    fn look_once(&self) -> Result<Look> {
        read::look(&self.disk, &self.directory, &self.document, self.rules.max_size, OpenWriter::Wait)
    }

    /// Are these bytes no writer's half? Where no lease says so, they are a version, or they stay as they are.
    fn is_beyond_doubt(&self, folder: &Folder, reading: &Reading) -> Result<bool> {
        let is_newest = || Ok(folder.newest()?.is_some_and(|newest| newest.digest == reading.digest));
        if reading.certainty == Certainty::Certified || is_newest()? {
            return Ok(true);
        }
        std::thread::sleep(self.rules.settle.max(PAIR_SPAN));
        Ok(matches!(self.look_once()?, Look::Read(again) if again.digest == reading.digest))
    }

    pub(super) fn refuse_lost(&self, lock: &Lock) -> Result<()> {
        if lock.is_ours(&self.disk, &self.directory, &self.document)? {
            return Ok(());
        }
        let why = "somebody took its lock away while it was ours".to_owned();
        Err(Error::new("writing", self.document.path(), Cause::Locked(why)))
    }

    /// A rewrite in place that was interrupted comes first: what stands there meanwhile is a mix.
    fn finish_interrupted(&self, deadline: Instant) -> Result<()> {
        let Some(folder) = self.backups.find(&self.document)? else { return Ok(()) };
        while folder.redo()?.is_some() {
            let judge = |bytes: &[u8]| validate::judge(bytes, &self.reader(None));
            if repair::finish_redo(&self.ground(&judge))? != Redone::Waiting {
                return Ok(());
            }
            if left(deadline).is_zero() {
                return Err(self.refused("a repair in place is not done, and a program has it open"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Puts the last good version back over damage, once it has stayed the same for as long as the rules want.
    fn repair(&self, present: &Reading, fault: &Fault) -> Result<()> {
        std::thread::sleep(self.rules.settle);
        match self.look_once()? {
            Look::Read(again) if again.digest == present.digest => {}
            _ => return Ok(()),
        }
        let folder = self.versions()?;
        let last_good = folder.as_ref().map(Folder::last_good_bytes).transpose()?.flatten();
        let reader = self.reader(last_good.map(|(stored, _)| stored.dialect));
        let judge = |bytes: &[u8]| -> Verdict { validate::judge(bytes, &reader) };
        let judged = Judged { digest: present.digest, kind: fault.kind, is_paired: true };
        let why = match repair::execute(&self.ground(&judge), &judged)?.outcome {
            Outcome::Restored(_) | Outcome::Yielded | Outcome::Changed | Outcome::Busy => return Ok(()),
            Outcome::Held(_, why) | Outcome::BeingRead(why) => why,
            Outcome::NothingGood => "no version is left that may be put back".to_owned(),
        };
        Err(self.refused(&format!("it is damaged ({}: {}), and cannot be repaired: {why}", fault.kind, fault.cause)))
    }
}

fn written(stored: &Stored, is_changed: bool) -> Written {
    let &Stored { version, digest, mark, .. } = stored;
    Written { version, digest, is_changed, is_accepted: mark == Mark::Accepted }
}

/// Is it time to remove what need not be kept? `count` says how many versions there are.
fn is_time_to_prune(version: Version, count: impl FnOnce() -> u64) -> bool {
    version.0.is_multiple_of(PRUNE_EVERY)
        && version.0.is_multiple_of((count() / PRUNE_SHARE).next_power_of_two().max(PRUNE_EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_versions_are_looked_through_more_seldom_than_few() {
        let times = |count: u64| (1..=4096).filter(|version| is_time_to_prune(Version(*version), || count)).count();
        assert_eq!([0, 30, 256, 1000, 10_000].map(times), [256, 256, 256, 64, 4]);
    }
}
