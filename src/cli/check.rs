//! `check`: judges files once, read-only.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;

use super::walk::walk;
use super::{Ended, Failure, Session, say, shown};
use crate::config::{Loaded, Rules};
use crate::disk::Disk;
use crate::document::DocumentId;
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, look};
use crate::validate::{self, Content, Reader, dialect_of_name, judge};
use crate::verdict::{Fault, Found, Kind, Place, Verdict};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files; folders, whose *.json, *.jsonl, *.ndjson, *.jsonc and *.json5 are judged; or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// As JSON, one line a bad file
    #[arg(long)]
    json: bool,
    /// Also what readers may stumble over in good files: byte order marks, keys that stand twice, half surrogate pairs,
    /// numbers that a double cannot hold, deep nesting. They do not change the exit status
    #[arg(long)]
    findings: bool,
}

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 10;

/// What there is to tell of a file; the place is known when it is about its bytes.
struct Told {
    label: &'static str,
    /// Only a finding: the file is good.
    is_finding: bool,
    place: Option<Place>,
    what: String,
}

impl Told {
    fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { label: kind.label(), is_finding: false, place: None, what: what.into() }
    }
}

impl From<Fault> for Told {
    fn from(fault: Fault) -> Self {
        Self { place: Some(fault.place), ..Self::new(fault.kind, fault.cause) }
    }
}

impl From<Found> for Told {
    fn from(found: Found) -> Self {
        let (label, place, what) = (found.finding.label(), Some(found.place), found.to_string());
        Self { label, is_finding: true, place, what }
    }
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    let mut check = Check { arguments, loaded: &loaded, files: 0, bad: 0, unreadable: None };
    for path in &arguments.paths {
        check.given(path, session)?;
    }
    if io::stderr().is_terminal() {
        let Check { files, bad, .. } = check;
        say(format_args!("{files} judged, {bad} bad"));
    }
    // What could not be read was not judged: that comes before a no.
    Ok(check.unreadable.unwrap_or(u8::from(check.bad > 0)))
}

struct Check<'a> {
    arguments: &'a Arguments,
    loaded: &'a Loaded,
    files: usize,
    bad: usize,
    /// The exit status of the first file that could not be read.
    unreadable: Option<u8>,
}

impl Check<'_> {
    fn given(&mut self, path: &Path, session: &mut Session<'_>) -> Result<(), Failure> {
        if path == OsStr::new("-") {
            let told = standard_input(&self.loaded.defaults, self.arguments.findings)?;
            return Ok(self.tell(path, &told, session.out)?);
        }
        let disk = session.disk.clone();
        let real = match disk.canonical(&session.surroundings.current_dir.join(path)) {
            Ok(real) => real,
            Err(error) => return Ok(self.failed(path, &error, session.out)?),
        };
        if disk.open_directory(&real).is_err_and(|error| error.io_kind() == Some(io::ErrorKind::NotADirectory)) {
            return Ok(self.file(path, &real, true, session)?);
        }
        walk(&disk, &real, &mut |found| match found {
            Ok(file) => self.file(&as_given(path, &real, file), file, false, session),
            Err(error) => self.failed(&as_given(path, &real, error.path()), &error, session.out),
        })?;
        Ok(())
    }

    fn file(&mut self, named: &Path, real: &Path, literal: bool, session: &mut Session<'_>) -> io::Result<()> {
        let settings = &self.loaded.settings;
        let rules = settings.watch_of(real).map_or(&self.loaded.defaults, |(watch, _)| &watch.rules);
        match judged(&session.disk, real, literal, rules, self.arguments.findings) {
            Ok(told) => self.tell(named, &told, session.out),
            Err(error) => self.failed(named, &error, session.out),
        }
    }

    /// A file that cannot be read; one that is not there is a bad one.
    fn failed(&mut self, path: &Path, error: &Error, out: &mut dyn Write) -> io::Result<()> {
        let told = match error.cause() {
            Cause::Io(cause) if cause.kind() == io::ErrorKind::NotFound => Told::new(Kind::Missing, "no such file"),
            cause => {
                self.unreadable.get_or_insert(error.exit_status());
                Told::new(Kind::Unreadable, cause.to_string())
            }
        };
        self.tell(path, &[told], out)
    }

    fn tell(&mut self, path: &Path, told: &[Told], out: &mut dyn Write) -> io::Result<()> {
        self.files += 1;
        self.bad += usize::from(told.iter().any(|told| !told.is_finding));
        told.iter()
            .try_for_each(|told| if self.arguments.json { as_json(path, told, out) } else { line(path, told, out) })
    }
}

