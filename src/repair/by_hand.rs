//! A version that a person wants back: what it replaces is kept first, a readable version among the versions, anything else
//! in quarantine.

use std::time::Duration;

use super::missing::{Anew, place};
use super::{Ground, Judged, Report, attempt, held};
use crate::backup::{Folder, New, Taken};
use crate::config::OnOpenWriter;
use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::read::{self, Look, OpenWriter, Reading};
use crate::validate::Content;
use crate::verdict::{Certainty, Kind, Reason, Verdict};

/// What came of it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them a command")]
pub enum Returned {
    /// These very bytes stand at the name.
    Already,
    /// Nothing stood at the name; the version does now.
    BroughtBack,
    /// It was to replace what stood there: how that ended.
    Replacing(Report),
}

/// Where no lease proves that nobody was writing, a second read this much later has to be equal.
const PAIR_SPAN: Duration = Duration::from_secs(1);

/// Puts a version back, whatever stands at the name. It becomes the newest version, so that a daemon takes the bytes for
/// what they are: wanted.
///
/// # Errors
/// There is no such version or it is damaged; the disk is full or failed. What stood at the name is not lost.
pub fn restore(ground: &Ground, wanted: Version) -> Result<Returned> {
    match steady(ground)? {
        Look::Read(reading) => replace(ground, wanted, &reading),
        Look::Missing => bring_back(ground, wanted),
        Look::Busy | Look::Changed => Ok(refused(Reason::OpenWriter, "a program has it open for writing")),
        Look::Other(found) => Ok(refused(Reason::NotRegular, &format!("it is a {}", found.file_type()))),
        Look::TooLarge(_) => Ok(refused(Reason::TooLarge, "it has more bytes than its max_size")),
    }
}

fn refused(reason: Reason, why: &str) -> Returned {
    Returned::Replacing(Report { outcome: held(reason, why), rotten: Vec::new() })
}

/// A look that proves that nobody is writing, or two that agree.
fn steady(ground: &Ground) -> Result<Look> {
    let look = || read::look(ground.disk, ground.directory, ground.document, ground.limit_bytes, OpenWriter::Wait);
    let first = match look()? {
        Look::Read(reading) if reading.certainty != Certainty::Certified => reading,
        other => return Ok(other),
    };
    std::thread::sleep(PAIR_SPAN);
    Ok(match look()? {
        Look::Read(second) if second.digest != first.digest => Look::Changed,
        other => other,
    })
}

fn replace(ground: &Ground, wanted: Version, present: &Reading) -> Result<Returned> {
    let folder = ground.backups.make(ground.document)?.expecting(ground.expectations);
    folder.lock()?;
    let bytes = folder.bytes(wanted)?;
    // What is not recorded of it any more is as with what it replaces.
    let alike = || ground.disk.attributes(&present.file, ground.document.path()).map(Some);
    if Digest::of(&bytes) == present.digest {
        // It is wanted, all the same: suspicious it is no more.
        return renew(&folder, wanted, &bytes, &alike).map(|_| Returned::Already);
    }
    let (kind, readable) = match judged(ground, &folder, &present.bytes)? {
        Verdict::Valid { dialect, .. } => (Kind::Tampered, Some((dialect, mark(present)))),
        Verdict::Suspicious(dialect, fault) => (fault.kind, Some((dialect, Mark::Suspicious))),
        Verdict::Corrupt(fault) | Verdict::Told(fault) => (fault.kind, None),
    };
    if let Some((dialect, mark)) = readable {
        keep(ground, &folder, present, dialect, mark)?;
    }
    let stored = renew(&folder, wanted, &bytes, &alike)?;
    // The repair takes the lock anew.
    drop(folder);
    let quarantine = match readable {
        Some(_) => &ground.quarantine.sparing(present.digest)?,
        None => ground.quarantine,
    };
    let mut rotten = Vec::new();
    let judged = Judged { digest: present.digest, kind, is_paired: true };
    let ground = Ground { quarantine, ..*ground };
    let outcome = attempt(&ground, &judged, Some(stored.version), OnOpenWriter::Wait, &mut rotten)?;
    Ok(Returned::Replacing(Report { outcome, rotten }))
}

/// As a daemon does: in the light of the last good version, so that what is suspicious beside it is not kept as good.
fn judged(ground: &Ground, folder: &Folder, bytes: &[u8]) -> Result<Verdict> {
    let verdict = (ground.judge)(bytes);
    let Verdict::Valid { dialect, .. } = verdict else { return Ok(verdict) };
    let fault = folder.weigh_new(Content { bytes, dialect }, ground.expectations)?;
    Ok(fault.map_or(verdict, |fault| Verdict::Suspicious(dialect, fault)))
}

fn mark(present: &Reading) -> Mark {
    if present.certainty == Certainty::Certified { Mark::Good } else { Mark::Uncertified }
}

/// Stores what is about to be replaced, unless a version has it.
fn keep(ground: &Ground, folder: &Folder, present: &Reading, dialect: Dialect, mark: Mark) -> Result<()> {
    let &Reading { ref bytes, digest, ref file, .. } = present;
    if folder.keeps(digest)? {
        return Ok(());
    }
    let attributes = ground.disk.attributes(file, ground.document.path())?;
    folder.take(&New { bytes, digest, mark, dialect, origin: "file", attributes }).map(|_| ())
}

/// Makes an old version the newest, with the attributes that were recorded, or those of what is like it. A person wants it: it
/// is suspicious no more.
fn renew(
    folder: &Folder,
    wanted: Version,
    bytes: &[u8],
    alike: &dyn Fn() -> Result<Option<Attributes>>,
) -> Result<Stored> {
    let absent = || {
        let why = Cause::Absent(format!("nothing is recorded of version {wanted}"));
        Error::new("restoring", folder.document().path(), why)
    };
    let old = folder.versions()?.into_iter().find(|stored| stored.version == wanted).ok_or_else(absent)?;
    let attributes = match folder.attributes(wanted)? {
        None => alike()?.ok_or_else(absent)?,
        Some(attributes) => attributes,
    };
    let mark = if old.mark.is_last_good() { old.mark } else { Mark::Accepted };
    let new = New { bytes, digest: old.digest, mark, dialect: old.dialect, origin: "restore", attributes };
    match folder.take(&new)? {
        Taken::New(stored) | Taken::Already(stored) => Ok(stored),
    }
}

/// Puts a version where nothing stands; whatever comes to stand there meanwhile is not replaced.
fn bring_back(ground: &Ground, wanted: Version) -> Result<Returned> {
    let folder = ground.backups.make(ground.document)?.expecting(ground.expectations);
    folder.lock()?;
    let bytes = folder.bytes(wanted)?;
    let stored = renew(&folder, wanted, &bytes, &|| Ok(None))?;
    Ok(match place(ground, &folder, &stored, &bytes)? {
        Anew::Placed => Returned::BroughtBack,
        Anew::Taken => refused(Reason::Changing, "somebody has just put a file there"),
        Anew::Unlike(why) => refused(Reason::Attributes, &why),
    })
}
