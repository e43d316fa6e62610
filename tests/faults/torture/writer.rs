//! Writers at one file, and what they remember of it.

use std::collections::HashSet;
use std::fs;
use std::ops::Add;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::kinds::{Kind, OpenFile, version};

/// How much time there is.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// After this long a version that does not stand is taken for undone: a swap that is undone takes a moment.
    pub(super) patience: Duration,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) written: u64,
    pub(super) damaged: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { written: self.written + other.written, damaged: self.damaged + other.damaged }
    }
}

/// A file, who writes it, and what they wrote.
pub(super) struct Course {
    pub(super) path: PathBuf,
    kinds: Vec<Kind>,
    pace: Pace,
    next: AtomicU64,
    is_over: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// The numbers of the versions that were damaged.
    damaged: HashSet<u64>,
    /// The last writes, of which each may stand: one, or those of two writers that overlapped.
    standing: Vec<u64>,
    /// Those that are being written, and what was written since each was begun.
    begun: Vec<(u64, Vec<u64>)>,
    undone: Vec<String>,
}

impl Course {
    pub(super) fn new(path: PathBuf, kinds: Vec<Kind>, pace: Pace) -> Arc<Self> {
        fs::write(&path, version(0)).unwrap();
        let log = Mutex::new(Log { standing: vec![0], ..Log::default() });
        Arc::new(Self { path, kinds, pace, next: AtomicU64::new(1), is_over: AtomicBool::new(false), log })
    }

    pub(super) fn writers(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn undone(&self) -> Vec<String> {
        self.log.lock().unwrap().undone.clone()
    }

    pub(super) fn tally(&self) -> Tally {
        let damaged = self.log.lock().unwrap().damaged.len() as u64;
        Tally { written: self.next.load(Ordering::Relaxed) - 1, damaged }
    }

    /// Are these bytes a version that somebody wrote, undamaged?
    pub(super) fn has_written_whole(&self, bytes: &[u8]) -> bool {
        let digits: Vec<u8> =
            bytes.iter().copied().skip_while(|byte| !byte.is_ascii_digit()).take_while(u8::is_ascii_digit).collect();
        let number = String::from_utf8(digits).unwrap().parse().unwrap_or(u64::MAX);
        let is_written =
            number < self.next.load(Ordering::Relaxed) && !self.log.lock().unwrap().damaged.contains(&number);
        is_written && bytes == version(number)
    }

    /// Writes version after version until it is over; each that is whole must stand when the next is begun.
    pub(super) fn run(&self, writer: usize, seed: u64) {
        let (kind, mut random) = (self.kinds[writer], Random(seed));
        let mut open = OpenFile::default();
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let is_damaged = random.below(4) == 0;
            self.begin(number, is_damaged);
            let bytes = if is_damaged { damage(kind, version(number)) } else { version(number) };
            kind.write(&self.path, &bytes, random.pause_within(), &mut open);
            self.end(number);
            if random.below(40) == 0 {
                open = None;
            }
            thread::sleep(random.pause_after(is_damaged));
            self.check();
        }
    }

    fn begin(&self, number: u64, is_damaged: bool) {
        let mut log = self.log.lock().unwrap();
        log.begun.push((number, Vec::new()));
        if is_damaged {
            log.damaged.insert(number);
        }
    }

    fn end(&self, number: u64) {
        let mut log = self.log.lock().unwrap();
        let at = log.begun.iter().position(|(one, _)| *one == number).unwrap();
        let (_, mut standing) = log.begun.swap_remove(at);
        log.begun.iter_mut().for_each(|(_, since)| since.push(number));
        standing.push(number);
        log.standing = standing;
    }

    /// What was written last stands. When another writer is at it, or something damaged may be the last, nothing can be said.
    fn check(&self) {
        let begun = Instant::now();
        loop {
            let before = self.expected();
            let present = fs::read(&self.path).unwrap_or_default();
            let after = self.expected();
            let Some(expected) = after.filter(|_| before.is_some()) else { return };
            if before.as_ref() != Some(&expected) || expected.iter().any(|number| present == version(*number)) {
                return;
            }
            if begun.elapsed() > self.pace.patience {
                let present: String = String::from_utf8_lossy(&present).chars().take(30).collect();
                let what =
                    format!("{}: one of {expected:?} was to stand, and there is {present:?}", self.path.display());
                return self.log.lock().unwrap().undone.push(what);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn expected(&self) -> Option<Vec<u64>> {
        let log = self.log.lock().unwrap();
        let is_sure = log.begun.is_empty() && !log.standing.iter().any(|number| log.damaged.contains(number));
        is_sure.then(|| log.standing.clone())
    }
}

/// A file that stays open or is mapped keeps its length: its end is zeros. Others are cut short.
fn damage(kind: Kind, mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    if matches!(kind, Kind::KeptOpen | Kind::Mapped) {
        bytes[middle..].fill(0);
    } else {
        bytes.truncate(middle);
    }
    bytes
}

/// A linear congruential generator (Knuth, MMIX): the same pauses each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn between(&mut self, least_us: u64, most_us: u64) -> Duration {
        Duration::from_micros(least_us + self.below(most_us - least_us))
    }

    /// In the middle of a write: far below `settle`.
    fn pause_within(&mut self) -> Duration {
        match self.below(100) {
            0..70 => self.between(0, 500),
            70..95 => self.between(500, 20_000),
            _ => self.between(20_000, 200_000),
        }
    }

    /// Some damage stays long enough to be believed and repaired.
    fn pause_after(&mut self, is_damaged: bool) -> Duration {
        match (is_damaged, self.below(100)) {
            (true, 0..20) => self.between(1_000_000, 2_300_000),
            (true, _) => self.between(1, 50_000),
            (false, 0..60) => self.between(1, 2_000),
            (false, 60..95) => self.between(2_000, 100_000),
            (false, _) => self.between(300_000, 2_000_000),
        }
    }
}
