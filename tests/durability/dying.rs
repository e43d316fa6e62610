//! A write that fails or dies at any of its steps: old or new bytes stand at the name, what was acknowledged is there, and
//! nothing is left of the attempt once somebody has looked.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use jsonwarden::config::{LockKind, Rules};
use jsonwarden::write::Writer;

use super::bench::{Bench, DAMAGED, GOOD, Hands, NEWER, places};
use super::failing::{FAILURES, at_every_step};

/// Writes the newer bytes; was that acknowledged?
fn writes(bench: &Bench, hands: &Hands, lock: LockKind) -> bool {
    let rules = Rules { lock, lock_timeout: std::time::Duration::from_millis(100), ..Rules::default() };
    let writer = Writer::open(&hands.disk, &bench.path(), &bench.state, rules);
    writer.is_ok_and(|writer| writer.replace(NEWER).is_ok())
}

/// Dies or fails at every step of a write over `before`, and recovers.
fn at_every_step_of_a_write(places: Vec<PathBuf>, before: Option<&[u8]>, lock: LockKind) {
    for place in places {
        for failure in FAILURES {
            let acknowledged = Cell::new(false);
            let fresh = || match before {
                Some(bytes) => Bench::with(&place, bytes),
                None => Bench::in_place(&place),
            };
            let check = |bench: &Bench, at: usize| {
                let what = || format!("{failure:?} at step {at} of a write over {before:?}");
                let present = fs::read(bench.path()).ok();
                let is_new = present.as_deref() == Some(NEWER);
                assert!(is_new || (!acknowledged.get() && present.as_deref() == before), "{}: {present:?}", what());
                let versions = bench.hands().versions();
                assert!(versions.iter().all(|version| version == GOOD || version == NEWER), "{}", what());
                assert!(!is_new || versions.contains(&NEWER.to_vec()), "{}: it is stored before it is seen", what());
                if before == Some(DAMAGED) && is_new {
                    assert!([bench.beside(), bench.quarantined()].concat().contains(&DAMAGED.to_vec()), "{}", what());
                }
                bench.hands().settle_all(bench);
                let recovered = fs::read(bench.path()).ok();
                assert_eq!(recovered, present, "{}: the recovery changes nothing", what());
                assert_eq!(bench.leftovers().len(), 0, "{}: {:?}", what(), bench.leftovers());
                let _ = fs::remove_dir(bench.folder.join("core.json.lock"));
                assert!(
                    writes(bench, &bench.hands(), lock) && bench.read() == NEWER,
                    "{}: the next one succeeds",
                    what()
                );
            };
            let steps =
                at_every_step(failure, fresh, |bench, hands| acknowledged.set(writes(bench, hands, lock)), check);
            assert!(steps >= 14, "{failure:?}: only {steps} steps");
        }
    }
}

#[test]
fn a_write_that_fails_or_dies_anywhere_leaves_the_old_bytes_or_the_new_ones() {
    at_every_step_of_a_write(places(), Some(GOOD), LockKind::Auto);
}

#[test]
fn so_does_one_over_damage_which_is_not_lost() {
    at_every_step_of_a_write(vec![places().remove(0)], Some(DAMAGED), LockKind::Posix);
}

#[test]
fn so_does_the_first_write_of_a_file() {
    at_every_step_of_a_write(vec![places().remove(0)], None, LockKind::Flock);
}
