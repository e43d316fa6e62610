//! Incidents as they went: from the damage to its end, told from the lines of `incidents.jsonl` for whoever asks afterwards.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::FILE_NAME;
use super::lines::each_line;
use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::error::Result;
use crate::event::{Comparison, IncidentId};

/// So many incidents are told: the newest.
const STORIES_MAX: usize = 100_000;

/// So many facts of one incident are told, the first.
const FACTS_MAX: usize = 1_000;

/// One incident.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its number.
    pub id: IncidentId,
    /// The path of its document, as the log shows it.
    pub path: String,
    /// The watch of the document.
    pub watch: String,
    /// What was wrong.
    pub kind: String,
    /// When the damage was believed.
    pub began: Timestamp,
    /// From the file's ctime to that, in seconds.
    pub detection_seconds: f64,
    /// When it ended, and how: `repaired`, `recovered` or `gone`.
    pub ended: Option<(Timestamp, &'static str)>,
    /// From the file's ctime to good bytes at the name, in seconds, if it was repaired.
    pub repair_seconds: Option<f64>,
    /// The version that was put back.
    pub version: Option<u64>,
    /// Where the damaged bytes are kept.
    pub quarantine: Option<String>,
    /// How many repairs failed.
    pub failures: u64,
    /// Why its document was held last, if it was.
    pub held: Option<String>,
    /// What was lost, as far as that is known.
    pub lost: Option<Comparison>,
    /// Its lines, in their order.
    pub facts: Vec<Map<String, Value>>,
}

impl Story {
    /// How it ended, or `open`.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.ended.map_or("open", |(_, outcome)| outcome)
    }

    /// How long it took from the damage to its end, in seconds.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let until_ended = |(ended, _): (Timestamp, _)| ended.duration_since(self.began).as_secs_f64().max(0.0);
        self.repair_seconds.or_else(|| Some(self.detection_seconds + self.ended.map(until_ended)?))
    }
}

/// All incidents that the log tells of, in their order, and how many of its lines are damaged.
///
/// # Errors
/// The log is there but cannot be read.
pub fn stories(disk: &Disk, state_dir: &Directory) -> Result<(Vec<Story>, u64)> {
    let mut telling = Telling::default();
    each_line(disk, state_dir, FILE_NAME, |members| match members {
        Some(members) => telling.take(members),
        None => telling.rotten_lines += 1,
    })?;
    Ok((telling.stories.into_values().collect(), telling.rotten_lines))
}

#[derive(Default)]
struct Telling {
    stories: BTreeMap<u64, Story>,
    last_seq: u64,
    rotten_lines: u64,
}

impl Telling {
    /// Takes a line; one that was written twice only once.
    fn take(&mut self, members: Map<String, Value>) {
        let seq = members.get("seq").and_then(Value::as_u64).unwrap_or_default();
        if seq <= self.last_seq {
            return;
        }
        self.last_seq = seq;
        let Some(id) = members.get("incident").and_then(Value::as_u64) else { return };
        let Some(at) = text(&members, "time").and_then(|time| time.parse().ok()) else { return };
        if matches!(text(&members, "event"), Some("corrupted" | "suspected")) {
            // What began as a suspicion goes on as damage.
            let kind = text(&members, "kind").unwrap_or_default().to_owned();
            self.stories.entry(id).or_insert_with(|| begun(id, at, &members)).kind = kind;
            if self.stories.len() > STORIES_MAX {
                self.stories.pop_first();
            }
        }
        if let Some(story) = self.stories.get_mut(&id) {
            story.goes_on(at, members);
        }
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name)?.as_str()
}

fn begun(id: u64, at: Timestamp, members: &Map<String, Value>) -> Story {
    let own = |name| text(members, name).unwrap_or_default().to_owned();
    Story {
        id: IncidentId(id),
        path: own("path"),
        watch: own("watch"),
        kind: own("kind"),
        began: at,
        detection_seconds: members.get("detection_seconds").and_then(Value::as_f64).unwrap_or_default(),
        ended: None,
        repair_seconds: None,
        version: None,
        quarantine: None,
        failures: 0,
        held: None,
        lost: None,
        facts: Vec::new(),
    }
}

impl Story {
    fn goes_on(&mut self, at: Timestamp, members: Map<String, Value>) {
        match text(&members, "event").unwrap_or_default() {
            "repaired" => {
                self.ended = Some((at, "repaired"));
                self.repair_seconds = members.get("repair_seconds").and_then(Value::as_f64);
                self.version = members.get("version").and_then(Value::as_u64);
                self.quarantine = text(&members, "quarantine").map(str::to_owned);
            }
            "recovered" => self.ended = Some((at, "recovered")),
            "gone" => self.ended = Some((at, "gone")),
            "repair_failed" => self.failures += 1,
            "held" => self.held = text(&members, "reason").map(str::to_owned),
            "compared" => self.lost = serde_json::from_value(Value::Object(members.clone())).ok(),
            _ => {}
        }
        if self.facts.len() < FACTS_MAX {
            self.facts.push(members);
        }
    }
}
