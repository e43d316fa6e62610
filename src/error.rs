//! What went wrong, with which thing, and why: the one error type of the crate.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The result of anything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure: what was being done, to which path, and the cause. It prints as one line that names each of them once.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {cause}", Escaped(path.as_os_str()))]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    #[source]
    cause: Cause,
}

/// Why something failed. The variants are what callers tell apart; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The system refused, or the hardware did.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was asked for makes no sense: an unknown key, an impossible value. The text says how to mend it.
    #[error("{0}")]
    Usage(String),
    /// Bytes of our own on disk are not what they should be.
    #[error("{0}")]
    Damaged(String),
    /// It could be done, but must not be.
    #[error("{0}")]
    Refused(String),
    /// What was asked for is not there.
    #[error("{0}")]
    Absent(String),
    /// Somebody else holds the lock.
    #[error("{0}")]
    Locked(String),
    /// No daemon answered.
    #[error("{0}")]
    NoDaemon(String),
}

impl Error {
    /// A failure while `doing` something to `path`; `doing` is a present participle phrase: "reading", "creating the folder".
    pub fn new(doing: &'static str, path: impl Into<PathBuf>, cause: impl Into<Cause>) -> Self {
        Self { doing, path: path.into(), cause: cause.into() }
    }

    /// The same, for another whom it concerns.
    pub(crate) fn copied(&self) -> Self {
        let cause = match &self.cause {
            Cause::Io(error) => Cause::Io(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            Cause::Usage(why) => Cause::Usage(why.clone()),
            Cause::Damaged(why) => Cause::Damaged(why.clone()),
            Cause::Refused(why) => Cause::Refused(why.clone()),
            Cause::Absent(why) => Cause::Absent(why.clone()),
            Cause::Locked(why) => Cause::Locked(why.clone()),
            Cause::NoDaemon(why) => Cause::NoDaemon(why.clone()),
        };
        Self::new(self.doing, &self.path, cause)
    }

    /// Why it failed.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What it failed on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's error, if it was one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.cause {
            Cause::Io(error) => Some(error.kind()),
            _ => None,
        }
    }

    /// Was there no room for it: no bytes, no inodes, or the owner's quota is used up?
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self.io_kind(), Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// A word from a closed set, for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match &self.cause {
            Cause::Io(_) if self.is_for_want_of_room() => "full",
            Cause::Io(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => "permission",
                io::ErrorKind::ReadOnlyFilesystem => "read_only",
                _ => "io",
            },
            Cause::Usage(_) => "usage",
            Cause::Damaged(_) => "damaged",
            Cause::Refused(_) => "refused",
            Cause::Absent(_) => "absent",
            Cause::Locked(_) => "locked",
            Cause::NoDaemon(_) => "no_daemon",
        }
    }

    /// The exit status of a command that ends with this error (contract, "Exit status"; 74 and 77 are `EX_IOERR` and
    /// `EX_NOPERM` of sysexits(3)).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match &self.cause {
            Cause::Absent(_) => 1,
            Cause::Usage(_) => 2,
            Cause::NoDaemon(_) => 3,
            Cause::Locked(_) => 4,
            Cause::Refused(_) => 5,
            Cause::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => 77,
            Cause::Damaged(_) | Cause::Io(_) => 74,
        }
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// A name from disk, made safe to print: control characters and bytes that are not UTF-8 appear as `\xNN`, so that no
/// file name can forge a log line or steer a terminal (RUSTSEC-2025-0055).
pub struct Escaped<'a>(pub &'a OsStr);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.as_bytes().utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() || is_bidirectional_control(character) {
                    let mut buffer = [0; 4];
                    for byte in character.encode_utf8(&mut buffer).bytes() {
                        write!(formatter, "\\x{byte:02x}")?;
                    }
                } else {
                    formatter.write_char(character)?;
                }
            }
            for byte in chunk.invalid() {
                write!(formatter, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that reorder what a terminal shows (Unicode UAX #9), as in "Trojan Source", CVE-2021-42574.
fn is_bidirectional_control(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_what_where_and_why_once() {
        let error = Error::new("reading", "/srv/a.json", io::Error::from_raw_os_error(5));
        assert_eq!(error.to_string(), "reading /srv/a.json: Input/output error (os error 5)");
        assert_eq!(error.exit_status(), 74);
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let name = OsStr::from_bytes(b"a\n\x1b[31m\xff.json");
        assert_eq!(Escaped(name).to_string(), "a\\x0a\\x1b[31m\\xff.json");
    }
}
