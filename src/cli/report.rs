//! `report`: what all incidents come to: how many, of what kind, how long to repair, and what keeps coming back.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde_json::{Value as Json, json};

use super::incidents::{Log, seconds_text};
use super::moment::parse_moment;
use super::{Ended, Session, shown};
use crate::clock::Timestamp;
use crate::event::Comparison;
use crate::record::incidents::Story;

/// So many of the files that were damaged more than once are named by a person's report.
const NAMED: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only incidents that began since: a span ago such as "30d", or RFC 3339
    #[arg(long, value_name = "SPAN", value_parser = parse_moment)]
    since: Option<Timestamp>,
    /// As one JSON document
    #[arg(long)]
    json: bool,
}

/// What all incidents come to.
struct Report<'l> {
    log: &'l Log,
    kinds: BTreeMap<&'l str, usize>,
    /// From the damage to good bytes at the name, in seconds, the shortest first.
    repairs: Vec<f64>,
    /// Files that were damaged more than once, most often first.
    recurrences: Vec<(&'l str, Vec<&'l Story>)>,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let log = Log::read(session)?.since(arguments.since);
    let report = Report::of(&log);
    if arguments.json {
        writeln!(session.out, "{:#}", report.json(arguments.since))?;
    } else {
        report.tell(session)?;
    }
    Ok(0)
}

impl<'l> Report<'l> {
    fn of(log: &'l Log) -> Self {
        let mut kinds = BTreeMap::new();
        let mut files: BTreeMap<&str, Vec<&Story>> = BTreeMap::new();
        for story in &log.stories {
            *kinds.entry(story.kind.as_str()).or_default() += 1;
            files.entry(&story.path).or_default().push(story);
        }
        let mut repairs: Vec<f64> = log.stories.iter().filter_map(|story| story.repair_seconds).collect();
        repairs.sort_unstable_by(f64::total_cmp);
        let mut recurrences: Vec<_> = files.into_iter().filter(|(_, stories)| stories.len() > 1).collect();
        recurrences.sort_by_key(|(_, stories)| std::cmp::Reverse(stories.len()));
        Self { log, kinds, repairs, recurrences }
    }

    fn count(&self, is: impl Fn(&Story) -> bool) -> usize {
        self.log.stories.iter().filter(|story| is(story)).count()
    }

    fn ended(&self, outcome: &str) -> usize {
        self.count(|story| story.outcome() == outcome)
    }

    fn unacknowledged(&self) -> usize {
        self.count(|story| !self.log.acknowledged.contains_key(&story.id))
    }

    /// The mean time to repair, in seconds; `None`: nothing was repaired.
    fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a mean of far fewer than 2^52 times")]
        let count = self.repairs.len() as f64;
        (count > 0.0).then(|| self.repairs.iter().sum::<f64>() / count)
    }

    fn median(&self) -> Option<f64> {
        self.repairs.get(self.repairs.len() / 2).copied()
    }

    /// Incidents after whose repair something that survived is missing from the version that was put back.
    fn with_loss(&self) -> usize {
        let is_lost = |lost: &Comparison| !lost.is_suspicious && lost.added + lost.changed > 0;
        let is_lossy = |story: &Story| story.lost.as_ref().is_some_and(is_lost);
        self.count(is_lossy)
    }

    fn json(&self, since: Option<Timestamp>) -> Json {
        let recurrence = |(path, stories): &(&str, Vec<&Story>)| {
            let ids: Vec<u64> = stories.iter().map(|story| story.id.0).collect();
            let kinds: std::collections::BTreeSet<&str> = stories.iter().map(|story| story.kind.as_str()).collect();
            json!({"path": path, "incidents": ids, "kinds": kinds})
        };
        json!({
            "since": since.map(|since| since.to_string()),
            "incidents": self.log.stories.len(), "repaired": self.ended("repaired"),
            "recovered": self.ended("recovered"), "gone": self.ended("gone"), "open": self.ended("open"),
            "failed_repairs": self.log.stories.iter().map(|story| story.failures).sum::<u64>(),
            "unacknowledged": self.unacknowledged(), "kinds": self.kinds, "mttr_seconds": self.mean(),
            "median_seconds": self.median(), "longest_seconds": self.repairs.last(), "with_loss": self.with_loss(),
            "recurrences": self.recurrences.iter().map(recurrence).collect::<Vec<Json>>(),
        })
    }

    fn tell(&self, session: &mut Session<'_>) -> std::io::Result<()> {
        let out = &mut *session.out;
        let (all, open) = (self.log.stories.len(), self.ended("open"));
        let (repaired, recovered, gone) = (self.ended("repaired"), self.ended("recovered"), self.ended("gone"));
        writeln!(
            out,
            "incidents       {all}: {repaired} repaired, {recovered} recovered by themselves, {gone} gone, {open} open"
        )?;
        if all == 0 {
            return Ok(());
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(out, "kinds           {}", shown(Path::new(&kinds.join(", "))))?;
        if let (Some(mean), Some(median), Some(longest)) = (self.mean(), self.median(), self.repairs.last()) {
            let (mean, median, longest) = (seconds_text(mean), seconds_text(median), seconds_text(*longest));
            writeln!(out, "time to repair  {mean} on average (MTTR), median {median}, longest {longest}")?;
        }
        writeln!(out, "lost edits      {} incidents: `jsonwarden incidents` names the paths", self.with_loss())?;
        writeln!(out, "not seen to     {}", self.unacknowledged())?;
        writeln!(out, "recurrences     {} files were damaged more than once", self.recurrences.len())?;
        for (path, stories) in self.recurrences.iter().take(NAMED) {
            writeln!(out, "                {} times {}", stories.len(), shown(Path::new(path)))?;
        }
        Ok(())
    }
}
