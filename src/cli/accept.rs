//! `accept`: the present, suspicious version is the good one.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;

use super::daemon::store;
use super::hand::Hand;
use super::store::document;
use super::{Ended, Failure, Session, shown};
use crate::backup::Folder;
use crate::config::quantity::size_text;
use crate::document::{DocumentId, Mark, Stored};
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, Reading, look};
use crate::verdict::Verdict;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guarded file
    path: PathBuf,
    /// Only if its present bytes have this digest, as `history` shows it; the first digits are enough
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let is_closed = |error: &Error| {
        matches!(error.cause(), Cause::Absent(_)) || error.io_kind() == Some(ErrorKind::PermissionDenied)
    };
    let hand = Hand::on(&arguments.path, session).and_then(|hand| Ok((hand.versions()?, hand)));
    match hand {
        Ok(((folder, _), hand)) => here(arguments, &hand, &folder, session),
        // Whoever may write the file may accept it, whoever keeps its versions.
        Err(Failure::Failed(error)) if is_closed(&error) => {
            by_daemon(arguments, session)?.ok_or(Failure::Failed(error))
        }
        Err(failure) => Err(failure),
    }
}

/// Through the daemon that guards it; `None`: none that answers does.
fn by_daemon(arguments: &Arguments, session: &mut Session<'_>) -> Result<Option<u8>, Failure> {
    let document = document(&arguments.path, session)?;
    let present = reading(&document, session.load()?.defaults.max_size, session);
    let Ok(Some(Reading { digest, .. })) = present else { return Ok(None) };
    if arguments.digest.as_ref().is_some_and(|wanted| !digest.to_string().starts_with(wanted.as_str())) {
        return Err(absent(arguments, &format!("its present bytes have the digest {digest}")));
    }
    let Some(version) = store(&document, Some(digest), true, session)? else { return Ok(None) };
    writeln!(session.out, "{}: version {version} ({digest}) is the good one", shown(document.path()))?;
    Ok(Some(0))
}

/// On the state directory itself.
fn here(arguments: &Arguments, hand: &Hand, folder: &Folder, session: &mut Session<'_>) -> Ended {
    hand.finish_interrupted()?;
    // From here on nobody stores another.
    folder.lock()?;
    let newest = folder.versions()?.into_iter().next();
    let limit_bytes = hand.rules.max_size.max(newest.as_ref().map_or(0, |newest| newest.bytes));
    let Some(present) = reading(&hand.document, limit_bytes, session)? else {
        return Err(absent(arguments, "it cannot be read now; look at it, and try again"));
    };
    if arguments.digest.as_ref().is_some_and(|wanted| !present.digest.to_string().starts_with(wanted.as_str())) {
        return Err(absent(arguments, &format!("its present bytes have the digest {}", present.digest)));
    }
    let is_kept = |newest: &Stored| newest.mark == Mark::Suspicious && newest.digest == present.digest;
    let accepted = match newest.filter(is_kept) {
        Some(newest) => folder.mark(&newest, Mark::Accepted, "accept")?,
        // No daemon has seen it, or it was not yet stored.
        None => match hand.judge_present(&present.bytes)? {
            Verdict::Suspicious(dialect, _) => hand.accept(folder, &present, dialect)?,
            Verdict::Valid { .. } => return Err(absent(arguments, "it is not suspicious: there is nothing to accept")),
            Verdict::Corrupt(fault) | Verdict::Told(fault) => {
                let why = format!("it is damaged ({}: {}): there is nothing to accept", fault.kind, fault.cause);
                return Err(absent(arguments, &why));
            }
        },
    };
    hand.tell_daemon(session);
    let (version, size, digest) = (accepted.version, size_text(accepted.bytes), accepted.digest);
    writeln!(session.out, "{}: version {version} ({size}, {digest}) is the good one", shown(hand.document.path()))?;
    Ok(0)
}

fn absent(arguments: &Arguments, why: &str) -> Failure {
    Error::new("accepting", &arguments.path, Cause::Absent(why.to_owned())).into()
}

/// What stands at the name; `None`: nothing that can be read now.
fn reading(document: &DocumentId, limit_bytes: u64, session: &Session<'_>) -> Result<Option<Reading>, Failure> {
    let directory = session.disk.open_directory(document.directory())?;
    let found = look(&session.disk, &directory, document, limit_bytes, OpenWriter::ReadAnyway)?;
    Ok(if let Look::Read(reading) = found { Some(reading) } else { None })
}
