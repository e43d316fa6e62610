//! The way of a version into its folder: written, durable, recorded, named.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::compress;
use super::folder::Folder;
use super::names::VersionName;
use super::record::{self, Remark};
use super::store::New;
use crate::clock::{self, Timestamp};
use crate::disk::{Durable, File};
use crate::document::{Digest, Stored, Version};
use crate::error::{Cause, Error, Result};

/// A version that is written, but neither durable nor named.
pub(super) struct Staged {
    pub(super) name: OsString,
    file: File,
    remark: Remark,
}

/// A version that is about to get its name.
struct Numbered {
    /// What the folder held before.
    catalogue: Arc<Catalogue>,
    name: VersionName,
    /// The line about it.
    line: String,
    stored: Stored,
}

impl Folder {
    /// Writes a version under a temporary name; it is not durable yet.
    pub(super) fn stage(&self, new: &New) -> Result<Staged> {
        self.clear()?;
        let packed = compress::packed(new.bytes, self.compress);
        let extension = if matches!(packed, Cow::Owned(_)) { compress::EXTENSION } else { "" };
        let name = OsString::from(format!(".new-{}{extension}", new.digest));
        let path = self.directory.path().join(&name);
        let file = self.disk.create(&self.directory, &name, new.attributes.mode & 0o600 | 0o400)?;
        match self.disk.write(&file, &path, &packed) {
            Ok(()) => Ok(Staged { name, file, remark: new.remark(packed.len() as u64) }),
            Err(error) => {
                // It is ours and incomplete; the first error is the one worth telling.
                let _ = self.disk.unlink(&self.directory, &name);
                Err(error)
            }
        }
    }

    /// The same for whoever makes it durable later, with many others; read back. Says what is to be recorded of it.
    pub(super) fn stage_for_later(&self, new: &New) -> Result<(OsString, Remark)> {
        let Staged { name, remark, .. } = self.stage(new)?;
        self.forget_catalogue();
        if let Err(error) = self.read_back(&name, new) {
            let _ = self.disk.unlink(&self.directory, &name);
            return Err(error);
        }
        Ok((name, remark))
    }

    /// Makes a staged version durable, records it, and gives it its name, durably. Its bytes and the line about it are
    /// synced at once, which takes hardly longer than one of them.
    pub(super) fn commit(&self, staged: &Staged, new: &New) -> Result<Stored> {
        let numbered = self.number(&staged.remark, new.origin, &staged.name)?;
        let record = self.disk.append_unsynced(&self.directory, record_name(), numbered.line.as_bytes())?;
        let recorded = self.disk.begin_sync(&record, &self.directory.path().join(record_name()))?;
        let synced = self.disk.sync(&staged.file, &self.directory.path().join(&staged.name));
        recorded.wait()?;
        synced.and_then(|()| self.read_back(&staged.name, new))?;
        self.give_name(&staged.name, numbered, Durable::Now)
    }

    fn read_back(&self, name: &OsStr, new: &New) -> Result<()> {
        if Digest::of(&self.plain(name, new.bytes.len() as u64)?) == new.digest {
            return Ok(());
        }
        let why = Cause::Damaged("what was written reads back differently".to_owned());
        Err(Error::new("storing", self.directory.path().join(name), why))
    }

    /// Records a staged version, then gives it its number and its name, not durably.
    pub(super) fn publish_for_later(&self, remark: &Remark, origin: &str, staged: &OsStr) -> Result<Stored> {
        let numbered = self.number(remark, origin, staged)?;
        self.disk.append(&self.directory, record_name(), numbered.line.as_bytes(), Durable::Later)?;
        self.give_name(staged, numbered, Durable::Later)
    }

    /// The number and the name of a staged version, and the line about it.
    fn number(&self, remark: &Remark, origin: &str, staged: &OsStr) -> Result<Numbered> {
        let &Remark { digest, mark, dialect, bytes, .. } = remark;
        let catalogue = self.catalogue()?;
        let is_packed = staged.as_bytes().ends_with(compress::EXTENSION.as_bytes());
        let name = VersionName { version: catalogue.next(), taken: rounded(clock::now()), digest, is_packed };
        let line = line(&catalogue, name.version, remark, origin);
        let stored = Stored { version: name.version, taken: name.taken, digest, bytes, mark, dialect };
        Ok(Numbered { catalogue, name, line, stored })
    }

    /// Gives a version its name after it was recorded: a version without its remark would pass for one that may be put back;
    /// a remark without its version says nothing.
    fn give_name(&self, staged: &OsStr, numbered: Numbered, durable: Durable) -> Result<Stored> {
        let Numbered { catalogue, name, line, stored } = numbered;
        let text = name.format(&self.document);
        self.disk.rename(&self.directory, staged, &text)?;
        if durable == Durable::Now {
            self.disk.sync_directory(&self.directory)?;
        }
        self.catalogue_new(catalogue, text, name, line.as_bytes());
        Ok(stored)
    }
}

pub(super) fn record_name() -> &'static OsStr {
    OsStr::from_bytes(record::NAME.to_bytes())
}

/// The line about a version, to be appended to the record.
pub(super) fn line(catalogue: &Catalogue, version: Version, remark: &Remark, origin: &str) -> String {
    let line = record::format(version, remark, origin);
    // What it corrects must not come up again when it rots.
    let corrects = catalogue.record.remark_on(version, remark.digest).is_some();
    let line = if corrects || record::is_told_twice(remark.mark) { record::twice(&line) } else { line };
    // A torn line before ours must not take ours with it.
    let torn = catalogue.record.text().last().is_some_and(|last| *last != b'\n');
    if torn { format!("\n{line}") } else { line }
}

/// The moment as the name will say it.
fn rounded(moment: Timestamp) -> Timestamp {
    clock::parse_stamp(&clock::stamp(moment)).unwrap_or(moment)
}