fn as_json(path: &Path, told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let &Told { label, is_finding, place, ref what } = told;
    let (line, column, offset) = (place.map(|at| at.line), place.map(|at| at.column), place.map(|at| at.offset));
    let told = json!({
        "path": path.to_string_lossy(), "line": line, "column": column, "offset": offset, "kind": label, "what": what,
        "finding": is_finding,
    });
    writeln!(out, "{told}")
}

fn line(path: &Path, told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let &Told { label, is_finding, place, ref what } = told;
    let place = place.map_or_else(String::new, |place| format!("{place}:"));
    let label = if is_finding { label.yellow().to_string() } else { label.red().to_string() };
    writeln!(out, "{}:{place} {label}: {what}", shown(path))
}

/// What was found below a folder, spelled as the folder was given.
fn as_given(given: &Path, real: &Path, found: &Path) -> PathBuf {
    found.strip_prefix(real).map_or_else(|_| found.to_owned(), |below| given.join(below))
}

/// Judges a file by its real path; nothing to tell: nothing is wrong with it.
fn judged(disk: &Disk, real: &Path, literal: bool, rules: &Rules, findings: bool) -> Result<Vec<Told>, Error> {
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Ok(vec![Told::new(Kind::NotRegular, "this is a folder")]);
    };
    let directory = disk.open_directory(folder)?;
    let document = DocumentId::new(folder, name);
    for _ in 0..ATTEMPTS {
        let reading = match look(disk, &directory, &document, rules.max_size, OpenWriter::ReadAnyway)? {
            Look::Read(reading) => reading,
            Look::Busy | Look::Changed => {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            Look::Missing => return Ok(vec![Told::new(Kind::Missing, "no such file")]),
            // Links are not followed below a folder.
            Look::Other(_) if !literal => return Ok(Vec::new()),
            Look::Other(found) => {
                return Ok(vec![Told::new(Kind::NotRegular, format!("this is a {}", found.file_type()))]);
            }
            Look::TooLarge(found) => return Ok(vec![too_large(found.bytes, rules)]),
        };
        return Ok(verdict(&reading.bytes, real, literal, rules, findings));
    }
    Ok(vec![Told::new(Kind::Unreadable, "it changes faster than it can be read")])
}

fn standard_input(rules: &Rules, findings: bool) -> Result<Vec<Told>, Error> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(rules.max_size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Error::new("reading", "standard input", error))?;
    if bytes.len() as u64 > rules.max_size {
        return Ok(vec![too_large(bytes.len() as u64, rules)]);
    }
    Ok(verdict(&bytes, Path::new("-"), true, rules, findings))
}

fn too_large(bytes: u64, rules: &Rules) -> Told {
    Told::new(Kind::TooLarge, format!("more bytes than max_size: {bytes} of {}", rules.max_size))
}

fn verdict(bytes: &[u8], path: &Path, literal: bool, rules: &Rules, findings: bool) -> Vec<Told> {
    let named = path.file_name().and_then(dialect_of_name);
    match judge(bytes, &Reader { dialect: rules.dialect, enrolled: None, named, literal }) {
        Verdict::Valid { dialect, .. } if findings => {
            validate::findings(Content { bytes, dialect }).into_iter().map(Told::from).collect()
        }
        Verdict::Valid { .. } => Vec::new(),
        Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => vec![fault.into()],
    }
}
