//! `history` and `show`: what is stored of a file.

use std::io;
use std::path::PathBuf;

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;

use super::changed::{Changed, changes};
use super::moment::{VersionWanted, newest_at, parse_moment};
use super::store::versions;
use super::{Ended, Failure, Session, table};
use crate::clock::Timestamp;
use crate::config::quantity::size_text;
use crate::document::Stored;
use crate::error::{Cause, Error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guarded file; it need not be there any more
    path: PathBuf,
    /// As one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The guarded file; it need not be there any more
    path: PathBuf,
    /// Its number, "latest", or "latest~2" for the second before [default: latest]
    version: Option<VersionWanted>,
    /// The version that was the newest at this time: RFC 3339, or a span ago such as "10m"
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "version")]
    at: Option<Timestamp>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let (folder, versions) = versions(&arguments.path, session)?;
    let changed = changes(&folder, &versions);
    let listed = versions.iter().zip(&changed);
    if arguments.json {
        let listed: Vec<_> = listed.map(|(stored, changed)| as_json(stored, changed)).collect();
        writeln!(session.out, "{:#}", serde_json::Value::from(listed))?;
        return Ok(0);
    }
    let rows = listed.map(|(stored, changed)| row(stored, changed));
    let paint = |index: usize, line: String| match versions.get(index) {
        Some(stored) if !stored.mark.is_last_good() => line.yellow().to_string(),
        _ => line,
    };
    table::print(session.out, &["VERSION", "TIME", "SIZE", "DIGEST", "MARK", "CHANGED"], rows, paint)?;
    Ok(0)
}

fn row(stored: &Stored, changed: &Changed) -> Vec<String> {
    vec![
        stored.version.to_string(),
        format!("{:.0}", stored.taken),
        size_text(stored.bytes),
        stored.digest.to_string(),
        stored.mark.label().to_owned(),
        changed.in_short(),
    ]
}

fn as_json(stored: &Stored, changed: &Changed) -> serde_json::Value {
    json!({
        "version": stored.version.0,
        "time": stored.taken.to_string(),
        "bytes": stored.bytes,
        "digest": stored.digest.to_string(),
        "mark": stored.mark.label(),
        "dialect": stored.dialect.label(),
        "changed": changed.as_json(),
    })
}

pub(super) fn show(arguments: &ShowArguments, session: &mut Session<'_>) -> Ended {
    let (folder, versions) = versions(&arguments.path, session)?;
    let latest = VersionWanted::Latest { back: 0 };
    let found = match arguments.at {
        Some(moment) => newest_at(&versions, moment),
        None => arguments.version.unwrap_or(latest).among(&versions),
    };
    let Some(stored) = found else {
        let why = "no such version is stored; `jsonwarden history` lists those that are".to_owned();
        return Err(Failure::Failed(Error::new("looking for", &arguments.path, Cause::Absent(why))));
    };
    let bytes = folder.bytes(stored.version)?;
    write_raw(session, &bytes)?;
    Ok(0)
}

/// Byte for byte: nothing may take colours out of a document.
fn write_raw(session: &mut Session<'_>, bytes: &[u8]) -> io::Result<()> {
    session.raw.write_all(bytes)?;
    session.raw.flush()
}
