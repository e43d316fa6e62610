//! `run`: the daemon, in the foreground.

use std::path::PathBuf;

use clap::Args;

use super::{Ended, Session, shown};
use crate::config::{LoadError, Loaded, Origin, Problem, load};
use crate::daemon::Start;
use crate::validate;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files and folders to guard with the defaults, beside what the configuration names
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where probes and metrics are answered, as IP:PORT; "" for nowhere [env: JSONWARDEN_LISTEN]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// What is logged: off, error, warn, info, debug, trace, or TARGET=LEVEL [env: JSONWARDEN_LOG]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

pub(super) fn run(arguments: Arguments, session: &mut Session<'_>) -> Ended {
    session.options.paths = arguments.paths;
    session.options.listen = arguments.listen;
    session.options.log = arguments.log;
    // What is wrong with fragments the daemon says itself, in its log.
    let loaded = load(&session.options, &session.surroundings, &session.disk, validate::check_schema)?;
    if loaded.settings.watches.is_empty() {
        return Err(nothing_to_guard(&loaded, "jsonwarden run PATH…").into());
    }
    let (options, surroundings) = (session.options.clone(), session.surroundings.clone());
    Ok(guard(Start { settings: loaded.settings, options, surroundings, companion: None }))
}

/// That no watch names anything, and how it is named on the command line.
pub(super) fn nothing_to_guard(loaded: &Loaded, named: &str) -> LoadError {
    let place = loaded.file.as_deref().map_or_else(|| "a configuration file".to_owned(), shown);
    let what = format!(
        "nothing to guard; name files or folders ({named}), or write a [[watch]] with name and paths into {place}"
    );
    LoadError::Wrong(vec![Problem { origin: Origin::Default, what }])
}

/// Hands all to the daemon, which guards until it is told to end, and has said in its log why it could not.
fn guard(start: Start) -> u8 {
    u8::from(crate::daemon::run(start).is_err())
}
