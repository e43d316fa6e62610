//! The archive of a document's events as a daemon has it, for users who may not enter its state directory.

use std::fmt;

use serde_json::{Map, Value};

use super::Session;
use super::daemon::{Daemon, about};
use crate::bus::{Archive, Numbered};
use crate::disk::Disk;
use crate::document::DocumentId;
use crate::error::{Cause, Error, Result};
use crate::patch::Pointer;

/// So much is handed over at once: less than a daemon takes, however it is escaped.
const AT_ONCE_BYTES: usize = 1 << 20;

/// The archive of the daemon that guards a document.
pub(super) struct Remote {
    daemon: Daemon,
    disk: Disk,
    document: DocumentId,
    pointer: Pointer,
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remote").field("document", &self.document).finish_non_exhaustive()
    }
}

impl Remote {
    /// That of the daemon that guards this document; `None`: none that answers does, or we may not ask.
    pub(super) fn find(document: &DocumentId, pointer: &Pointer, session: &Session<'_>) -> Option<Self> {
        let of =
            |daemon| Self { daemon, disk: session.disk.clone(), document: document.clone(), pointer: pointer.clone() };
        Daemon::all(session).into_iter().map(of).find(|remote| remote.highest().is_ok())
    }

    fn ask(&self, more: impl IntoIterator<Item = (&'static str, Value)>) -> Result<Map<String, Value>> {
        let mut members = about(&self.document);
        members.insert("pointer".to_owned(), self.pointer.text().into());
        members.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self.daemon.order_with("events", &members, &self.disk)
    }
}

impl Archive for Remote {
    fn highest(&self) -> Result<u64> {
        let answer = self.ask([])?;
        answer.get("highest").and_then(Value::as_u64).ok_or_else(|| {
            let why =
                Cause::NoDaemon("the daemon does not say how high the numbers went; is it an older one?".to_owned());
            Error::new("asking about the events of", self.document.path(), why)
        })
    }

    fn append(&self, events: &[Vec<u8>]) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |event: &&Vec<u8>| {
                bytes += event.len();
                bytes <= AT_ONCE_BYTES
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            let lines: Vec<Value> = now.iter().map(|event| String::from_utf8_lossy(event).into()).collect();
            self.ask([("append", lines.into())])?;
            rest = later;
        }
        Ok(())
    }

    fn events(&self, from: u64, to: u64) -> Result<Vec<Numbered>> {
        let answer = self.ask([("from", from.into()), ("to", to.into())])?;
        let lines = answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(lines.iter().filter_map(|line| Numbered::read(line.as_str()?.as_bytes())).collect())
    }
}
