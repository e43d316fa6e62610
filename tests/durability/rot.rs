//! Rot: one flipped bit anywhere in a stored version is found, and nothing rotten is ever put back.

use std::fs;
use std::path::{Path, PathBuf};

use jsonwarden::backup::New;
use jsonwarden::config::Compress;
use jsonwarden::disk::attributes::Attributes;
use jsonwarden::document::{Dialect, Digest, Mark, Version};
use jsonwarden::repair::Outcome;

use super::bench::{Bench, DAMAGED, Hands, places};

const FLIPS: u64 = 500;

/// A version of some kilobytes that compresses.
fn version(number: u64) -> Vec<u8> {
    let entities: Vec<String> = (0..60).map(|at| format!("{{\"id\": {}, \"on\": true}}", at * number)).collect();
    format!("{{\"version\": {number}, \"entities\": [{}]}}\n", entities.join(", ")).into_bytes()
}

/// Always the same numbers, spread well (Vigna's `splitmix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

fn store(hands: &Hands, number: u64, compress: Compress) {
    let bytes = version(number);
    let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: Vec::new() };
    let new = New {
        bytes: &bytes,
        digest: Digest::of(&bytes),
        mark: Mark::Good,
        dialect: Dialect::Json,
        origin: "file",
        attributes,
    };
    let folder = hands.backups.make(&hands.document).unwrap().compressing(compress);
    folder.lock().unwrap();
    folder.take(&new).unwrap();
}

fn stored_as(bench: &Bench, number: u64) -> PathBuf {
    let begins = format!("{number:08}-");
    let is_it = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&begins);
    bench.stored_files().iter().find(is_it).unwrap().clone()
}

fn flip(path: &Path, numbers: &mut Numbers) -> Vec<u8> {
    let whole = fs::read(path).unwrap();
    let mut flipped = whole.clone();
    let at = numbers.below(flipped.len());
    flipped[at] ^= 1 << numbers.below(8);
    fs::write(path, flipped).unwrap();
    whole
}

/// Flips a bit of the newer of two versions, again and again; says how many flips changed nothing of the plain bytes.
fn flips(compress: Compress, numbers: &mut Numbers) -> u64 {
    let place = places().pop().unwrap();
    let bench = Bench::in_place(&place);
    bench.write(&version(2));
    let hands = bench.hands();
    for number in [1, 2] {
        store(&hands, number, compress);
    }
    let path = stored_as(&bench, 2);
    assert_eq!(path.extension().unwrap() == "zst", compress != Compress::Never);
    let mut unharmed = 0;
    for _ in 0..FLIPS {
        let whole = flip(&path, numbers);
        let folder = hands.backups.find(&hands.document).unwrap().unwrap();
        let is_unharmed = folder.bytes(Version(2)).is_ok_and(|bytes| bytes == version(2));
        assert!(is_unharmed || folder.bytes(Version(2)).is_err(), "rotten bytes were given out");
        let mut rotten = Vec::new();
        folder
            .scrub(|one| {
                rotten.extend(one.is_rotten.then_some(one.version));
                true
            })
            .unwrap();
        assert_eq!(rotten, if is_unharmed { vec![] } else { vec![Version(2)] }, "as the scrub and verify find it");
        drop(folder);
        bench.write(DAMAGED);
        let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it is not repaired") };
        assert_eq!(restored.version.version, if is_unharmed { Version(2) } else { Version(1) });
        assert_eq!(bench.read(), version(if is_unharmed { 2 } else { 1 }));
        fs::remove_file(bench.folder.join(restored.leftover.unwrap())).unwrap();
        fs::write(&path, whole).unwrap();
        unharmed += u64::from(is_unharmed);
    }
    unharmed
}

#[test]
fn of_a_thousand_flipped_bits_every_harmful_one_is_found_and_nothing_rotten_is_put_back() {
    let mut numbers = Numbers(20_261_122);
    assert_eq!(flips(Compress::Never, &mut numbers), 0, "every bit of a plain version counts");
    let unharmed = flips(Compress::Always, &mut numbers);
    println!(
        "{FLIPS} flips in plain versions: all found; {FLIPS} in compressed ones: {unharmed} left the plain bytes whole"
    );
    assert!(unharmed < FLIPS / 10);
}
