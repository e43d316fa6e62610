//! `verify`: every stored version, read again and compared with its digest.

use std::path::PathBuf;

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::store::{document, state_directory};
use super::{Ended, Session, say, shown};
use crate::backup::{Backups, Folder};
use crate::document::Stored;
use crate::error::{Cause, Error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guarded file; it need not be there any more [default: every file of which a version is stored]
    path: Option<PathBuf>,
    /// As one JSON document
    #[arg(long)]
    json: bool,
}

/// What reading them came to.
#[derive(Default)]
struct Verified {
    versions: u64,
    bytes: u64,
    bad: Vec<Value>,
    /// The exit status of the first that could not be read at all.
    unreadable: Option<u8>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let state_dir = session.load()?.settings.state_dir;
    let backups = Backups::new(session.disk.clone(), state_directory(&session.disk, &state_dir)?);
    let mut verified = Verified::default();
    if let Some(path) = &arguments.path {
        let document = document(path, session)?;
        let why = || format!("no version of it is stored in {}", shown(&state_dir));
        let none = || Error::new("looking for", document.path(), Cause::Absent(why()));
        verified.folder(&backups.find(&document)?.ok_or_else(none)?)?;
    } else {
        let mut failed = None;
        backups.each(|_, folder| {
            failed = verified.folder(&folder).err();
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)?;
    }
    verified.tell(arguments.json, session)?;
    Ok(verified.unreadable.unwrap_or(u8::from(!verified.bad.is_empty())))
}

impl Verified {
    fn folder(&mut self, folder: &Folder) -> Result<(), Error> {
        for stored in folder.versions()? {
            self.versions += 1;
            match folder.bytes(stored.version) {
                Ok(bytes) => self.bytes += bytes.len() as u64,
                // Pruned since.
                Err(error) if matches!(error.cause(), Cause::Absent(_)) => self.versions -= 1,
                Err(error) => self.found(folder, &stored, &error)?,
            }
        }
        Ok(())
    }

    fn found(&mut self, folder: &Folder, stored: &Stored, error: &Error) -> Result<(), Error> {
        let is_rotten = matches!(error.cause(), Cause::Damaged(_));
        if !is_rotten {
            self.unreadable.get_or_insert(error.exit_status());
        }
        self.bad.push(json!({
            "path": folder.document().path().to_string_lossy(), "version": stored.version.0, "is_rotten": is_rotten,
            "stored": folder.path_of(stored.version)?.to_string_lossy(), "what": error.cause().to_string(),
        }));
        Ok(())
    }

    fn tell(&self, as_json: bool, session: &mut Session<'_>) -> std::io::Result<()> {
        if as_json {
            let told = json!({"versions": self.versions, "bytes": self.bytes, "bad": self.bad});
            return writeln!(session.out, "{told:#}");
        }
        for bad in &self.bad {
            let field = |name: &str| bad[name].as_str().unwrap_or_default().to_owned();
            let (path, stored) = (shown(field("path").as_ref()), shown(field("stored").as_ref()));
            writeln!(session.out, "{path}: {}: {stored}", field("what").red())?;
        }
        say(format_args!("{} versions read, {} of them bad", self.versions, self.bad.len()));
        Ok(())
    }
}
