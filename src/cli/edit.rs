//! `edit`: a person's editor on a private copy; what comes out is judged, compared, and written safely, or not at all.

mod confirm;
mod copy;
mod interrupts;

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::pen::{PenArguments, failure, tell_accepted, writer};
use super::{Ended, Failure, Session, differing, say};
use crate::config::quantity::{parse_span, span_text};
use crate::difference::{VALUES_MAX, compare};
use crate::document::{Dialect, Version};
use crate::error::{Cause, Error};
use crate::validate::Content;
use crate::write::{Damaged, Present, WriteError, Writer, Written};
use confirm::{Answer, Confirmation};
use copy::Copy;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file
    path: PathBuf,
    /// Put the version before back unless Enter is pressed within this time, such as "5m"; also when the terminal goes away
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    confirm: Option<Duration>,
    #[command(flatten)]
    pen: PenArguments,
}

/// What was there when the editor was opened.
struct Base {
    bytes: Vec<u8>,
    dialect: Dialect,
    version: Version,
}

/// Why nothing was written.
enum Unwritten {
    Write(WriteError),
    /// It was only to be seen.
    Seen,
    /// Somebody else wrote meanwhile: this is their version.
    Overtaken(Version),
    Failed(Error),
}

impl From<WriteError> for Unwritten {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let writer = writer(&arguments.path, &arguments.pen, session)?;
    let edit = Edit { arguments, base: base(&writer).map_err(|why| told(arguments, why))?, writer };
    let copy = Copy::make(&session.disk, &session.surroundings, edit.writer.document().name(), &edit.base.bytes)?;
    let (bytes, written) = match edit.taken_over(&copy, session) {
        Ok(Some(taken_over)) => taken_over,
        Ok(None) => {
            copy.remove();
            writeln!(session.out, "{}: nothing changed", edit.writer.document())?;
            return Ok(0);
        }
        Err(failure) => {
            copy.keep_if_edited(&edit.base.bytes);
            return Err(failure);
        }
    };
    copy.remove();
    tell_accepted(&edit.writer, &written, session);
    writeln!(session.out, "{}: version {}", edit.writer.document(), written.version)?;
    session.out.flush()?;
    match arguments.confirm {
        None => Ok(0),
        Some(within) => edit.confirmed(within, &bytes, session),
    }
}

/// The present bytes, which are a version from now on.
fn base(writer: &Writer) -> std::result::Result<Base, Unwritten> {
    let mut base = None;
    let absent = |why: &str| Error::new("editing", writer.document().path(), Cause::Absent(why.to_owned()));
    let gone = "it is not there; make it with `jsonwarden write`";
    if !writer.is_there().map_err(Unwritten::Failed)? {
        // Not even a lock is made for it.
        return Err(Unwritten::Failed(absent(gone)));
    }
    let seen = writer.update(Damaged::Repair, |present: Option<Present>| {
        let Some(Present { bytes, dialect, version }) = present else {
            return Err(Unwritten::Failed(absent(gone)));
        };
        base = Some(Base { bytes: bytes.to_vec(), dialect, version });
        Err::<Vec<u8>, _>(Unwritten::Seen)
    });
    match (base, seen) {
        (Some(base), Err(Unwritten::Seen)) => Ok(base),
        (_, Err(why)) => Err(why),
        (_, Ok(_)) => Err(Unwritten::Failed(absent("nothing was read"))),
    }
}

fn told(arguments: &Arguments, why: Unwritten) -> Failure {
    match why {
        Unwritten::Write(error) => failure(&arguments.path, error),
        Unwritten::Failed(error) => error.into(),
        Unwritten::Seen => {
            Error::new("editing", &arguments.path, Cause::Absent("nothing was written".to_owned())).into()
        }
        Unwritten::Overtaken(version) => {
            let why = format!("somebody wrote version {version} meanwhile; edit again, from there");
            Error::new("editing", &arguments.path, Cause::Absent(why)).into()
        }
    }
}

struct Edit<'a> {
    arguments: &'a Arguments,
    writer: Writer,
    base: Base,
}

impl Edit<'_> {
    /// Has the copy edited, and writes what comes of it: the bytes that stand there now. `None`: they are as they were.
    fn taken_over(
        &self,
        copy: &Copy,
        session: &mut Session<'_>,
    ) -> std::result::Result<Option<(Vec<u8>, Written)>, Failure> {
        let bytes = self.edited(copy, session)?;
        if bytes == self.base.bytes {
            return Ok(None);
        }
        self.show(&bytes, session)?;
        let written = self.write(&bytes, &self.base.bytes).map_err(|why| told(self.arguments, why))?;
        Ok(Some((bytes, written)))
    }

    /// What comes out of the editor, once it is valid.
    fn edited(&self, copy: &Copy, session: &Session<'_>) -> std::result::Result<Vec<u8>, Failure> {
        loop {
            copy.edit(&session.surroundings)?;
            let bytes = copy.read()?;
            let why = match self.writer.refuse_invalid(&bytes) {
                Ok(_) => return Ok(bytes),
                Err(error) => failure(&self.arguments.path, error),
            };
            if !is_wanted_again(&why) {
                return Err(why);
            }
        }
    }

    /// Shows what will be another value than before.
    fn show(&self, bytes: &[u8], session: &mut Session<'_>) -> io::Result<()> {
        let old = Content { bytes: &self.base.bytes, dialect: self.base.dialect };
        let mut shown = Ok(());
        let out = &mut *session.out;
        let counts = compare(old, Content { bytes, ..old }, VALUES_MAX, &mut |change| {
            if shown.is_ok() {
                shown = differing::line(&change, out);
            }
        });
        shown?;
        match counts {
            Ok(counts) if counts.is_none() => writeln!(session.out, "no value is another one, only their text"),
            Ok(_) => Ok(()),
            Err(too_many) => writeln!(session.out, "not compared: {too_many}"),
        }
    }

    /// Writes these bytes if those still stand there.
    fn write(&self, bytes: &[u8], expected: &[u8]) -> std::result::Result<Written, Unwritten> {
        self.writer.update(Damaged::Repair, |present: Option<Present>| match present {
            Some(present) if present.bytes == expected => Ok(bytes.to_vec()),
            Some(present) => Err(Unwritten::Overtaken(present.version)),
            None => Err(Unwritten::Overtaken(self.base.version)),
        })
    }

    /// Waits until somebody says that it is right, and puts the version before back if nobody does.
    fn confirmed(self, within: Duration, written: &[u8], session: &mut Session<'_>) -> Ended {
        let confirmation = Confirmation::new()?;
        let before = self.base.version;
        say(format_args!("press Enter within {} to keep it; else version {before} comes back", span_text(within)));
        let why = match confirmation.wait(within) {
            Answer::Yes => return Ok(0),
            Answer::No => "not confirmed",
            Answer::Nobody => "interrupted, or the terminal is gone",
            Answer::Late => "nobody confirmed it in time",
        };
        // What stood there before is no loss, however much less it is.
        let edit = Self { writer: self.writer.accepting(true), ..self };
        let back = edit.write(&edit.base.bytes, written).map_err(|error| told(edit.arguments, error))?;
        say(format_args!("{why}: version {before} is back, as version {}", back.version));
        session.out.flush()?;
        Ok(1)
    }
}

/// Does the person at the terminal want to mend it?
fn is_wanted_again(why: &Failure) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    say(why.message().unwrap_or_default());
    say("edit again? [Y/n]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok_and(|length| length > 0) && !answer.trim().to_lowercase().starts_with('n')
}
