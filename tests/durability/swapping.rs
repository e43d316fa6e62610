//! The exchange, with a writer who strikes exactly between two of its steps.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwarden::disk::{Disk, Step};
use jsonwarden::repair::{Disposal, Outcome};

use super::bench::{Bench, DAMAGED, GOOD, NEWER, places, places_with_leases, wait_until};

/// A disk on which `strike` is called just before the n-th exchange (from 1).
fn striking(strike: impl Fn(usize) + Send + Sync + 'static) -> Disk {
    let exchanges = AtomicUsize::new(0);
    Disk::with_hook(move |step| {
        if step == Step::Exchange {
            strike(exchanges.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(())
    })
}

fn rename_over(path: &Path, bytes: &[u8]) {
    let staged = path.with_extension("theirs");
    fs::write(&staged, bytes).unwrap();
    fs::rename(&staged, path).unwrap();
}

/// A repair of `DAMAGED` during which `strike` happens; afterwards the sweep settles what lies beside it.
fn struck(place: &Path, strike: impl Fn(usize, &Path) + Send + Sync + 'static) -> (Bench, Outcome) {
    let bench = Bench::with(place, DAMAGED);
    let path = bench.path();
    let hands = bench.hands_with(striking(move |exchange| strike(exchange, &path)));
    let outcome = hands.outcome(DAMAGED);
    (bench, outcome)
}

#[test]
fn a_version_that_is_renamed_over_just_before_the_exchange_is_put_back() {
    for place in places() {
        let (bench, outcome) = struck(&place, |exchange, path| {
            if exchange == 1 {
                rename_over(path, NEWER);
            }
        });
        assert!(matches!(outcome, Outcome::Yielded));
        assert_eq!(bench.read(), NEWER);
        bench.hands().settle_all(&bench);
        assert_eq!((bench.read(), bench.leftovers().len()), (NEWER.to_vec(), 0));
    }
}

#[test]
fn of_many_writers_that_rename_over_each_other_and_us_the_last_one_wins() {
    for last in 2..12 {
        let (bench, outcome) = struck(places().last().unwrap(), move |exchange, path| {
            if exchange <= last {
                rename_over(path, format!("[{exchange}]").as_bytes());
            }
        });
        assert!(matches!(outcome, Outcome::Yielded));
        assert_eq!(bench.read(), format!("[{last}]").as_bytes());
    }
}

#[test]
fn a_version_that_is_renamed_over_just_after_the_exchange_stays() {
    let (bench, outcome) = struck(&std::env::temp_dir(), |exchange, path| {
        if exchange == 1 {
            rename_over(path, NEWER);
        } else {
            rename_over(path, b"[\"newest\"]");
        }
    });
    assert!(matches!(outcome, Outcome::Yielded));
    assert_eq!(bench.read(), b"[\"newest\"]");
    // What the last writer renamed over is gone by its own doing.
    bench.hands().settle_all(&bench);
    assert_eq!(bench.read(), b"[\"newest\"]");
}

/// Is somebody waiting for a lease on this file to be given up?
fn has_waiting_writer(inode: u64) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("BREAKING") && line.contains(&format!(":{inode} ")))
}

#[test]
fn a_writer_that_opens_the_file_during_the_exchange_gets_it_back_at_the_name() {
    for place in places_with_leases() {
        let bench = Bench::with(&place, DAMAGED);
        let path = bench.path();
        let inode = fs::metadata(&path).unwrap().ino();
        let writer = Arc::new(std::sync::Mutex::new(None));
        let started = Arc::clone(&writer);
        let hands = bench.hands_with(striking(move |exchange| {
            if exchange == 1 {
                let path = path.clone();
                *started.lock().unwrap() = Some(std::thread::spawn(move || {
                    let mut file = File::options().write(true).truncate(true).open(path).unwrap();
                    file.write_all(NEWER).unwrap();
                }));
                wait_until("the writer waits", || has_waiting_writer(inode));
            }
        }));
        assert!(matches!(hands.outcome(DAMAGED), Outcome::Yielded));
        writer.lock().unwrap().take().unwrap().join().unwrap();
        assert_eq!(bench.read(), NEWER);
        assert_eq!(fs::metadata(bench.path()).unwrap().ino(), inode, "it is the file that the writer opened");
    }
}

#[test]
fn a_document_that_is_removed_during_the_exchange_stays_removed() {
    let (bench, outcome) = struck(&std::env::temp_dir(), |exchange, path| {
        if exchange == 1 {
            rename_over(path, NEWER);
        } else {
            fs::remove_file(path).unwrap();
        }
    });
    assert!(matches!(outcome, Outcome::Yielded));
    assert!(!bench.path().exists());
    assert_eq!(bench.beside(), [NEWER], "but what the writer wrote last is not lost");
    let name = &bench.leftovers()[0];
    assert_eq!(bench.hands().settle(name, None).unwrap(), Disposal::Kept);
}

#[test]
fn a_document_that_is_removed_before_the_exchange_is_not_brought_back() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let path = bench.path();
    let hands = bench.hands_with(striking(move |_| drop(fs::remove_file(&path))));
    hands.repair(DAMAGED).unwrap_err();
    assert!(!bench.path().exists());
    assert_eq!(bench.leftovers(), Vec::<std::ffi::OsString>::new(), "nothing is left beside it");
}

#[test]
fn an_exchange_that_cannot_be_undone_at_once_is_undone_by_the_sweep() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let path = bench.path();
    let exchanges = AtomicUsize::new(0);
    let hands = bench.hands_with(Disk::with_hook(move |step| {
        if step != Step::Exchange {
            return Ok(());
        }
        if exchanges.fetch_add(1, Ordering::Relaxed) == 0 {
            rename_over(&path, NEWER);
            return Ok(());
        }
        Err(std::io::Error::from_raw_os_error(5))
    }));
    hands.repair(DAMAGED).unwrap_err();
    assert_eq!((bench.read(), bench.beside()), (GOOD.to_vec(), vec![NEWER.to_vec()]));
    let leftover = &bench.leftovers()[0];
    assert_eq!(bench.hands().settle(leftover, None).unwrap(), Disposal::SwappedIn);
    assert_eq!((bench.read(), bench.beside()), (NEWER.to_vec(), vec![GOOD.to_vec()]));
}
