//! Where a value came from, and what is wrong with it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Cause, Error, Escaped};
use crate::verdict::Place;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file.
    File {
        /// The file.
        path: Arc<Path>,
        /// Where in it.
        place: Place,
    },
    /// An environment variable.
    Environment(&'static str),
    /// An option, or an argument, of the command line.
    Option(&'static str),
    /// What holds when nobody says anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, place } => write!(formatter, "{}:{}", Escaped(path.as_os_str()), place.line),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Option(name) => write!(formatter, "option {name}"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// Something wrong with the configuration. It prints as `FILE:LINE:COLUMN: what; how to mend it`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// What it is, and how to mend it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, place } => write!(formatter, "{}:{place}: ", Escaped(path.as_os_str()))?,
            Origin::Environment(name) | Origin::Option(name) => write!(formatter, "{name}: ")?,
            Origin::Default => {}
        }
        write!(formatter, "{}", Escaped(self.what.as_ref()))
    }
}

/// Why there are no settings.
#[derive(Debug)]
pub enum LoadError {
    /// A file that is there cannot be read.
    Unreadable(Error),
    /// What was written is wrong: everything that is, in the order it stands.
    Wrong(Vec<Problem>),
}

impl LoadError {
    /// The exit status of a command that ends with this.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Unreadable(error) => error.exit_status(),
            Self::Wrong(_) => 2,
        }
    }
}

impl fmt::Display for LoadError {
    /// One line a problem.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(formatter),
            Self::Wrong(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    let newline = if index == 0 { "" } else { "\n" };
                    write!(formatter, "{newline}{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        match error.cause() {
            Cause::Usage(_) => Self::Wrong(vec![Problem { origin: Origin::Default, what: error.to_string() }]),
            _ => Self::Unreadable(error),
        }
    }
}

/// A file's name and text, to turn byte offsets into places.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: Arc<Path>,
    pub(super) text: Arc<str>,
    /// Where each line starts.
    lines: Arc<[usize]>,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { path: path.into(), text: text.into(), lines: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The folder that relative paths in this file start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        Origin::File { path: Arc::clone(&self.path), place: self.place(span.start) }
    }

    pub(super) fn problem(&self, span: &Range<usize>, what: impl Into<String>) -> Problem {
        Problem { origin: self.origin(span), what: what.into() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { line: line as u64, column: before.chars().count() as u64 + 1, offset: offset as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_line_and_column_in_characters() {
        let source = Source::new(Path::new("/etc/a.toml"), "x = 1\n\"é\" = y\n");
        let problem = source.problem(&(13..14), "bad \x1b[31m");
        assert_eq!(problem.to_string(), "/etc/a.toml:2:7: bad \\x1b[31m");
        assert_eq!(problem.origin.to_string(), "/etc/a.toml:2");
    }
}
