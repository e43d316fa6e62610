//! What stands at the name of a guarded file, read once for comparing.

use std::time::Duration;

use super::Failure;
use super::hand::Hand;
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, look};
use crate::validate::Content;
use crate::verdict::{Fault, Verdict};

/// How often a file that changes while it is read is read again,
const ATTEMPTS: u32 = 50;

/// and how long after.
const PAUSE: Duration = Duration::from_millis(20);

/// The present bytes, and what they are.
pub(super) struct Live {
    pub bytes: Vec<u8>,
    pub verdict: Verdict,
}

impl Live {
    /// Reads what stands there; nothing, or something else than a file, is an error.
    pub(super) fn read(hand: &Hand) -> Result<Self, Failure> {
        let absent = |why: &str| Error::new("reading", hand.document.path(), Cause::Absent(why.to_owned()));
        for _ in 0..ATTEMPTS {
            let limit_bytes = hand.rules.max_size;
            let found = hand.with_ground(|ground| {
                look(ground.disk, ground.directory, ground.document, limit_bytes, OpenWriter::ReadAnyway)
            })?;
            match found {
                Look::Read(reading) => {
                    let verdict = hand.judge(&reading.bytes);
                    return Ok(Self { bytes: reading.bytes, verdict });
                }
                Look::Busy | Look::Changed => std::thread::sleep(PAUSE),
                Look::Missing => return Err(absent("no such file").into()),
                Look::Other(found) => return Err(absent(&format!("this is a {}", found.file_type())).into()),
                Look::TooLarge(_) => {
                    let why = format!("it has more bytes than its max_size of {limit_bytes}");
                    return Err(Error::new("reading", hand.document.path(), Cause::Refused(why)).into());
                }
            }
        }
        let why = "it changes faster than it can be read; try again".to_owned();
        Err(Error::new("reading", hand.document.path(), Cause::Refused(why)).into())
    }

    /// The document, or what is wrong with it.
    pub(super) fn content(&self) -> Result<Content<'_>, &Fault> {
        match &self.verdict {
            Verdict::Valid { dialect, .. } | Verdict::Suspicious(dialect, _) => {
                Ok(Content { bytes: &self.bytes, dialect: *dialect })
            }
            Verdict::Corrupt(fault) | Verdict::Told(fault) => Err(fault),
        }
    }
}
