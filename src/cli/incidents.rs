//! `incidents`: what went wrong, when, how long it took, and what became of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use owo_colors::OwoColorize;
use serde_json::{Value as Json, json};

use super::moment::parse_moment;
use super::store::state_directory;
use super::{Ended, Failure, Session, say, shown, table};
use crate::clock::{self, Timestamp};
use crate::disk::directory::Directory;
use crate::error::{Cause, Error};
use crate::event::{Comparison, IncidentId};
use crate::record::incidents::{Acknowledged, FILE_NAME, Story, acknowledge, acknowledged, stories};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those that began since: a span ago such as "24h", or RFC 3339
    #[arg(long, value_name = "SPAN", value_parser = parse_moment)]
    since: Option<Timestamp>,
    /// As one JSON document
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One incident, fact by fact
    Show {
        /// Its number
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Writes down that you have seen to incidents
    Ack {
        /// Their numbers
        #[arg(value_name = "ID", required = true)]
        ids: Vec<u64>,
    },
}

/// What the state directory tells of incidents.
pub(super) struct Log {
    state: Directory,
    /// In their order.
    pub stories: Vec<Story>,
    pub acknowledged: BTreeMap<IncidentId, Acknowledged>,
}

impl Log {
    pub(super) fn read(session: &Session<'_>) -> Result<Self, Failure> {
        let state_dir = session.load()?.settings.state_dir;
        let state = state_directory(&session.disk, &state_dir)?;
        let (stories, rotten_lines) = stories(&session.disk, &state)?;
        say(format_args!("from {}", shown(&state.path().join(FILE_NAME))));
        if rotten_lines > 0 {
            say(format_args!("{rotten_lines} of its lines are damaged and left out"));
        }
        let acknowledged = acknowledged(&session.disk, &state)?;
        Ok(Self { state, stories, acknowledged })
    }

    /// Only those that began since then.
    pub(super) fn since(mut self, since: Option<Timestamp>) -> Self {
        self.stories.retain(|story| since.is_none_or(|since| story.began >= since));
        self
    }

    fn story(&self, id: u64) -> Result<&Story, Error> {
        let why = "there is no such incident; `jsonwarden incidents` lists them".to_owned();
        let none = || Error::new("looking for incident", id.to_string(), Cause::Absent(why));
        self.stories.iter().find(|story| story.id.0 == id).ok_or_else(none)
    }
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let log = Log::read(session)?;
    match &arguments.action {
        None => list(&log.since(arguments.since), arguments.json, session),
        Some(Action::Show { id }) => show(&log, *id, arguments.json, session),
        Some(Action::Ack { ids }) => ack(&log, ids, arguments.json, session),
    }
}

fn list(log: &Log, as_json: bool, session: &mut Session<'_>) -> Ended {
    if as_json {
        let all: Vec<Json> = log.stories.iter().rev().map(|story| log.json(story)).collect();
        writeln!(session.out, "{:#}", Json::from(all))?;
        return Ok(0);
    }
    if log.stories.is_empty() {
        say("no incident");
        return Ok(0);
    }
    let heading = ["ID", "BEGAN", "FILE", "KIND", "OUTCOME", "TOOK", "VERSION", "LOST", "SEEN"];
    let newest_first: Vec<&Story> = log.stories.iter().rev().collect();
    let rows = newest_first.iter().map(|story| log.row(story));
    table::print(session.out, &heading, rows, |index, line| match newest_first.get(index) {
        Some(story) if story.ended.is_none() => line.red().to_string(),
        _ => line,
    })?;
    Ok(0)
}

impl Log {
    fn row(&self, story: &Story) -> Vec<String> {
        let nothing = || "-".to_owned();
        let took = story.seconds().map_or_else(nothing, seconds_text);
        let held = story.held.as_ref().filter(|_| story.ended.is_none());
        vec![
            story.id.0.to_string(),
            format!("{:.0}", story.began),
            shown(Path::new(&story.path)),
            story.kind.clone(),
            held.map_or_else(|| story.outcome().to_owned(), |reason| format!("held({reason})")),
            took,
            story.version.map_or_else(nothing, |version| version.to_string()),
            story.lost.as_ref().map_or_else(nothing, in_short),
            self.acknowledged.get(&story.id).map_or_else(nothing, |by| format!("{:.0}", by.at)),
        ]
    }

