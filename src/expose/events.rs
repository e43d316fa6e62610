//! The events of a shared document, for those who may read and write it but not enter the state directory: they publish and
//! follow as others do.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::unix::UCred;

use super::order::{authorised, document_of};
use super::view::View;
use crate::backup::Backups;
use crate::bus::{Archive, Local, Numbered};
use crate::disk::directory::Directory;
use crate::document::{Dialect, DocumentId};
use crate::error::{Cause, Error, Result};
use crate::patch::Pointer;
use crate::steer::{Answer, Order};
use crate::validate::reads_as;

/// As much as a step of publishing moves, and more than one event has in any reasonable document.
const BODY_BYTES_MAX: usize = 8 << 20;

/// So much of the archive is told at once.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The body comes, and what is asked is done, within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    path: Option<String>,
    /// The path in hex, where it is not UTF-8.
    path_bytes: Option<String>,
    /// Where the events stand.
    pointer: String,
    /// Events that are about to leave the document: whoever asks holds its lock.
    #[serde(default)]
    append: Vec<String>,
    /// The first number that is wanted of the archive.
    from: Option<u64>,
    /// And the last.
    to: Option<u64>,
}

/// Keeps events, and says which are kept.
pub(super) async fn take<B>(view: &View, who: UCred, body: B) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let unread = || Cause::Usage("the events did not come whole, or have more than 8 MiB".to_owned());
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let bytes = collected.map_err(|_| unread())?.map_err(|_| unread())?.to_bytes();
    let said: Said = serde_json::from_slice(&bytes).map_err(|error| usage(&error.to_string()))?;
    let pointer: Pointer = said.pointer.parse().map_err(|why: String| usage(&why))?;
    let document = document_of(said.path.as_ref(), said.path_bytes.as_ref())?;
    let document = document.ok_or_else(|| usage("name a file as `path`"))?;
    authorised(view, &Order::Look { document: document.clone() }, who).await?;
    let (disk, state_dir) = (view.disk.clone(), view.identity.state_dir.clone());
    let working = tokio::task::spawn_blocking(move || {
        let state = disk.open_directory(&state_dir).map(Directory::as_ours);
        worked(&Backups::new(disk, state?), &document, &pointer, &said)
    });
    match tokio::time::timeout(PATIENCE, working).await {
        Ok(Ok(worked)) => worked.map_err(|error| match error.cause() {
            Cause::Usage(why) => usage(why),
            Cause::Locked(why) => Cause::Locked(why.clone()),
            _ => Cause::Io(std::io::Error::other(error.to_string())),
        }),
        Ok(Err(_)) | Err(_) => Err(Cause::NoDaemon("the events could not be kept in time".to_owned())),
    }
}

fn usage(why: &str) -> Cause {
    Cause::Usage(format!("the order is not understood: {why}"))
}

fn worked(backups: &Backups, document: &DocumentId, pointer: &Pointer, said: &Said) -> Result<Map<String, Value>> {
    let archive = Local { backups, document, pointer };
    if !said.append.is_empty() {
        let events = said.append.iter().map(|event| one_line(event, document)).collect::<Result<Vec<_>>>()?;
        let folder = backups.make(document)?;
        folder.lock()?;
        archive.append(&events)?;
    }
    let mut members = Map::from_iter([("highest".to_owned(), archive.highest()?.into())]);
    if let Some(from) = said.from {
        let mut room = ANSWER_BYTES_MAX;
        let mut events = archive.events(from, said.to.unwrap_or(u64::MAX))?;
        events.sort_by_key(|event| event.id);
        let fits = |event: &Numbered| {
            let is_first = room == ANSWER_BYTES_MAX;
            let fits = is_first || event.line.len() <= room;
            room = room.saturating_sub(event.line.len().max(1));
            fits
        };
        let told = events.into_iter().take_while(fits);
        let lines: Vec<Value> = told.map(|event| json!(String::from_utf8_lossy(&event.line))).collect();
        members.insert("events".to_owned(), lines.into());
    }
    Ok(members)
}

/// An element of an array as the archive has it.
fn one_line(event: &str, document: &DocumentId) -> Result<Vec<u8>> {
    if reads_as(event.as_bytes(), Dialect::Python).is_ok() && !event.contains('\n') {
        return Ok(event.as_bytes().to_vec());
    }
    let wrong = Cause::Usage("`append` has something else than JSON, each in one line".to_owned());
    Err(Error::new("keeping events of", document.path(), wrong))
}
