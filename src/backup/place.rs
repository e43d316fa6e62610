//! Where a document was when its versions were stored: the folder itself, not the path to it. A file that is missing is put
//! back into that folder and no other: what is found at the path after an unmount is another.

use std::ffi::OsStr;

use serde_json::{Map, Value, json};

use super::folder::Folder;
use crate::disk::signature::Identity;
use crate::error::{Cause, Result};
use crate::line;

const NAME: &str = "place";

/// Removed with the temporaries of versions when a process dies here.
const STAGED: &str = ".new-place";

impl Folder {
    /// The folder that the document was in; `None`: nobody has noted it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn place(&self) -> Result<Option<Identity>> {
        match self.whole(OsStr::new(NAME)) {
            Ok(text) => Ok(std::str::from_utf8(&text).ok().and_then(parse)),
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes the folder that the document is in. The caller holds the lock.
    ///
    /// # Errors
    /// The disk is full or failed: what was noted before may be gone.
    pub fn note_place(&self, place: Identity) -> Result<()> {
        let (staged, path) = (OsStr::new(STAGED), self.directory.path().join(STAGED));
        for name in [STAGED, NAME].map(OsStr::new) {
            if self.disk.look(&self.directory, name)?.is_some() {
                self.disk.unlink(&self.directory, name)?;
            }
        }
        let file = self.disk.create(&self.directory, staged, 0o600)?;
        self.disk.write(&file, &path, format(place).as_bytes())?;
        self.disk.sync(&file, &path)?;
        self.disk.rename(&self.directory, staged, OsStr::new(NAME))?;
        self.disk.sync_directory(&self.directory)
    }
}

fn format(place: Identity) -> String {
    let Identity { device, inode, born_ns } = place;
    let fields = json!({ "v": 1, "device": device, "inode": inode, "born_ns": born_ns });
    fields.as_object().map(line::seal).unwrap_or_default()
}

fn parse(text: &str) -> Option<Identity> {
    let fields: Map<String, Value> = line::open(text)?;
    let number = |name: &str| fields.get(name)?.as_u64();
    Some(Identity { device: number("device")?, inode: number("inode")?, born_ns: fields.get("born_ns")?.as_i64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_and_a_torn_one_is_none() {
        let place = Identity { device: 1 << 40, inode: u64::MAX, born_ns: -5 };
        let text = format(place);
        assert_eq!(parse(&text), Some(place));
        assert_eq!(parse(&text[..text.len() / 2]), None);
    }
}
