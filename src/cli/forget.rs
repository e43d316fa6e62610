//! `forget`: nothing is kept of a file any more.

use std::path::PathBuf;

use clap::Args;

use super::store::{document, state_directory};
use super::{Ended, Session};
use crate::backup::Backups;
use crate::document::DocumentId;
use crate::error::{Cause, Error};
use crate::quarantine::Quarantine;
use crate::record::incidents;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The files; they need not be there any more
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let state_dir = session.load()?.settings.state_dir;
    let state = state_directory(&session.disk, &state_dir)?;
    let backups = Backups::new(session.disk.clone(), state.duplicate()?);
    let quarantine = Quarantine::new(session.disk.clone(), state.duplicate()?);
    let documents: Vec<DocumentId> =
        arguments.paths.iter().map(|path| document(path, session)).collect::<Result<_, _>>()?;
    let mut nothing = None;
    for document in &documents {
        let (versions, _) = backups.forget(document)?;
        let (replaced, _) = quarantine.forget(document)?;
        backups.note_changed(document)?;
        let lines = incidents::forget(&session.disk, &state, document)?;
        if versions + replaced + lines == 0 {
            nothing.get_or_insert_with(|| document.clone());
            continue;
        }
        writeln!(
            session.out,
            "{document}: {versions} versions, {replaced} replaced ones and {lines} lines of the log of incidents are gone"
        )?;
    }
    match nothing {
        None => Ok(0),
        Some(document) => {
            let why = "nothing is kept of it".to_owned();
            Err(Error::new("forgetting", document.path(), Cause::Absent(why)).into())
        }
    }
}
