//! The repair in place: what a swap would not reach is reached, nobody reads a mix, and no mix outlives us.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jsonwarden::disk::{Disk, Step};
use jsonwarden::document::Mark;
use jsonwarden::repair::{Outcome, finish_redo};

use super::bench::{Bench, GOOD, Hands, NEWER, PATIENCE, places};
use super::interrupted::{has_redo, inode};

/// Longer than what is put back, so that a rewrite that stops early leaves a mix.
pub(crate) const DAMAGED: &[u8] = b"{\"version\": 1, \"data\": [1, 2, 3, 4, 5, 6, 7, 8, ";

const OTHER: &str = "other.json";

/// A damaged document with a second name: a swap would part the two.
fn linked(place: &Path) -> Bench {
    let bench = Bench::with(place, DAMAGED);
    fs::hard_link(bench.path(), bench.folder.join(OTHER)).unwrap();
    bench
}

fn is_repaired_in_place(bench: &Bench, outcome: Outcome, inode: u64) {
    let Outcome::Restored(restored) = outcome else { panic!("{outcome:?}") };
    assert_eq!(restored.leftover, None);
    assert_eq!(fs::read(restored.kept.unwrap()).unwrap(), DAMAGED);
    assert_eq!(bench.read(), GOOD);
    assert_eq!(fs::metadata(bench.path()).unwrap().ino(), inode);
    assert_eq!(bench.leftovers(), Vec::<OsString>::new());
    assert!(!has_redo(bench), "the redo record is gone");
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn both_names_of_a_file_get_the_good_bytes() {
    for place in places() {
        let bench = linked(&place);
        let inode = inode(&bench);
        is_repaired_in_place(&bench, bench.hands().outcome(DAMAGED), inode);
        assert_eq!(fs::read(bench.folder.join(OTHER)).unwrap(), GOOD);
    }
}

#[test]
fn a_file_that_is_mounted_by_itself_is_repaired_for_both_sides() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let source = bench.state.join("source");
    fs::write(&source, DAMAGED).unwrap();
    if !run(Command::new("mount").arg("--bind").arg(&source).arg(bench.path())) {
        return eprintln!("skipped: mounting is not allowed here");
    }
    let inode = fs::metadata(&source).unwrap().ino();
    let outcome = bench.hands().outcome(DAMAGED);
    let seen = (bench.read(), fs::read(&source).unwrap());
    assert!(run(Command::new("umount").arg(bench.path())));
    assert!(matches!(outcome, Outcome::Restored(_)), "{outcome:?}");
    assert_eq!(seen, (GOOD.to_vec(), GOOD.to_vec()));
    assert_eq!(fs::metadata(&source).unwrap().ino(), inode);
}

#[test]
fn a_file_that_a_container_got_by_itself_is_repaired_there_too() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let inside = bench.state.join("inside");
    fs::write(&inside, "").unwrap();
    let script = "mount --bind \"$1\" \"$2\" && echo mounted && read -r _ && cat \"$2\"";
    let container = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(bench.path())
        .arg(&inside)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut container) = container else { return eprintln!("skipped: there is no unshare(1)") };
    let mut said = BufReader::new(container.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    if line != "mounted\n" {
        container.wait().unwrap();
        return eprintln!("skipped: no mount namespaces here");
    }
    let inode = inode(&bench);
    let outcome = bench.hands().outcome(DAMAGED);
    container.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut seen = String::new();
    std::io::Read::read_to_string(&mut said, &mut seen).unwrap();
    container.wait().unwrap();
    is_repaired_in_place(&bench, outcome, inode);
    assert_eq!(seen.as_bytes(), GOOD, "as the container sees it");
}

#[test]
fn a_folder_that_must_not_be_changed_does_not_keep_its_files_damaged() {
    for place in places() {
        let bench = Bench::with(&place, DAMAGED);
        if !run(Command::new("chattr").arg("+i").arg(&bench.folder)) {
            eprintln!("skipped: no immutable folders below {}", place.display());
            continue;
        }
        let outcome = bench.hands().outcome(DAMAGED);
        assert!(run(Command::new("chattr").arg("-i").arg(&bench.folder)));
        is_repaired_in_place(&bench, outcome, inode(&bench));
    }
}

#[test]
fn what_cannot_be_reproduced_is_kept_by_writing_in_place() {
    let full = [Step::Create, Step::Allocate, Step::Write].map(|step| [(step, 28), (step, 122)]);
    let forbidden = [(Step::SetAttributes, 1), (Step::Exchange, 16), (Step::Exchange, 1), (Step::Create, 13)];
    for (step, errno) in full.concat().into_iter().chain(forbidden) {
        let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
        let inode = inode(&bench);
        let is_first = AtomicBool::new(true);
        let disk = Disk::with_hook(move |now| {
            let fails = now == step && is_first.swap(false, Ordering::Relaxed);
            if fails { Err(std::io::Error::from_raw_os_error(errno)) } else { Ok(()) }
        });
        is_repaired_in_place(&bench, bench.hands_with(disk).outcome(DAMAGED), inode);
    }
}

#[test]
fn whoever_has_it_open_is_waited_for() {
    for place in places() {
        let bench = linked(&place);
        let reader = File::open(bench.path()).unwrap();
        assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::BeingRead(_)));
        assert_eq!((bench.read(), has_redo(&bench)), (DAMAGED.to_vec(), false));
        drop(reader);
        let writer = File::options().append(true).open(bench.path()).unwrap();
        assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Busy));
        assert_eq!((bench.read(), has_redo(&bench)), (DAMAGED.to_vec(), false));
        drop(writer);
        let inode = inode(&bench);
        is_repaired_in_place(&bench, bench.hands().outcome(DAMAGED), inode);
    }
}

