//! Lines for journald, in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a field a line, a datagram an event.
//!
//! Every value is one line, since names and errors are escaped: no length has to be said, and nothing that a name holds can
//! become a field.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::document::Digest;
use crate::error::Escaped;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// What an event is called in the catalog, the same for ever: it is made from the event's name.
fn message_id(event: &str) -> String {
    Digest::of(format!("jsonwarden event {event}").as_bytes()).to_string()
}

/// Writes the fields of an event.
pub(super) struct Native;

impl<S, N> FormatEvent<S, N> for Native
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let priority = priority(*event.metadata().level());
        write!(line, "PRIORITY={priority}\nSYSLOG_IDENTIFIER=jsonwarden\n{}", fields.0)
    }
}

/// As syslog(3) numbers them.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        let value = Escaped(OsStr::new(&value));
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => writeln!(self.0, "MESSAGE={value}"),
            "event" => {
                let id = message_id(&value.to_string());
                writeln!(self.0, "JSONWARDEN_EVENT={value}\nMESSAGE_ID={id}")
            }
            name => writeln!(self.0, "JSONWARDEN_{}={value}", name.to_uppercase()),
        };
    }
}

/// The way to journald. A journal that is stalled keeps only the thread that logs; one that was started anew is found again.
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// # Errors
    /// journald does not listen here.
    pub(super) fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // Only to see whether somebody is there.
        UnixDatagram::unbound()?.connect(SOCKET)?;
        Ok(Self(socket))
    }
}

impl Write for Journal {
    fn write(&mut self, fields: &[u8]) -> io::Result<usize> {
        self.0.send_to(fields, SOCKET).map(|_| fields.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_event_of_the_catalog_has_the_id_that_it_is_logged_with() {
        let catalog = include_str!("../../../systemd/jsonwarden.catalog");
        let entries: Vec<(&str, &str)> = catalog
            .split("\n-- ")
            .skip(1)
            .map(|entry| {
                let event = entry.lines().find_map(|line| line.strip_prefix("Defined-By: jsonwarden ")).unwrap();
                (entry.lines().next().unwrap(), event)
            })
            .collect();
        assert!(entries.len() >= 10, "{entries:?}");
        for (id, event) in entries {
            assert_eq!(id, message_id(event), "{event}");
        }
    }

    #[test]
    fn a_value_is_one_line_whatever_it_holds() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || Kept(into.clone())).event_format(Native);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(event = "repaired", path = "/srv/a\nPRIORITY=0", version = 7, "all\nis well");
        });
        let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        let id = message_id("repaired");
        let wanted = format!(
            "PRIORITY=4\nSYSLOG_IDENTIFIER=jsonwarden\nMESSAGE=all\\x0ais well\nJSONWARDEN_EVENT=repaired\nMESSAGE_ID={id}\n\
             JSONWARDEN_PATH=/srv/a\\x0aPRIORITY=0\nJSONWARDEN_VERSION=7\n"
        );
        assert_eq!(text, wanted);
    }
}
