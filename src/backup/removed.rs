//! What becomes of versions whose file is gone from every watch: they are kept for a while, and then removed.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::Folder;
use super::{events, numbers, record};
use crate::clock::{self, Timestamp};
use crate::disk::Durable;
use crate::error::Result;

/// The name of the note that says since when nobody guards the file begins so.
const NOTE: &str = ".gone-";

/// Before this second (2026-01-01) no version was ever taken: a clock that says so is wrong.
const FIRST_SECOND: i64 = 1_767_225_600;

/// Is something that is dated so older than `span`? Whatever is dated by a clock that was wrong is not.
#[must_use]
pub fn is_older(dated: Timestamp, span: Duration, now: Timestamp) -> bool {
    dated.as_second() >= FIRST_SECOND && Duration::try_from(now.duration_since(dated)).is_ok_and(|age| age >= span)
}

impl Folder {
    /// Notes that the document is guarded.
    ///
    /// # Errors
    /// The disk failed.
    pub fn note_guarded(&self) -> Result<()> {
        match self.note()? {
            Some((name, _)) => self.disk.unlink(&self.directory, &name),
            None => Ok(()),
        }
    }

    /// Notes that nobody guards the document, and removes everything once that has been so for as long as `keep`: `Some`,
    /// with the number of versions and their bytes. The caller holds the lock.
    ///
    /// # Errors
    /// The disk failed.
    pub fn note_gone(&self, keep: Duration, now: Timestamp) -> Result<Option<(usize, u64)>> {
        if now.as_second() < FIRST_SECOND {
            return Ok(None);
        }
        let since = if let Some((_, since)) = self.note()? {
            since
        } else {
            let name = OsString::from(format!("{NOTE}{}", clock::stamp(now)));
            self.disk.append(&self.directory, &name, b"", Durable::Later)?;
            now
        };
        // Whatever was taken since counts from then: somebody may have guarded it in between.
        let newest = self.names()?.first().map_or(since, |(_, found)| found.taken.max(since));
        if is_older(newest, keep, now) { self.clear_all().map(Some) } else { Ok(None) }
    }

    /// Removes all versions and what is known of them. The caller holds the lock.
    ///
    /// # Errors
    /// The disk failed: some of them may be gone.
    pub fn clear_all(&self) -> Result<(usize, u64)> {
        let mut bytes = 0;
        let names = self.names()?;
        for (name, _) in &names {
            bytes += self.disk.look(&self.directory, name)?.map_or(0, |found| found.bytes);
            self.disk.unlink(&self.directory, name)?;
        }
        let mut rest = Vec::new();
        self.disk.list(&self.directory, |entry| {
            let known = [record::NAME.to_bytes(), events::NAME.as_bytes(), numbers::NAME.as_bytes(), b"place"];
            let is_ours = |name: &[u8]| known.contains(&name) || name.starts_with(b".new-");
            if !entry.is_directory && (is_ours(entry.name.as_encoded_bytes()) || noted(&entry.name).is_some()) {
                rest.push(entry.name);
            }
            true
        })?;
        rest.iter().try_for_each(|name| self.disk.unlink(&self.directory, name))?;
        Ok((names.len(), bytes))
    }

    fn note(&self) -> Result<Option<(OsString, Timestamp)>> {
        let mut note = None;
        self.disk.list(&self.directory, |entry| {
            note = noted(&entry.name).map(|since| (entry.name, since));
            note.is_none()
        })?;
        Ok(note)
    }
}

fn noted(name: &OsStr) -> Option<Timestamp> {
    clock::parse_stamp(name.to_str()?.strip_prefix(NOTE)?)
}

#[cfg(test)]
mod tests {
    use super::super::{Backups, New};
    use super::*;
    use crate::disk::Disk;
    use crate::disk::attributes::Attributes;
    use crate::document::{Dialect, Digest, DocumentId, Mark};
    use std::path::Path;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn versions_of_a_file_that_nobody_guards_are_kept_for_their_time_and_not_longer() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
        let backups = Backups::new(disk, state);
        let shelf = backups.make(&DocumentId::new(Path::new("/srv"), OsStr::new("a.json"))).unwrap();
        let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: Vec::new() };
        let (mark, dialect, origin) = (Mark::Good, Dialect::Json, "file");
        shelf.take(&New { bytes: b"{}", digest: Digest::of(b"{}"), mark, dialect, origin, attributes }).unwrap();
        let now = clock::now();
        let after = |days: u32| now + DAY * days;
        assert_eq!(
            shelf.note_gone(90 * DAY, Timestamp::UNIX_EPOCH).unwrap(),
            None,
            "a clock that is wrong says nothing"
        );
        assert_eq!(shelf.note_gone(90 * DAY, now).unwrap(), None);
        assert_eq!(shelf.note_gone(90 * DAY, after(89)).unwrap(), None);
        // Guarded again, and gone again: its time begins anew.
        shelf.note_guarded().unwrap();
        assert_eq!(shelf.note_gone(90 * DAY, after(91)).unwrap(), None);
        assert_eq!(shelf.versions().unwrap().len(), 1);
        assert_eq!(shelf.note_gone(90 * DAY, after(182)).unwrap(), Some((1, 2)));
        assert!(std::fs::read_dir(folder.path().join("backups/srv/a.json@")).unwrap().next().is_none());
    }
}
