//! Every step fails once, in every way; and we die at every step, and at every step of the recovery from that.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwarden::backup::{Batch, Keep, New};
use jsonwarden::config::Compress;
use jsonwarden::disk::attributes::Attributes;
use jsonwarden::disk::{Disk, Step};
use jsonwarden::document::{Dialect, Digest, Mark};
use jsonwarden::repair::Outcome;

use super::bench::{Bench, DAMAGED, GOOD, Hands, NEWER, places};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// How a disk goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// This step fails, with this error; the later ones succeed.
    Once(i32),
    /// We die: this step does not happen, nor does any later one.
    Death,
}

/// EIO, ENOSPC, EDQUOT, EROFS, EINTR, EACCES, EMFILE and ENOMEM, and death.
pub(crate) const FAILURES: [Failure; 9] = [
    Failure::Once(EIO),
    Failure::Once(ENOSPC),
    Failure::Once(122),
    Failure::Once(30),
    Failure::Once(4),
    Failure::Once(13),
    Failure::Once(24),
    Failure::Once(12),
    Failure::Death,
];

/// A disk whose n-th step (from 1) fails, and the count of its steps.
fn failing(at: usize, failure: Failure) -> (Disk, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let disk = Disk::with_hook(move |_| {
        let step = counted.fetch_add(1, Ordering::Relaxed) + 1;
        match failure {
            Failure::Once(errno) if step == at => Err(io::Error::from_raw_os_error(errno)),
            Failure::Death if step >= at => Err(io::Error::other("dead")),
            _ => Ok(()),
        }
    });
    (disk, steps)
}

/// Does `act` with every one of its steps failing, each time on a fresh bench, and hands the bench to `check`.
pub(crate) fn at_every_step(
    failure: Failure,
    fresh: impl Fn() -> Bench,
    act: impl Fn(&Bench, &Hands),
    check: impl Fn(&Bench, usize),
) -> usize {
    for at in 1.. {
        let bench = fresh();
        let (disk, steps) = failing(at, failure);
        act(&bench, &bench.hands_with(disk));
        check(&bench, at);
        if steps.load(Ordering::Relaxed) < at {
            return at - 1;
        }
    }
    0
}

/// What must hold at every moment of a repair: the name holds damaged or good bytes, the damaged ones are not lost, and no
/// version is.
fn nothing_is_lost(bench: &Bench, at: usize) {
    let present = bench.read();
    assert!(present == GOOD || present == DAMAGED, "step {at}: {:?} at the name", String::from_utf8_lossy(&present));
    let kept = [vec![present], bench.beside(), bench.quarantined()].concat();
    assert!(kept.iter().any(|bytes| bytes == DAMAGED), "step {at}: the damaged bytes are lost");
    assert!(bench.quarantined().iter().all(|bytes| bytes == DAMAGED), "step {at}: half a file in quarantine");
    assert_eq!(bench.hands().versions(), [GOOD], "step {at}");
}

/// What the next start does: it settles what lies there, looks, and repairs.
fn recovers(bench: &Bench, hands: &Hands) -> jsonwarden::error::Result<()> {
    for name in bench.leftovers() {
        hands.settle(&name, None)?;
    }
    if bench.read() == DAMAGED {
        hands.repair(DAMAGED)?;
    }
    for name in bench.leftovers() {
        hands.settle(&name, None)?;
    }
    Ok(())
}

fn is_whole_again(bench: &Bench, at: usize) {
    nothing_is_lost(bench, at);
    assert_eq!(bench.read(), GOOD, "step {at}");
    assert_eq!(bench.quarantined(), [DAMAGED], "step {at}: kept, once");
    assert_eq!(bench.leftovers().len(), 0, "step {at}: {:?}", bench.leftovers());
    let is_half_done = |path: &&std::path::PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b".new");
    let files = bench.stored_files();
    assert_eq!(files.iter().filter(is_half_done).count(), 0, "step {at}: {files:?}");
}

#[test]
fn a_repair_that_fails_or_dies_anywhere_loses_nothing_and_succeeds_the_next_time() {
    for place in places() {
        for failure in FAILURES {
            let steps = at_every_step(
                failure,
                || Bench::with(&place, DAMAGED),
                |_, hands| drop(hands.repair(DAMAGED)),
                |bench, at| {
                    nothing_is_lost(bench, at);
                    recovers(bench, &bench.hands()).unwrap();
                    is_whole_again(bench, at);
                },
            );
            assert!(steps >= 12, "{failure:?}: only {steps} steps");
        }
    }
}

#[test]
fn a_repair_that_fails_before_the_swap_leaves_nothing_beside_the_file() {
    for errno in [EIO, ENOSPC] {
        at_every_step(
            Failure::Once(errno),
            || Bench::with(&std::env::temp_dir(), DAMAGED),
            |_, hands| drop(hands.repair(DAMAGED)),
            |bench, at| {
                if bench.read() == DAMAGED {
                    assert_eq!(bench.leftovers().len(), 0, "step {at}: {:?}", bench.leftovers());
                }
            },
        );
    }
}

#[test]
fn dying_again_in_the_recovery_from_a_death_costs_nothing_either() {
    let place = places().pop().unwrap();
    at_every_step(
        Failure::Death,
        || Bench::with(&place, DAMAGED),
        |_, hands| drop(hands.repair(DAMAGED)),
        |dead, at| {
            at_every_step(
                Failure::Death,
                || copy_of(dead, &place),
                |bench, hands| drop(recovers(bench, hands)),
                |bench, again| {
                    nothing_is_lost(bench, at * 1000 + again);
                    recovers(bench, &bench.hands()).unwrap();
                    is_whole_again(bench, at * 1000 + again);
                },
            );
        },
    );
}

