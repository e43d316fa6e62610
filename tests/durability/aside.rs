//! The swap where two names cannot be exchanged in one step: nothing is lost there either.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwarden::disk::{Disk, Step};
use jsonwarden::repair::{Disposal, Outcome};

use super::bench::{Bench, DAMAGED, GOOD, NEWER, places};

const EINVAL: i32 = 22;

/// A disk that cannot exchange, and asks `hook` before every other step.
fn without_exchange(hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Disk {
    Disk::with_hook(move |step| match step {
        Step::Exchange => Err(io::Error::from_raw_os_error(EINVAL)),
        step => hook(step),
    })
}

#[test]
fn a_repair_ends_as_an_exchange_would_and_says_that_it_took_steps() {
    for place in places() {
        let bench = Bench::with(&place, DAMAGED);
        let outcome = bench.hands_with(without_exchange(|_| Ok(()))).outcome(DAMAGED);
        let Outcome::Restored(restored) = outcome else { panic!("{outcome:?}") };
        assert!(!restored.in_one_step);
        assert_eq!((bench.read(), bench.quarantined()), (GOOD.to_vec(), vec![DAMAGED.to_vec()]));
        assert_eq!(bench.leftovers(), [restored.leftover.unwrap()]);
        assert_eq!(bench.beside(), [DAMAGED]);
    }
}

/// Repairs with `strike` before each link and rename of the document, and settles what is left.
fn struck(strike_at: Step, strike: impl Fn(&Path) + Send + Sync + 'static) -> (Bench, Outcome) {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let path = bench.path();
    let renames = AtomicUsize::new(0);
    let disk = without_exchange(move |step| {
        // The first rename gives the staged file its name, the second makes room.
        let is_time = match step {
            Step::Rename => renames.fetch_add(1, Ordering::Relaxed) == 1,
            step => step == Step::Link,
        };
        if step == strike_at && is_time {
            strike(&path);
        }
        Ok(())
    });
    let outcome = bench.hands_with(disk).outcome(DAMAGED);
    (bench, outcome)
}

#[test]
fn whoever_creates_the_document_in_between_wins() {
    let (bench, outcome) = struck(Step::Link, |path| fs::write(path, NEWER).unwrap());
    assert!(matches!(outcome, Outcome::Yielded), "{outcome:?}");
    assert_eq!(bench.read(), NEWER);
    bench.hands().settle_all(&bench);
    assert_eq!((bench.read(), bench.leftovers().len()), (NEWER.to_vec(), 0));
    assert!(bench.quarantined().contains(&DAMAGED.to_vec()), "and what was damaged is kept");
}

#[test]
fn a_version_that_is_renamed_over_just_before_gets_its_name_back() {
    let (bench, outcome) = struck(Step::Rename, |path| {
        let staged = path.with_extension("theirs");
        fs::write(&staged, NEWER).unwrap();
        fs::rename(&staged, path).unwrap();
    });
    assert!(matches!(outcome, Outcome::Yielded), "{outcome:?}");
    assert_eq!(bench.read(), NEWER);
    bench.hands().settle_all(&bench);
    assert_eq!((bench.read(), bench.leftovers().len()), (NEWER.to_vec(), 0));
}

/// A disk that cannot exchange, and whose steps fail: only the n-th (from 1), or all from there on, as when we die.
fn failing(at: usize, errno: Option<i32>) -> (Disk, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let disk = without_exchange(move |_| {
        let step = counted.fetch_add(1, Ordering::Relaxed) + 1;
        match errno {
            Some(errno) if step == at => Err(io::Error::from_raw_os_error(errno)),
            None if step >= at => Err(io::Error::other("dead")),
            _ => Ok(()),
        }
    });
    (disk, steps)
}

#[test]
fn a_repair_in_steps_that_fails_or_dies_anywhere_loses_nothing_and_is_finished_the_next_time() {
    let place = places().pop().unwrap();
    for errno in [Some(5), Some(28), None] {
        for at in 1.. {
            let bench = Bench::with(&place, DAMAGED);
            let (disk, steps) = failing(at, errno);
            drop(bench.hands_with(disk).repair(DAMAGED));
            let kept = [fs::read(bench.path()).into_iter().collect(), bench.beside(), bench.quarantined()].concat();
            assert!(kept.iter().any(|bytes| bytes == DAMAGED), "step {at}: the damaged bytes are lost");
            for name in bench.leftovers() {
                bench.hands_with(without_exchange(|_| Ok(()))).settle(&name, None).unwrap();
            }
            if bench.read() == DAMAGED {
                drop(bench.hands_with(without_exchange(|_| Ok(()))).repair(DAMAGED).unwrap());
            }
            assert_eq!(bench.read(), GOOD, "step {at}");
            bench.hands().settle_all(&bench);
            assert_eq!((bench.read(), bench.leftovers().len()), (GOOD.to_vec(), 0), "step {at}");
            assert_eq!(bench.quarantined(), [DAMAGED], "step {at}");
            if steps.load(Ordering::Relaxed) < at {
                break;
            }
        }
    }
}

#[test]
fn a_late_writer_s_version_gets_in_without_an_exchange_too() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let hands = bench.hands_with(without_exchange(|_| Ok(())));
    let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it was to be repaired") };
    let leftover = restored.leftover.unwrap();
    fs::write(bench.folder.join(&leftover), NEWER).unwrap();
    assert_eq!(hands.settle(&leftover, Some(DAMAGED)).unwrap(), Disposal::SwappedIn);
    assert_eq!((bench.read(), bench.beside()), (NEWER.to_vec(), vec![GOOD.to_vec()]));
}

#[test]
fn a_document_that_was_removed_after_the_repair_is_not_brought_back() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let hands = bench.hands_with(without_exchange(|_| Ok(())));
    let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it was to be repaired") };
    fs::remove_file(bench.path()).unwrap();
    hands.settle(&restored.leftover.unwrap(), Some(DAMAGED)).unwrap();
    assert!(!bench.path().exists());
}
