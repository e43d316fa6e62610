//! Log lines for people: the time, how bad it is, one sentence.

use std::ffi::OsStr;
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::error::Escaped;

/// Fields that the sentence already tells.
const TOLD: [&str; 6] = ["event", "path", "watch", "kind", "version", "incident"];

/// Writes text lines; coloured where somebody looks and NO_COLOR does not forbid it.
pub(super) struct Text {
    pub(super) coloured: bool,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let time = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let (word, colour) = word(*event.metadata().level());
        if self.coloured {
            write!(line, "\x1b[2m{time}\x1b[0m \x1b[{colour}m{word:<5}\x1b[0m ")?;
        } else {
            write!(line, "{time} {word:<5} ")?;
        }
        // Whatever a sentence quotes, from a file name to the error of a library: one line, and no escape sequence.
        writeln!(line, "{}{}", Escaped(OsStr::new(&said.sentence)), Escaped(OsStr::new(&said.fields)))
    }
}

fn word(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error", "1;31"),
        Level::WARN => ("warn", "33"),
        Level::INFO => ("info", "32"),
        Level::DEBUG => ("debug", "2"),
        Level::TRACE => ("trace", "2"),
    }
}

#[derive(Default)]
struct Said {
    sentence: String,
    fields: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.sentence, "{value:?}"),
            told if TOLD.contains(&told) => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
