//! The cooperative safe write (protocol A): lock, look, keep what is there, store what is new, stage, exchange, look again.
//! Old or new bytes stand at the name at every moment, and what was acknowledged is durable, twice.
//!
//! [`Writer::replace`] puts whole new bytes in the place of the old ones. [`Writer::update`] makes the new from the old
//! under the lock, so that no two programs that do so lose one another's change.

mod attempt;
mod error;
mod exchange;
mod keeping;
mod leftovers;
mod place;
mod together;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use attempt::Wanted;
pub use error::WriteError;
use keeping::How;
use leftovers::Left;
pub use place::{own_state_dir, resolved};
use place::{refuse_reserved, refuse_state};
pub use together::update_together;

use crate::backup::{Backups, Folder, check_format};
use crate::config::{LockKind, OnSuspicious, Rules};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::document::{Dialect, Digest, DocumentId, Version};
use crate::error::{Cause, Error, Result};
use crate::lock::{self, Lock};
use crate::quarantine::Quarantine;
use crate::read::{self, Look, OpenWriter};
use crate::repair::Ground;
use crate::validate::{self, Content, Reader};
use crate::verdict::Verdict;

/// A document, and all that a safe write of it needs. It may be shared between threads.
#[derive(Debug)]
pub struct Writer {
    disk: Disk,
    directory: Directory,
    document: DocumentId,
    backups: Backups,
    quarantine: Quarantine,
    rules: Rules,
    accepts: bool,
    left: Mutex<Left>,
}

/// What stands at the name, as an update sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<'a> {
    /// The bytes: they read in the document's dialect.
    pub bytes: &'a [u8],
    /// The dialect that they were read in.
    pub dialect: Dialect,
    /// The number that they are stored under.
    pub version: Version,
}

/// A write that was done: it is durable, and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The number that the bytes are stored under, which now stand at the name.
    pub version: Version,
    /// Their digest.
    pub digest: Digest,
    /// Were there other bytes before? Else nothing was written.
    pub is_changed: bool,
    /// Are they suspicious beside the last good version, and stored as accepted because they are meant?
    pub is_accepted: bool,
}

/// What to do where the present bytes are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// Keep them in quarantine, and put the new ones in their place: these were not made from them.
    Replace,
    /// Wait until the damage has settled, put the last good version back, and go on from there. Over a suspicious version
    /// nothing is made.
    Repair,
    /// The same; and what is made from a good version need not be weighed beside it: whoever makes it has weighed it, or
    /// keeps elsewhere what it leaves out.
    RepairUnweighed,
}

impl Writer {
    /// A writer of the file at `path`, links followed; it need not be there yet, but its folder must. What is kept of it is
    /// kept in the state directory `state`, which is made if it is not there.
    ///
    /// # Errors
    /// The path leads nowhere, or the state directory cannot be made or opened.
    pub fn open(disk: &Disk, path: &Path, state: &Path, rules: Rules) -> Result<Self> {
        let document = resolved(disk, path)?;
        let directory = disk.open_directory(document.directory())?;
        refuse_reserved(disk, &directory, path, &document)?;
        let state = disk.make_directory_at(state)?;
        check_format(disk, &state)?;
        refuse_state(&state, &document)?;
        let quarantine = Quarantine::new(disk.clone(), state.duplicate()?);
        let backups = Backups::new(disk.clone(), state);
        Ok(Self {
            disk: disk.clone(),
            directory,
            document,
            backups,
            quarantine,
            rules,
            accepts: false,
            left: Mutex::default(),
        })
    }

    /// The same, but no more than this is kept of damaged bytes, all documents together.
    #[must_use]
    pub fn quarantining_at_most(self, max_bytes: u64) -> Self {
        Self { quarantine: self.quarantine.limited_to(max_bytes), ..self }
    }

