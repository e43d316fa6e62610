//! `status --orphans`: what is kept of files that nobody guards any more.

use std::path::Path;

use serde_json::{Value, json};

use super::store::state_directory;
use super::{Ended, Session, say, shown, table};
use crate::backup::Backups;
use crate::config::Settings;
use crate::config::quantity::size_text;
use crate::disk::Disk;
use crate::document::DocumentId;
use crate::error::Result;

/// What is kept of a file.
struct Orphan {
    document: DocumentId,
    why: &'static str,
    versions: usize,
    bytes: u64,
    newest: String,
}

pub(super) fn run(settings: &Settings, as_json: bool, session: &mut Session<'_>) -> Ended {
    let backups = Backups::new(session.disk.clone(), state_directory(&session.disk, &settings.state_dir)?);
    let mut orphans = Vec::new();
    let mut failed = None;
    backups.each(|_, folder| {
        let document = folder.document().clone();
        if let Some(why) = why(&session.disk, settings, &document) {
            let weighed = folder.weighed();
            match weighed {
                Ok(weighed) if weighed.is_empty() => {}
                Ok(weighed) => orphans.push(Orphan {
                    document,
                    why,
                    versions: weighed.len(),
                    bytes: weighed.iter().map(|one| one.disk_bytes).sum(),
                    newest: format!("{:.0}", weighed[0].stored.taken),
                }),
                Err(error) => failed = Some(error),
            }
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(()), Err)?;
    say(format_args!("from the state directory {}", shown(&settings.state_dir)));
    tell(&orphans, as_json, session)?;
    Ok(0)
}

/// Why nobody guards it; `None`: somebody does.
fn why(disk: &Disk, settings: &Settings, document: &DocumentId) -> Option<&'static str> {
    if settings.watch_of(document.path()).is_none() {
        return Some("no watch has it");
    }
    // Whatever cannot be looked at is not known to be gone.
    match is_there(disk, document) {
        Ok(false) => Some("it is gone"),
        Ok(true) | Err(_) => None,
    }
}

fn is_there(disk: &Disk, document: &DocumentId) -> Result<bool> {
    let directory = match disk.open_directory(Path::new(document.directory())) {
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => return Ok(false),
        directory => directory?,
    };
    Ok(disk.look(&directory, document.name())?.is_some())
}

fn tell(orphans: &[Orphan], as_json: bool, session: &mut Session<'_>) -> std::io::Result<()> {
    if as_json {
        let all = orphans.iter().map(|one| {
            json!({
                "path": one.document.path().to_string_lossy(), "why": one.why, "versions": one.versions,
                "bytes": one.bytes, "newest": one.newest,
            })
        });
        return writeln!(session.out, "{:#}", all.collect::<Value>());
    }
    let row = |one: &Orphan| {
        let (versions, bytes) = (one.versions.to_string(), size_text(one.bytes));
        vec![one.document.to_string(), one.why.to_owned(), versions, bytes, one.newest.clone()]
    };
    table::print(session.out, &["FILE", "WHY", "VERSIONS", "SIZE", "NEWEST"], orphans.iter().map(row), |_, line| line)
}
