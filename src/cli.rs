//! The command line. Results go to standard output, everything else to standard error; the exit status answers too
//! (contract, "Exit status"). Names from disk are escaped wherever they are printed.

mod accept;
mod archive;
mod ask;
mod changed;
mod check;
mod completions;
mod config;
mod daemon;
mod diff;
mod differing;
mod edit;
mod exec;
mod forget;
mod hand;
mod history;
mod incidents;
mod live;
mod man;
mod moment;
mod orphans;
mod patch;
mod pen;
mod publish;
mod repair;
mod report;
mod restore;
mod run;
mod salvage;
mod status;
mod steer;
mod store;
mod table;
mod tail;
mod unit;
mod verify;
mod walk;
mod write;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use owo_colors::OwoColorize;

use crate::config::{LoadError, Loaded, Options, Surroundings, load};
use crate::disk::Disk;
use crate::error::{Cause, Error, Escaped};
use crate::validate;

/// Over the options of every command.
const COMMON: &str = "Options of every command";

const AFTER_HELP: &str = "\
To try it: `jsonwarden run FOLDER`. For a configuration to start from: `jsonwarden config example`. All in one: `man jsonwarden`.
Exit status: 0 yes, or done; 1 no (invalid, differs, none); 2 usage or configuration; 3 no daemon answers; 4 lock not to be had;
5 refused; 74 input or output; 77 permission.";

/// Keeps JSON files valid: watches files that other programs write, keeps verified backups, and puts the newest good one
/// back when a file becomes corrupt.
#[derive(Debug, Parser)]
#[command(name = "jsonwarden", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file; a default one need not be there [default: /etc/jsonwarden/jsonwarden.toml, or
    /// ~/.config/jsonwarden/jsonwarden.toml when not root] [env: JSONWARDEN_CONFIG]
    #[arg(short, long, global = true, value_name = "FILE", help_heading = COMMON)]
    config: Option<PathBuf>,
    /// Where backups, quarantine and incidents are kept [default: /var/lib/jsonwarden, or ~/.local/state/jsonwarden when
    /// not root] [env: JSONWARDEN_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = COMMON)]
    state_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Guards files, in the foreground
    Run(run::Arguments),
    /// Judges files once, without changing anything; exit status 1 when one is bad
    Check(check::Arguments),
    /// Every guarded file: its state, why, its last good version, and whether it can be repaired here
    Status(status::Arguments),
    /// The stored versions of a file, newest first
    History(history::Arguments),
    /// Prints a stored version of a file
    Show(history::ShowArguments),
    /// What two versions of a file differ in, or a version and the file as it is, by path; exit status 1 when they differ
    Diff(diff::Arguments),
    /// Puts a stored version of a file back; what it replaces is kept
    Restore(restore::Arguments),
    /// Looks at files and repairs those that are damaged, now, with or without a daemon
    Repair(repair::Arguments),
    /// Reads every stored version again and compares it with its digest; exit status 1 when one is damaged
    Verify(verify::Arguments),
    /// Puts what comes on standard input in the place of a file, safely: lock, back up, validate, exchange, validate again
    Write(write::Arguments),
    /// Changes values in a document, under its lock; what is not named stays byte for byte
    Patch(patch::Arguments),
    /// Opens an editor on a copy of a document, judges and shows what changed, and writes it safely
    Edit(edit::Arguments),
    /// Appends events to the array of a shared document, each with its number and time
    Publish(publish::Arguments),
    /// Prints the events of a shared document, and those that come, as JSON lines
    Tail(tail::Arguments),
    /// Removes all that is kept of files: versions, quarantine, and what the log of incidents says of them
    Forget(forget::Arguments),
    /// Prints what survives of a damaged file, and says what it has that the newest good version has not; exit status 1
    /// when nothing does
    Salvage(salvage::Arguments),
    /// What went wrong, when, how long it took, and what became of it
    Incidents(incidents::Arguments),
    /// What all incidents come to: how many, of what kind, the mean time to repair, what keeps coming back
    Report(report::Arguments),
    /// Makes the present, suspicious version of a file the good one
    Accept(accept::Arguments),
    /// Stops repairing, of everything or of some; backups go on
    Pause(steer::Pause),
    /// Ends pauses
    Resume(steer::Scope),
    /// Only tells of damage from now on, whatever the configuration says
    Observe(steer::Scope),
    /// Repairs damage from now on, whatever the configuration says
    Guard(steer::Scope),
    /// Has the daemon read its configuration again; says why, if that is refused
    Reload,
    /// Repairs its files, then runs a command under guard: for containers, and for programs that cannot start on a corrupt file
    Exec(exec::Arguments),
    /// Checks, shows or explains the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Prints the script by which a shell completes this command line
    Completions(completions::Arguments),
    /// Prints the manual page, as roff source: jsonwarden man | man -l -
    Man,
}

impl Command {
    /// Does it read or change what a daemon has stored?
    fn works_on_versions(&self) -> bool {
        matches!(
            self,
            Self::History(_)
                | Self::Show(_)
                | Self::Diff(_)
                | Self::Restore(_)
                | Self::Repair(_)
                | Self::Verify(_)
                | Self::Write(_)
                | Self::Forget(_)
                | Self::Accept(_)
        )
    }
}

