//! A rewrite in place that was interrupted: what it left is finished and kept, what somebody wrote since is left alone.

use std::fs::{self, File};
use std::io::Error;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jsonwarden::backup::Redo;
use jsonwarden::disk::{Disk, Step};
use jsonwarden::document::{Digest, Mark, Version};
use jsonwarden::repair::{Redone, finish_redo};

use super::bench::{Bench, GOOD, NEWER};
use super::in_place::DAMAGED;

pub(crate) fn has_redo(bench: &Bench) -> bool {
    bench.stored_files().iter().any(|path| path.ends_with("redo"))
}

pub(crate) fn inode(bench: &Bench) -> u64 {
    fs::metadata(bench.path()).unwrap().ino()
}

/// A document whose rewrite stopped when it read `bytes`.
fn interrupted(bytes: &[u8]) -> Bench {
    let bench = Bench::with(&std::env::temp_dir(), bytes);
    let hands = bench.hands();
    hands.quarantine.keep(&hands.document, "truncated", DAMAGED).unwrap();
    let redo =
        Redo { version: Version(1), digest: Digest::of(GOOD), damaged: Digest::of(DAMAGED), inode: inode(&bench) };
    hands.backups.find(&hands.document).unwrap().unwrap().write_redo(&redo).unwrap();
    bench
}

#[test]
fn a_mix_is_finished_before_anybody_believes_it() {
    let mix = [GOOD, &DAMAGED[GOOD.len()..]].concat();
    let bench = interrupted(&mix);
    assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Finished(Version(1)));
    assert_eq!((bench.read(), has_redo(&bench)), (GOOD.to_vec(), false));
    assert!(bench.quarantined().contains(&mix), "what was overwritten is kept");
    assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Nothing);
}

#[test]
fn what_somebody_wrote_since_is_not_overwritten() {
    for since in [NEWER, b"[]", b"", DAMAGED] {
        let bench = interrupted(since);
        assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Nothing);
        assert_eq!((bench.read(), has_redo(&bench)), (since.to_vec(), false));
    }
    let bench = interrupted(GOOD);
    fs::remove_file(bench.path()).unwrap();
    assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Nothing);
    assert!(!bench.path().exists() && !has_redo(&bench));
}

#[test]
fn a_mix_that_somebody_has_open_is_finished_later() {
    let mix = [GOOD, &DAMAGED[GOOD.len()..]].concat();
    let bench = interrupted(&mix);
    let reader = File::open(bench.path()).unwrap();
    assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Waiting);
    assert_eq!((bench.read(), has_redo(&bench)), (mix, true));
    drop(reader);
    assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Finished(Version(1)));
}

/// A document of so many bytes, and a newer one, which differ near their start only.
fn counted(bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let document = |count: u8| format!("{{\"count\": {count}, \"rest\": \"{}\"}}", "x".repeat(bytes)).into_bytes();
    (document(1), document(2))
}

/// The old version is being written over the torn newer one when we die at this step; then its program writes it whole.
fn written_whole_after(dies_at: Step, bytes: usize, torn_after: usize) -> (Bench, Vec<u8>) {
    let (good, newer) = counted(bytes);
    let torn = &newer[..torn_after];
    let bench = Bench::new();
    bench.hands().store(&good, Mark::Good);
    bench.write(torn);
    fs::hard_link(bench.path(), bench.folder.join("second name")).unwrap();
    let (is_dead, root) = (AtomicBool::new(false), bench.state.parent().unwrap().to_owned());
    let disk = Disk::with_hook(move |step| {
        if step == dies_at && has_redo(&Bench::at(&root)) {
            is_dead.store(true, Ordering::Relaxed);
        }
        if is_dead.load(Ordering::Relaxed) { Err(Error::other("dead")) } else { Ok(()) }
    });
    bench.hands_with(disk).repair(torn).unwrap_err();
    assert!(has_redo(&bench), "it died within the rewrite");
    bench.write(&newer);
    (bench, newer)
}

#[test]
fn a_newer_version_that_shares_its_parts_with_both_is_not_overwritten() {
    for dies_at in [Step::Write, Step::Truncate, Step::Sync] {
        // Where the damage ends with a sector or a page, a power cut could have left the same.
        for (bytes, torn_after) in [(100, 30), (2_000, 512), (20_000, 4_096)] {
            let (bench, newer) = written_whole_after(dies_at, bytes, torn_after);
            assert_eq!(finish_redo(&bench.hands().ground()).unwrap(), Redone::Nothing, "{dies_at:?} {torn_after}");
            assert_eq!((bench.read(), has_redo(&bench)), (newer, false), "{dies_at:?} {torn_after}");
        }
    }
}

#[test]
fn a_mix_of_two_versions_that_reads_is_finished_and_kept() {
    let (good, newer) = (b"{\"a\": 1, \"b\": 1}", b"{\"a\": 2, \"b\": 2}");
    let mix = [&good[..9], &newer[9..]].concat();
    let bench = Bench::new();
    let hands = bench.hands();
    bench.write(&mix);
    let version = hands.store(good, Mark::Good).version;
    hands.store(newer, Mark::Good);
    let redo = Redo { version, digest: Digest::of(good), damaged: Digest::of(newer), inode: inode(&bench) };
    hands.backups.find(&hands.document).unwrap().unwrap().write_redo(&redo).unwrap();
    assert_eq!(finish_redo(&hands.ground()).unwrap(), Redone::Finished(version));
    assert_eq!((bench.read(), bench.quarantined()), (good.to_vec(), vec![mix]));
}

#[test]
fn a_mix_that_cannot_be_kept_is_not_overwritten() {
    let mix = [GOOD, &DAMAGED[GOOD.len()..]].concat();
    let bench = interrupted(&mix);
    let hands = bench.hands();
    let full = hands.quarantine.limited_to(1);
    let hands = super::bench::Hands { quarantine: full, ..hands };
    finish_redo(&hands.ground()).unwrap_err();
    assert_eq!((bench.read(), has_redo(&bench)), (mix, true));
}

#[test]
fn a_redo_record_is_removed_durably() {
    let bench = interrupted(GOOD);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let disk = Disk::with_hook(move |step| {
        seen.lock().unwrap().push(step);
        Ok(())
    });
    let hands = bench.hands_with(disk);
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    steps.lock().unwrap().clear();
    folder.remove_redo().unwrap();
    assert_eq!(*steps.lock().unwrap(), [Step::Unlink, Step::SyncDirectory]);
}
