//! `publish`: appends events to the array of a shared document.

use std::io::{self, BufRead, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use clap::Args;

use super::archive::Remote;
use super::pen::{PenArguments, failure, writer};
use super::{Ended, Failure, Session, say, shown};
use crate::bus::{Archive, Bus, BusError, EVENTS, Event, Published};
use crate::config::Rules;
use crate::document::Version;
use crate::error::{Cause, Error};
use crate::patch::Pointer;
use crate::write::{WriteError, Writer};

/// So many lines are written in one step, and so many wait while others are.
const AT_ONCE: usize = 1000;

/// A step ends before the line that makes it longer than this.
const AT_ONCE_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document; it is made if it is not there
    path: PathBuf,
    /// The event, a JSON object with "type", "from" and "data"; "-": one a line from standard input, each acknowledged by
    /// its number as soon as it is durable
    #[arg(required_unless_present = "kind", conflicts_with_all = ["kind", "data"])]
    event: Option<String>,
    /// The event's type, instead of EVENT
    #[arg(long = "type", id = "kind", value_name = "TYPE")]
    kind: Option<String>,
    /// Who sends events that do not say so themselves [default: the user's name]
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// The event's data, beside --type
    #[arg(long, value_name = "JSON", requires = "kind")]
    data: Option<String>,
    /// Where in the document the events stand [default: as configured, /events; "" in JSON Lines]
    #[arg(long, value_name = "POINTER")]
    pointer: Option<Pointer>,
    /// So many events stay in the document; older ones move to events.jsonl beside its versions [default: as configured, all]
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
    /// Number and time of each event, and the version that has it, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pen: PenArguments,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let from = arguments.from.clone().unwrap_or_else(|| user(session));
    let waiting = match arguments.event.as_deref() {
        Some("-") => None,
        text => {
            let text = text.map_or_else(|| composed(arguments), ToOwned::to_owned);
            let event = Event::new(&text, &from).map_err(|why| Failure::Invalid(format!("no event: {why}")))?;
            Some(event)
        }
    };
    let (writer, pointer, keep) = opened(arguments, session)?;
    let archive = archive(&writer, &pointer, keep, session)?;
    let archive = archive.as_ref().map(|remote| -> &dyn Archive { remote });
    let bus = Bus { writer: &writer, pointer, keep, archive };
    let desk = Desk { bus, path: &arguments.path, json: arguments.json };
    match waiting {
        Some(event) => desk.publish(&[event], session).map(|()| 0),
        None => desk.publish_lines(&from, session),
    }
}

/// The event that `--type` and `--data` say.
fn composed(arguments: &Arguments) -> String {
    let kind = serde_json::Value::from(arguments.kind.as_deref().unwrap_or_default());
    let data = arguments.data.as_ref().map_or_else(String::new, |data| format!(",\"data\":{data}"));
    format!("{{\"type\":{kind}{data}}}")
}

fn user(session: &Session<'_>) -> String {
    let set = |name: &&str| session.surroundings.variable(name).and_then(std::ffi::OsStr::to_str);
    let name = ["USER", "LOGNAME"].iter().filter_map(set).find(|name| !name.is_empty());
    let own = rustix::process::geteuid().as_raw();
    let known = || session.disk.user_name(own).unwrap_or_else(|| format!("uid-{own}"));
    name.map_or_else(known, ToOwned::to_owned)
}

/// The document's writer, where its events stand, and how many of them stay.
fn opened(arguments: &Arguments, session: &Session<'_>) -> Result<(Writer, Pointer, Option<usize>), Failure> {
    let writer = writer(&arguments.path, &arguments.pen, session)?;
    let pointer = arguments.pointer.clone().unwrap_or_else(|| configured_pointer(writer.rules(), writer.is_of_lines()));
    let configured = writer.rules().events_keep.and_then(|keep| usize::try_from(keep).ok());
    let keep = arguments.keep.map(NonZeroUsize::get).or(configured);
    Ok((writer, pointer, keep))
}

