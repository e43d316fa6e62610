//! `accept`: the present, suspicious version is the good one.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;

use super::daemon::{store, tell_changed};
use super::store::{document, versions};
use super::{Ended, Failure, Session, shown};
use crate::backup::Folder;
use crate::config::quantity::size_text;
use crate::document::{Digest, DocumentId, Mark};
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, look};

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
    match versions(&arguments.path, session) {
        Ok((folder, _)) => here(arguments, &folder, session),
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
    let Ok(Some(digest)) = present(&document, session.load()?.defaults.max_size, session) else { return Ok(None) };
    if arguments.digest.as_ref().is_some_and(|wanted| !digest.to_string().starts_with(wanted.as_str())) {
        return Err(absent(arguments, &format!("its present bytes have the digest {digest}")));
    }
    let Some(version) = store(&document, Some(digest), true, session)? else { return Ok(None) };
    writeln!(session.out, "{}: version {version} ({digest}) is the good one", shown(document.path()))?;
    Ok(Some(0))
}

/// On the state directory itself.
fn here(arguments: &Arguments, folder: &Folder, session: &mut Session<'_>) -> Ended {
    let limit_bytes = session.load()?.defaults.max_size;
    // From here on nobody stores another.
    folder.lock()?;
    let newest = folder.versions()?.into_iter().next();
    let Some(newest) = newest.filter(|newest| newest.mark == Mark::Suspicious) else {
        return Err(absent(arguments, "its newest stored version is not suspicious: there is nothing to accept"));
    };
    let document = document(&arguments.path, session)?;
    if present(&document, limit_bytes.max(newest.bytes), session)? != Some(newest.digest) {
        let why = "the file does not have the bytes of its newest stored version; look at it, and try again";
        return Err(absent(arguments, why));
    }
    if arguments.digest.as_ref().is_some_and(|wanted| !newest.digest.to_string().starts_with(wanted.as_str())) {
        return Err(absent(arguments, &format!("its present bytes have the digest {}", newest.digest)));
    }
    let accepted = folder.mark(&newest, Mark::Accepted, "accept")?;
    tell_changed(&document, session);
    let (version, size, digest) = (accepted.version, size_text(accepted.bytes), accepted.digest);
    writeln!(session.out, "{}: version {version} ({size}, {digest}) is the good one", shown(document.path()))?;
    Ok(0)
}

fn absent(arguments: &Arguments, why: &str) -> Failure {
    Error::new("accepting", &arguments.path, Cause::Absent(why.to_owned())).into()
}

/// The digest of what stands at the name.
fn present(document: &DocumentId, limit_bytes: u64, session: &Session<'_>) -> Result<Option<Digest>, Failure> {
    let directory = session.disk.open_directory(document.directory())?;
    let found = look(&session.disk, &directory, document, limit_bytes, OpenWriter::ReadAnyway)?;
    Ok(if let Look::Read(reading) = found { Some(reading.digest) } else { None })
}
