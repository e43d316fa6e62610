//! A document that many threads change: nothing is lost, nobody waits for ever, and each pays only for itself.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwarden::disk::{Disk, Step};
use jsonwarden::{Guarded, Options, UpdateError, WriteError, update_all};

use super::bench::{Bench, DAMAGED, GOOD};

type Counts = BTreeMap<String, Vec<u32>>;

fn counts(bench: &Bench, disk: Disk) -> Guarded<Counts> {
    let options = Options::new().state_dir(&bench.state).disk(disk);
    Guarded::open_or_default(bench.path(), &options).unwrap()
}

fn count(guarded: &Guarded<Counts>, name: &str, number: u32) {
    guarded.update(|counts| counts.entry(name.to_owned()).or_default().push(number)).unwrap();
}

#[test]
fn every_update_of_sixteen_threads_is_there_once_and_in_order_and_they_share_their_syncs() {
    const EACH: u32 = 20;
    let bench = Bench::new();
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let disk = Disk::with_hook(move |step| {
        counted.fetch_add(usize::from(step == Step::Sync), Ordering::Relaxed);
        Ok(())
    });
    let guarded = counts(&bench, disk);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let guarded = &guarded;
            scope.spawn(move || (0..EACH).for_each(|number| count(guarded, &thread.to_string(), number)));
        }
    });
    let held = guarded.read().unwrap();
    assert_eq!(held.len(), 16);
    assert!(held.values().all(|numbers| numbers.iter().copied().eq(0..EACH)), "{held:?}");
    // Of the version, of what is recorded of it, and of what is swapped in.
    let writes = syncs.load(Ordering::Relaxed) / 3;
    assert!(writes < 16 * EACH as usize / 2, "{writes} writes for {} updates", 16 * EACH);
}

#[test]
fn a_change_that_fails_or_panics_or_breaks_the_rules_spoils_only_itself() {
    let bench = Bench::new();
    let options = Options::new().state_dir(&bench.state).required(["/good".to_owned()]);
    let guarded = Guarded::<Counts>::open_or_default(bench.path(), &options).unwrap();
    count(&guarded, "good", 0);
    let together = Barrier::new(16);
    std::thread::scope(|scope| {
        for thread in 0..16u32 {
            let (guarded, together) = (&guarded, &together);
            scope.spawn(move || {
                together.wait();
                match thread % 4 {
                    0 => {
                        let refused = guarded.try_update(|counts| {
                            counts.clear();
                            Err::<(), _>("no")
                        });
                        assert!(matches!(refused, Err(UpdateError::Change("no"))));
                    }
                    1 => {
                        let panicking = catch_unwind(AssertUnwindSafe(|| {
                            guarded.update(|counts| {
                                counts.clear();
                                std::panic::resume_unwind(Box::new("mine"));
                            })
                        }));
                        assert_eq!(*panicking.unwrap_err().downcast::<&str>().unwrap(), "mine");
                    }
                    2 => {
                        let refused = guarded.update(|counts| counts.remove("good"));
                        assert!(matches!(refused, Err(WriteError::Invalid(_))), "{refused:?}");
                    }
                    _ => count(guarded, "good", thread),
                }
            });
        }
    });
    let mut held = guarded.read().unwrap().remove("good").unwrap();
    held.sort_unstable();
    assert_eq!(held, [0, 3, 7, 11, 15]);
}

#[test]
fn a_placeholder_over_a_value_is_refused_among_changes_that_are_written() {
    let bench = Bench::new();
    let options = Options::new().state_dir(&bench.state);
    let guarded = Guarded::<BTreeMap<String, String>>::open_or_default(bench.path(), &options).unwrap();
    let set = |key: &str, value: &str| guarded.update(|all| all.insert(key.to_owned(), value.to_owned())).map(|_| ());
    set("token", "s3cret").unwrap();
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8u32 {
            let (set, together) = (&set, &together);
            scope.spawn(move || {
                together.wait();
                if thread == 0 {
                    let refused = set("token", "**REDACTED**");
                    assert!(matches!(refused, Err(WriteError::Suspicious(_))), "{refused:?}");
                } else {
                    set(&thread.to_string(), "said").unwrap();
                }
            });
        }
    });
    let held = guarded.read().unwrap();
    assert_eq!((held.len(), held["token"].as_str()), (8, "s3cret"));
}

#[test]
fn a_failure_to_write_is_told_to_all_whom_it_concerns() {
    let bench = Bench::new();
    count(&counts(&bench, Disk::default()), "good", 0);
    let disk = Disk::with_hook(|step| match step {
        Step::Exchange => Err(std::io::Error::from_raw_os_error(28)),
        _ => Ok(()),
    });
    let guarded = counts(&bench, disk);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let guarded = &guarded;
            scope.spawn(move || {
                let failed = guarded.update(|counts| counts.insert(thread.to_string(), Vec::new()));
                assert_eq!(failed.unwrap_err().exit_status(), 74);
            });
        }
    });
    assert_eq!(guarded.read().unwrap().len(), 1);
    assert_eq!(bench.hands().versions().len(), 1, "what never stood there is no version");
}

#[test]
fn a_damaged_document_is_repaired_before_it_is_changed() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let options = Options::new().state_dir(&bench.state);
    let guarded = Guarded::<serde_json::Value>::open_with(bench.path(), &options).unwrap();
    guarded.update(|value| value["version"] = 7.into()).unwrap();
    let mut expected: serde_json::Value = serde_json::from_slice(GOOD).unwrap();
    expected["version"] = 7.into();
    assert_eq!((guarded.read().unwrap(), bench.quarantined()), (expected, vec![DAMAGED.to_vec()]));
}

#[test]
fn several_documents_change_together_in_whatever_order_they_are_named() {
    let bench = Bench::new();
    let options = Options::new().state_dir(&bench.state);
    let open = |name: &str| Guarded::<i64>::open_or_default(bench.folder.join(name), &options).unwrap();
    let (one, other) = (open("one.json"), open("other.json"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pair = if thread % 2 == 0 { [&one, &other] } else { [&other, &one] };
            scope.spawn(move || {
                for _ in 0..10 {
                    let moved = update_all(&pair, |amounts| {
                        amounts[0] -= 1;
                        amounts[1] += 2;
                    });
                    moved.unwrap();
                }
            });
        }
    });
    assert_eq!((one.read().unwrap(), other.read().unwrap()), (20, 20));
    let twice = update_all(&[&one, &one], |_| ());
    assert_eq!(twice.unwrap_err().exit_status(), 2);
}

#[test]
fn what_is_not_there_or_is_something_else_is_told() {
    let bench = Bench::new();
    let options = Options::new().state_dir(&bench.state);
    let guarded = Guarded::<u64>::open_with(bench.path(), &options).unwrap();
    assert_eq!(guarded.update(|_| ()).unwrap_err().exit_status(), 1);
    assert!(!bench.path().exists());
    bench.write(GOOD);
    assert!(matches!(guarded.update(|_| ()), Err(WriteError::Shape(_))));
    assert_eq!(bench.read(), GOOD);
}
