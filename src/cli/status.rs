//! `status`: every guarded file, as the daemon sees it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use owo_colors::OwoColorize;
use serde::Deserialize;

use super::ask::{get, reachable};
use super::daemon::{Daemon, is_known_by_state_dir_alone};
use super::{Ended, Failure, Session, say, table};
use crate::clock::{self, Timestamp};
use crate::error::{Cause, Error, Escaped};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As one JSON document
    #[arg(long)]
    json: bool,
    /// Files that nobody guards any more, but of which versions are kept
    #[arg(long)]
    orphans: bool,
}

/// Where the daemon lists its files.
const FILES: &str = "/api/v1/files";

/// One file, as far as the table needs it.
#[derive(Debug, Deserialize)]
struct File {
    path: String,
    state: String,
    reason: Option<String>,
    #[serde(default)]
    guarding: String,
    kind: Option<String>,
    #[serde(default)]
    findings: Vec<String>,
    last_good: Option<LastGood>,
    unrepairable: Option<String>,
    best_effort: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LastGood {
    version: u64,
    /// RFC 3339.
    time: String,
    #[serde(default)]
    dialect: Option<String>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let settings = session.load()?.settings;
    if arguments.orphans {
        return super::orphans::run(&settings, arguments.json, session);
    }
    let answer = ask(settings.listen, session)?;
    let files: Vec<File> = serde_json::from_slice(&answer).map_err(|error| {
        let why = format!("what answers there is no jsonwarden: {error}");
        Failure::Failed(Error::new("asking for", FILES, Cause::NoDaemon(why)))
    })?;
    if arguments.json {
        session.out.write_all(&answer)?;
        return Ok(0);
    }
    let now = clock::now();
    let rows = files.iter().map(|file| row(file, now));
    let heading = ["FILE", "STATE", "WHY", "DIALECT", "LAST GOOD", "AGE", "REPAIRABLE"];
    table::print(session.out, &heading, rows, |index, line| match files.get(index) {
        Some(file) => painted(line, &file.state),
        None => line,
    })?;
    Ok(0)
}

/// Over the socket, or over HTTP where that is all that answers: who listens at an address does not say which state
/// directory it has.
fn ask(listen: Option<SocketAddr>, session: &Session<'_>) -> Result<Vec<u8>, Error> {
    if is_known_by_state_dir_alone(session) {
        return Daemon::find("asking", session)?.get(FILES, session);
    }
    if let Some(daemon) = Daemon::all(session).into_iter().next() {
        let answer = daemon.get(FILES, session)?;
        daemon.introduce();
        return Ok(answer);
    }
    let answer = get(listen, FILES)?;
    if let Some(address) = listen {
        say(format_args!("from the daemon at {}", reachable(address)));
    }
    Ok(answer)
}

fn row(file: &File, now: Timestamp) -> Vec<String> {
    let steered = Some(file.guarding.as_str()).filter(|word| !matches!(*word, "" | "guard"));
    let steered = steered.filter(|word| file.reason.as_deref() != Some(*word));
    let words = [file.reason.as_deref(), file.kind.as_deref(), steered];
    let findings = file.findings.iter().map(String::as_str);
    let why: Vec<&str> = words.into_iter().flatten().chain(findings).collect();
    let last_good = file.last_good.as_ref();
    let nothing = || "-".to_owned();
    // Whoever listens at that address said this.
    [
        file.path.clone(),
        file.state.clone(),
        if why.is_empty() { nothing() } else { why.join(", ") },
        last_good.and_then(|good| good.dialect.clone()).unwrap_or_else(nothing),
        last_good.map_or_else(nothing, |good| good.version.to_string()),
        last_good.and_then(|good| age(good, now)).unwrap_or_else(nothing),
        repairable(file),
    ]
    .iter()
    .map(|cell| Escaped(cell.as_ref()).to_string())
    .collect()
}

fn repairable(file: &File) -> String {
    let is_no_file = file.reason.as_deref() == Some("not_regular");
    match (&file.unrepairable, &file.last_good, &file.best_effort) {
        (Some(why), ..) => format!("no: {why}"),
        _ if is_no_file => "-".to_owned(),
        (None, None, _) => "no: no good version yet".to_owned(),
        (None, Some(_), Some(how)) => format!("best effort: {how}"),
        (None, Some(_), None) => "yes".to_owned(),
    }
}

/// A clock that was set back since makes it no age at all.
fn age(good: &LastGood, now: Timestamp) -> Option<String> {
    let taken: Timestamp = good.time.parse().ok()?;
    Some(table::age(Duration::try_from(now.duration_since(taken)).unwrap_or_default()))
}

fn painted(line: String, state: &str) -> String {
    match state {
        "healthy" => line,
        "settling" | "repairing" | "unproven" => line.yellow().to_string(),
        _ => line.red().to_string(),
    }
}
