//! `tail`: prints the events of a shared document, and those that come.

mod cursor;
mod kept;
mod waking;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::publish::configured_pointer;
use super::{Ended, Failure, Session, say, shown};
use crate::bus::{Follower, Fresh};
use crate::config::Rules;
use crate::disk::signature::Signature;
use crate::disk::{Disk, Opened};
use crate::document::{Dialect, DocumentId};
use crate::error::{Cause, Error, Result};
use crate::patch::Pointer;
use crate::validate::{self, Content, Reader};
use crate::verdict::Verdict;
use crate::write::resolved;
use cursor::Cursor;
use kept::Kept;
use waking::{Waking, Woken};

/// Without a word from the kernel the document is looked at this often all the same.
const POLL: Duration = Duration::from_secs(1);

/// A file that changed so lately may have changed again without looking different (kernels before 6.13 date by ticks).
const FRESH: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document
    path: PathBuf,
    /// Begin with the event of this number, also where it has left the document [default: the first that stands in it]
    #[arg(long, value_name = "ID")]
    from: Option<u64>,
    /// Only events of this type; may be said several times
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Keep the number of the last event that was printed in this file, and go on behind it
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// End when all that is there has been printed
    #[arg(long)]
    no_follow: bool,
    /// Where in the document the events stand [default: as configured, /events; "" in JSON Lines]
    #[arg(long, value_name = "POINTER")]
    pointer: Option<Pointer>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    let path = session.surroundings.current_dir.join(&arguments.path);
    let document = resolved(&session.disk, &path)?;
    refuse_without_folder(&session.disk, &document)?;
    let watched = loaded.settings.watch_of(document.path()).or_else(|| loaded.settings.watch_of(&path));
    let rules = watched.map_or(&loaded.defaults, |(watch, _)| &watch.rules).clone();
    let cursor = arguments.cursor.as_ref().map(|path| session.surroundings.current_dir.join(path));
    let cursor = cursor.map(|path| Cursor::open(&session.disk, &path)).transpose()?;
    let printed = cursor.as_ref().and_then(Cursor::position);
    let next = printed.map(|id| id.saturating_add(1)).or(arguments.from);
    let named = validate::dialect_of_name(document.name());
    let is_of_lines = rules.dialect.or(named) == Some(Dialect::Jsonl);
    let pointer = arguments.pointer.clone().unwrap_or_else(|| configured_pointer(&rules, is_of_lines));
    let kept = Kept::of(&document, &pointer, &loaded.settings.state_dir, session)?;
    let mut tail = Tail {
        disk: session.disk.clone(),
        path,
        rules,
        follower: Follower::new(pointer.clone(), next),
        pointer,
        kept,
        kinds: arguments.kinds.clone(),
        cursor,
        seen: None,
        asked: arguments.from.filter(|_| printed.is_none()),
        is_told_to_wait: false,
        has_asked_archive: false,
    };
    if arguments.no_follow { tail.once(session) } else { tail.follow(&document, session) }
}

/// A document may come later, but only into a folder that is there.
fn refuse_without_folder(disk: &Disk, document: &DocumentId) -> Result<()> {
    match disk.open_directory(document.directory()) {
        Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
            let why = format!("its folder {} is not there", shown(document.directory()));
            Err(Error::new("reading", document.path(), Cause::Absent(why)))
        }
        opened => opened.map(drop),
    }
}

/// Somebody who follows a document's events.
struct Tail {
    disk: Disk,
    path: PathBuf,
    rules: Rules,
    pointer: Pointer,
    follower: Follower,
    kept: Kept,
    /// The types that are wanted; none: all.
    kinds: Vec<String>,
    cursor: Option<Cursor>,
    /// What the document looked like when all of it had been printed.
    seen: Option<Signature>,
    /// The number that `--from` names: it may be one that is yet to come.
    asked: Option<u64>,
    /// Was it said that it is?
    is_told_to_wait: bool,
    /// Was the archive looked through for what the document, gone back to an older version, does not know of?
    has_asked_archive: bool,
}

/// What a look at the document found.
enum Seen {
    /// Its text.
    Text(Vec<u8>, Dialect),
    /// Nothing that reads: it is not there, or just being written, or damaged.
    Nothing(&'static str),
    /// What was there at the last look.
    Same,
}

impl Tail {
    /// Prints all that is there. A document that does not read is waited for, but not for ever.
    fn once(&mut self, session: &mut Session<'_>) -> Ended {
        let deadline = Instant::now() + self.rules.lock_timeout;
        loop {
            match self.print_all(session)? {
                None => return Ok(0),
                Some(why) if Instant::now() >= deadline || why == NOT_THERE => {
                    return Err(Error::new("reading", &self.path, Cause::Absent(why.to_owned())).into());
                }
                Some(_) => std::thread::sleep(FRESH),
            }
        }
    }

    fn follow(&mut self, document: &DocumentId, session: &mut Session<'_>) -> Ended {
        let waking = Waking::new(document)?;
        let mut told = None;
        loop {
            let why = self.print_all(session)?;
            // A document that is being written does not read for a moment, which is not worth a word.
            if why.is_some() && why != told && (why == Some(NOT_THERE) || self.is_old(document)) {
                say(format_args!("{}: {}; waiting", shown(&self.path), why.unwrap_or_default()));
                told = why;
            }
            // What changed within a tick may look the same; then it is looked at once more.
            let wait = if self.seen.is_some_and(|seen| seen.age() < FRESH) { FRESH } else { POLL };
            if waking.wait(wait) == Woken::Ends {
                return Ok(0);
            }
        }
    }

