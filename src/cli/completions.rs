//! `completions`: the script by which a shell completes our command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Ended, Session};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell that is to read it: bash, zsh, fish, elvish or powershell
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    generate(arguments.shell, &mut super::Arguments::command(), "jsonwarden", &mut script);
    session.raw.write_all(&script)?;
    Ok(0)
}