    /// The same, but what it writes is meant: what would be suspicious beside the last good version is stored as accepted,
    /// also over a version that is suspicious itself, and where the rules undo such versions. (That there is little left of
    /// the document needs no such word elsewhere.) What the rules demand of every
    /// version (`required`, `schema`, the dialect) it must have all the same.
    #[must_use]
    pub fn accepting(self, accepts: bool) -> Self {
        Self { accepts, ..self }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &DocumentId {
        &self.document
    }

    /// Where its versions are kept.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Does its name promise JSON Lines?
    #[must_use]
    pub fn is_of_lines(&self) -> bool {
        self.rules.dialect.or_else(|| validate::dialect_of_name(self.document.name())) == Some(Dialect::Jsonl)
    }

    /// The rules that it is written by.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Puts these bytes in the place of whatever stands there.
    ///
    /// # Errors
    /// They are invalid or suspicious, the lock was not to be had in time, or something failed: nothing was changed.
    pub fn replace(&self, bytes: &[u8]) -> std::result::Result<Written, WriteError> {
        // Before anything is locked or made: who sends nonsense keeps nobody waiting.
        let checked = self.checked(bytes)?;
        let deadline = self.deadline();
        let lock = self.lock(deadline)?;
        let mut edit = |_: Option<Present>| Some(bytes.to_vec());
        let wanted = Wanted { damaged: Damaged::Replace, checked: Some(checked), edit: &mut edit };
        self.write(&lock, deadline, wanted)?.ok_or_else(|| self.called_off())
    }

    /// Makes new bytes from the present ones, under the lock. `edit` gets `None` where nothing stands yet, or nothing that
    /// reads. It may be asked more than once: when a program that does not lock wrote meanwhile.
    ///
    /// # Errors
    /// What `edit` says; or the new bytes are invalid, the lock was not to be had in time, or something failed. Nothing was
    /// changed.
    pub fn update<E: From<WriteError>>(
        &self,
        damaged: Damaged,
        edit: impl FnMut(Option<Present>) -> std::result::Result<Vec<u8>, E>,
    ) -> std::result::Result<Written, E> {
        self.update_until(self.deadline(), damaged, edit)
    }

    /// The moment until which a write that begins now waits for the lock.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.rules.lock_timeout
    }

    /// As [`Writer::update`], with that moment.
    pub(crate) fn update_until<E: From<WriteError>>(
        &self,
        deadline: Instant,
        damaged: Damaged,
        edit: impl FnMut(Option<Present>) -> std::result::Result<Vec<u8>, E>,
    ) -> std::result::Result<Written, E> {
        let lock = self.lock(deadline).map_err(WriteError::from)?;
        self.update_locked(&lock, deadline, damaged, edit)
    }

