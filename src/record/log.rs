//! The log: fields for journald under systemd; else on stderr, text for people on a terminal, a JSON object a line otherwise.

mod journald;
mod outlet;
mod text;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use self::journald::{Journal, Native};
use self::text::Text;
use crate::config::{Log, LogFormat};
use crate::error::{Cause, Error, Result};
use crate::health::Health;

pub use self::outlet::Outlet;

/// What is logged can be changed while the program runs.
type Levels = reload::Handle<EnvFilter, Registry>;

/// The log of the whole program.
pub struct Logging {
    outlet: Outlet,
    levels: Levels,
}

impl Logging {
    /// Logs from now on what this level says.
    ///
    /// # Errors
    /// `Usage` when it is no filter directive.
    pub fn set_level(&self, level: &str) -> Result<()> {
        let filter = filter(level)?;
        self.levels
            .reload(filter)
            .map_err(|error| Error::new("setting the log level", level, Cause::Refused(error.to_string())))
    }

    /// Waits until what was logged so far is written, at most for `limit`.
    pub fn flush(&self, limit: Duration) {
        self.outlet.flush(limit);
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text { coloured: bool },
    Json,
    Journald,
}

/// Sets up the log of the whole program. Keep what it returns, to flush it at the end.
///
/// # Errors
/// `Usage` when the level is no filter directive; else no thread is to be had, or a log was set up before.
pub fn init(log: &Log, health: Arc<Health>) -> Result<Logging> {
    let failed = |cause: Cause| Error::new("setting up the log on", "stderr", cause);
    let journal = journal(log.format).map_err(|error| Error::new("setting up the log on", "journald", error))?;
    let is_journal = journal.is_some();
    let outlet = match journal {
        Some(journal) => Outlet::new(journal, health),
        None => Outlet::new(std::io::stderr(), health),
    };
    let outlet = outlet.map_err(|error| failed(error.into()))?;
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let elsewhere = || form(log.format, std::io::stderr().is_terminal(), no_colour);
    let form = if is_journal { Form::Journald } else { elsewhere() };
    let (subscriber, levels) = subscriber(log, form, outlet.clone())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| failed(Cause::Refused(error.to_string())))?;
    Ok(Logging { outlet, levels })
}

/// The way to journald, where it is wanted: by name, or because stderr leads there anyway.
fn journal(format: LogFormat) -> std::io::Result<Option<Journal>> {
    match format {
        LogFormat::Journald => Journal::open().map(Some),
        // A journal that cannot be had in its own protocol still gets stderr.
        LogFormat::Auto if leads_to_the_journal() => Ok(Journal::open().ok()),
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => Ok(None),
    }
}

/// systemd says which stream it connected stderr with (systemd.exec(5), `$JOURNAL_STREAM`); it may have been redirected since.
fn leads_to_the_journal() -> bool {
    let said = std::env::var("JOURNAL_STREAM").ok();
    let said = said.as_deref().and_then(|text| text.split_once(':'));
    let said = said.and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    said.is_some() && said == crate::disk::path::identity_of(&std::io::stderr())
}

/// What suits the place that the lines go to.
fn form(format: LogFormat, terminal: bool, no_colour: bool) -> Form {
    match format {
        LogFormat::Text => Form::Text { coloured: terminal && !no_colour },
        LogFormat::Auto if terminal => Form::Text { coloured: !no_colour },
        LogFormat::Auto | LogFormat::Json | LogFormat::Journald => Form::Json,
    }
}

fn filter(level: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(level).map_err(|error| {
        let why = format!("{error}; try \"info\" or \"debug\"");
        Error::new("reading the log level", level, Cause::Usage(why))
    })
}

fn subscriber(log: &Log, form: Form, outlet: Outlet) -> Result<(impl Subscriber + Send + Sync + use<>, Levels)> {
    let (filter, levels) = reload::Layer::new(filter(&log.level)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(outlet).log_internal_errors(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match form {
        Form::Text { coloured } => Box::new(lines.with_ansi(coloured).event_format(Text { coloured })),
        Form::Journald => Box::new(lines.with_ansi(false).event_format(Native)),
        Form::Json => {
            let plain = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(plain.with_target(false))
        }
    };
    Ok((tracing_subscriber::registry().with(lines.with_filter(filter)), levels))
}

#[cfg(test)]
#[path = "log/tests.rs"]
mod tests;
