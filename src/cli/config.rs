//! `config`: checks, shows or explains the configuration.

mod drift;
mod found;

use clap::Subcommand;

use super::{Ended, Failure, Session, say, shown};
use crate::config::{EXAMPLE, LoadError, Loaded, load};
use crate::validate;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Says everything that is wrong with the configuration; exit status 2 when something is
    Check,
    /// Prints the settings that hold, each with where it came from
    Show {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Prints the systemd drop-in that opens exactly the folders which the daemon must write
    Unit,
    /// Prints a configuration with every key, its default and why one would change it
    Example,
}

pub(super) fn run(command: &Command, session: &mut Session<'_>) -> Ended {
    match command {
        Command::Check => check(session),
        Command::Show { json } => show(*json, session),
        Command::Unit => super::unit::print(session),
        Command::Example => {
            session.out.write_all(EXAMPLE.as_bytes())?;
            Ok(0)
        }
    }
}

fn check(session: &mut Session<'_>) -> Ended {
    let loaded = match load(&session.options, &session.surroundings, &session.disk, validate::check_schema) {
        Ok(loaded) => loaded,
        // Here the mistakes are the result.
        Err(error @ LoadError::Wrong(_)) => {
            writeln!(session.out, "{error}")?;
            return Ok(error.exit_status());
        }
        Err(error) => return Err(Failure::Config(error)),
    };
    for problem in &loaded.settings.left_out {
        writeln!(session.out, "{problem}")?;
    }
    if !loaded.settings.left_out.is_empty() {
        return Ok(2);
    }
    let verdict = match loaded.file.as_deref().map(shown) {
        Some(file) if loaded.is_file_there => format!("{file}: no mistakes"),
        Some(file) => format!("{file} is not there: the defaults hold"),
        None => "there is no place for a file: the defaults hold".to_owned(),
    };
    let watches = loaded.settings.watches.len();
    writeln!(session.out, "{verdict}; {watches} {}", if watches == 1 { "watch" } else { "watches" })?;
    say_if_nothing_is_guarded(&loaded, session);
    found::say_what_finds_nothing(&loaded.settings, session);
    // No mistake: a migration may be meant to do just that.
    match drift::drift(&loaded.settings, session) {
        Ok(lines) => lines.iter().try_for_each(|line| writeln!(session.out, "{line}"))?,
        Err(error) => say(format_args!("the schemas were not held against all that is stored: {error}")),
    }
    Ok(0)
}

/// Says that no watch names anything; and to who is not root, whose configuration that is.
pub(super) fn say_if_nothing_is_guarded(loaded: &Loaded, session: &Session<'_>) {
    if !loaded.settings.watches.is_empty() {
        return;
    }
    let place = loaded.file.as_deref().map_or_else(|| "a configuration file".to_owned(), shown);
    let whose =
        if session.surroundings.is_root { "" } else { " (the system's configuration is read with sudo, or --config)" };
    say(format_args!("nothing to guard yet: write a [[watch]] with name and paths into {place}{whose}"));
}

fn show(as_json: bool, session: &mut Session<'_>) -> Ended {
    let loaded = session.load()?;
    if as_json {
        writeln!(session.out, "{:#}", loaded.to_json())?;
    } else {
        session.out.write_all(loaded.to_toml().as_bytes())?;
    }
    Ok(0)
}
