//! The repair: byte for byte, attribute for attribute, and not at all where it must not be.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use jsonwarden::document::{Mark, Version};
use jsonwarden::repair::{Outcome, Restored};
use jsonwarden::verdict::Reason;

use super::bench::{Bench, DAMAGED, GOOD, NEWER, places, places_with_leases};

fn restored(outcome: Outcome) -> Restored {
    match outcome {
        Outcome::Restored(restored) => restored,
        other => panic!("{other:?}"),
    }
}

/// Nothing was done, and nothing is left of the attempt.
fn is_untouched(bench: &Bench, damaged: &[u8]) {
    assert_eq!(bench.read(), damaged);
    assert_eq!(bench.leftovers(), Vec::<OsString>::new());
    assert_eq!(bench.quarantined(), Vec::<Vec<u8>>::new());
}

#[test]
fn the_newest_good_version_comes_back_and_the_damaged_bytes_are_kept() {
    for place in places() {
        let bench = Bench::with(&place, NEWER);
        let hands = bench.hands();
        hands.store(NEWER, Mark::Good);
        bench.write(DAMAGED);
        let restored = restored(hands.outcome(DAMAGED));
        assert_eq!(bench.read(), NEWER);
        assert_eq!(restored.version.version, Version(2));
        assert_eq!(fs::read(restored.kept.unwrap()).unwrap(), DAMAGED);
        assert_eq!(restored.bytes, DAMAGED.len() as u64);
        assert_eq!(bench.leftovers(), [restored.leftover.unwrap()], "a late writer may still come to it");
        assert_eq!(bench.beside(), [DAMAGED]);
    }
}

#[test]
fn damage_of_every_size_comes_back_whole() {
    for place in places() {
        for damaged in [Vec::new(), vec![0; 4096], vec![b'x'; 1 << 20]] {
            let bench = Bench::with(&place, &damaged);
            restored(bench.hands().outcome(&damaged));
            assert_eq!((bench.read(), bench.quarantined()), (GOOD.to_vec(), vec![damaged]));
        }
    }
}

/// user:1000 may read: entries of tag, permissions and id, as in linux/posix_acl_xattr.h.
fn access_list() -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, 6u16, u32::MAX), (2, 4, 1000), (4, 4, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

fn attribute(bench: &Bench, name: &str) -> Vec<u8> {
    let mut value = vec![0; 4096];
    let length = rustix::fs::getxattr(bench.path(), name, value.as_mut_slice()).unwrap();
    value.truncate(length);
    value
}

#[test]
fn owner_mode_list_and_attributes_are_those_of_the_file_that_was_damaged() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let path = bench.path();
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root gives files away");
    }
    std::os::unix::fs::chown(&path, Some(1234), Some(2345)).unwrap();
    let set = |name: &str, value: &[u8]| {
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    set("user.origin", b"\x00\xff");
    set("system.posix_acl_access", &access_list());
    let mode = fs::metadata(&path).unwrap().mode();
    restored(bench.hands().outcome(DAMAGED));
    let now = fs::metadata(&path).unwrap();
    assert_eq!((now.uid(), now.gid(), now.mode()), (1234, 2345, mode));
    assert_eq!(attribute(&bench, "user.origin"), b"\x00\xff");
    assert_eq!(attribute(&bench, "system.posix_acl_access"), access_list());
    assert_eq!(bench.read(), GOOD);
}

#[test]
fn a_list_that_the_folder_hands_down_does_not_change_who_may_read() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let name = "system.posix_acl_default";
    rustix::fs::setxattr(&bench.folder, name, &access_list(), rustix::fs::XattrFlags::empty()).unwrap();
    restored(bench.hands().outcome(DAMAGED));
    assert_eq!(fs::metadata(bench.path()).unwrap().mode() & 0o7777, 0o600);
    let mut value = [0; 64];
    let list = rustix::fs::getxattr(bench.path(), "system.posix_acl_access", value.as_mut_slice());
    assert_eq!(list, Err(rustix::io::Errno::NODATA));
}

#[test]
fn a_file_that_an_editor_has_open_is_held() {
    for (name, beside) in [
        ("core.json", ".core.json.swp"),
        (".hidden.json", ".hidden.json.swp"),
        (".hidden.json", "..hidden.json.swp"),
        ("core.json", ".#core.json"),
    ] {
        let bench = Bench::with_name(&std::env::temp_dir(), name.as_ref());
        let hands = bench.hands();
        hands.store(GOOD, Mark::Good);
        bench.write(DAMAGED);
        symlink("user@host.123:456", bench.folder.join(beside)).unwrap();
        assert!(matches!(hands.outcome(DAMAGED), Outcome::Held(Reason::Editing, _)), "{beside}");
        is_untouched(&bench, DAMAGED);
        fs::remove_file(bench.folder.join(beside)).unwrap();
        restored(hands.outcome(DAMAGED));
    }
}

