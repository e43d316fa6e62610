//! Locks of the kernel's on `<name>.lock`: freed by their holder's death, and the file stays, for unlinking it would part
//! those who wait for it from those who come.

use super::{Attempt, Held, Place};
use crate::disk::signature::Signature;
use crate::disk::{File, locks};
use crate::error::Result;

/// Which of the kernel's locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Flock,
    Record,
}

impl Place<'_> {
    pub(super) fn try_lock(&self, file: &File, means: Means) -> Result<bool> {
        let path = self.directory.path().join(self.name);
        match means {
            Means::Flock => self.disk.try_flock(file, &path),
            Means::Record => self.disk.try_record_lock(file, &path),
        }
    }

    pub(super) fn lock_file(&self, means: Means) -> Result<Attempt> {
        let Some(file) = self.open_or_create()? else { return Ok(Attempt::Refused(None)) };
        let found = self.disk.signature(&file, self.document.path())?;
        if !self.try_lock(&file, means)? {
            return Ok(Attempt::Refused(locks::holder(&found)));
        }
        // Somebody may have removed it since it was opened: a lock on it keeps nobody out.
        let at_name = self.disk.look(self.directory, self.name)?;
        let is_there = at_name.is_some_and(|at_name| at_name.is_same_file(&found));
        Ok(if is_there { Attempt::Taken(Held::File(file)) } else { Attempt::Refused(None) })
    }

    /// `None`: what stands there is no file, or has just gone or come.
    fn open_or_create(&self) -> Result<Option<File>> {
        if let Some(file) = self.disk.open_lock_file(self.directory, self.name)? {
            return Ok(Some(file));
        }
        let beside = self.disk.look(self.directory, self.document.name())?.filter(Signature::is_regular);
        self.disk.create_lock_file(self.directory, self.name, beside.as_ref())
    }
}