/// Why a command did not end well.
#[derive(Debug)]
enum Failure {
    /// The configuration is wrong.
    Config(LoadError),
    /// Something failed.
    Failed(Error),
    /// What was to be written is no good: where, and why.
    Invalid(String),
    /// What was to be printed could not be.
    Output(io::Error),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Config(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    fn exit_status(&self) -> u8 {
        match self {
            Self::Config(error) => error.exit_status(),
            Self::Failed(error) => error.exit_status(),
            Self::Invalid(_) => 1,
            // Whoever reads has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output(_) => 74,
        }
    }

    /// What to say of it, if anything.
    fn message(&self) -> Option<String> {
        match self {
            Self::Config(error @ LoadError::Wrong(_)) => Some(error.to_string()),
            Self::Config(error) => Some(format!("jsonwarden: {error}")),
            Self::Failed(error) => Some(format!("jsonwarden: {error}")),
            Self::Invalid(what) => Some(what.clone()),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Self::Output(error) => Some(format!("jsonwarden: writing to standard output: {error}")),
        }
    }
}

/// What a command ended with: its exit status, or why it did not end well.
type Ended = Result<u8, Failure>;

/// What every command works with.
struct Session<'a> {
    options: Options,
    surroundings: Surroundings,
    disk: Disk,
    /// Where results go. Colours are taken out of them where nobody sees any.
    out: &'a mut dyn Write,
    /// Where documents go, byte for byte.
    raw: &'a mut dyn Write,
}

impl Session<'_> {
    /// The configuration; what is wrong with its fragments is said.
    fn load(&self) -> Result<Loaded, Failure> {
        let loaded = load(&self.options, &self.surroundings, &self.disk, validate::check_schema)?;
        for problem in &loaded.settings.left_out {
            say(format_args!("{problem} (the whole file is left out)"));
        }
        Ok(loaded)
    }
}

/// Does what the command line of this process says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // There is nowhere else to say it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    survive_file_size_limits();
    let mut out = io::BufWriter::new(anstream::stdout());
    let ended = surroundings().map_err(Failure::from).and_then(|surroundings| {
        let ended = execute(arguments, surroundings, &mut out, &mut io::stdout())?;
        out.flush()?;
        Ok(ended)
    });
    ExitCode::from(ended.unwrap_or_else(|failure| {
        // What was found before the failure is still worth printing.
        let _ = out.flush();
        if let Some(message) = failure.message() {
            say(message.red());
        }
        failure.exit_status()
    }))
}

fn execute(arguments: Arguments, surroundings: Surroundings, out: &mut dyn Write, raw: &mut dyn Write) -> Ended {
    let options = Options { config: arguments.config, state_dir: arguments.state_dir, ..Options::default() };
    let mut session = Session { options, surroundings, disk: Disk::default(), out, raw };
    if arguments.command.works_on_versions() {
        daemon::adopt_state_dir(&mut session);
    }
    match arguments.command {
        Command::Run(arguments) => run::run(arguments, &mut session),
        Command::Check(arguments) => check::run(&arguments, &mut session),
        Command::Status(arguments) => status::run(&arguments, &mut session),
        Command::History(arguments) => history::run(&arguments, &mut session),
        Command::Show(arguments) => history::show(&arguments, &mut session),
        Command::Diff(arguments) => diff::run(&arguments, &mut session),
        Command::Restore(arguments) => restore::run(&arguments, &mut session),
        Command::Repair(arguments) => repair::run(&arguments, &mut session),
        Command::Verify(arguments) => verify::run(&arguments, &mut session),
        Command::Write(arguments) => write::run(&arguments, &mut session),
        Command::Patch(arguments) => patch::run(arguments, &mut session),
        Command::Edit(arguments) => edit::run(&arguments, &mut session),
        Command::Publish(arguments) => publish::run(&arguments, &mut session),
        Command::Tail(arguments) => tail::run(&arguments, &mut session),
        Command::Forget(arguments) => forget::run(&arguments, &mut session),
        Command::Salvage(arguments) => salvage::run(&arguments, &mut session),
        Command::Incidents(arguments) => incidents::run(&arguments, &mut session),
        Command::Report(arguments) => report::run(&arguments, &mut session),
        Command::Accept(arguments) => accept::run(&arguments, &mut session),
        Command::Pause(arguments) => steer::pause(&arguments, &mut session),
        Command::Resume(scope) => steer::steer("resume", &scope, &mut session),
        Command::Observe(scope) => steer::steer("observe", &scope, &mut session),
        Command::Guard(scope) => steer::steer("guard", &scope, &mut session),
        Command::Reload => steer::reload(&mut session),
        Command::Exec(arguments) => exec::run(arguments, &mut session),
        Command::Config(command) => config::run(&command, &mut session),
        Command::Completions(arguments) => completions::run(&arguments, &mut session),
        Command::Man => man::run(&mut session),
    }
}

/// A file that reaches its size limit (`ulimit -f`, `LimitFSIZE=`) is an error of that write, not the end of us: SIGXFSZ
/// would kill (setrlimit(2)).
fn survive_file_size_limits() {
    // Where no handler is to be had, it stays as it was.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// Says something on standard error; that nobody hears it is no reason to end.
fn say(message: impl fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{message}");
}

fn surroundings() -> Result<Surroundings, Error> {
    let failed = |error| Error::new("finding the current folder", ".", Cause::Io(error));
    Ok(Surroundings {
        variables: std::env::vars_os().collect(),
        is_root: rustix::process::geteuid().is_root(),
        has_terminal: io::stdin().is_terminal() || io::stderr().is_terminal(),
        current_dir: std::env::current_dir().map_err(failed)?,
    })
}

/// A path that a person typed, safe to print.
fn shown(path: &std::path::Path) -> String {
    Escaped(path.as_os_str()).to_string()
}

#[cfg(test)]
mod tests;
