//! We die at every step that changes the disk, and again at every step of the recovery from that; a third start finds a
//! document that is whole, and nothing to do.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jsonwarden::disk::Disk;

use crate::bench::places_with_leases;
use crate::support::is_long;
use crate::trial::{TRIALS, Trial, start, try_to_start};
use crate::volume::{KINDS, Kind, Volume};

/// A disk that dies at its n-th step (from 1), and the count of its steps.
fn dying(at: usize) -> (Disk, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let disk = Disk::with_hook(move |_| {
        let step = counted.fetch_add(1, Ordering::Relaxed) + 1;
        if step >= at { Err(io::Error::other("dead")) } else { Ok(()) }
    });
    (disk, steps)
}

/// Dies at one step, and at one of the recovery; were there so many steps?
fn dies_twice(trial: &Trial, place: &Path, at: usize, again: usize) -> (bool, bool) {
    let bench = trial.prepare(place);
    let (disk, steps) = dying(at);
    let is_done = trial.act(&bench, &disk);
    let died = steps.load(Ordering::Relaxed) >= at;
    let when = format!("dead at step {at}, and at step {again} of the recovery");
    assert!(died || is_done, "{}: {when}: it failed by itself", trial.name);
    trial.nothing_is_lost(&bench, &when);
    let (disk, steps) = dying(again);
    let recovered = try_to_start(&bench, &bench.hands_with(disk));
    let died_again = steps.load(Ordering::Relaxed) >= again;
    assert!(died_again || recovered.is_ok(), "{}: {when}: {recovered:?}", trial.name);
    trial.nothing_is_lost(&bench, &when);
    trial.recovers(&bench, &when);
    (died, died_again)
}

fn dies_everywhere(place: &Path, of: &str) {
    for trial in &TRIALS {
        let (begun, mut deaths, mut steps) = (Instant::now(), 0, 0);
        'steps: for at in 1.. {
            for again in 1.. {
                let (died, died_again) = dies_twice(trial, place, at, again);
                if !died {
                    break 'steps;
                }
                steps = at;
                deaths += 1;
                if !died_again {
                    break;
                }
            }
        }
        let took = begun.elapsed();
        println!("{} on {of}: {steps} steps, {deaths} pairs of deaths, 0 violations, {took:.1?}", trial.name);
        assert!(steps > 2 || trial.name == "verify", "{}: only {steps} steps", trial.name);
    }
}

#[test]
fn dying_at_any_step_and_again_at_any_step_of_the_recovery_loses_nothing() {
    dies_everywhere(places_with_leases().last().unwrap(), "the temporary folder");
    // Where the kernel grants no honest leases, leftovers stay for a while: overlayfs is left out.
    for kind in KINDS.iter().filter(|kind| is_long() && **kind != Kind::Overlay) {
        if let Some(volume) = Volume::new(*kind) {
            dies_everywhere(volume.point(), kind.name());
        }
    }
}

#[test]
fn a_recovery_is_over_after_one_start() {
    for trial in &TRIALS {
        let bench = trial.prepare(places_with_leases().last().unwrap());
        trial.act(&bench, &Disk::default());
        start(&bench);
        let (disk, steps) = dying(usize::MAX);
        try_to_start(&bench, &bench.hands_with(disk)).unwrap();
        // What is there already is only made sure of.
        assert!(steps.load(Ordering::Relaxed) <= 1, "{}: {steps:?} steps", trial.name);
    }
}
