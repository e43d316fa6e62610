//! The certified read: what nobody was writing while it was read.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonwarden::read::{Look, OpenWriter, look};
use jsonwarden::verdict::Certainty;

use super::bench::{Bench, Hands, PATIENCE, places_with_leases, wait_until};

const LIMIT: u64 = 1 << 30;

fn looks(hands: &Hands, open_writer: OpenWriter) -> Look {
    look(&hands.disk, &hands.directory, &hands.document, LIMIT, open_writer).unwrap()
}

/// A version that shows where it is torn: every eight bytes are its number.
fn version(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(8 << 10)
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() == version(0).len() && bytes.chunks(8).all(|chunk| chunk == &bytes[..8])
}

/// Says that it is over, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes versions, in one way or another, until it is told to stop; between two of them others have a chance.
fn write_until(is_over: &AtomicBool, mut write: impl FnMut(&[u8])) {
    for number in 1.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        write(&version(number));
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Looks until `enough` has been seen; every certified read must be whole.
fn looks_until_enough(bench: &Bench, writer: impl FnMut(&[u8]) + Send, enough: impl Fn(u32, u32, u32) -> bool) {
    bench.write(&version(0));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| write_until(&is_over, writer));
        let hands = bench.hands();
        let (mut read, mut busy, mut changed) = (0, 0, 0);
        wait_until("enough was seen", || {
            match looks(&hands, OpenWriter::Wait) {
                Look::Read(reading) => {
                    assert_eq!(reading.certainty, Certainty::Certified);
                    assert!(is_whole(&reading.bytes), "a torn read was certified");
                    read += 1;
                }
                Look::Busy => busy += 1,
                Look::Changed | Look::Missing => changed += 1,
                other => panic!("{other:?}"),
            }
            enough(read, busy, changed)
        });
    });
}

#[test]
fn a_writer_that_truncates_and_writes_in_halves_is_never_read_torn() {
    for place in places_with_leases() {
        let bench = Bench::in_place(&place);
        let path = bench.path();
        let writer = |bytes: &[u8]| {
            let mut file = File::create(&path).unwrap();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first).unwrap();
            std::thread::yield_now();
            file.write_all(second).unwrap();
        };
        looks_until_enough(&bench, writer, |read, busy, _| read > 100 && busy > 10);
    }
}

#[test]
fn a_writer_that_overwrites_in_place_is_never_read_torn() {
    for place in places_with_leases() {
        let bench = Bench::in_place(&place);
        let path = bench.path();
        let writer = |bytes: &[u8]| {
            let mut file = File::options().write(true).open(&path).unwrap();
            for chunk in bytes.chunks(4096) {
                file.write_all(chunk).unwrap();
            }
            file.rewind().unwrap();
        };
        looks_until_enough(&bench, writer, |read, busy, _| read > 100 && busy > 10);
    }
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_has_changed() {
    for place in places_with_leases() {
        let bench = Bench::in_place(&place);
        let (path, staged) = (bench.path(), bench.folder.join("staged"));
        let writer = |bytes: &[u8]| {
            fs::write(&staged, bytes).unwrap();
            fs::rename(&staged, &path).unwrap();
        };
        looks_until_enough(&bench, writer, |read, _, changed| read > 100 && changed > 5);
    }
}

#[test]
fn a_file_is_busy_as_long_as_a_writer_has_it_open_even_if_it_is_idle() {
    let Some(place) = places_with_leases().pop() else { return };
    let bench = Bench::in_place(&place);
    bench.write(b"{}");
    let hands = bench.hands();
    let writer = File::options().read(true).append(true).open(bench.path()).unwrap();
    assert!(matches!(looks(&hands, OpenWriter::Wait), Look::Busy));
    let Look::Read(reading) = looks(&hands, OpenWriter::ReadAnyway) else { panic!("it was to be read anyway") };
    assert_eq!((reading.certainty, reading.bytes.as_slice()), (Certainty::OpenWriter, b"{}".as_slice()));
    drop(writer);
    let Look::Read(reading) = looks(&hands, OpenWriter::Wait) else { panic!("nobody writes") };
    assert_eq!(reading.certainty, Certainty::Certified);
}

#[test]
fn a_reader_disturbs_nobody_and_is_disturbed_by_nobody() {
    let bench = Bench::new();
    bench.write(b"{}");
    let reader = File::open(bench.path()).unwrap();
    assert!(matches!(looks(&bench.hands(), OpenWriter::Wait), Look::Read(_)));
    let mut byte = [0];
    reader.read_exact_at(&mut byte, 0).unwrap();
}

/// How many bytes this thread has read so far.
fn bytes_read_by_this_thread() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn a_writer_who_waits_makes_us_let_go_before_all_is_read() {
    let Some(place) = places_with_leases().pop() else { return };
    let bench = Bench::in_place(&place);
    let bytes = 256 << 20;
    File::create(bench.path()).unwrap().set_len(bytes).unwrap();
    let (hands, path) = (bench.hands(), bench.path());
    wait_until("a writer came in the middle of a read", || {
        let is_reading = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_reading.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                std::thread::sleep(Duration::from_millis(5));
                // It gets the file, however long the read would take.
                drop(File::options().write(true).open(&path).unwrap());
            });
            let before = bytes_read_by_this_thread();
            is_reading.store(true, Ordering::Release);
            let found = looks(&hands, OpenWriter::Wait);
            let read = bytes_read_by_this_thread() - before;
            matches!(found, Look::Busy) && read > 4096 && read < bytes
        })
    });
}

#[test]
fn what_is_no_file_is_said_and_never_opened() {
    let bench = Bench::new();
    let hands = bench.hands();
    assert!(matches!(looks(&hands, OpenWriter::Wait), Look::Missing));
    std::os::unix::fs::symlink("elsewhere", bench.path()).unwrap();
    assert!(matches!(looks(&hands, OpenWriter::Wait), Look::Other(found) if found.is_link()));
    fs::remove_file(bench.path()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, bench.path(), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let started = std::time::Instant::now();
    assert!(matches!(looks(&hands, OpenWriter::Wait), Look::Other(_)));
    assert!(started.elapsed() < PATIENCE, "a pipe without a writer keeps nobody");
    fs::remove_file(bench.path()).unwrap();
    fs::create_dir(bench.path()).unwrap();
    assert!(matches!(looks(&hands, OpenWriter::Wait), Look::Other(found) if found.is_directory()));
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let bench = Bench::new();
    bench.write(b"12345");
    let hands = bench.hands();
    let found = |limit| look(&hands.disk, &hands.directory, &hands.document, limit, OpenWriter::Wait).unwrap();
    assert!(matches!(found(4), Look::TooLarge(_)));
    assert!(matches!(found(5), Look::Read(_)));
}