    /// As [`Writer::update`], for somebody who has the lock.
    pub(crate) fn update_locked<E: From<WriteError>>(
        &self,
        lock: &Lock,
        deadline: Instant,
        damaged: Damaged,
        mut edit: impl FnMut(Option<Present>) -> std::result::Result<Vec<u8>, E>,
    ) -> std::result::Result<Written, E> {
        let mut refused = None;
        let mut edit = |present: Option<Present>| edit(present).map_err(|error| refused = Some(error)).ok();
        let written = self.write(lock, deadline, Wanted { damaged, checked: None, edit: &mut edit });
        match (refused, written) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(Some(written))) => Ok(written),
            (None, Ok(None)) => Err(self.called_off().into()),
        }
    }

    fn called_off(&self) -> WriteError {
        self.refused("its update was called off").into()
    }

    /// Waits for the document's lock.
    pub(crate) fn lock(&self, deadline: Instant) -> Result<Lock> {
        let lock = lock::acquire(&self.disk, &self.directory, &self.document, self.rules.lock, deadline);
        lock.map_err(|error| self.told_of_room(error))
    }

    /// Is this fit to stand in the document?
    ///
    /// # Errors
    /// `Invalid` or `Suspicious` when it is not; or the versions cannot be read.
    pub fn refuse_invalid(&self, bytes: &[u8]) -> std::result::Result<Dialect, WriteError> {
        self.checked(bytes).map(|checked| checked.fit.dialect)
    }

    /// The document's versions; `None`: nothing of it was ever stored.
    fn versions(&self) -> Result<Option<Folder>> {
        let found = self.backups.find(&self.document)?;
        Ok(found.map(|folder| folder.expecting(&self.rules.expectations)))
    }

    fn ground<'a>(&'a self, judge: &'a dyn Fn(&[u8]) -> Verdict) -> Ground<'a> {
        Ground {
            disk: &self.disk,
            directory: &self.directory,
            document: &self.document,
            backups: &self.backups,
            quarantine: &self.quarantine,
            judge,
            limit_bytes: self.rules.max_size,
            expectations: &self.rules.expectations,
            passes_suspicious: self.rules.on_suspicious == OnSuspicious::Restore,
            lock: LockKind::None,
        }
    }

    /// What stands at the name now; `None`: nothing does.
    ///
    /// # Errors
    /// It cannot be read, is no regular file, or is too large.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        let deadline = self.deadline();
        loop {
            let limit_bytes = self.rules.max_size;
            match read::look(&self.disk, &self.directory, &self.document, limit_bytes, OpenWriter::ReadAnyway)? {
                Look::Read(reading) => return Ok(Some(reading.bytes)),
                Look::Missing => return Ok(None),
                Look::Other(found) => return Err(self.refused(&format!("it is a {}", found.file_type()))),
                Look::TooLarge(_) => return Err(self.refused("it has more bytes than its max_size")),
                Look::Busy | Look::Changed if left(deadline).is_zero() => {
                    return Err(self.refused("it changes faster than it can be read"));
                }
                Look::Busy | Look::Changed => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Does anything stand at the name?
    ///
    /// # Errors
    /// The disk failed.
    pub fn is_there(&self) -> Result<bool> {
        Ok(self.disk.look(&self.directory, self.document.name())?.is_some())
    }

    /// Would a value that was written as plain JSON be fit to follow what is there? As [`Writer::refuse_invalid`], but for
    /// what is known of older versions.
    ///
    /// # Errors
    /// `Invalid` or `Suspicious` when it would not.
    pub(crate) fn refuse_unfit(&self, present: Option<Present>, bytes: &[u8]) -> std::result::Result<(), WriteError> {
        let before = present.map(|present| Content { bytes: present.bytes, dialect: present.dialect });
        match before.map(|before| self.rules.dialect.unwrap_or(before.dialect)) {
            // Every other dialect reads plain JSON; and that little is left is meant.
            Some(dialect)
                if dialect != Dialect::Jsonl && self.rules.on_suspicious == OnSuspicious::Alert && !self.accepts =>
            {
                let found = validate::weigh_small(Content { bytes, dialect }, before, &self.rules.expectations);
                found.map_or(Ok(()), |fault| Err(WriteError::of(fault)))
            }
            _ => self.judged_fit(before, How::Replaces, bytes, |_| Ok(false)).map(|_| ()),
        }
    }

    fn refused(&self, why: &str) -> Error {
        Error::new("writing", self.document.path(), Cause::Refused(why.to_owned()))
    }

    /// What failed for want of room before anything was changed, told as what it means to whoever writes.
    pub(crate) fn told_of_room(&self, error: Error) -> Error {
        if !error.is_for_want_of_room() {
            return error;
        }
        let path = self.document.path();
        let place = if error.path() == path { error.cause().to_string() } else { error.to_string() };
        let why = format!("there is no room for it, so nothing was changed: {place}");
        Error::new("writing", path, std::io::Error::new(ErrorKind::StorageFull, why))
    }

    fn reader(&self, enrolled: Option<Dialect>) -> Reader {
        let named = validate::dialect_of_name(self.document.name());
        Reader { dialect: self.rules.dialect, enrolled, named, literal: true }
    }
}

/// How long is left until then.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
