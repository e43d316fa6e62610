//! `man`: the manual page, one for all commands. What the command line defines is taken from there; what it does not (exit
//! status, files, signals) stands in `man/sections.roff`.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Ended, Session};

/// How the page begins. The date is that of its last change in kind: the page of a version is the same wherever it is built.
const TITLE: &str = concat!(
    ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n",
    ".TH JSONWARDEN 1 2026-11-22 \"jsonwarden ",
    env!("CARGO_PKG_VERSION"),
    "\" \"User Commands\"\n.SH NAME\njsonwarden \\- keeps JSON files valid\n",
);
const SECTIONS: &str = include_str!("man/sections.roff");

/// A section of a page, as [`Man`] renders it.
type Section = fn(&Man, &mut dyn io::Write) -> io::Result<()>;

pub(super) fn run(session: &mut Session<'_>) -> Ended {
    session.raw.write_all(page()?.as_bytes())?;
    Ok(0)
}

/// The page, as roff source.
fn page() -> io::Result<String> {
    let mut program = super::Arguments::command().disable_help_subcommand(true);
    program.build();
    let man = Man::new(with_usage(program.clone()));
    let mut page = TITLE.to_owned();
    for section in [Man::render_synopsis_section, Man::render_description_section, Man::render_options_section] {
        page += &rendered(&man, section)?;
    }
    page += ".SH COMMANDS\n";
    for command in program.get_subcommands() {
        page += &described(command)?;
    }
    Ok(page + SECTIONS)
}

/// A command, if it does something by itself, and those below it, each under a heading of its own.
fn described(command: &Command) -> io::Result<String> {
    let mut text = String::new();
    if !command.is_subcommand_required_set() {
        let man = Man::new(with_usage(without_common_options(command)));
        text += &[".SS \"", command.get_bin_name().unwrap_or_else(|| command.get_name()), "\"\n"].concat();
        text += &body(&rendered(&man, Man::render_synopsis_section)?);
        text += ".PP\n";
        text += &body(&rendered(&man, Man::render_description_section)?);
        text += &body(&rendered(&man, Man::render_options_section)?);
    }
    for below in command.get_subcommands() {
        text += &described(below)?;
    }
    Ok(text)
}

/// The options of every command are described once.
fn without_common_options(command: &Command) -> Command {
    command.clone().mut_args(|argument| {
        let is_common = argument.get_help_heading() == Some(super::COMMON) || argument.get_id() == "help";
        argument.hide(is_common)
    })
}

/// Its usage as `--help` prints it, which says more than a list of its options.
fn with_usage(mut command: Command) -> Command {
    let usage = command.render_usage().to_string();
    command.override_usage(usage.trim_start_matches("Usage: ").to_owned())
}

/// What a section says, without its heading.
fn body(section: &str) -> String {
    section.lines().filter(|line| !line.starts_with(".SH ")).flat_map(|line| [line, "\n"]).collect()
}

/// Without the two lines about apostrophes that each section begins with: they stand in the title.
fn rendered(man: &Man, section: Section) -> io::Result<String> {
    let mut bytes = Vec::new();
    section(man, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
    Ok(lines.flat_map(|line| [line.trim_end(), "\n"]).collect())
}
