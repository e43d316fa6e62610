//! The watch stage: the kernel's hints and the periodic sweep become observations.
//!
//! The sweep is the truth; hints only hasten it. Everything that a hint leads to, the next sweep would have found.
//!
//! In the order of reading: which files are guarded (`territory`), where configured paths lead (`resolve`); what is known
//! of a folder, and what follows from a look (`folder`); what the kernel says (`hints`), what the threads share
//! (`mount`). The thread of one mount asks the kernel (`source`), finds a folder (`arrive`), looks at its documents
//! (`pass`) and for new ones (`look`), follows roots (`settle`); `sweeper` is its loop. When to sweep (`round`),
//! who hangs (`stall`), and the task that keeps all together (`conductor`).

mod territory;
mod resolve;
mod folder;
mod hints;
mod mount;
mod source;
mod arrive;
mod pass;
mod look;
mod settle;
mod sweeper;
mod round;
mod stall;
mod conductor;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::checkup::Canary;
use crate::config::{self, Settings};
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::event::Event;
use crate::stage::{Fatal, Heartbeat, Latch};
use crate::verdict::Reason;
use conductor::Conductor;

/// Something that was seen.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A document is new, changed, hinted at, or no longer there.
    Document {
        /// Which.
        document: DocumentId,
        /// Whose it is.
        watch: Arc<config::Watch>,
        /// Is it named literally in `paths`?
        literal: bool,
        /// The folder that it is in. Where that could not be opened (missing, forbidden, stalled): [`Disk::open_nowhere`];
        /// then `directory.path()` is not `document.directory()`.
        directory: Arc<Directory>,
        /// What was seen.
        sight: Sight,
    },
    /// A temporary of ours ([`DocumentId::staged_prefix`]) lies in a watched folder. Said when it is first met, and at
    /// every sweep while it is there.
    Leftover {
        /// The folder.
        directory: Arc<Directory>,
        /// Its name in it.
        name: OsString,
        /// What it is.
        signature: Signature,
        /// The watch of the document that it belongs to; if that is not known, one that guards the folder.
        watch: Arc<config::Watch>,
    },
    /// All was looked at.
    Swept {
        /// How long it took.
        took: Duration,
        /// How many documents are known.
        documents: usize,
        /// Is it the first time since the start?
        first: bool,
    },
}

/// What stands at the name of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Something, not necessarily a regular file.
    Present(Signature),
    /// The folder is there, the name is not.
    Missing,
    /// The folder is not there.
    DirectoryMissing,
    /// It cannot be looked at; the text says why.
    Unreadable(Reason, String),
    /// A folder that could not be looked into can be now: its documents speak for themselves.
    Open,
    /// It left the watch: what a glob or a folder matched is gone since two sweeps, or no watch takes it any more.
    Gone,
}

/// The stage, before it runs.
#[derive(Debug)]
pub struct Watching {
    /// What to guard.
    pub settings: Arc<Settings>,
    /// The state directory, which is never guarded: where it really is. Nobody asks again, for it may hang.
    pub state_dir: PathBuf,
    /// The file system.
    pub disk: Disk,
    /// Where observations go. When it is full, the sweep waits.
    pub observations: mpsc::Sender<Observation>,
    /// Where facts go.
    pub events: mpsc::Sender<Event>,
    /// Becomes true when the daemon is to end.
    pub drain: tokio::sync::watch::Receiver<bool>,
    /// Opens when the kernel was asked for hints everywhere, or it is known that there are none.
    pub placed: Latch,
    /// The stage's sign of life.
    pub heartbeat: Heartbeat,
    /// Is the kernel asked for hints? If not, the sweep alone looks.
    pub hints: bool,
    /// What everybody whom the kernel tells of changes must hear of.
    pub canary: Canary,
}

impl Watching {
    /// Watches until the drain, then drops both senders; so does whoever drops what this returns. A thread that hangs on a dead mount is left behind.
    ///
    /// # Errors
    /// No thread can be started, a thread panicked, or nobody listens.
    pub async fn run(self) -> Result<(), Fatal> {
        Conductor::new(self)?.conduct().await
    }
}

fn fatal(why: impl Into<String>) -> Fatal {
    Fatal { stage: "watch", why: why.into() }
}
