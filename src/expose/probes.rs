//! The probes: is it alive, is it ready, how is it.

use serde_json::{Map, json};

use super::view::View;
use crate::health::Level;

/// One line of a probe.
struct Line {
    name: &'static str,
    /// What is wrong; `None`: it is well.
    trouble: Option<String>,
}

/// What a probe says: is it well, and in which words.
pub(super) struct Probe {
    pub(super) well: bool,
    pub(super) text: String,
}

/// Alive while every stage makes progress. Files' state, disks and mounts have no say: a restart would not mend them.
pub(super) fn live(view: &View, verbose: bool) -> Probe {
    let lines = view.heartbeats.iter().map(|beat| Line {
        name: beat.stage(),
        trouble: (!beat.is_alive()).then(|| format!("no progress for {} s", beat.age().as_secs())),
    });
    probe(lines.collect(), "alive", verbose)
}

/// Ready once every latch is open, until the drain.
pub(super) fn ready(view: &View, verbose: bool) -> Probe {
    let latches = view
        .latches
        .iter()
        .map(|latched| Line { name: latched.name(), trouble: (!latched.is_open()).then(|| "not yet".to_owned()) });
    let draining = Line { name: "drain", trouble: view.is_draining().then(|| "asked to end".to_owned()) };
    probe(latches.chain([draining]).collect(), "ready", verbose)
}

fn probe(lines: Vec<Line>, word: &str, verbose: bool) -> Probe {
    let well = lines.iter().all(|line| line.trouble.is_none());
    let end = if well { format!("{word}\n") } else { format!("not {word}\n") };
    let shown = lines.into_iter().filter(|line| verbose || line.trouble.is_some());
    let text: String = shown.map(|line| line.text()).collect();
    Probe { well, text: text + &end }
}

impl Line {
    fn text(&self) -> String {
        match &self.trouble {
            None => format!("[+] {}\n", self.name),
            Some(trouble) => format!("[-] {}: {trouble}\n", self.name),
        }
    }
}

/// How it is, as JSON; unhealthy when a check is.
pub(super) fn health(view: &View) -> Probe {
    let checks = view.checks(&view.status());
    let worst = checks.iter().map(|(_, standing)| standing.level).max().unwrap_or_default();
    let members: Map<_, _> = checks
        .into_iter()
        .map(|(name, standing)| (name.to_owned(), json!({"status": standing.level.label(), "detail": standing.detail})))
        .collect();
    let text = json!({"status": worst.label(), "checks": members}).to_string() + "\n";
    Probe { well: worst != Level::Unhealthy, text }
}