    fn json(&self, story: &Story) -> Json {
        let by = self.acknowledged.get(&story.id);
        json!({
            "incident": story.id.0, "path": story.path, "watch": story.watch, "kind": story.kind,
            "began": story.began.to_string(), "ended": story.ended.map(|(at, _)| at.to_string()),
            "outcome": story.outcome(), "held": story.held, "seconds": story.seconds(),
            "detection_seconds": story.detection_seconds, "repair_seconds": story.repair_seconds,
            "version": story.version, "quarantine": story.quarantine, "failures": story.failures, "lost": story.lost,
            "acknowledged": by.map(|by| json!({"time": by.at.to_string(), "user": by.user})),
        })
    }
}

/// `+3 ~1 /a/b`; what a piece lacks was torn off.
fn in_short(lost: &Comparison) -> String {
    let Comparison { added, removed, changed, is_partial, .. } = lost;
    if lost.piece.is_none() {
        return "nothing survives".to_owned();
    }
    let removed = if *is_partial { String::new() } else { format!(" -{removed}") };
    let first = lost.paths.first().map_or(String::new(), |path| format!(" {}", shown(Path::new(path))));
    format!("+{added}{removed} ~{changed}{first}")
}

/// `850ms`, `1.2s`, `3m`.
pub(super) fn seconds_text(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.0}ms", seconds * 1_000.0),
        1.0..60.0 => format!("{seconds:.1}s"),
        _ => table::age(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    }
}

fn show(log: &Log, id: u64, as_json: bool, session: &mut Session<'_>) -> Ended {
    let story = log.story(id)?;
    if as_json {
        let mut told = log.json(story);
        told["facts"] = story.facts.iter().cloned().map(Json::Object).collect();
        writeln!(session.out, "{told:#}")?;
        return Ok(0);
    }
    writeln!(session.out, "incident {id}: {}", shown(Path::new(&story.path)))?;
    for fact in &story.facts {
        let text = |name: &str| fact.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        writeln!(session.out, "{}  {}", shown(Path::new(&text("time"))), shown(Path::new(&text("event"))).bold())?;
        for (name, value) in fact.iter().filter(|(name, _)| !COMMON.contains(&name.as_str())) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(session.out, "    {}: {}", shown(Path::new(name)), shown(Path::new(&value)))?;
        }
    }
    if let Some(by) = log.acknowledged.get(&story.id) {
        writeln!(session.out, "{}  {} by user {}", by.at, "acknowledged".bold(), by.user)?;
    }
    Ok(0)
}

/// What every line has, and the heading says.
const COMMON: [&str; 7] = ["v", "seq", "time", "event", "path", "incident", "path_bytes"];

fn ack(log: &Log, ids: &[u64], as_json: bool, session: &mut Session<'_>) -> Ended {
    // All or none: a number that is wrong is told before anything is written.
    ids.iter().try_for_each(|id| log.story(*id).map(drop))?;
    let by = Acknowledged { at: clock::now(), user: u64::from(rustix::process::getuid().as_raw()) };
    let mut told = Vec::new();
    for id in ids {
        let before = acknowledge(&session.disk, &log.state, IncidentId(*id), &by)?;
        let seen = before.as_ref().unwrap_or(&by);
        if as_json {
            told.push(json!({"incident": id, "time": seen.at.to_string(), "user": seen.user, "new": before.is_none()}));
        } else if before.is_none() {
            writeln!(session.out, "incident {id} acknowledged")?;
        } else {
            writeln!(session.out, "incident {id} was acknowledged at {:.0} by user {}", seen.at, seen.user)?;
        }
    }
    if as_json {
        writeln!(session.out, "{:#}", Json::from(told))?;
    }
    Ok(0)
}
