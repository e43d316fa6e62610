//! The order of the steps that a power cut would show: a missing or misplaced sync changes these lists.

use std::sync::{Arc, Mutex};

use jsonwarden::disk::{Disk, Step};
use jsonwarden::document::Mark;
use jsonwarden::repair::{Disposal, Outcome};

use super::bench::{Bench, DAMAGED, Hands, NEWER};
use Step::{
    Allocate, Append, Create, Exchange, MakeDirectory, Rename, SetAttributes, Sync, SyncDirectory, Unlink, Write,
};

/// The steps that `act` takes.
fn steps(bench: &Bench, act: impl FnOnce(&Hands)) -> Vec<Step> {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&steps);
    let disk = Disk::with_hook(move |step| {
        taken.lock().unwrap().push(step);
        Ok(())
    });
    act(&bench.hands_with(disk));
    steps.lock().unwrap().clone()
}

fn stores(hands: &Hands) {
    hands.store(NEWER, Mark::Good);
}

fn repairs(hands: &Hands) {
    assert!(matches!(hands.outcome(DAMAGED), Outcome::Restored(_)));
}

#[test]
fn a_version_is_durable_before_it_has_its_name_and_its_name_before_it_is_reported() {
    let bench = Bench::with(&std::env::temp_dir(), NEWER);
    let taken = steps(&bench, stores);
    // The version and the line about it are synced at once; both before the name.
    assert_eq!(taken, [Create, Allocate, Write, Append, Sync, Sync, Rename, SyncDirectory]);
    let again = steps(&bench, stores);
    assert_eq!(again, [SyncDirectory], "whoever stored it may have died before that");
}

#[test]
fn good_bytes_are_durable_before_the_exchange_and_the_exchange_before_anything_else() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let staged = [Create, Allocate, Write, SetAttributes, Sync, Rename];
    let exchanged = [Exchange, SyncDirectory, SetAttributes];
    let kept = [Create, Allocate, Write, Sync, Rename, SyncDirectory];
    let taken: Vec<Step> = steps(&bench, repairs).into_iter().filter(|step| *step != MakeDirectory).collect();
    let made_folders = taken.len() - staged.len() - exchanged.len() - kept.len();
    assert_eq!(taken[..9], [&staged[..], &exchanged].concat());
    assert_eq!(taken[9..9 + made_folders], vec![SyncDirectory; made_folders], "each folder that is made is durable");
    assert_eq!(taken[9 + made_folders..], kept);
    bench.write(DAMAGED);
    let again = steps(&bench, repairs);
    assert_eq!(
        again,
        [&staged[..], &exchanged, &[SyncDirectory]].concat(),
        "they are kept already, and durable by now"
    );
}

#[test]
fn a_leftover_is_removed_only_after_what_keeps_its_bytes_is_durable() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    repairs(&bench.hands());
    let settled = |expected: Disposal| {
        let name = bench.leftovers().pop().unwrap();
        steps(&bench, |hands| assert_eq!(hands.settle(&name, None).unwrap(), expected))
    };
    assert_eq!(settled(Disposal::Removed), [SyncDirectory, Unlink], "kept in quarantine");
    bench.write(DAMAGED);
    repairs(&bench.hands());
    std::fs::write(bench.folder.join(bench.leftovers().pop().unwrap()), NEWER).unwrap();
    let swapped = [SyncDirectory, Exchange, SyncDirectory, SetAttributes];
    assert_eq!(settled(Disposal::SwappedIn), swapped, "what goes is a version that is durable");
    assert_eq!(settled(Disposal::Removed), [SyncDirectory, Unlink], "kept as a version");
}
