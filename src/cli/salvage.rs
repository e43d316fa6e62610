//! `salvage`: what survives of a damaged file, to standard output; nothing else is written.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;

use super::differing::counts_text;
use super::store::{document, state_directory};
use super::{Ended, Session, say, shown};
use crate::backup::{Backups, Folder, Shelf};
use crate::config::quantity::size_text;
use crate::config::{Loaded, Settings};
use crate::difference::{How, VALUES_MAX, compare};
use crate::disk::Opened;
use crate::document::{DocumentId, Stored};
use crate::error::{Cause, Error, Escaped, Result};
use crate::salvage::{Piece, Salvaged, salvage};
use crate::validate::{Content, Reader, dialect_of_name};

/// So many paths are named.
const PATHS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A damaged file, guarded or not; what is kept of one in quarantine (*.bad); or - for standard input
    file: PathBuf,
}

/// What is known of the document that the bytes were of.
struct Guarded {
    folder: Folder,
    /// Newest first.
    versions: Vec<Stored>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    let (document, bytes) = if arguments.file == OsStr::new("-") {
        (None, standard_input()?)
    } else {
        let document = document(&arguments.file, session)?;
        let bytes = bytes_of(&document, session)?;
        (Some(in_quarantine(&document, &loaded.settings, session).unwrap_or(document)), bytes)
    };
    let guarded = document.as_ref().and_then(|document| guarded(document, &loaded, session));
    let reader = reader(document.as_ref(), guarded.as_ref(), &loaded);
    let file = shown(&arguments.file);
    let Some(salvaged) = salvage(&bytes, &reader) else {
        say(format_args!("{file}: nothing survives in its {}", size_text(bytes.len() as u64)));
        return Ok(1);
    };
    session.raw.write_all(&salvaged.bytes)?;
    session.raw.flush()?;
    say(format_args!("{file}: {}", words(&salvaged, &bytes)));
    if let Some(gain) = guarded.and_then(|guarded| gain(&guarded, &salvaged)) {
        say(format_args!("{file}: {gain}"));
    }
    Ok(0)
}

fn standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Error::new("reading", "standard input", error))?;
    Ok(bytes)
}

fn bytes_of(document: &DocumentId, session: &Session<'_>) -> Result<Vec<u8>> {
    let disk = &session.disk;
    let path = document.path();
    match disk.open(&disk.open_directory(document.directory())?, document.name())? {
        Opened::File(file, found) => {
            Ok(disk.read(&file, path, found.bytes.saturating_add(1), || true)?.unwrap_or_default())
        }
        Opened::Missing => Err(Error::new("reading", path, io::Error::from(io::ErrorKind::NotFound))),
        Opened::Other(found) => {
            let why = format!("this is a {}; name a file", found.file_type());
            Err(Error::new("reading", path, Cause::Usage(why)))
        }
    }
}

/// The document of which a file in quarantine is a damaged version.
fn in_quarantine(file: &DocumentId, settings: &Settings, session: &Session<'_>) -> Option<DocumentId> {
    let state_dir = session.disk.canonical(&settings.state_dir).ok()?;
    let names: Vec<_> = file.directory().strip_prefix(state_dir).ok()?.iter().map(OsStr::to_owned).collect();
    let is_kept = names.first().is_some_and(|kind| kind == "quarantine");
    Shelf { names }.document().filter(|_| is_kept)
}

/// Its versions; a state directory that is not there, or cannot be read, has none.
fn guarded(document: &DocumentId, loaded: &Loaded, session: &Session<'_>) -> Option<Guarded> {
    let state = state_directory(&session.disk, &loaded.settings.state_dir).ok()?;
    let folder = Backups::new(session.disk.clone(), state).find(document).ok()??;
    let versions = folder.versions().ok()?;
    Some(Guarded { folder, versions })
}

fn reader(document: Option<&DocumentId>, guarded: Option<&Guarded>, loaded: &Loaded) -> Reader {
    let watched = document.and_then(|document| loaded.settings.watch_of(document.path()));
    let rules = watched.map_or(&loaded.defaults, |(watch, _)| &watch.rules);
    let good = guarded.and_then(|guarded| guarded.versions.iter().find(|stored| stored.mark.is_last_good()));
    Reader {
        dialect: rules.dialect,
        enrolled: good.map(|stored| stored.dialect),
        named: document.and_then(|document| dialect_of_name(document.name())),
        literal: true,
    }
}

fn words(salvaged: &Salvaged, bytes: &[u8]) -> String {
    let piece = match salvaged.piece {
        Piece::Whole if salvaged.bytes == bytes => "it is not damaged: it is printed as it is",
        Piece::Whole => "a whole document survives",
        Piece::Second => "of two documents in it the later one survives, whole",
        Piece::Lines => "its whole lines survive",
        Piece::Beginning => "its beginning survives, closed; what was torn is left out",
    };
    let from = salvaged.decoded_from.map_or(String::new(), |encoding| format!(", decoded from {encoding}"));
    let (kept, all) = (size_text(salvaged.bytes.len() as u64), size_text(bytes.len() as u64));
    format!("{piece}{from} ({kept} of {all})")
}

/// What the newest good version does not have; `None`: there is no such version to compare with.
fn gain(guarded: &Guarded, salvaged: &Salvaged) -> Option<String> {
    let mut good = guarded.versions.iter().filter(|stored| stored.mark.is_last_good());
    let (stored, bytes) = good.find_map(|stored| Some((stored, guarded.folder.bytes(stored.version).ok()?)))?;
    let before = Content { bytes: &bytes, dialect: stored.dialect };
    let mut first: Vec<String> = Vec::new();
    let counts = compare(before, salvaged.content(), VALUES_MAX, &mut |change| {
        // What is missing from a piece was torn off with the rest.
        let is_told = change.how != How::Removed || !salvaged.piece.is_partial();
        if is_told && first.len() < PATHS {
            first.push(Escaped(OsStr::new(&change.path)).to_string());
        }
    });
    let against = format!("against version {} of {:.0}, its newest good one", stored.version, stored.taken);
    let counts = match counts {
        Ok(counts) if counts.is_none() => return Some(format!("{against}: no difference")),
        Ok(counts) => counts_text(&counts),
        Err(error) => return Some(format!("{against}: not compared: {error}")),
    };
    let first = if first.is_empty() { String::new() } else { format!("; first: {}", first.join(", ")) };
    Some(format!("{against}: {counts}{first}"))
}
