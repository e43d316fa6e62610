//! The redo record: which version is being written into a document in place. The only intent that is ever written down: an
//! interrupted rewrite leaves a mix of two versions, and a mix may even read.

use std::ffi::OsStr;

use serde_json::{Map, Value, json};

use super::folder::Folder;
use crate::document::{Digest, Version};
use crate::error::{Cause, Result};
use crate::line;

/// What is being written in place, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redo {
    /// The version that is to stand in the file.
    pub version: Version,
    /// Its bytes.
    pub digest: Digest,
    /// The bytes that stood there; quarantine keeps them.
    pub damaged: Digest,
    /// The file's number.
    pub inode: u64,
}

pub(super) const NAME: &str = "redo";

/// Removed with the temporaries of versions when a process dies here.
const STAGED: &str = ".new-redo";

impl Folder {
    /// The redo record; `None`: nothing is being written in place. One that is torn was never durable, so what it was to
    /// announce never began: it counts as none.
    ///
    /// # Errors
    /// The disk failed.
    pub fn redo(&self) -> Result<Option<Redo>> {
        match self.whole(OsStr::new(NAME)) {
            Ok(text) => Ok(std::str::from_utf8(&text).ok().and_then(parse)),
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Is there a redo record that does not read? It got its name only when it was durable: it has rotted since.
    pub(super) fn has_rotten_redo(&self) -> bool {
        let text = self.whole(OsStr::new(NAME));
        text.is_ok_and(|text| std::str::from_utf8(&text).ok().and_then(parse).is_none())
    }

    /// Writes the redo record, durably. The caller holds the lock, and has finished any earlier one.
    ///
    /// # Errors
    /// The disk is full or failed: nothing may be written in place.
    pub fn write_redo(&self, redo: &Redo) -> Result<()> {
        self.remove_redo()?;
        let (staged, path) = (OsStr::new(STAGED), self.directory.path().join(STAGED));
        if self.disk.look(&self.directory, staged)?.is_some() {
            self.disk.unlink(&self.directory, staged)?;
        }
        let file = self.disk.create(&self.directory, staged, 0o600)?;
        self.disk.write(&file, &path, format(redo).as_bytes())?;
        self.disk.sync(&file, &path)?;
        self.disk.rename(&self.directory, staged, OsStr::new(NAME))?;
        self.disk.sync_directory(&self.directory)
    }

    /// Removes the redo record, if there is one, durably: one that came back after a power cut would speak of bytes that
    /// somebody has written since.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove_redo(&self) -> Result<()> {
        match self.disk.look(&self.directory, OsStr::new(NAME))? {
            Some(_) => {
                self.disk.unlink(&self.directory, OsStr::new(NAME))?;
                self.disk.sync_directory(&self.directory)
            }
            None => Ok(()),
        }
    }
}

fn format(redo: &Redo) -> String {
    let fields = json!({
        "v": 1, "version": redo.version, "digest": redo.digest.to_string(), "damaged": redo.damaged.to_string(), "inode": redo.inode,
    });
    fields.as_object().map(line::seal).unwrap_or_default()
}

fn parse(text: &str) -> Option<Redo> {
    let fields: Map<String, Value> = line::open(text)?;
    let digest = |name: &str| fields.get(name)?.as_str()?.parse().ok();
    let number = |name: &str| fields.get(name)?.as_u64();
    Some(Redo {
        version: Version(number("version")?),
        digest: digest("digest")?,
        damaged: digest("damaged")?,
        inode: number("inode")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redo_record_is_read_back_and_a_torn_one_is_none() {
        let redo = Redo { version: Version(7), digest: Digest::of(b"{}"), damaged: Digest::of(b"{"), inode: 1 << 40 };
        let text = format(&redo);
        assert_eq!(parse(&text), Some(redo));
        for end in 0..text.len() - 1 {
            assert_eq!(parse(&text[..end]), None);
        }
    }
}
