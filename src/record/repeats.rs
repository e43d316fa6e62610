//! Repeats of one line are counted, not printed: a file that fails every few seconds must not bury the rest of the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::account::Account;
use crate::config::WatchName;
use crate::document::DocumentId;
use crate::event::IncidentId;

/// The same line is printed once in this time.
const SPAN: Duration = Duration::from_secs(60);

/// So many different lines are remembered; when there are more, the eldest is forgotten and may be printed again.
const LINES_MAX: usize = 4_096;

/// What makes two lines the same: all but the numbers and times in the sentence. A new incident is another line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    name: &'static str,
    document: Option<DocumentId>,
    watch: Option<WatchName>,
    kind: Option<&'static str>,
    incident: Option<IncidentId>,
}

/// The lines printed lately, and how often each came again.
#[derive(Default)]
pub(super) struct Repeats {
    lines: HashMap<Line, Printed>,
}

struct Printed {
    at: Instant,
    repeats: u64,
}

/// A line that was not printed every time it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated {
    pub(super) name: &'static str,
    pub(super) document: Option<DocumentId>,
    pub(super) watch: Option<WatchName>,
    pub(super) repeats: u64,
}

impl Repeats {
    /// Is this line to be printed? Otherwise it is counted.
    pub(super) fn is_new(&mut self, account: &Account<'_>, now: Instant) -> bool {
        let line = Line {
            name: account.name,
            document: account.document.cloned(),
            watch: account.watch.cloned(),
            kind: account.kind,
            incident: account.incident,
        };
        if let Some(printed) = self.lines.get_mut(&line) {
            printed.repeats += 1;
            return false;
        }
        if self.lines.len() >= LINES_MAX {
            self.forget_the_eldest();
        }
        self.lines.insert(line, Printed { at: now, repeats: 0 });
        true
    }

    /// Forgets the lines whose minute is over, and returns those that were repeated in it.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Repeated> {
        let expired = self.lines.extract_if(|_, printed| now.duration_since(printed.at) >= SPAN);
        let repeated = expired.filter(|(_, printed)| printed.repeats > 0).map(|(line, printed)| Repeated {
            name: line.name,
            document: line.document,
            watch: line.watch,
            repeats: printed.repeats,
        });
        repeated.collect()
    }

    fn forget_the_eldest(&mut self) {
        let eldest = self.lines.iter().min_by_key(|(_, printed)| printed.at).map(|(line, _)| line.clone());
        if let Some(eldest) = eldest {
            self.lines.remove(&eldest);
        }
    }
}
