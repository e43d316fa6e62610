//! Half an hour of mixed load (long mode only): it needs no more and more, and what it counts is what it tells.

use std::fs;
use std::time::{Duration, Instant};

use super::Arena;
use crate::support::{Daemon, LIMIT, is_long, wait_until};
use crate::volume::Kind;

const SPAN: Duration = Duration::from_secs(30 * 60);

/// How often it is looked what the daemon needs.
const STEP: Duration = Duration::from_secs(5);

/// What a process needs: resident KiB, and descriptors.
fn needs(daemon: &Daemon) -> (u64, u64) {
    let pid = daemon.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (resident, fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64)
}

/// The most in the last third is at most 1.1 times the most in the middle one.
fn does_not_grow(what: &str, samples: &[u64]) {
    let third = samples.len() / 3;
    let most = |samples: &[u64]| *samples.iter().max().unwrap();
    let (middle, last) = (most(&samples[third..2 * third]), most(&samples[2 * third..]));
    println!("{what}: at most {middle} in the middle third, {last} in the last");
    assert!(last * 10 <= middle * 11, "{what} grows: {middle}, then {last}");
}

/// As many as the log of incidents tells.
fn counts_what_it_tells(daemon: &Daemon) {
    wait_until(LIMIT, "no incident is open", || daemon.count("incidents_open", &[]) == 0);
    let told = |event: &str| daemon.state.incidents().iter().filter(|line| line["event"] == event).count();
    let repaired: &[(&str, &str)] = &[("outcome", "repaired")];
    for (event, name, labels) in [
        ("corrupted", "corruptions_total", &[][..]),
        ("repaired", "restores_total", repaired),
        ("repair_failed", "restores_total", &[("outcome", "failed")]),
        ("repair_yielded", "restores_total", &[("outcome", "yielded")]),
        ("quarantined", "quarantined_total", &[]),
        ("rotten", "rot_total", &[]),
    ] {
        let what = format!("{event} is told as often as it is counted");
        wait_until(LIMIT, &what, || daemon.count(name, labels) == told(event));
        println!("{name} {labels:?}: {}", told(event));
    }
}

#[test]
fn a_long_life_needs_no_more_and_more_and_counts_what_it_tells() {
    if !is_long() {
        return;
    }
    let Some(arena) = Arena::open(Kind::Ext4) else { return };
    let (begun, mut resident, mut open) = (Instant::now(), Vec::new(), Vec::new());
    while begun.elapsed() < SPAN {
        let needs = needs(&arena.daemon);
        resident.push(needs.0);
        open.push(needs.1);
        std::thread::sleep(STEP);
    }
    assert!(!arena.daemon.has_ended());
    does_not_grow("resident KiB", &resident);
    does_not_grow("descriptors", &open);
    for course in &arena.crowd.courses {
        course.stop();
    }
    // Whatever is damaged at the end is repaired before it is counted.
    counts_what_it_tells(&arena.daemon);
    let (wrong, repairs) = arena.close();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(repairs > 0, "nothing was repaired: the test shows nothing");
}
