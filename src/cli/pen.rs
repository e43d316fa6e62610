//! What `write` and its kin share: the document that they write, by which rules, and where its versions are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::daemon::store;
use super::{Failure, Session, say, shown};
use crate::config::quantity::parse_span;
use crate::config::{Rules, Settings};
use crate::document::{Dialect, DocumentId};
use crate::error::{Cause, Error};
use crate::verdict::Kind;
use crate::write::{WriteError, Writer, Written, own_state_dir, resolved};

/// The options that they share.
#[derive(Debug, Args)]
pub(super) struct PenArguments {
    /// How long to wait for the file's lock, such as "5m" [default: the file's lock_timeout, 10s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    lock_timeout: Option<Duration>,
    /// The language that the file's readers accept: auto, json, jsonl, jsonc, json5 or python [default: as configured]
    #[arg(long, value_name = "DIALECT", value_parser = parse_dialect)]
    dialect: Option<Language>,
    /// This version is meant, though it is suspicious beside the last good one: it is stored as accepted
    #[arg(long)]
    accept: bool,
}

/// A language, as it is named on the command line.
#[derive(Clone, Copy, Debug)]
enum Language {
    /// Whatever any supported dialect reads.
    Any,
    /// This one.
    Of(Dialect),
}

fn parse_dialect(text: &str) -> Result<Language, String> {
    if text == "auto" {
        return Ok(Language::Any);
    }
    let known = Dialect::ALL.into_iter().find(|dialect| dialect.label() == text);
    known.map(Language::Of).ok_or_else(|| "write auto, json, jsonl, jsonc, json5 or python".to_owned())
}

/// The writer of the file at `path`, by the rules of the watch that has it.
pub(super) fn writer(path: &Path, arguments: &PenArguments, session: &Session<'_>) -> Result<Writer, Failure> {
    let loaded = session.load()?;
    let (disk, settings) = (&session.disk, &loaded.settings);
    let path = session.surroundings.current_dir.join(path);
    let document = resolved(disk, &path)?;
    let watched = settings.watch_of(document.path()).or_else(|| settings.watch_of(&path));
    let mut rules = watched.map_or(&loaded.defaults, |(watch, _)| &watch.rules).clone();
    rules.lock_timeout = arguments.lock_timeout.unwrap_or(rules.lock_timeout);
    rules.dialect = match arguments.dialect {
        None => rules.dialect,
        Some(Language::Any) => None,
        Some(Language::Of(dialect)) => Some(dialect),
    };
    let writer = opened(&path, settings, &rules, session)?.quarantining_at_most(settings.storage.quarantine_max_bytes);
    let writer = writer.accepting(arguments.accept);
    writer.tidy();
    Ok(writer)
}

/// In the state directory, or in that user's own where that one is another's. Nothing is another's for root: that it cannot
/// be used is an error.
fn opened(path: &Path, settings: &Settings, rules: &Rules, session: &Session<'_>) -> Result<Writer, Error> {
    let open = |state: &Path| Writer::open(&session.disk, path, state, rules.clone());
    let own = own_state_dir().filter(|_| !session.surroundings.is_root);
    match (open(&settings.state_dir), own) {
        (Err(error), Some(own)) if is_denied(&error, &settings.state_dir) && own != settings.state_dir => {
            say(format_args!("versions are kept in {}: {error}", shown(&own)));
            let writer = open(&own)?;
            have_stored(writer.document(), session);
            Ok(writer)
        }
        (opened, _) => opened,
    }
}

/// Has the daemon that guards a document store what stands there, before it is replaced by somebody whose versions it does
/// not see. The writer keeps the same bytes, so a refusal is told and stops nobody.
fn have_stored(document: &DocumentId, session: &Session<'_>) {
    if let Err(error) = store(document, None, false, session) {
        say(format_args!("the daemon did not store the present version: {error}"));
    }
}

/// Says that hardly anything was left, and tells a daemon, whose versions this user does not see, that it is meant: it would
/// hold it otherwise.
pub(super) fn tell_accepted(writer: &Writer, written: &Written, session: &Session<'_>) {
    if !written.is_accepted {
        return;
    }
    say(format_args!(
        "version {} would be suspicious beside the last good one, which is kept: stored as accepted",
        written.version
    ));
    let is_seen = || {
        let configured = session.load().ok().map(|loaded| loaded.settings.state_dir);
        configured.and_then(|path| session.disk.canonical(&path).ok()).as_deref() == Some(writer.backups().state_path())
    };
    if is_seen() {
        return;
    }
    if let Err(error) = store(writer.document(), Some(written.digest), true, session) {
        say(format_args!("the daemon does not accept it: {error}"));
    }
}

/// Is it the state directory that this user may not enter?
fn is_denied(error: &Error, state_dir: &Path) -> bool {
    let is_there = error.path().starts_with(state_dir) || state_dir.starts_with(error.path());
    is_there && error.io_kind() == Some(std::io::ErrorKind::PermissionDenied)
}

/// What else there is to do with a version that is hardly meant.
const MEANT: &str = "; nothing was changed: --accept if it is meant";

/// How a write of `path` that was not done is told.
pub(super) fn failure(path: &Path, error: WriteError) -> Failure {
    match error {
        WriteError::Invalid(fault) => {
            let (path, place) = (PathBuf::from(path), fault.place);
            let hint = if matches!(fault.kind, Kind::Backwards | Kind::Tampered) { MEANT } else { "" };
            Failure::Invalid(format!("{}:{place}: {}: {}{hint}", shown(&path), fault.kind, fault.cause))
        }
        WriteError::Suspicious(fault) => {
            let why = format!("{} at {}: {}{MEANT}", fault.kind, fault.place, fault.cause);
            Error::new("writing", path, Cause::Refused(why)).into()
        }
        error @ WriteError::Held(..) => Error::new("writing", path, Cause::Refused(error.to_string())).into(),
        WriteError::Shape(error) => Failure::Invalid(format!("{}: {error}", shown(path))),
        WriteError::Failed(error) => Failure::Failed(error),
    }
}
