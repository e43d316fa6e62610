//! What a guarded file is called, and what its versions are.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Escaped;

/// The name of a guarded file: its absolute path, the parent canonicalised at enrolment. Cheap to clone.
///
/// *Invariant:* absolute, with a file name, without `.` and `..`; not necessarily UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<Path>);

impl DocumentId {
    /// Names the file `name` in the folder `directory`, which must be absolute and canonical.
    #[must_use]
    pub fn new(directory: &Path, name: &OsStr) -> Self {
        debug_assert!(directory.is_absolute());
        Self(directory.join(name).into())
    }

    /// The whole path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder that the file is in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("/"))
    }

    /// The file's own name.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        self.0.file_name().unwrap_or_default()
    }

    /// The name of the lock file that cooperating writers of this file use: `<name>.lock`.
    #[must_use]
    pub fn lock_name(&self) -> OsString {
        let mut name = self.name().to_owned();
        name.push(".lock");
        name
    }

    /// What the names of our temporaries for this file begin with: `.jsonwarden-<name hash>-`. A hash, because the file's
    /// own name may already be as long as a name can be (255 bytes, `NAME_MAX`).
    #[must_use]
    pub fn staged_prefix(&self) -> String {
        let digest = Digest::of(self.name().as_encoded_bytes()).to_string();
        format!(".jsonwarden-{}-", &digest[..16])
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.0.as_os_str()).fmt(formatter)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// The first 128 bits of a BLAKE3 hash: enough that two different contents never meet by accident.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(short)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = text.as_bytes();
        if bytes.len() != 32 || !bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| ())
    }
}

/// The number of a stored version. It only grows, so the order survives a clock that goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What is thought of a stored version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Valid, and nobody was writing while it was read.
    Good,
    /// Valid and read twice alike, but whether somebody was writing could not be known.
    Uncertified,
    /// It reads, but is implausible: never chosen for a repair.
    Suspicious,
    /// Was suspicious, until a person said that it is right.
    Accepted,
}

impl Mark {
    /// May this version be put back over a corrupt file?
    #[must_use]
    pub fn is_last_good(self) -> bool {
        match self {
            Self::Good | Self::Uncertified | Self::Accepted => true,
            Self::Suspicious => false,
        }
    }

    /// Its word in `record.jsonl` and in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertified => "uncertified",
            Self::Suspicious => "suspicious",
            Self::Accepted => "accepted",
        }
    }
}

/// A language that the text of a document can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// RFC 8259.
    Json,
    /// One JSON value a line, and at least one (jsonlines.org).
    Jsonl,
    /// JSON with comments and trailing commas, as editors' settings have it.
    Jsonc,
    /// json5.org.
    Json5,
    /// JSON with NaN, Infinity and -Infinity, as Python's `json` writes it.
    Python,
}

impl Dialect {
    /// Every dialect, the plainest first.
    pub const ALL: [Self; 5] = [Self::Json, Self::Python, Self::Jsonl, Self::Jsonc, Self::Json5];

    /// Its word in the configuration and in `record.jsonl`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Jsonc => "jsonc",
            Self::Json5 => "json5",
            Self::Python => "python",
        }
    }
}

/// A stored version, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub version: Version,
    /// When it was taken.
    pub taken: Timestamp,
    /// The digest of its plain bytes.
    pub digest: Digest,
    /// How many plain bytes it has.
    pub bytes: u64,
    /// What is thought of it.
    pub mark: Mark,
    /// The dialect it was read in.
    pub dialect: Dialect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_from_its_text() {
        let digest = Digest::of(b"{}");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("+f86d081884c7d659a2feaa0c55ad015".parse::<Digest>().is_err());
        assert!("".parse::<Digest>().is_err());
    }

    #[test]
    fn the_longest_name_still_leaves_room_for_a_temporary() {
        let id = DocumentId::new(Path::new("/srv"), OsStr::new(&"n".repeat(255)));
        assert!(id.staged_prefix().len() < 100);
    }
}
