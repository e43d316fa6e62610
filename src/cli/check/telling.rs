//! Telling what judging came to: `PATH:LINE:COL: KIND: message`, with the line and a hint on a terminal, or as JSON.

use std::io::{self, Write};
use std::path::Path;

use owo_colors::OwoColorize;
use serde_json::json;

use super::judging::{Judged, Told, What};
use crate::cli::shown;
use crate::hint::Quoted;
use crate::verdict::Kind;

/// How it is told.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) as_json: bool,
    pub(super) with_excerpts: bool,
}

impl Judged {
    pub(super) fn tell(&self, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
        for told in &self.told {
            if manner.as_json {
                as_json(&self.path, told, out)?;
            } else {
                line(&self.path, told, out)?;
                if manner.with_excerpts {
                    around(&self.path, told, out)?;
                }
            }
        }
        Ok(())
    }
}

impl What {
    fn label(self) -> &'static str {
        match self {
            Self::Bad(kind) => kind.label(),
            Self::Found(finding) => finding.label(),
        }
    }
}

fn as_json(path: &Path, told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let place = told.place;
    let (line, column, offset) = (place.map(|at| at.line), place.map(|at| at.column), place.map(|at| at.offset));
    let told = json!({
        "path": path.to_string_lossy(), "line": line, "column": column, "offset": offset, "kind": told.what.label(),
        "what": told.why, "finding": matches!(told.what, What::Found(_)), "hint": hint(told.what, "PATH"),
    });
    writeln!(out, "{told}")
}

fn line(path: &Path, told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let place = told.place.map_or_else(String::new, |place| format!("{place}:"));
    let label = match told.what {
        What::Bad(kind) => kind.red().to_string(),
        What::Found(finding) => finding.yellow().to_string(),
    };
    writeln!(out, "{}:{place} {label}: {}", shown(path), told.why)
}

/// The line that it is about, a caret below the place, and what to do.
fn around(path: &Path, told: &Told, out: &mut dyn Write) -> io::Result<()> {
    if let (Some((line, caret)), Some(place)) = (&told.excerpt, told.place) {
        let number = place.line.to_string();
        let width = number.len();
        writeln!(out, "{} {line}", format_args!("{number} |").blue())?;
        writeln!(out, "{:width$} {} {:caret$}{}", "", "|".blue(), "", "^".red())?;
    }
    match hint(told.what, &Quoted(path.as_os_str()).to_string()) {
        Some(hint) => writeln!(out, "{} {hint}", "hint:".blue()),
        None => Ok(()),
    }
}

/// What to do about it; `path` is how the file is called in it.
fn hint(what: What, path: &str) -> Option<String> {
    let What::Bad(kind) = what else { return None };
    Some(match kind {
        Kind::Empty | Kind::NulFilled => format!("`jsonwarden repair {path}` puts the newest good version back"),
        Kind::Truncated | Kind::TrailingData | Kind::Syntax => {
            format!(
                "`jsonwarden repair {path}` puts the newest good version back, if this is damage and no typing error"
            )
        }
        Kind::Encoding => "save it as UTF-8; if it was never meant to be anything else, repair it".to_owned(),
        Kind::Dialect => {
            "write it in its own dialect again, or name the other in its watch: dialect = \"…\"".to_owned()
        }
        Kind::Schema => "mend the value, or the schema".to_owned(),
        Kind::Required => "put the value back, or take the pointer out of `required`".to_owned(),
        Kind::Shrunk | Kind::Reset | Kind::Backwards | Kind::Redacted | Kind::Tampered => {
            format!("if it is right, `jsonwarden accept {path}`")
        }
        Kind::ConflictMarkers => "choose one of the two sides and delete the markers".to_owned(),
        Kind::TooLarge => "raise max_size in its watch".to_owned(),
        Kind::Missing | Kind::Unreadable | Kind::NotRegular => return None,
    })
}
