//! Why a write is not done.

use crate::error::Error;
use crate::verdict::{Fault, Kind};

/// Why a write was not done: nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The new bytes are damaged, or break the document's rules.
    #[error("{}:{}: {}", .0.place, .0.kind, .0.cause)]
    Invalid(Fault),
    /// The new bytes are hardly meant: beside the last good version they are redacted, or, where the rules undo such versions
    /// or one is held, a reset or much smaller. A writer that is [accepting](super::Writer::accepting) writes them.
    #[error("{}:{}: {}", .0.place, .0.kind, .0.cause)]
    Suspicious(Fault),
    /// What stands there is suspicious, or full of merge markers, and nothing is made from it; in words, what can be done.
    #[error("what stands there is {} ({}: {}): {}", .0.kind, .0.place, .0.cause, .1)]
    Held(Fault, String),
    /// The document is not what the program takes it for, or a value cannot be written as JSON.
    #[error("its shape: {0}")]
    Shape(serde_json::Error),
    /// The lock was not to be had, the disk is full, or something else failed or was refused.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl WriteError {
    /// What is told of new bytes that are not what is expected of a version.
    pub(super) fn of(fault: Fault) -> Self {
        match fault.kind {
            Kind::Reset | Kind::Shrunk | Kind::Redacted => Self::Suspicious(fault),
            _ => Self::Invalid(fault),
        }
    }

    /// The exit status of a command that ends with this error.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::Shape(_) => 1,
            Self::Suspicious(_) | Self::Held(..) => 5,
            Self::Failed(error) => error.exit_status(),
        }
    }

    /// The same, for another who waited for the same write.
    pub(crate) fn copied(&self) -> Self {
        match self {
            Self::Invalid(fault) => Self::Invalid(fault.clone()),
            Self::Suspicious(fault) => Self::Suspicious(fault.clone()),
            Self::Held(fault, ways) => Self::Held(fault.clone(), ways.clone()),
            Self::Shape(error) => Self::Shape(serde::de::Error::custom(error)),
            Self::Failed(error) => Self::Failed(error.copied()),
        }
    }
}
