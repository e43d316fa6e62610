//! What people ask of a running daemon: what they want, who they are, and what they hear.

mod standing;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Timestamp;
use crate::config::WatchName;
use crate::disk::access::Caller;
use crate::document::{Digest, DocumentId};
use crate::error::{Cause, Escaped};

pub use standing::{InForce, Standing};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the configuration again.
    Reload,
    /// Guard differently from now on.
    Steer(Steering),
    /// Store the present version of a document.
    Store {
        /// Which.
        document: DocumentId,
        /// Only if its bytes have this digest; `None`: whatever they are.
        digest: Option<Digest>,
        /// It is the good one, even if it is suspicious.
        accepts: bool,
    },
    /// Somebody changed it, or what is stored of it: look at it now.
    Look {
        /// Which.
        document: DocumentId,
    },
}

/// Another way to guard, until it is taken back; it survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steering {
    /// Repair nothing.
    Pause {
        /// Of what.
        scope: Scope,
        /// For how long; `None`: until `resume`.
        span: Option<Duration>,
        /// The moment when that is over.
        until: Option<Timestamp>,
    },
    /// End the pauses.
    Resume {
        /// Of what.
        scope: Scope,
    },
    /// Only tell.
    Observe {
        /// Of what.
        scope: Scope,
    },
    /// Repair.
    Guard {
        /// What.
        scope: Scope,
    },
}

/// What somebody means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// What a watch guards.
    Watch(WatchName),
    /// A file, or all that lies below a folder.
    Path(PathBuf),
}

/// Who asks, as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user and the groups.
    pub caller: Caller,
    /// The user's name, or the number where there is none.
    pub name: String,
    /// The process; 0 where the kernel does not say.
    pub process: i32,
}

/// What is heard: members of a JSON object, with `said` for people; or why not, with its exit status.
pub type Answer = Result<Map<String, Value>, Cause>;

/// Something that was asked, and where the answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What.
    pub order: Order,
    /// By whom.
    pub asker: Asker,
    /// Who asked may be gone by the time.
    pub answer: oneshot::Sender<Answer>,
}

/// Where orders go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    /// To whoever owns the documents.
    pub documents: mpsc::Sender<Ask>,
    /// To whoever reads the configuration.
    pub reload: mpsc::Sender<Reload>,
}

/// A wish that the configuration is read again.
#[derive(Debug)]
pub struct Reload {
    /// Whose; `None`: a signal's.
    pub asker: Option<Asker>,
    /// Where the answer goes, if anybody waits for it.
    pub answer: Option<oneshot::Sender<Answer>>,
}

impl Orders {
    /// Hands an order on and waits for the answer.
    ///
    /// # Errors
    /// Why it was not obeyed; `NoDaemon`: the daemon is busy or ends.
    pub async fn give(&self, order: Order, asker: Asker) -> Answer {
        let busy = || Cause::NoDaemon("the daemon is busy, or about to end; try again".to_owned());
        let (answer, answered) = oneshot::channel();
        if order == Order::Reload {
            let reload = Reload { asker: Some(asker), answer: Some(answer) };
            self.reload.try_send(reload).map_err(|_| busy())?;
        } else {
            self.documents.try_send(Ask { order, asker, answer }).map_err(|_| busy())?;
        }
        answered.await.map_err(|_| busy())?
    }
}

impl Scope {
    /// Is this document, of this watch, meant?
    #[must_use]
    pub fn covers(&self, document: &Path, watch: &WatchName) -> bool {
        match self {
            Self::All => true,
            Self::Watch(name) => name == watch,
            Self::Path(path) => document.starts_with(path),
        }
    }

    /// Does it mean all that `other` means?
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Path(outer), Self::Path(inner)) => inner.starts_with(outer),
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("everything"),
            Self::Watch(name) => write!(formatter, "watch {name}"),
            Self::Path(path) => write!(formatter, "{}", Escaped(path.as_os_str())),
        }
    }
}

impl Steering {
    /// What it is about.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Pause { scope, .. } | Self::Resume { scope } | Self::Observe { scope } | Self::Guard { scope } => {
                scope
            }
        }
    }

    /// Its name in the log and in `incidents.jsonl`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "paused",
            Self::Resume { .. } => "resumed",
            Self::Observe { .. } => "observing",
            Self::Guard { .. } => "guarding",
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "by {} (uid {}, pid {})", self.name.escape_debug(), self.caller.user, self.process)
    }
}

/// An answer that says only this.
#[must_use]
pub fn said(text: impl Into<String>) -> Map<String, Value> {
    Map::from_iter([("said".to_owned(), Value::String(text.into()))])
}