#[test]
fn a_file_whose_lock_is_taken_is_held_and_ours_is_kept_to_the_end() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let path = bench.folder.join("core.json.lock");
    let lock = File::create(&path).unwrap();
    lock.lock().unwrap();
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Held(Reason::Editing, _)));
    is_untouched(&bench, DAMAGED);
    drop(lock);
    let disk = jsonwarden::disk::Disk::with_hook(move |_| {
        let theirs = File::open(&path).unwrap();
        assert!(theirs.try_lock().is_err(), "while we work the lock is ours");
        Ok(())
    });
    restored(bench.hands_with(disk).outcome(DAMAGED));
    assert!(bench.folder.join("core.json.lock").exists(), "a lock file is never removed");
}

#[test]
fn a_fresh_lock_folder_holds_the_document() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    fs::create_dir(bench.folder.join("core.json.lock")).unwrap();
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Held(Reason::Editing, _)));
    is_untouched(&bench, DAMAGED);
}

#[test]
fn a_file_that_somebody_has_open_for_writing_is_busy() {
    for place in places_with_leases() {
        let bench = Bench::with(&place, DAMAGED);
        let writer = File::options().append(true).open(bench.path()).unwrap();
        assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Busy));
        is_untouched(&bench, DAMAGED);
        drop(writer);
        restored(bench.hands().outcome(DAMAGED));
    }
}

#[test]
fn bytes_that_are_others_by_now_are_left_alone() {
    let bench = Bench::with(&std::env::temp_dir(), b"{\"almost\": ");
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Changed));
    is_untouched(&bench, b"{\"almost\": ");
    fs::remove_file(bench.path()).unwrap();
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Changed));
    assert!(!bench.path().exists());
}

#[test]
fn bytes_that_change_while_the_repair_is_prepared_are_left_alone() {
    for place in places() {
        let bench = Bench::with(&place, DAMAGED);
        let path = bench.path();
        let disk = jsonwarden::disk::Disk::with_hook(move |step| {
            if step == jsonwarden::disk::Step::Sync {
                File::options().append(true).open(&path).unwrap().write_all(b"2]}\n").unwrap();
            }
            Ok(())
        });
        assert!(matches!(bench.hands_with(disk).outcome(DAMAGED), Outcome::Changed));
        is_untouched(&bench, &[DAMAGED, b"2]}\n"].concat());
    }
}

#[test]
fn a_second_name_that_comes_while_the_repair_is_prepared_is_not_parted_from_the_first() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let (path, other) = (bench.path(), bench.folder.join("other.json"));
    let disk = jsonwarden::disk::Disk::with_hook(move |step| {
        if step == jsonwarden::disk::Step::Sync {
            fs::hard_link(&path, &other).unwrap();
        }
        Ok(())
    });
    assert!(matches!(bench.hands_with(disk).outcome(DAMAGED), Outcome::Changed));
    is_untouched(&bench, DAMAGED);
}

#[test]
fn a_suspicious_newest_version_holds_the_document_instead_of_going_back_past_it() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    bench.hands().store(b"{}", Mark::Suspicious);
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Held(Reason::Suspicious, _)));
    is_untouched(&bench, DAMAGED);
}

#[test]
fn a_rotten_version_is_passed_over_and_reported() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let hands = bench.hands();
    hands.store(NEWER, Mark::Good);
    hands.store(b"not json by today's rules", Mark::Good);
    let second = bench.stored_files().into_iter().find(|path| path.to_str().unwrap().contains("/00000002-")).unwrap();
    fs::write(&second, b"{\"version\": 2, \"rot\": true}").unwrap();
    let report = hands.repair(DAMAGED).unwrap();
    let rotten: Vec<u64> = report.rotten.iter().map(|(version, _)| version.0).collect();
    assert_eq!(rotten, [2], "what today's rules refuse is passed over, but is not rotten");
    assert_eq!(report.rotten[0].1, second);
    assert_eq!(restored(report.outcome).version.version, Version(1));
    assert_eq!(bench.read(), GOOD);
}

#[test]
fn without_a_good_version_nothing_is_done() {
    let bench = Bench::new();
    bench.write(DAMAGED);
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::NothingGood));
    bench.hands().store(b"not json", Mark::Good);
    let report = bench.hands().repair(DAMAGED).unwrap();
    assert!(matches!(report.outcome, Outcome::NothingGood));
    assert!(report.rotten.is_empty());
    is_untouched(&bench, DAMAGED);
}

#[test]
fn identical_damage_is_kept_once_and_different_damage_each() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    for damaged in [DAMAGED, b"", DAMAGED, b""] {
        bench.write(damaged);
        restored(bench.hands().outcome(damaged));
    }
    let mut kept = bench.quarantined();
    kept.sort();
    assert_eq!(kept, [b"".to_vec(), DAMAGED.to_vec()]);
}

#[test]
fn damage_that_cannot_be_kept_in_quarantine_stays_beside_the_file() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    fs::write(bench.state.join("quarantine"), "no folder").unwrap();
    let restored = restored(bench.hands().outcome(DAMAGED));
    restored.kept.unwrap_err();
    assert_eq!((bench.read(), bench.beside()), (GOOD.to_vec(), vec![DAMAGED.to_vec()]));
    bench.hands().settle(restored.leftover.as_ref().unwrap(), Some(DAMAGED)).unwrap_err();
    assert_eq!(bench.beside(), [DAMAGED], "as long as it is nowhere else");
}
