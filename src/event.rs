//! What happened: facts in the past tense. One fact alone knows its log line, its metrics and its place in the incident
//! log (see `record`); whoever notices something only says so.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::WatchName;
use crate::document::{Digest, DocumentId, Mark, Stored, Version};
use crate::health::{Check, Level};
use crate::steer::{Asker, Steering};
use crate::verdict::{Fault, Found, Kind, Reason};

mod files;
mod status;

pub use files::Files;
pub use status::{FileStatus, Guarding, Remarks, Status, Stock};

/// A fact, with its moment.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// Which document a fact is about, and whose watch it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The document.
    pub document: DocumentId,
    /// Its watch.
    pub watch: WatchName,
}

/// The number of an incident: from corrupted to repaired, or to whatever else ended it. Numbers only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

/// What bytes that are damaged or suspicious have in common with the last good version: counts and a few paths, never
/// values ([`crate::difference`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// The good version; after a repair, the one that was put back.
    pub version: Version,
    /// Do the bytes read, and are only implausible?
    pub is_suspicious: bool,
    /// How many bytes there are.
    pub bytes: u64,
    /// The label of the piece that survives ([`crate::salvage::Piece`]); `None`: nothing does.
    pub piece: Option<String>,
    /// Is the rest of the document missing from it? Then what it lacks was torn off, not removed.
    pub is_partial: bool,
    /// How many bytes the piece has.
    pub survived_bytes: u64,
    /// Paths that only the damaged or suspicious bytes have.
    pub added: u64,
    /// Paths that only the good version has.
    pub removed: u64,
    /// Paths at which another value stands.
    pub changed: u64,
    /// Entries of arrays that stand elsewhere in them.
    pub moved: u64,
    /// The first few of those paths, as JSON Pointers.
    pub paths: Vec<String>,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The daemon is at work; `documents` files are known so far.
    Started {
        /// How many documents.
        documents: usize,
    },
    /// The daemon was asked to end.
    Draining,
    /// The first sweep has judged all that a watch guards. Once a watch.
    Enrolled {
        /// The watch.
        watch: WatchName,
        /// How many files it has.
        documents: usize,
        /// How many of them have no good version yet.
        unproven: usize,
    },
    /// Some files of a watch could not be repaired where they lie, were they damaged now. Told once a watch, while it is so.
    Unrepairable {
        /// The watch.
        watch: WatchName,
        /// How many files.
        documents: usize,
        /// Why one of them could not.
        why: String,
    },
    /// All files of a watch can be repaired where they lie again.
    Repairable {
        /// The watch.
        watch: WatchName,
    },
    /// A watch guards nothing at present, or something that it names is not there.
    NothingFound {
        /// The watch.
        watch: WatchName,
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Some bytes were judged.
    Judged {
        /// Whose.
        subject: Subject,
        /// The label of the verdict: `valid`, `corrupt`, `suspicious`, `told`, or `unreadable` when there was nothing to judge.
        result: &'static str,
        /// How long judging took.
        took: Duration,
    },
    /// A document has come to hold something that readers may stumble over. Told once a kind, while it stays.
    Found {
        /// Whose.
        subject: Subject,
        /// What.
        found: Found,
    },
    /// A version was stored.
    BackedUp {
        /// Whose.
        subject: Subject,
        /// What was stored.
        stored: Stored,
    },
    /// A version could not be stored; it will be tried again.
    BackupFailed {
        /// Whose.
        subject: Subject,
        /// A word from a closed set: [`crate::error::Error::label`].
        label: &'static str,
        /// The error, for people.
        error: String,
    },
    /// Old versions were removed after a successful store.
    Pruned {
        /// Whose.
        subject: Subject,
        /// How many.
        versions: usize,
        /// How many bytes.
        bytes: u64,
        /// The limit that they were over: a word from a closed set, as the configuration has it.
        reason: &'static str,
    },
    /// A file that has no good version is corrupt: it is left alone.
    Unproven {
        /// Which.
        subject: Subject,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It reads, but is hardly what was meant: an incident begins.
    Suspected {
        /// Whose.
        subject: Subject,
        /// The new incident.
        incident: IncidentId,
        /// What is suspicious.
        fault: Fault,
        /// The suspicious bytes.
        digest: Digest,
        /// How many there are.
        bytes: u64,
        /// From the file's ctime to now.
        detection: Duration,
    },
    /// Damage is believed: an incident begins, or one goes on that began when the document was only suspicious.
    Corrupted {
        /// Whose.
        subject: Subject,
        /// The incident.
        incident: IncidentId,
        /// What is wrong.
        fault: Fault,
        /// The damaged bytes.
        digest: Digest,
        /// How many there are.
        bytes: u64,
        /// From the file's ctime to now.
        detection: Duration,
    },
    /// Good bytes stand at the name again: the incident ends.
    Repaired {
        /// Whose.
        subject: Subject,
        /// The incident that ends.
        incident: IncidentId,
        /// Which version was put back.
        version: Version,
        /// When that version was taken.
        taken: Timestamp,
        /// Its mark; `Uncertified` is worth telling.
        mark: Mark,
        /// Where the damaged bytes are kept; `None` when they had to stay beside the file.
        quarantine: Option<PathBuf>,
        /// How many damaged bytes there are.
        bytes: u64,
        /// From believed to good bytes at the name.
        restore: Duration,
        /// From the file's ctime to good bytes at the name.
        repair: Duration,
    },
    /// A repair was given up; the file is as it was.
    RepairFailed {
        /// Whose.
        subject: Subject,
        /// The incident, which goes on.
        incident: IncidentId,
        /// A word from a closed set.
        label: &'static str,
        /// The error, for people.
        error: String,
    },
    /// A writer was faster: the newest bytes are at the name and the repair was called off.
    RepairYielded {
        /// Whose.
        subject: Subject,
        /// The incident, which goes on until the file is judged anew.
        incident: IncidentId,
    },
    /// The damaged file was removed, or nobody guards it any more: the incident ends with the damage.
    Gone {
        /// Whose.
        subject: Subject,
        /// The incident that ends.
        incident: IncidentId,
    },
    /// What was damaged, or is suspicious, was compared with the last good version.
    Compared {
        /// Whose.
        subject: Subject,
        /// The incident that it belongs to, if there is one; it may be over.
        incident: Option<IncidentId>,
        /// What it showed.
        comparison: Comparison,
    },
    /// The file became valid by itself: the incident ends without a repair.
    Recovered {
        /// Whose.
        subject: Subject,
        /// The incident that ends.
        incident: IncidentId,
    },
    /// The document is known and deliberately not repaired.
    Held {
        /// Whose.
        subject: Subject,
        /// The incident it belongs to, if there is one.
        incident: Option<IncidentId>,
        /// Why.
        reason: Reason,
        /// In words, with what a person can do.
        detail: String,
    },
    /// A hold ended.
    Released {
        /// Whose.
        subject: Subject,
        /// The hold that ended.
        reason: Reason,
    },
    /// Told, never repaired: merge markers, unreadable, not regular, too large, missing.
    Told {
        /// Whose.
        subject: Subject,
        /// What.
        kind: Kind,
        /// In words.
        detail: String,
    },
    /// A told document is there and readable again.
    Returned {
        /// Whose.
        subject: Subject,
    },
    /// A stored version fails its digest: it is never used. Told once a version.
    Rotten {
        /// Whose.
        subject: Subject,
        /// Which version.
        version: Version,
        /// The file that holds it.
        path: PathBuf,
    },
    /// What was recorded of a document's stored versions is damaged; the versions themselves are not, or are told apart.
    RecordDamaged {
        /// Whose.
        subject: Subject,
        /// The record.
        path: PathBuf,
    },
    /// Replaced bytes were kept in quarantine.
    Quarantined {
        /// Whose.
        subject: Subject,
        /// Where.
        path: PathBuf,
        /// How many bytes.
        bytes: u64,
    },
    /// Replaced bytes could not be kept in quarantine and stay beside the file; it will be tried again.
    LeftBeside {
        /// Whose.
        subject: Subject,
        /// The leftover.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// A writer that had opened the damaged file before the swap finished afterwards: its bytes are the newest version.
    LateWriter {
        /// Whose.
        subject: Subject,
        /// Were they swapped in? Otherwise they stay beside the file, at this path.
        kept_at: Option<PathBuf>,
    },
    /// A document left its watch.
    Forgotten {
        /// Which.
        subject: Subject,
    },
    /// A job panicked: a fault of ours. The document is held.
    Panicked {
        /// Whose.
        subject: Subject,
        /// What was being done.
        doing: &'static str,
    },
    /// The kernel tells nothing about some folders: the sweep alone looks at them. Told once a watch.
    EventSourceLost {
        /// Whose.
        watch: WatchName,
        /// Why.
        why: String,
    },
    /// The kernel tells of every folder of a watch again.
    EventSourceBack {
        /// Whose.
        watch: WatchName,
    },
    /// The kernel dropped events: everything was looked at.
    EventsOverflowed,
    /// All was looked at.
    Swept {
        /// How long it took.
        took: Duration,
        /// How many files.
        documents: usize,
    },
    /// A sweep took longer than its interval, which is stretched.
    SweepStretched {
        /// How long it took.
        took: Duration,
    },
    /// The configuration was read again, and is in force.
    Reloaded {
        /// Who asked; `None`: a signal.
        asker: Option<Asker>,
        /// What became of it, in words.
        outcome: String,
    },
    /// The configuration was to be read again, and the old one stays in force.
    ReloadRefused {
        /// Who asked; `None`: a signal.
        asker: Option<Asker>,
        /// Why.
        why: String,
    },
    /// Somebody steered the guarding, or a pause came to its end.
    Steered {
        /// How.
        steering: Steering,
        /// Who; `None`: its time was over.
        asker: Option<Asker>,
    },
    /// The state directory has less room than `min_free`: nothing new is stored.
    StorageLow {
        /// The bytes available to us.
        available: u64,
    },
    /// The state directory has room again.
    StorageBack,
    /// The clock has leapt: nothing is removed for its age until it is set right, or has stayed so for a day.
    ClockDoubted {
        /// By so much.
        leap: Duration,
    },
    /// The file system of guarded files is nearly full: a spare is kept beside them, so that repairs need no room.
    RoomShort {
        /// A folder on it.
        folder: PathBuf,
        /// The bytes available there.
        available_bytes: u64,
        /// The files that may still be made there; `None`: as many as there is room for.
        available_files: Option<u64>,
        /// Folders that have no spare, because there was no room for one.
        unspared: usize,
    },
    /// A look at ourselves found something wrong. Told once, while it is so.
    CheckFailed {
        /// What was looked at.
        check: Check,
        /// How bad it is.
        level: Level,
        /// What is wrong.
        why: String,
    },
    /// What was found wrong is well again.
    CheckPassed {
        /// What was looked at.
        check: Check,
    },
    /// A file system of guarded files does not answer. Told once, while it is so.
    MountStalled {
        /// A guarded folder on it.
        folder: PathBuf,
    },
    /// A file system that did not answer does again, or nothing on it is guarded any more.
    MountBack {
        /// The folder that was told.
        folder: PathBuf,
    },
    /// A stored version that was to be put back, had the file been damaged, is gone. What stands in the file is stored anew.
    VersionLost {
        /// Whose.
        subject: Subject,
        /// Which.
        version: Version,
    },
    /// A file system of guarded files has room again.
    RoomBack {
        /// The folder that was told.
        folder: PathBuf,
    },
}
