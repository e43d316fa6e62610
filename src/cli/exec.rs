//! `exec`: repairs what is to be guarded, then runs a command and guards beside it, in one process.

mod child;
mod init;
mod forward;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Args;

use super::run::nothing_to_guard;
use super::{Ended, Session, repair, say};
use crate::config::{Loaded, load};
use crate::daemon::{self, Guarding, Start};
use crate::error::{Cause, Error, Result};
use crate::validate;
use child::Child;
use forward::Forwarding;

/// The command waits no longer than this for the first sweep.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked whether the first sweep is over, or the guard has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The guard's own limit for its drain, and a little more.
const DRAIN_LIMIT: Duration = Duration::from_secs(6);

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
    if loaded.settings.watches.is_empty() {
        return Err(nothing_to_guard(&loaded).into());
    }
    // Before anything else: a signal that comes now is passed on as soon as there is somebody to pass it on to.
    let forwarding = Forwarding::new()?;
    if !repaired(&loaded, session)? && !arguments.force {
        let why = "a file is damaged and cannot be repaired; mend it, or start with --force".to_owned();
        return Err(Error::new("starting", command_name(&arguments.command), Cause::Refused(why)).into());
    }
    let guard = guard(loaded, session)?;
    let guard = match guard {
        Err(error) if !arguments.force => return Err(error.into()),
        Err(error) => {
            say(format_args!("jsonwarden: not guarded: {error}"));
            None
        }
        Ok(guard) => Some(guard),
    };
    let status = Child::spawn(&arguments.command)?.wait(forwarding);
    if let Some(guard) = guard {
        guard.end();
    }
    Ok(status)
}

fn command_name(command: &[OsString]) -> PathBuf {
    command.first().map(PathBuf::from).unwrap_or_default()
}

/// Is everything whole now? What the repair says goes to standard error: the output is the command's.
fn repaired(loaded: &Loaded, session: &mut Session<'_>) -> std::result::Result<bool, super::Failure> {
    let mut out = anstream::stderr();
    let mut raw = std::io::stderr();
    let mut session = Session {
        options: session.options.clone(),
        surroundings: session.surroundings.clone(),
        disk: session.disk.clone(),
        out: &mut out,
        raw: &mut raw,
    };
    Ok(repair::all(loaded, &mut session)? == 0)
}

/// The guard, on a thread of its own.
struct Guard {
    guarding: Guarding,
    thread: JoinHandle<Result<()>>,
}

/// Starts the guard, and waits until it has seen all files once.
fn guard(loaded: Loaded, session: &Session<'_>) -> Result<Result<Guard>> {
    let (sender, receiver) = sync_channel(1);
    let start = Start {
        settings: loaded.settings,
        options: session.options.clone(),
        surroundings: session.surroundings.clone(),
        companion: Some(sender),
    };
    let thread = std::thread::Builder::new().name("guard".into()).spawn(move || daemon::run(start));
    let thread = thread.map_err(|error| Error::new("starting", "a thread", error))?;
    let Ok(guarding) = receiver.recv() else {
        let ended = thread.join().unwrap_or(Ok(()));
        let why = || Error::new("guarding", "the files", Cause::Damaged("it ended before it began".to_owned()));
        return Ok(Err(ended.err().unwrap_or_else(why)));
    };
    let deadline = Instant::now() + READY_LIMIT;
    while !guarding.ready.iter().all(crate::stage::Latched::is_open) && !thread.is_finished() {
        if Instant::now() >= deadline {
            say("jsonwarden: the first look at all files is not over yet; the command starts all the same");
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(Ok(Guard { guarding, thread }))
}

impl Guard {
    /// Lets it finish the repair in hand.
    fn end(self) {
        self.guarding.drain.send_replace(true);
        let deadline = Instant::now() + DRAIN_LIMIT;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
    }
}
