//! What a person does by hand to one document, beside a running daemon: the locks of its folders and of the file keep them
//! apart.

use std::path::Path;

use super::daemon::tell_changed;
use super::store::{document, state_directory};
use super::{Failure, Session, say};
use crate::backup::{Backups, Folder, New, Taken};
use crate::config::{OnSuspicious, Rules, resolved_by_name};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::document::{Dialect, Digest, DocumentId, Mark, Stored};
use crate::error::{Cause, Error, Result};
use crate::hint;
use crate::quarantine::Quarantine;
use crate::read::Reading;
use crate::repair::{self, Ground, Redone};
use crate::validate::{self, Content, Reader};
use crate::verdict::Verdict;

/// One document, and all that is needed to put something back.
pub(super) struct Hand {
    disk: Disk,
    directory: Directory,
    pub document: DocumentId,
    backups: Backups,
    quarantine: Quarantine,
    pub rules: Rules,
    reader: Reader,
}

impl Hand {
    /// The document that a path names; its folder must be there.
    pub(super) fn on(path: &Path, session: &Session<'_>) -> std::result::Result<Self, Failure> {
        let loaded = session.load()?;
        let document = document(path, session)?;
        let disk = session.disk.clone();
        let state = state_directory(&disk, &loaded.settings.state_dir)?;
        let quarantine =
            Quarantine::new(disk.clone(), state.duplicate()?).limited_to(loaded.settings.storage.quarantine_max_bytes);
        let backups = Backups::new(disk.clone(), state);
        // A watch that names a link takes what that leads to.
        let given = resolved_by_name(&session.surroundings.current_dir.join(path));
        let watched = loaded.settings.watch_of(document.path()).or_else(|| loaded.settings.watch_of(&given));
        let rules = watched.map_or(&loaded.defaults, |(watch, _)| &watch.rules).clone();
        let versions = match backups.find(&document)? {
            Some(folder) => folder.expecting(&rules.expectations).versions()?,
            None => Vec::new(),
        };
        let reader = Reader {
            dialect: rules.dialect,
            enrolled: versions.iter().find(|stored| stored.mark.is_last_good()).map(|stored| stored.dialect),
            named: validate::dialect_of_name(document.name()),
            literal: watched.is_none_or(|(_, found)| found.literal),
        };
        let directory = disk.open_directory(document.directory())?;
        Ok(Self { disk, directory, document, backups, quarantine, rules, reader })
    }

    /// What a repair works with.
    pub(super) fn with_ground<T>(&self, act: impl FnOnce(&Ground) -> T) -> T {
        act(&Ground {
            disk: &self.disk,
            directory: &self.directory,
            document: &self.document,
            backups: &self.backups,
            quarantine: &self.quarantine,
            judge: &|bytes| self.judge(bytes),
            limit_bytes: self.rules.max_size,
            expectations: &self.rules.expectations,
            passes_suspicious: self.rules.on_suspicious == OnSuspicious::Restore,
            lock: self.rules.lock,
        })
    }

    /// Finishes a rewrite in place that was interrupted. To be asked before anything is judged: what that left is a mix of two
    /// versions, which may even read.
    ///
    /// # Errors
    /// `Refused` when a program has the file open; else the disk failed, or the mix cannot be kept.
    pub(super) fn finish_interrupted(&self) -> Result<()> {
        match self.with_ground(repair::finish_redo)? {
            Redone::Nothing => Ok(()),
            Redone::Finished(version) => {
                say(format_args!("{}: an interrupted rewrite to version {version} is finished now", self.document));
                Ok(())
            }
            Redone::Waiting => {
                let why = "a rewrite of it was interrupted and is to be finished first, and a program has it open";
                Err(Error::new("finishing", self.document.path(), Cause::Refused(why.to_owned())))
            }
        }
    }

    /// Who reads it.
    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn judge(&self, bytes: &[u8]) -> Verdict {
        validate::judge_by(bytes, &self.reader, &self.rules.expectations)
    }

