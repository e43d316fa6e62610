//! What can be said of a document. Corruption is data here, not an error: judging never fails.

use std::fmt;

use crate::document::Dialect;
use crate::error::{Cause, Error};

/// Declares a closed set of words: the enum, its labels (the names of the contract) and the list of all.
macro_rules! closed_set {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$inner])* $variant,)+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in logs, metrics and documents.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.label() == label)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.label())
            }
        }
    };
}

closed_set! {
    /// What is wrong, or odd, or only worth telling.
    Kind {
        /// No bytes, or only blanks.
        Empty => "empty",
        /// NUL bytes where text should be.
        NulFilled => "nul_filled",
        /// The document ends before its value does.
        Truncated => "truncated",
        /// A whole value, and then more.
        TrailingData => "trailing_data",
        /// Text, but no JSON.
        Syntax => "syntax",
        /// Not UTF-8.
        Encoding => "encoding",
        /// Reads only in another dialect than the document's own.
        Dialect => "dialect",
        /// Breaks its JSON Schema.
        Schema => "schema",
        /// A JSON Pointer that must exist does not.
        Required => "required",
        /// Much smaller than the last good version.
        Shrunk => "shrunk",
        /// Back to nothing: `{}`, `[]`, `null`, a skeleton.
        Reset => "reset",
        /// A number that only grows went back.
        Backwards => "backwards",
        /// A placeholder stands where a value was.
        Redacted => "redacted",
        /// Changed, though it is pinned.
        Tampered => "tampered",
        /// A merge left its markers in the text.
        ConflictMarkers => "conflict_markers",
        /// No such file.
        Missing => "missing",
        /// The file cannot be read.
        Unreadable => "unreadable",
        /// A folder, a pipe, a device, a socket or a link stands at the name.
        NotRegular => "not_regular",
        /// More bytes than `max_size`.
        TooLarge => "too_large",
    }
}

impl Kind {
    /// The kinds that a repair may answer: no supported dialect can read the bytes.
    pub const CORRUPT: [Self; 6] =
        [Self::Empty, Self::NulFilled, Self::Truncated, Self::TrailingData, Self::Syntax, Self::Encoding];

    /// The kinds that are told, and answered by a repair only where the rules say so: it reads, but is implausible.
    pub const SUSPICIOUS: [Self; 8] = [
        Self::Dialect,
        Self::Schema,
        Self::Required,
        Self::Shrunk,
        Self::Reset,
        Self::Backwards,
        Self::Redacted,
        Self::Tampered,
    ];
}

closed_set! {
    /// Odd, but no reader minds: told, never acted on by default.
    Finding {
        /// A byte order mark at the start.
        Bom => "bom",
        /// A key that an object has twice.
        DuplicateKey => "duplicate_key",
        /// An escape for half of a surrogate pair.
        LoneSurrogate => "lone_surrogate",
        /// A number that a double cannot hold.
        NumberRange => "number_range",
        /// Nested deeper than common readers go.
        TooDeep => "too_deep",
    }
}

closed_set! {
    /// Where a document stands.
    State {
        /// No good version has been seen yet.
        Unproven => "unproven",
        /// Valid, and kept.
        Healthy => "healthy",
        /// Damaged a moment ago: it must stay the same before it is believed.
        Settling => "settling",
        /// A repair is under way.
        Repairing => "repairing",
        /// Known, deliberately not repaired.
        Held => "held",
        /// No such file.
        Missing => "missing",
        /// The file cannot be read, or must not be.
        Unreadable => "unreadable",
    }
}

closed_set! {
    /// Why a document is held, or is unreadable.
    Reason {
        /// Its watch only observes.
        Observe => "observe",
        /// The newest version is suspicious.
        Suspicious => "suspicious",
        /// Somebody paused it.
        Paused => "paused",
        /// Repaired too often within the span.
        Breaker => "breaker",
        /// No version is left that may be put back.
        NoVersion => "no_version",
        /// A writer keeps the file open.
        OpenWriter => "open_writer",
        /// It is corrupt and keeps changing.
        Changing => "changing",
        /// Its owner, mode or other attributes cannot be reproduced.
        Attributes => "attributes",
        /// An editor or a cooperating writer is at it.
        Editing => "editing",
        /// Too many replaced versions still lie beside it.
        Leftovers => "leftovers",
        /// A mount point, a hard link: swapping would not reach its readers.
        Linked => "linked",
        /// The disk is full.
        NoRoom => "no_room",
        /// A repair failed.
        Failed => "failed",
        /// Merge markers: a person is in the middle of something.
        ConflictMarkers => "conflict_markers",
        /// More bytes than `max_size`.
        TooLarge => "too_large",
        /// Not a regular file.
        NotRegular => "not_regular",
        /// Permission was denied.
        Permission => "permission",
        /// The disk failed.
        Disk => "disk",
        /// In a folder of a user who does not own the file.
        Owner => "owner",
        /// Its folder is not there, or is not the one that it was in.
        Directory => "directory",
        /// Its mount does not answer.
        Stalled => "stalled",
    }
}

impl Reason {
    /// Why a file is unreadable after this error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.io_kind() {
            _ if matches!(error.cause(), Cause::Refused(_)) => Self::Owner,
            Some(std::io::ErrorKind::PermissionDenied) => Self::Permission,
            _ => Self::Disk,
        }
    }
}

/// Where in the text: lines and columns from 1 (columns in characters), the offset in bytes from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// The column, in characters, from 1.
    pub column: u64,
    /// The offset, in bytes, from 0.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with a document: the kind, the place, and the probable cause in words that quote none of its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault.
    pub kind: Kind,
    /// Where it shows.
    pub place: Place,
    /// What it looks like, for a person.
    pub cause: String,
}

/// A finding, the first of its kind in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What kind.
    pub finding: Finding,
    /// Where it stands.
    pub place: Place,
    /// The JSON Pointer of the value, or of the key; `None`: it has none, or is too deep.
    pub path: Option<String>,
}

impl Finding {
    /// Why it matters, in words.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Bom => "it begins with a byte order mark, which strict readers refuse",
            Self::DuplicateKey => "an object has this key twice: most readers take the last one, some refuse",
            Self::LoneSurrogate => "half of a surrogate pair, which strict readers refuse",
            Self::NumberRange => "a double cannot hold this number: many readers change it",
            Self::TooDeep => "nested more than 64 levels deep, where some readers stop",
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.finding.why())?;
        match &self.path {
            Some(path) => write!(formatter, " ({})", path.escape_debug()),
            None => Ok(()),
        }
    }
}

/// How sure it is that nobody was writing during a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// A lease was held all the while.
    Certified,
    /// No lease is to be had here: two equal reads some time apart are asked for.
    Unleased,
    /// Somebody has the file open for writing: two equal reads still further apart are asked for.
    OpenWriter,
}

/// What judging some bytes came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A reader of this document accepts it.
    Valid {
        /// The dialect it was read in.
        dialect: Dialect,
        /// Does it show that this is guarded JSON? Unless a file is named literally, only a top-level object or array does
        /// (a PID file holding `42` is none).
        proves: bool,
    },
    /// No supported dialect can read it: a repair may answer.
    Corrupt(Fault),
    /// It reads, but is implausible. Stored as a marked version, never chosen for a repair.
    Suspicious(Dialect, Fault),
    /// Told, never repaired: merge markers.
    Told(Fault),
}

impl Verdict {
    /// The label of `validations_total{result}`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Valid { .. } => "valid",
            Self::Corrupt(_) => "corrupt",
            Self::Suspicious(..) => "suspicious",
            Self::Told(_) => "told",
        }
    }
}
