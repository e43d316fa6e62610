//! The machine, as a table over every phase and input, as stories, and as properties of random lives.

mod properties;
mod stories;

use super::*;
use crate::verdict::{Certainty, Kind, Place};

const SETTLE: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy {
        observes: false,
        is_paused: false,
        settle: SETTLE,
        max_repairs: 3,
        max_repairs_within: Duration::from_secs(600),
        on_missing: OnMissing::Alert,
        missing_for: SETTLE * 10,
        repairs_over_writers: false,
    }
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn fault() -> Fault {
    Fault { kind: Kind::Truncated, place: Place::default(), cause: "it ends too early".to_owned() }
}

fn corrupt(name: &str, certainty: Certainty) -> Input {
    Input::Looked(Seen::Corrupt { digest: digest(name), fault: fault(), certainty })
}

fn valid(name: &str, certainty: Certainty, is_stored: bool) -> Input {
    Input::Looked(Seen::Valid { digest: digest(name), certainty, is_stored, store_at: None })
}

fn odd() -> Input {
    Input::Looked(Seen::Odd { reason: Reason::ConflictMarkers, digest: digest("odd"), fault: fault() })
}

fn unreadable() -> Input {
    Input::Looked(Seen::Unreadable(Reason::Permission, "denied".to_owned()))
}

fn held(reason: Reason) -> Input {
    Input::Ended(Ended::Held(reason, "why".to_owned()))
}

/// A proven machine in a phase, as it is at `now`.
fn at(name: &str, now: Instant) -> Machine {
    let damage = |ago: Duration, told: Vec<Reason>| {
        let since = now.checked_sub(ago).unwrap();
        Box::new(Damage { digest: digest("bad"), fault: fault(), since, changing: since, told })
    };
    let phase = match name {
        "unproven" => Phase::Unproven(None),
        "healthy" => Phase::Healthy,
        "settling" => Phase::Settling(damage(SETTLE / 2, Vec::new())),
        "settled" => Phase::Settling(damage(SETTLE, Vec::new())),
        "repairing" => Phase::Repairing(damage(SETTLE, Vec::new())),
        "editing" | "editing, due" => Phase::Held(Reason::Editing, damage(SETTLE, vec![Reason::Editing])),
        "open writer" => Phase::Held(Reason::OpenWriter, damage(SETTLE * 9, vec![Reason::OpenWriter])),
        "odd" => Phase::Odd(Reason::Suspicious, digest("odd")),
        "missing" => Phase::Missing(now.checked_sub(SETTLE).unwrap()),
        "away" => Phase::DirectoryMissing,
        "unreadable" => Phase::Unreadable(Reason::Disk),
        _ => unreachable!("{name}"),
    };
    let has_incident = matches!(phase, Phase::Repairing(_) | Phase::Held(Reason::Editing, _));
    let is_proven = !matches!(phase, Phase::Unproven(_));
    let held_until = Some(if name == "editing, due" { now } else { now + SETTLE });
    Machine { phase, has_incident, held_until, ..Machine::new(is_proven) }
}

fn inputs() -> Vec<(&'static str, Input)> {
    vec![
        ("valid", valid("good", Certainty::Certified, true)),
        ("valid, unsure", valid("good", Certainty::Unleased, false)),
        ("corrupt", corrupt("bad", Certainty::Certified)),
        ("corrupt, other", corrupt("worse", Certainty::Certified)),
        ("corrupt, open", corrupt("bad", Certainty::OpenWriter)),
        ("odd", odd()),
        ("busy", Input::Looked(Seen::Busy)),
        ("missing", Input::Looked(Seen::Missing { may_return: true })),
        ("away", Input::Looked(Seen::DirectoryMissing)),
        ("unreadable", unreadable()),
        ("restored", Input::Ended(Ended::Restored(digest("good")))),
        ("changed", Input::Ended(Ended::Changed)),
        ("was busy", Input::Ended(Ended::Busy)),
        ("was held", held(Reason::Attributes)),
    ]
}

fn said(note: &Note) -> String {
    match note {
        Note::Unproven(_) => "unproven".to_owned(),
        Note::Suspected(..) => "suspected".to_owned(),
        Note::Corrupted(_) => "corrupted".to_owned(),
        Note::Recovered => "recovered".to_owned(),
        Note::Gone => "gone".to_owned(),
        Note::Held(reason, _) => format!("held {reason}"),
        Note::Released(reason) => format!("released {reason}"),
        Note::Told(kind, _) => format!("told {kind}"),
        Note::Returned => "returned".to_owned(),
    }
}

/// What a step came to, in words: state, next, when to look again, notes.
fn outcome(machine: &Machine, next: Next, notes: &[Note], now: Instant) -> String {
    let (state, reason) = machine.state();
    let reason = reason.map(|reason| format!("({reason})")).unwrap_or_default();
    let due = machine.due.map(|due| format!(" in {} ms", (due - now).as_millis())).unwrap_or_default();
    let notes: Vec<String> = notes.iter().map(said).collect();
    format!("{state}{reason}, {}{due} [{}]", format!("{next:?}").to_lowercase(), notes.join(", "))
}

#[test]
fn every_phase_answers_every_input_as_the_table_says() {
    let now = Instant::now() + SETTLE * 100;
    let mut lines = Vec::new();
    for phase in [
        "unproven",
        "healthy",
        "settling",
        "settled",
        "repairing",
        "editing",
        "editing, due",
        "open writer",
        "odd",
        "missing",
        "away",
        "unreadable",
    ] {
        for (name, input) in inputs() {
            let (machine, next, notes) = step(at(phase, now), input, now, &policy());
            lines.push(format!("{phase} + {name} -> {}", outcome(&machine, next, &notes, now)));
        }
    }
    let expected: Vec<&str> = include_str!("tests/table.txt").lines().collect();
    assert_eq!(lines.len(), expected.len(), "the table has a line for every phase and input");
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(line, expected);
    }
}