    /// What present bytes are, as a daemon has it: beside the last good version, and in the light of what was accepted.
    pub(super) fn judge_present(&self, bytes: &[u8]) -> Result<Verdict> {
        let folder = self.found()?;
        let last_good = folder.as_ref().map(Folder::last_good_bytes).transpose()?.flatten();
        let verdict = self.weighed(bytes, folder.as_ref())?;
        let Verdict::Suspicious(dialect, _) = verdict else { return Ok(verdict) };
        let digest = Digest::of(bytes);
        let is_newest = last_good.is_some_and(|(stored, _)| stored.digest == digest);
        let is_accepted = || folder.map_or(Ok(false), |folder| folder.accepts(digest));
        let is_good = self.rules.on_suspicious == OnSuspicious::Accept || is_newest || is_accepted()?;
        Ok(if is_good { Verdict::Valid { dialect, proves: true } } else { verdict })
    }

    fn weighed(&self, bytes: &[u8], folder: Option<&Folder>) -> Result<Verdict> {
        let Some(folder) = folder else { return Ok(self.judge(bytes)) };
        let verdict = validate::judge(bytes, &self.reader);
        let Verdict::Valid { dialect, .. } = verdict else { return Ok(verdict) };
        let fault = folder.weigh_new(Content { bytes, dialect }, &self.rules.expectations)?;
        Ok(fault.map_or(verdict, |fault| Verdict::Suspicious(dialect, fault)))
    }

    /// The folder of its versions; `None`: nothing of it was ever stored.
    fn found(&self) -> Result<Option<Folder>> {
        let found = self.backups.find(&self.document)?;
        Ok(found.map(|folder| folder.expecting(&self.rules.expectations)))
    }

    /// What a person can do about a suspicious version that stands there.
    pub(super) fn ways_out(&self) -> Result<String> {
        let folder = self.found()?;
        let last_good = folder.map(|folder| folder.last_good_bytes()).transpose()?.flatten();
        Ok(hint::suspicious(&self.document, last_good.map(|(stored, _)| stored.version)))
    }

    /// Is a suspicious version to be taken for damage? Only where a good one can take its place.
    pub(super) fn restores_suspicious(&self) -> Result<bool> {
        let folder = self.found()?;
        let has_good = |folder: Folder| Ok(folder.last_good_bytes()?.is_some());
        Ok(self.rules.on_suspicious == OnSuspicious::Restore && folder.map_or(Ok(false), has_good)?)
    }

    /// Keeps the present bytes, which somebody accepts. The caller holds the lock of the versions.
    pub(super) fn accept(&self, folder: &Folder, present: &Reading, dialect: Dialect) -> Result<Stored> {
        let &Reading { ref bytes, digest, ref file, .. } = present;
        let attributes = self.disk.attributes(file, self.document.path())?;
        let new = New { bytes, digest, mark: Mark::Accepted, dialect, origin: "accept", attributes };
        Ok(match folder.take(&new)? {
            Taken::New(stored) | Taken::Already(stored) => stored,
        })
    }

    /// Its versions, newest first.
    pub(super) fn versions(&self) -> Result<(Folder, Vec<Stored>)> {
        let none = || {
            let why = format!("no version of it is stored in {}", self.backups.state_path().display());
            Error::new("looking for", self.document.path(), Cause::Absent(why))
        };
        let folder = self.found()?.ok_or_else(none)?;
        let versions = folder.versions()?;
        if versions.is_empty() { Err(none()) } else { Ok((folder, versions)) }
    }

    /// A daemon that guards it is to look again; where that cannot be said, its next look shows it all the same.
    pub(super) fn tell_daemon(&self, session: &Session<'_>) {
        let _ = self.backups.note_changed(&self.document);
        tell_changed(&self.document, session);
    }

    /// The newest version that a repair may put back, with its bytes.
    pub(super) fn newest_good(&self, folder: &Folder, versions: &[Stored]) -> Option<Stored> {
        let is_good = |stored: &&Stored| {
            let bytes = || folder.bytes(stored.version);
            stored.mark.is_last_good()
                && bytes().is_ok_and(|bytes| repair::may_be_put_back(stored, &self.judge(&bytes)))
        };
        versions.iter().find(is_good).cloned()
    }
}