/// The archive of somebody whose versions are not kept in the state directory that is configured: a daemon's.
fn archive(
    writer: &Writer,
    pointer: &Pointer,
    keep: Option<usize>,
    session: &Session<'_>,
) -> Result<Option<Remote>, Failure> {
    let state_dir = session.load()?.settings.state_dir;
    let kept_in = writer.backups().state_path();
    if session.disk.canonical(&state_dir).ok().as_deref() == Some(kept_in) {
        return Ok(None);
    }
    match Remote::find(writer.document(), pointer, session) {
        None if keep.is_some() => {
            let why = format!(
                "only who may write {} may move older events there, and no daemon that guards it answers; publish without \
                 --keep",
                shown(&state_dir)
            );
            Err(Error::new("publishing to", writer.document().path(), Cause::Refused(why)).into())
        }
        found => Ok(found),
    }
}

/// Where events stand when the command line does not say so: JSON Lines are an array of events themselves.
pub(super) fn configured_pointer(rules: &Rules, is_of_lines: bool) -> Pointer {
    match &rules.events {
        Some(pointer) => pointer.parse().unwrap_or_default(),
        None if is_of_lines => Pointer::default(),
        None => EVENTS.parse().unwrap_or_default(),
    }
}

/// Where events are handed in.
struct Desk<'a> {
    bus: Bus<'a>,
    path: &'a PathBuf,
    json: bool,
}

impl Desk<'_> {
    fn publish(&self, events: &[Event], session: &mut Session<'_>) -> Result<(), Failure> {
        match self.bus.publish(events) {
            Ok((published, written)) => self.acknowledge(&published, written.version, session).map_err(Failure::Output),
            // One of them spoils it for the others: each by itself.
            Err(BusError::Write(WriteError::Invalid(_))) if events.len() > 1 => {
                events.iter().try_for_each(|event| self.publish(std::slice::from_ref(event), session))
            }
            Err(BusError::Write(error)) => Err(failure(self.path, error)),
            Err(BusError::Failed(error)) => Err(error.into()),
        }
    }

    fn acknowledge(&self, published: &[Published], version: Version, session: &mut Session<'_>) -> io::Result<()> {
        for Published { id, time } in published {
            if self.json {
                let line = serde_json::json!({"id": id, "time": time, "version": version.0});
                writeln!(session.out, "{line}")?;
            } else {
                writeln!(session.out, "{id}")?;
            }
        }
        session.out.flush()
    }

    /// Publishes what standard input brings, until it ends: lines that wait together in one step.
    fn publish_lines(&self, from: &str, session: &mut Session<'_>) -> Ended {
        let (sender, lines) = sync_channel(AT_ONCE);
        let limit = self.bus.writer.rules().max_size;
        let spawned = std::thread::Builder::new().name("lines".into()).spawn(move || read_lines(&sender, limit));
        spawned.map_err(|error| Error::new("starting", "a thread", error))?;
        let (mut number, mut status) = (0_u64, 0);
        while let Some(batch) = batch(&lines) {
            let mut events = Vec::new();
            for line in batch {
                number += 1;
                let line = line.map_err(|error| Error::new("reading", "standard input", error))?;
                match Event::new(&line, from) {
                    _ if line.trim_ascii().is_empty() => {}
                    Ok(event) => events.push(event),
                    Err(why) => {
                        say(format_args!("jsonwarden: line {number} is no event: {why}"));
                        status = 1;
                    }
                }
            }
            if !events.is_empty() {
                self.publish(&events, session)?;
            }
        }
        Ok(status)
    }
}

type Line = io::Result<Vec<u8>>;

/// The line that comes next, and those that wait behind it.
fn batch(lines: &Receiver<Line>) -> Option<Vec<Line>> {
    let mut batch = vec![lines.recv().ok()?];
    let length = |line: &Line| line.as_ref().map_or(0, Vec::len);
    let mut bytes = length(&batch[0]);
    while batch.len() < AT_ONCE && bytes < AT_ONCE_BYTES {
        let Ok(line) = lines.try_recv() else { break };
        bytes += length(&line);
        batch.push(line);
    }
    Some(batch)
}

fn read_lines(sender: &SyncSender<Line>, limit_bytes: u64) {
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(limit_bytes).read_until(b'\n', &mut line);
        let line = match read {
            Ok(0) => return,
            Ok(_) if line.len() as u64 >= limit_bytes => Err(io::Error::other("a line longer than max_size")),
            read => read.map(|_| line),
        };
        let is_last = line.is_err();
        if sender.send(line).is_err() || is_last {
            return;
        }
    }
}