#[test]
fn bytes_that_are_not_the_judged_ones_are_not_overwritten() {
    let bench = linked(&std::env::temp_dir());
    assert!(matches!(bench.hands().outcome(b"{"), Outcome::Changed));
    let path = bench.path();
    let disk = Disk::with_hook(move |step| {
        // While the damaged bytes are being kept, a writer is done.
        if step == Step::MakeDirectory {
            fs::write(&path, NEWER).unwrap();
        }
        Ok(())
    });
    let outcome = bench.hands_with(disk).outcome(DAMAGED);
    assert!(matches!(outcome, Outcome::Changed | Outcome::BeingRead(_)), "{outcome:?}");
    assert_eq!(bench.read(), NEWER);
}

#[test]
fn damage_that_cannot_be_kept_in_quarantine_is_not_overwritten() {
    let bench = linked(&std::env::temp_dir());
    fs::write(bench.state.join("quarantine"), "no folder").unwrap();
    bench.hands().repair(DAMAGED).unwrap_err();
    assert_eq!(bench.read(), DAMAGED);
}

/// A disk whose steps fail: only the n-th (from 1), or all from there on, as when we die.
fn failing(at: usize, errno: Option<i32>) -> (Disk, std::sync::Arc<AtomicUsize>) {
    let steps = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&steps);
    let disk = Disk::with_hook(move |_| {
        let step = counted.fetch_add(1, Ordering::Relaxed) + 1;
        match errno {
            Some(errno) if step == at => Err(std::io::Error::from_raw_os_error(errno)),
            None if step >= at => Err(std::io::Error::other("dead")),
            _ => Ok(()),
        }
    });
    (disk, steps)
}

/// What the next look does.
fn recovers(bench: &Bench, hands: &Hands) -> jsonwarden::error::Result<()> {
    finish_redo(&hands.ground())?;
    if bench.read() == DAMAGED {
        hands.repair(DAMAGED)?;
    }
    Ok(())
}

/// A rewrite whose step `at` fails, and its recovery whose step `again` does: the next recovery is whole. Says how many steps
/// each had.
fn struck_twice(place: &Path, errno: Option<i32>, at: usize, again: usize) -> (usize, usize) {
    let bench = linked(place);
    let (disk, steps) = failing(at, errno);
    drop(bench.hands_with(disk).repair(DAMAGED));
    let is_mixed = !matches!(bench.read().as_slice(), GOOD | DAMAGED);
    assert!(!is_mixed || has_redo(&bench), "step {at}: a mix, and nothing says so");
    let (disk, more) = failing(again, errno);
    drop(recovers(&bench, &bench.hands_with(disk)));
    recovers(&bench, &bench.hands()).unwrap();
    assert_eq!(bench.read(), GOOD, "{at} {again}");
    // And any mix that was overwritten.
    assert!(bench.quarantined().contains(&DAMAGED.to_vec()), "{at} {again}");
    assert_eq!(fs::metadata(bench.folder.join(OTHER)).unwrap().ino(), inode(&bench));
    assert!(!has_redo(&bench) && bench.leftovers().is_empty(), "step {at}, {again}");
    (steps.load(Ordering::Relaxed), more.load(Ordering::Relaxed))
}

fn struck_everywhere_again(place: &Path, errno: Option<i32>, at: usize) -> usize {
    for again in 1.. {
        let (steps, more) = struck_twice(place, errno, at, again);
        if more < again {
            return steps;
        }
    }
    0
}

#[test]
fn a_rewrite_that_fails_or_dies_anywhere_and_again_in_its_recovery_is_finished() {
    let place = places().pop().unwrap();
    for errno in [Some(5), Some(28), None] {
        let mut at = 1;
        while struck_everywhere_again(&place, errno, at) >= at {
            at += 1;
        }
        assert!(at > 10, "only {at} steps");
    }
}

/// Large enough that reading and writing it takes many steps of the kernel.
fn large(digit: char, end: &str) -> Vec<u8> {
    format!("[{}{end}", digit.to_string().repeat(300_000)).into_bytes()
}

#[test]
fn of_ten_thousand_reads_during_rewrites_none_is_torn() {
    const READS: usize = 10_000;
    let (good, damaged) = (large('1', "]"), large('2', ", "));
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(&good, Mark::Good);
    let damage = || {
        let staged = bench.folder.join("staged");
        fs::write(&staged, &damaged).unwrap();
        let _ = fs::remove_file(bench.folder.join(OTHER));
        fs::hard_link(&staged, bench.folder.join(OTHER)).unwrap();
        fs::rename(&staged, bench.path()).unwrap();
    };
    damage();
    let (reads, torn, repairs) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let deadline = std::time::Instant::now() + 4 * PATIENCE;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while reads.load(Ordering::Relaxed) < READS && std::time::Instant::now() < deadline {
                    let read = bench.read();
                    torn.fetch_add(usize::from(read != good && read != damaged), Ordering::Relaxed);
                    reads.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            });
        }
        while reads.load(Ordering::Relaxed) < READS && std::time::Instant::now() < deadline {
            if matches!(hands.outcome(&damaged), Outcome::Restored(_)) {
                repairs.fetch_add(1, Ordering::Relaxed);
                damage();
            }
        }
    });
    let (reads, repairs) = (reads.into_inner(), repairs.into_inner());
    eprintln!("{reads} reads during {repairs} repairs in place: {} torn", torn.load(Ordering::Relaxed));
    assert_eq!(torn.into_inner(), 0);
    assert!(reads >= READS && repairs > 10, "{reads} reads, {repairs} repairs");
}
