//! `write`: standard input replaces a file, safely.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;

use super::pen::{PenArguments, failure, tell_accepted, writer};
use super::{Ended, Failure, Session, shown};
use crate::config::quantity::size_text;
use crate::error::Error;
use crate::verdict::Kind;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file; it need not be there yet
    path: PathBuf,
    #[command(flatten)]
    pen: PenArguments,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let Arguments { path, pen } = arguments;
    let writer = writer(path, pen, session)?;
    let limit = writer.rules().max_size;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Error::new("reading", "standard input", error))?;
    if bytes.len() as u64 > limit {
        let why = format!("{}: {}: more bytes than max_size: {limit}", shown(path), Kind::TooLarge);
        return Err(Failure::Invalid(why));
    }
    let written = writer.replace(&bytes).map_err(|error| failure(path, error))?;
    tell_accepted(&writer, &written, session);
    let (document, version, size) = (writer.document(), written.version, size_text(bytes.len() as u64));
    if written.is_changed {
        writeln!(session.out, "{document}: version {version} ({size}, {})", written.digest)?;
    } else {
        writeln!(session.out, "{document}: version {version} stands there already")?;
    }
    Ok(0)
}
