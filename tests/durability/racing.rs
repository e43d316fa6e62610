//! Writers that know nothing of us, at random moments of thousands of repairs: whatever they wrote last is at the name in
//! the end. The number of rounds that each way of meeting came to is printed.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use jsonwarden::repair::Outcome;

use super::bench::{Bench, DAMAGED, Hands, places};

/// A new bench after so many rounds keeps the folders short.
const ROUNDS: u32 = 40;

/// So many benches for each writer and place.
fn benches() -> u32 {
    if std::env::var_os("JSONWARDEN_LONG").is_some() { 50 } else { 8 }
}

/// How often the writer and the repair met in which way.
#[derive(Debug, Default)]
struct Meetings {
    restored_before: u32,
    yielded: u32,
    changed: u32,
    busy: u32,
    failed: u32,
}

fn count(meetings: &mut Meetings, outcome: &jsonwarden::error::Result<jsonwarden::repair::Report>) {
    match outcome.as_ref().map(|report| &report.outcome) {
        Ok(Outcome::Restored(_)) => meetings.restored_before += 1,
        Ok(Outcome::Yielded) => meetings.yielded += 1,
        Ok(Outcome::Changed) => meetings.changed += 1,
        Ok(Outcome::Busy) => meetings.busy += 1,
        Err(_) => meetings.failed += 1,
        Ok(other) => panic!("{other:?}"),
    }
}

/// In every round the document is damaged, and `write` replaces it, at a random moment of its repair, with a version that
/// nobody has seen before.
fn race(place: &Path, how: &str, write: impl Fn(&Path, &[u8]) + Sync) {
    let mut meetings = Meetings::default();
    let mut span = Duration::from_millis(2);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut bench = Bench::with(place, DAMAGED);
    for round in 0..benches() * ROUNDS {
        if round % ROUNDS == 0 {
            bench = Bench::with(place, DAMAGED);
        }
        fs::write(bench.path(), DAMAGED).unwrap();
        let theirs = format!("{{\"round\": {round}, \"of\": \"{how}\"}}");
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = span.mul_f64(f64::from((random >> 40) as u32) / f64::from(1u32 << 24));
        let together = Barrier::new(2);
        let hands = bench.hands();
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                let start = Instant::now();
                while start.elapsed() < delay {
                    std::hint::spin_loop();
                }
                write(&bench.path(), theirs.as_bytes());
            });
            together.wait();
            let start = Instant::now();
            let outcome = hands.repair(DAMAGED);
            // The writer strikes at any moment of an average repair, and a little later.
            span = (span * 7 + start.elapsed() * 5 / 4) / 8;
            outcome
        });
        count(&mut meetings, &outcome);
        newest_wins(&bench, &hands, theirs.as_bytes(), round);
    }
    eprintln!("{} by {how}: {meetings:?}", place.display());
}

fn newest_wins(bench: &Bench, hands: &Hands, theirs: &[u8], round: u32) {
    let present = fs::read(bench.path()).unwrap_or_default();
    assert!(
        present == theirs || bench.beside().iter().any(|bytes| bytes == theirs),
        "round {round}: {} was acknowledged and is lost",
        String::from_utf8_lossy(theirs)
    );
    hands.settle_all(bench);
    assert_eq!(bench.read(), theirs, "round {round}");
    assert_eq!(bench.leftovers().len(), 0, "round {round}");
}

#[test]
fn a_writer_that_renames_over_loses_nothing() {
    for place in places() {
        let staged = |path: &Path| path.with_extension("theirs");
        race(&place, "rename", |path, bytes| {
            fs::write(staged(path), bytes).unwrap();
            fs::rename(staged(path), path).unwrap();
        });
    }
}

#[test]
fn a_writer_that_truncates_and_writes_loses_nothing() {
    for place in places() {
        race(&place, "truncate", |path, bytes| fs::write(path, bytes).unwrap());
    }
}

#[test]
fn a_writer_that_unlinks_and_creates_loses_nothing() {
    for place in places() {
        race(&place, "unlink", |path, bytes| {
            drop(fs::remove_file(path));
            fs::write(path, bytes).unwrap();
        });
    }
}

#[test]
fn a_writer_that_holds_the_file_open_and_writes_in_pieces_loses_nothing() {
    for place in places() {
        race(&place, "held open", |path, bytes| {
            let mut file = File::options().write(true).open(path).unwrap();
            file.set_len(0).unwrap();
            for piece in bytes.chunks(8) {
                file.write_all(piece).unwrap();
                std::thread::yield_now();
            }
            file.seek(SeekFrom::Start(0)).unwrap();
        });
    }
}
