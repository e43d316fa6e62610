//! `patch`: changes to a document, in one locked step, in the order in which they are named.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use serde::Serialize;

use super::pen::{PenArguments, failure, tell_accepted, writer};
use super::{Ended, Failure, Session};
use crate::document::Version;
use crate::error::{Cause, Error};
use crate::patch::{Operation, Refusal, apply};
use crate::validate::Content;
use crate::write::{Damaged, Present, WriteError, Writer, Written};

/// More than this no patch on standard input has.
const PATCH_LIMIT_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file
    path: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// Change nothing unless this is the newest stored version; exit status 1
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// What was written, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pen: PenArguments,
}

/// What is to be done, in the order of the command line.
#[derive(Debug, Default)]
struct Changes(Vec<Change>);

#[derive(Debug)]
enum Change {
    Ready(Operation),
    /// It is read from standard input.
    Piped(fn(&str) -> Result<Operation, String>),
}

/// An option: its name, what its value is called, its help, and how its value is read.
type Form = (&'static str, &'static str, &'static str, fn(&str) -> Result<Operation, String>);

const FORMS: [Form; 4] = [
    (
        "set",
        "POINTER=JSON",
        "The value at this JSON Pointer becomes that; its last part may be new, \"-\" is the end of an array",
        Operation::set,
    ),
    ("merge", "JSON", "Merge this into the document (RFC 7386); \"-\" is standard input", Operation::merge),
    ("patch", "JSON", "Apply these operations (RFC 6902); \"-\" is standard input", Operation::sequence),
    ("test", "POINTER=JSON", "Change nothing unless the value there is this one; exit status 1", Operation::test),
];

impl Args for Changes {
    fn augment_args(command: clap::Command) -> clap::Command {
        FORMS.iter().fold(command, |command, (name, value, help, _)| {
            let arg = Arg::new(*name).long(*name).value_name(*value).help(*help);
            command.arg(arg.action(ArgAction::Append).allow_hyphen_values(true))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Changes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (name, _, _, read) in FORMS {
            let values = matches.get_many::<String>(name).unwrap_or_default();
            for (index, text) in matches.indices_of(name).unwrap_or_default().zip(values) {
                let change = match (text.as_str(), name) {
                    ("-", "merge" | "patch") => Change::Piped(read),
                    (text, _) => Change::Ready(read(text).map_err(|why| wrong(name, &why))?),
                };
                found.push((index, change));
            }
        }
        found.sort_by_key(|(index, _)| *index);
        if found.iter().filter(|(_, change)| matches!(change, Change::Piped(_))).count() > 1 {
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, "standard input can be read only once\n"));
        }
        Ok(Self(found.into_iter().map(|(_, change)| change).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn wrong(option: &str, why: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("--{option}: {why}\n"))
}

/// Why nothing was changed.
enum Unpatched {
    Write(WriteError),
    Failed(Error),
}

impl From<WriteError> for Unpatched {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    path: &'a str,
    version: u64,
    digest: String,
    changed: bool,
}

pub(super) fn run(arguments: Arguments, session: &mut Session<'_>) -> Ended {
    let Arguments { path, changes, if_version, json, pen } = arguments;
    let operations = changes.0.into_iter().map(ready).collect::<Result<Vec<_>, Error>>()?;
    if operations.is_empty() {
        let why = "nothing to do; name changes: --set, --merge, --patch or --test".to_owned();
        return Err(Error::new("patching", path, Cause::Usage(why)).into());
    }
    let writer = writer(&path, &pen, session)?;
    if !writer.is_there()? {
        // Not even a lock is made for it.
        return Err(absent(&writer).into());
    }
    let edit = |present: Option<Present>| patched(&writer, present, if_version.map(Version), &operations);
    let written = writer.update(Damaged::Repair, edit).map_err(|unpatched| match unpatched {
        Unpatched::Write(error) => failure(&path, error),
        Unpatched::Failed(error) => Failure::Failed(error),
    })?;
    tell_accepted(&writer, &written, session);
    report(&writer, written, json, session)?;
    Ok(0)
}

fn ready(change: Change) -> Result<Operation, Error> {
    let read = match change {
        Change::Ready(operation) => return Ok(operation),
        Change::Piped(read) => read,
    };
    let mut text = String::new();
    let input = io::stdin().lock().take(PATCH_LIMIT_BYTES).read_to_string(&mut text);
    input.map_err(|error| Error::new("reading", "standard input", error))?;
    read(&text).map_err(|why| Error::new("reading", "standard input", Cause::Usage(why)))
}

fn patched(
    writer: &Writer,
    present: Option<Present>,
    if_version: Option<Version>,
    operations: &[Operation],
) -> Result<Vec<u8>, Unpatched> {
    let path = writer.document().path();
    let present = present.ok_or_else(|| Unpatched::Failed(absent(writer)))?;
    if let Some(wanted) = if_version.filter(|wanted| *wanted != present.version) {
        let why = format!("its newest version is {}, not {wanted}", present.version);
        return Err(Unpatched::Failed(Error::new("patching", path, Cause::Absent(why))));
    }
    let content = Content { bytes: present.bytes, dialect: present.dialect };
    apply(content, operations).map_err(|refusal: Refusal| Unpatched::Failed(refusal.into_error("patching", path)))
}

fn absent(writer: &Writer) -> Error {
    let why = "it is not there; make it with `jsonwarden write`".to_owned();
    Error::new("patching", writer.document().path(), Cause::Absent(why))
}

fn report(writer: &Writer, written: Written, json: bool, session: &mut Session<'_>) -> io::Result<()> {
    let Written { version, digest, is_changed, .. } = written;
    let document = writer.document();
    if json {
        let path = document.path().to_string_lossy();
        let report = Report { path: &path, version: version.0, digest: digest.to_string(), changed: is_changed };
        serde_json::to_writer(&mut *session.out, &report)?;
        return writeln!(session.out);
    }
    if is_changed {
        writeln!(session.out, "{document}: version {version}")
    } else {
        writeln!(session.out, "{document}: version {version} says so already")
    }
}
