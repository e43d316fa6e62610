//! `exec`: repairs what is to be guarded, then runs a command and guards beside it, in one process; or lets another guard
//! that has the same files and the same state directory.

mod another;
mod child;
mod forward;
mod guard;
mod init;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::run::nothing_to_guard;
use super::{Ended, Failure, Session, repair, say};
use crate::config::{Loaded, load};
use crate::error::{Cause, Error};
use crate::validate;
use child::Child;
use forward::Forwarding;
use guard::Guard;

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
    /// Start the command also when a file is damaged and cannot be repaired, or nothing can be guarded
    #[arg(long)]
    force: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: Arguments, session: &mut Session<'_>) -> Ended {
    if init::is_first_process() {
        return Ok(init::run()?);
    }
    session.options.paths = arguments.paths;
    session.options.listen = arguments.listen;
    session.options.log = arguments.log;
    let loaded = load(&session.options, &session.surroundings, &session.disk, validate::check_schema)?;
    // Before anything else: a signal that comes now is passed on as soon as there is somebody to pass it on to.
    let forwarding = Forwarding::new()?;
    let guard = match guarded(loaded, arguments.force, session) {
        Ok(guard) => Some(guard),
        Err(failure) if arguments.force => {
            say_forced(&failure);
            None
        }
        Err(failure) => return Err(failure),
    };
    let status = Child::spawn(&arguments.command).map(|child| child.wait(forwarding));
    if let Some(guard) = guard {
        guard.end();
    }
    Ok(status?)
}

/// Everything whole, and guarded from now on.
fn guarded(loaded: Loaded, is_forced: bool, session: &mut Session<'_>) -> Result<Guard, Failure> {
    if loaded.settings.watches.is_empty() {
        return Err(nothing_to_guard(&loaded, "jsonwarden exec PATH… -- COMMAND").into());
    }
    let forced = |failure: Failure| {
        if !is_forced {
            return Err(failure);
        }
        say_forced(&failure);
        Ok(())
    };
    if !apart(session, |session| Ok(repair::all(&loaded, session)? == 0))? {
        let why = "a file is damaged and cannot be repaired; mend it, or start with --force".to_owned();
        forced(Error::new("starting", "the command", Cause::Refused(why)).into())?;
    }
    if crate::daemon::is_taken(&session.disk, &loaded.settings.state_dir)? {
        apart(session, |session| another::guards_all(&loaded, session)).or_else(forced)?;
        return Ok(Guard::after_another(loaded, session)?);
    }
    Ok(Guard::start(loaded, session)?)
}

fn say_forced(failure: &Failure) {
    say(format_args!("{}; started all the same, as --force says", failure.message().unwrap_or_default()));
}

/// With all that is said on standard error: the output is the command's.
fn apart<T>(session: &Session<'_>, act: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let (mut out, mut raw) = (anstream::stderr(), std::io::stderr());
    act(&mut Session {
        options: session.options.clone(),
        surroundings: session.surroundings.clone(),
        disk: session.disk.clone(),
        out: &mut out,
        raw: &mut raw,
    })
}
