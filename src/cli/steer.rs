//! `pause`, `resume`, `observe`, `guard`, `reload`: what only a running daemon can do.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::daemon::{Daemon, about};
use super::store::document;
use super::{Ended, Session};
use crate::config::quantity::parse_span;

/// What an order is about.
#[derive(Debug, Args)]
pub(super) struct Scope {
    /// A guarded file, or all that lies below a folder [default: everything]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// All that this watch guards
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    watch: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Pause {
    #[command(flatten)]
    scope: Scope,
    /// Only for so long, such as "10m" [default: until `resume`]
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
    span: Option<Duration>,
}

impl Scope {
    fn members(&self, session: &Session<'_>) -> Result<Map<String, Value>, crate::error::Error> {
        if let Some(path) = &self.path {
            return Ok(about(&document(path, session)?));
        }
        let watch = self.watch.iter().map(|name| ("watch".to_owned(), Value::String(name.clone())));
        Ok(watch.collect())
    }
}

pub(super) fn pause(arguments: &Pause, session: &mut Session<'_>) -> Ended {
    let mut members = arguments.scope.members(session)?;
    members.extend(arguments.span.map(|span| ("for_seconds".to_owned(), span.as_secs_f64().into())));
    give("pause", &members, session)
}

/// `resume`, `observe` or `guard`.
pub(super) fn steer(order: &'static str, scope: &Scope, session: &mut Session<'_>) -> Ended {
    let members = scope.members(session)?;
    give(order, &members, session)
}

pub(super) fn reload(session: &mut Session<'_>) -> Ended {
    give("reload", &Map::new(), session)
}

fn give(order: &'static str, members: &Map<String, Value>, session: &mut Session<'_>) -> Ended {
    let answer = Daemon::find("looking for a daemon at", session)?.order(order, members, session)?;
    let said = answer.get("said").and_then(Value::as_str).unwrap_or("done");
    writeln!(session.out, "{}", said.escape_debug())?;
    Ok(0)
}
