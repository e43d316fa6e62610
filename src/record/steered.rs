//! Orders of people in the log and in `incidents.jsonl`: written there, and read again after a restart.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracing::Level;

use super::account::Account;
use crate::clock::Timestamp;
use crate::config::WatchName;
use crate::error::Escaped;
use crate::line;
use crate::steer::{Asker, Scope, Standing, Steering};

/// What is told of an order.
pub(super) fn steered(steering: &Steering, asker: Option<&Asker>) -> Account<'static> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    match steering.scope() {
        Scope::All => add("scope", "all".into()),
        Scope::Watch(name) => {
            add("scope", "watch".into());
            add("scope_watch", name.as_str().into());
        }
        Scope::Path(path) => {
            add("scope", "path".into());
            add("scope_path", Escaped(path.as_os_str()).to_string().into());
            add("scope_path_bytes", line::hex(path.as_os_str().as_bytes()).into());
        }
    }
    if let Steering::Pause { until: Some(until), .. } = steering {
        add("until", until.to_string().into());
    }
    let by = match asker {
        None => "its time is over".to_owned(),
        Some(asker) => {
            add("uid", asker.caller.user.into());
            add("user", asker.name.clone().into());
            add("pid", asker.process.into());
            asker.to_string()
        }
    };
    let until = match steering {
        Steering::Pause { until: Some(until), .. } => format!(" until {until:.0}"),
        _ => String::new(),
    };
    let sentence = format!("{} {}{until}: {by}", steering.scope(), words(steering));
    asked(Account::new(Level::WARN, steering.label(), sentence).kept(Value::Object(fields)))
}

/// What is told of a reload.
pub(super) fn reloaded(asker: Option<&Asker>, outcome: &str) -> Account<'static> {
    let sentence = format!("the configuration was read again{}: {outcome}", by(asker));
    asked(Account::new(Level::INFO, "reloaded", sentence).kept(who(asker)))
}

/// What is told of a reload that was refused.
pub(super) fn reload_refused(asker: Option<&Asker>, why: &str) -> Account<'static> {
    let sentence = format!("the new configuration is refused, and the old one stays in force{}: {why}", by(asker));
    asked(Account::new(Level::ERROR, "reload_refused", sentence).kept(who(asker)))
}

fn asked(account: Account<'static>) -> Account<'static> {
    Account { is_asked: true, ..account }
}

fn by(asker: Option<&Asker>) -> String {
    asker.map_or_else(String::new, |asker| format!(" ({asker})"))
}

fn who(asker: Option<&Asker>) -> Value {
    let Some(asker) = asker else { return Value::Object(Map::new()) };
    json!({"uid": asker.caller.user, "user": asker.name, "pid": asker.process})
}

fn words(steering: &Steering) -> &'static str {
    match steering {
        Steering::Pause { .. } => "is paused, and not repaired,",
        Steering::Resume { .. } => "is no longer paused",
        Steering::Observe { .. } => "is only observed",
        Steering::Guard { .. } => "is guarded",
    }
}

/// Takes in a line that [`steered`] wrote; `None`: it is none.
pub(super) fn recall(standing: &mut Standing, name: &str, at: Timestamp, members: &Map<String, Value>) -> Option<()> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let scope = match text("scope")? {
        "all" => Scope::All,
        "watch" => Scope::Watch(WatchName::new(text("scope_watch")?)),
        "path" => Scope::Path(PathBuf::from(OsString::from_vec(line::unhex(text("scope_path_bytes")?)?))),
        _ => return None,
    };
    let until: Option<Timestamp> = text("until").and_then(|until| until.parse().ok());
    let span = until.and_then(|until| Duration::try_from(until.duration_since(at)).ok());
    let steering = match name {
        "paused" => Steering::Pause { scope, span, until },
        "resumed" => Steering::Resume { scope },
        "observing" => Steering::Observe { scope },
        "guarding" => Steering::Guard { scope },
        _ => return None,
    };
    let by = text("user").unwrap_or_default().to_owned();
    standing.take(steering, by, at);
    Some(())
}
