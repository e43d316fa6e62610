//! What the log of incidents remembers of a document from before a restart.

use std::time::{Duration, Instant};

use super::tracked::{Incident, Tracked};
use crate::clock::{self, Timestamp};
use crate::decide::{Machine, Recalled, Repair};
use crate::document::Version;
use crate::event::IncidentId;
use crate::verdict::Reason;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The incident that had not ended.
    pub incident: Option<IncidentId>,
    /// Was the file only suspicious?
    pub is_suspicion: bool,
    /// The hold that had not ended.
    pub held: Option<Reason>,
    /// When it was repaired, with which version, and whether the breaker held what came after; the newest last.
    pub repairs: Vec<(Timestamp, Version, bool)>,
}

impl Tracked {
    /// Goes on from there.
    pub(super) fn remember(&mut self, remembered: &Remembered) {
        let now = Instant::now();
        let goes_on = |id| Box::new(Incident { id, believed: now, detection: Duration::ZERO });
        self.incident = remembered.incident.map(goes_on);
        let repair = |&(at, version, was_held_after): &(Timestamp, Version, bool)| {
            Some(Repair { at: moment(at, now)?, version, was_held_after })
        };
        let recalled = Recalled {
            has_incident: remembered.incident.is_some(),
            is_suspicion: remembered.is_suspicion,
            held: remembered.held,
            repairs: remembered.repairs.iter().filter_map(repair).collect(),
        };
        let machine = std::mem::replace(&mut self.machine, Machine::new(false));
        self.machine = machine.recalling(&recalled, &self.policy());
    }
}

/// When that was, if it was since the machine started; what the clock dates into the future was just now.
fn moment(at: Timestamp, now: Instant) -> Option<Instant> {
    let ago = Duration::try_from(clock::now().duration_since(at)).unwrap_or_default();
    now.checked_sub(ago)
}