    /// Has it been what it is for a while?
    fn is_old(&self, document: &DocumentId) -> bool {
        let found = self.disk.look_at_path(document.path()).ok().flatten();
        found.is_some_and(|found| found.age() >= POLL)
    }

    /// Prints what is new; says why nothing can be.
    fn print_all(&mut self, session: &mut Session<'_>) -> std::result::Result<Option<&'static str>, Failure> {
        loop {
            let (text, dialect) = match self.look()? {
                Seen::Text(text, dialect) => (text, dialect),
                Seen::Nothing(why) => return Ok(Some(why)),
                Seen::Same => return Ok(None),
            };
            let fresh = self.fresh(Content { bytes: &text, dialect })?;
            let is_all = fresh.events.is_empty() && fresh.missing.is_empty();
            self.print(&fresh, session)?;
            if is_all {
                return Ok(None);
            }
            self.seen = None;
        }
    }

    /// What comes next, in the document or in what is kept of it.
    fn fresh(&mut self, content: Content) -> Result<Fresh> {
        let fresh = self.follower.fresh(content, |from, to| self.kept.events(from, to))?;
        if let Some(newest) = fresh.falls_short {
            self.refuse_beyond(newest)?;
        }
        let is_all = fresh.events.is_empty() && fresh.missing.is_empty();
        match self.follower.next() {
            // Events that a document which went back to an older version does not even know to be missing.
            Some(next) if is_all && !std::mem::replace(&mut self.has_asked_archive, true) => {
                let kept =
                    if matches!(self.kept, Kept::Hidden(_)) { Vec::new() } else { self.kept.events(next, u64::MAX)? };
                Ok(self.follower.beyond(kept))
            }
            _ => Ok(fresh),
        }
    }

    /// Nobody waits for numbers that will be given to nothing, while events with lower ones come.
    fn refuse_beyond(&mut self, newest: u64) -> Result<()> {
        let next = self.follower.next().unwrap_or_default();
        if self.asked == Some(next) {
            if !std::mem::replace(&mut self.is_told_to_wait, true) {
                say(format_args!("there is no event {next} yet, the newest is {newest}"));
            }
            return Ok(());
        }
        let Some(known) = self.kept.highest()?.map(|known| known.max(newest)).filter(|known| known + 1 < next) else {
            return Ok(());
        };
        let (about, place) = match &self.cursor {
            Some(cursor) => {
                (cursor.path(), "remove it to begin anew, or write the number of the last event to skip into it")
            }
            None => (self.path.clone(), "begin anew"),
        };
        let why = format!(
            "event {} was the last one that was printed, but the newest of {} at {} is {known}: it is another document, or it \
             was made anew; {place}",
            next - 1,
            shown(&self.path),
            self.pointer,
        );
        Err(Error::new("going on from", about, Cause::Usage(why)))
    }

    fn print(&mut self, fresh: &Fresh, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        for (first, last) in &fresh.missing {
            say(format_args!("the events {first} to {last} are neither in the document nor in its archive"));
        }
        for event in &fresh.events {
            if self.kinds.is_empty() || self.kinds.contains(&event.kind) {
                print_line(&event.line, session)?;
                if let Some(cursor) = &mut self.cursor {
                    cursor.keep(event.id)?;
                }
            }
        }
        if let (Some(cursor), Some(next)) = (&mut self.cursor, self.follower.next()) {
            cursor.keep(next.saturating_sub(1))?;
            cursor.sync()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Seen> {
        let document = resolved(&self.disk, &self.path)?;
        let directory = self.disk.open_directory(document.directory())?;
        let (file, found) = match self.disk.open(&directory, document.name())? {
            Opened::File(file, found) => (file, found),
            Opened::Missing => return Ok(Seen::Nothing(NOT_THERE)),
            Opened::Other(found) => {
                let why = Cause::Refused(format!("it is a {}", found.file_type()));
                return Err(Error::new("reading", document.path(), why));
            }
        };
        if self.seen == Some(found) {
            return Ok(Seen::Same);
        }
        if found.bytes > self.rules.max_size {
            return Ok(Seen::Nothing("it has more bytes than its max_size"));
        }
        let limit = self.rules.max_size.saturating_add(1);
        let text = self.disk.read(&file, document.path(), limit, || true)?.unwrap_or_default();
        let reader = Reader {
            dialect: self.rules.dialect,
            enrolled: None,
            named: validate::dialect_of_name(document.name()),
            literal: true,
        };
        match validate::judge(&text, &reader) {
            Verdict::Valid { dialect, .. } | Verdict::Suspicious(dialect, _) => {
                self.seen = Some(found).filter(|found| found.age() >= FRESH);
                Ok(Seen::Text(text, dialect))
            }
            Verdict::Corrupt(_) | Verdict::Told(_) => Ok(Seen::Nothing("it does not read")),
        }
    }
}

const NOT_THERE: &str = "it is not there";

fn print_line(line: &[u8], session: &mut Session<'_>) -> io::Result<()> {
    // At once: of a reader that is killed nobody hears half a line.
    session.raw.write_all(&[line, b"\n"].concat())?;
    session.raw.flush()
}