/// A bench with the same files, names and bytes.
fn copy_of(bench: &Bench, place: &Path) -> Bench {
    let copy = Bench::in_place(place);
    for entry in fs::read_dir(&bench.folder).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), copy.folder.join(entry.file_name())).unwrap();
    }
    // The versions' folder is called after the document's, which has another path here.
    copy.hands().store(GOOD, Mark::Good);
    for bytes in bench.quarantined() {
        let hands = copy.hands();
        hands.quarantine.keep(&hands.document, "truncated", &bytes).unwrap();
    }
    copy
}

#[test]
fn a_late_writer_s_version_survives_every_failure_and_death_while_it_is_swapped_in() {
    for place in places() {
        for failure in FAILURES {
            at_every_step(
                failure,
                || {
                    let bench = Bench::with(&place, DAMAGED);
                    let Outcome::Restored(restored) = bench.hands().outcome(DAMAGED) else { panic!("not repaired") };
                    fs::write(bench.folder.join(restored.leftover.unwrap()), NEWER).unwrap();
                    bench
                },
                |bench, hands| drop(hands.settle(&bench.leftovers()[0], None)),
                |bench, at| {
                    let kept = [vec![bench.read()], bench.beside()].concat();
                    assert!(kept.iter().any(|bytes| bytes == NEWER), "step {at}: the late version is lost");
                    assert!(matches!(bench.read().as_slice(), GOOD | NEWER), "step {at}");
                    bench.hands().settle_all(bench);
                    assert_eq!(bench.read(), NEWER, "step {at}");
                    assert_eq!(bench.leftovers().len(), 0, "step {at}");
                },
            );
        }
    }
}

#[test]
fn a_store_that_fails_or_dies_anywhere_costs_no_version_and_succeeds_the_next_time() {
    for place in places() {
        for failure in FAILURES {
            let steps = at_every_step(
                failure,
                || Bench::with(&place, NEWER),
                |_, hands| {
                    let taken = hands.take(NEWER, Mark::Suspicious);
                    assert!(taken.is_err() || hands.versions() == [NEWER, GOOD], "what is reported as stored is there");
                    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
                    let _ = folder.prune(Keep::newest(9));
                },
                |bench, at| {
                    let hands = bench.hands();
                    let before = hands.versions();
                    assert!(before == [GOOD] || before == [NEWER, GOOD], "step {at}");
                    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
                    let marks: Vec<Mark> = folder.versions().unwrap().iter().map(|stored| stored.mark).collect();
                    assert!(marks.len() < 2 || marks[0] == Mark::Suspicious, "step {at}: a version lost its mark");
                    hands.store(NEWER, Mark::Suspicious);
                    assert_eq!(hands.versions(), [NEWER, GOOD], "step {at}");
                    assert_eq!(bench.stored_files().len(), 3, "step {at}: {:?}", bench.stored_files());
                },
            );
            assert!(steps >= 6, "{failure:?}: only {steps} steps");
        }
    }
}

const NAMES: [&str; 3] = ["a.json", "b.json", "c.json"];

fn bytes_of(name: &str) -> Vec<u8> {
    format!("[\"{name}\"]").into_bytes()
}

/// Stores a version of every document; the names of those that it succeeded with.
fn enrol(bench: &Bench, hands: &Hands) -> Vec<String> {
    let mut batch = Batch::new(&hands.backups);
    for name in NAMES {
        let document = jsonwarden::document::DocumentId::new(&bench.folder, OsStr::new(name));
        let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: Vec::new() };
        let (bytes, dialect) = (bytes_of(name), Dialect::Json);
        let (bytes, digest) = (bytes.as_slice(), Digest::of(&bytes));
        let _ = batch.add(
            &document,
            &New { bytes, digest, mark: Mark::Good, dialect, origin: "file", attributes },
            Compress::Auto,
        );
    }
    let stored = batch.finish().into_iter().filter(|(_, stored)| stored.is_ok());
    stored.map(|(document, _)| document.name().to_str().unwrap().to_owned()).collect()
}

#[test]
fn documents_that_cannot_be_synced_together_are_stored_one_by_one() {
    for sync in 1..=2 {
        let bench = Bench::new();
        let syncs = AtomicUsize::new(0);
        let disk = Disk::with_hook(move |step| {
            let is_it = step == Step::SyncFileSystem && syncs.fetch_add(1, Ordering::Relaxed) + 1 == sync;
            if is_it { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
        });
        let mut stored = enrol(&bench, &bench.hands_with(disk));
        stored.sort();
        assert_eq!(stored, NAMES, "sync {sync}");
        assert_eq!(bench.stored_files().len(), 6, "sync {sync}: {:?}", bench.stored_files());
    }
}

#[test]
fn an_enrolment_that_fails_or_dies_anywhere_stores_each_document_whole_or_not_at_all() {
    let versions = |bench: &Bench, name: &str| {
        let document = jsonwarden::document::DocumentId::new(&bench.folder, OsStr::new(name));
        Hands { document, ..bench.hands() }.versions()
    };
    for place in places() {
        for failure in FAILURES {
            at_every_step(
                failure,
                || Bench::in_place(&place),
                |bench, hands| {
                    for name in enrol(bench, hands) {
                        assert_eq!(versions(bench, &name), [bytes_of(&name)]);
                    }
                },
                |bench, at| {
                    for name in NAMES {
                        assert!(versions(bench, name).len() <= 1, "step {at}");
                    }
                    enrol(bench, &bench.hands());
                    for name in NAMES {
                        assert_eq!(versions(bench, name), [bytes_of(name)], "step {at}");
                    }
                    assert_eq!(bench.stored_files().len(), 6, "step {at}: {:?}", bench.stored_files());
                },
            );
        }
    }
}
