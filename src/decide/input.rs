//! What the machine is told, and what it answers.

use std::time::Instant;

use super::Damage;
use crate::document::Digest;
use crate::verdict::{Certainty, Fault, Kind, Reason};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The document was looked at.
    Looked(Seen),
    /// A repair ended.
    Ended(Ended),
}

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Readers accept it.
    Valid {
        /// Its bytes.
        digest: Digest,
        /// How sure it is that nobody was writing.
        certainty: Certainty,
        /// Is there a stored version with these bytes that a repair may put back?
        is_stored: bool,
        /// When to try again to store it, if it was put off.
        store_at: Option<Instant>,
    },
    /// No reader accepts it.
    Corrupt {
        /// Its bytes.
        digest: Digest,
        /// What is wrong.
        fault: Fault,
        /// How sure it is that nobody was writing.
        certainty: Certainty,
    },
    /// No reader accepts it, but an editor has it open, or somebody holds its lock.
    Edited {
        /// Its bytes.
        digest: Digest,
        /// What is wrong.
        fault: Fault,
    },
    /// It reads, or nearly, but a person must look: suspicious, or full of merge markers.
    Odd {
        /// Why it is left alone.
        reason: Reason,
        /// Its bytes.
        digest: Digest,
        /// What is odd.
        fault: Fault,
    },
    /// Somebody is writing it.
    Busy,
    /// It is not there. `may_return`: its folder is known to be the one that it was in.
    Missing {
        /// May it be put back?
        may_return: bool,
    },
    /// Its folder is not there, or not the one that it was in.
    DirectoryMissing,
    /// It cannot be read, or must not be.
    Unreadable(Reason, String),
}

/// How a repair ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The good version with this digest stands at the name.
    Restored(Digest),
    /// Somebody was faster, or the bytes were others already.
    Changed,
    /// Somebody has the file open for writing.
    Busy,
    /// It must be rewritten in place, and somebody has it open for reading; in words.
    BeingRead(String),
    /// It must not be done, here or now; in words.
    Held(Reason, String),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until the document is seen again or [`super::Machine::due`].
    Rest,
    /// Look again now.
    Look,
    /// Repair it.
    Repair,
}

/// What is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Damaged, and no good version is known: left alone.
    Unproven(Fault),
    /// It is suspicious: an incident begins.
    Suspected(Digest, Fault),
    /// Damage is believed: an incident begins, unless one has begun when it was only suspicious.
    Corrupted(Damage),
    /// The incident ended without us.
    Recovered,
    /// The damaged file is gone, and the incident with it.
    Gone,
    /// It is not repaired, and why.
    Held(Reason, String),
    /// A hold ended.
    Released(Reason),
    /// It cannot be read, or is not there.
    Told(Kind, String),
    /// It is there, and can be read, again.
    Returned,
}
