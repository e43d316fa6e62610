//! What lies beside a document after a swap: never removed unread, never forgotten, and newer only if it is.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;

use jsonwarden::document::Mark;
use jsonwarden::repair::{self, Disposal, Outcome};

use super::bench::{Bench, DAMAGED, GOOD, NEWER, places, places_with_leases};

/// A document that was repaired, and the damaged file beside it.
fn repaired(place: &std::path::Path) -> (Bench, OsString) {
    let bench = Bench::with(place, DAMAGED);
    match bench.hands().outcome(DAMAGED) {
        Outcome::Restored(restored) => (bench, restored.leftover.unwrap()),
        other => panic!("{other:?}"),
    }
}

fn is_gone(bench: &Bench) {
    assert_eq!(bench.leftovers(), Vec::<OsString>::new());
}

#[test]
fn kept_bytes_are_removed_after_their_grace_and_not_before() {
    for place in places() {
        let (bench, name) = repaired(&place);
        let hands = bench.hands();
        let in_its_grace = repair::settle(&hands.ground(), &name, None).unwrap();
        assert_eq!((in_its_grace, bench.beside()), (Disposal::Waiting, vec![DAMAGED.to_vec()]));
        assert_eq!(hands.settle(&name, None).unwrap(), Disposal::Removed);
        assert_eq!(hands.settle(&name, None).unwrap(), Disposal::Gone);
        assert_eq!((bench.read(), bench.quarantined()), (GOOD.to_vec(), vec![DAMAGED.to_vec()]));
    }
}

#[test]
fn the_grace_begins_with_the_swap_however_old_the_damage_is() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let Outcome::Restored(restored) = bench.hands().outcome(DAMAGED) else { panic!("it was to be repaired") };
    let hands = bench.hands();
    let signature = hands.disk.look(&hands.directory, restored.leftover.as_ref().unwrap()).unwrap().unwrap();
    assert!(signature.age() < restored.visible.elapsed() + std::time::Duration::from_millis(100));
}

#[test]
fn a_late_writer_s_version_is_the_newest_one() {
    for place in places() {
        for put_aside in [None, Some(DAMAGED)] {
            let (bench, name) = repaired(&place);
            fs::write(bench.folder.join(&name), NEWER).unwrap();
            assert_eq!(bench.hands().settle(&name, put_aside).unwrap(), Disposal::SwappedIn);
            assert_eq!((bench.read(), bench.beside()), (NEWER.to_vec(), vec![GOOD.to_vec()]));
            // What we put in comes out again, and is nobody's news, whatever was there before.
            assert_eq!(bench.hands().settle(&name, put_aside).unwrap(), Disposal::Removed);
            assert_eq!(bench.read(), NEWER);
            is_gone(&bench);
        }
    }
}

#[test]
fn a_late_writer_who_is_not_done_is_waited_for() {
    for place in places_with_leases() {
        let (bench, name) = repaired(&place);
        let mut writer = File::options().write(true).truncate(true).open(bench.folder.join(&name)).unwrap();
        let (first, second) = NEWER.split_at(9);
        writer.write_all(first).unwrap();
        assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Waiting);
        writer.write_all(second).unwrap();
        assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Waiting, "it has not closed it yet");
        drop(writer);
        assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::SwappedIn);
        assert_eq!(bench.read(), NEWER);
    }
}

#[test]
fn a_late_version_waits_for_whoever_holds_the_document_s_lock() {
    let (bench, name) = repaired(&std::env::temp_dir());
    fs::write(bench.folder.join(&name), NEWER).unwrap();
    let lock = File::create(bench.folder.join("core.json.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Waiting);
    drop(lock);
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::SwappedIn);
}

#[test]
fn a_late_writer_of_an_old_version_is_late_all_the_same() {
    let bench = Bench::with(&std::env::temp_dir(), NEWER);
    bench.hands().store(NEWER, Mark::Good);
    bench.write(DAMAGED);
    let Outcome::Restored(restored) = bench.hands().outcome(DAMAGED) else { panic!("it was to be repaired") };
    fs::write(bench.folder.join(restored.leftover.as_ref().unwrap()), GOOD).unwrap();
    assert_eq!(bench.hands().settle(restored.leftover.as_ref().unwrap(), Some(DAMAGED)).unwrap(), Disposal::SwappedIn);
    assert_eq!(bench.read(), GOOD);
}

#[test]
fn a_late_writer_who_leaves_garbage_is_kept_in_quarantine() {
    let (bench, name) = repaired(&std::env::temp_dir());
    fs::write(bench.folder.join(&name), b"{\"late\": ").unwrap();
    let Disposal::Quarantined(path, 9) = bench.hands().settle(&name, Some(DAMAGED)).unwrap() else {
        panic!("it was to be kept");
    };
    assert_eq!((fs::read(path).unwrap(), bench.read()), (b"{\"late\": ".to_vec(), GOOD.to_vec()));
    is_gone(&bench);
}

#[test]
fn a_late_version_never_replaces_one_that_is_not_stored() {
    let (bench, name) = repaired(&std::env::temp_dir());
    bench.write(b"[\"not stored\"]");
    fs::write(bench.folder.join(&name), NEWER).unwrap();
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Kept);
    assert_eq!((bench.read(), bench.beside()), (b"[\"not stored\"]".to_vec(), vec![NEWER.to_vec()]));
    bench.hands().store(b"[\"not stored\"]", Mark::Good);
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::SwappedIn, "it is the newer one of the two");
    assert_eq!(bench.read(), NEWER);
}

#[test]
fn a_late_version_never_replaces_a_newer_one_even_if_that_is_stored() {
    for newest in [&b"[\"newest\"]"[..], GOOD] {
        let (bench, name) = repaired(&std::env::temp_dir());
        fs::write(bench.folder.join(&name), NEWER).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        // The program goes on, perhaps back to what we had put there.
        bench.write(newest);
        bench.hands().store(newest, Mark::Good);
        assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Kept);
        assert_eq!((bench.read(), bench.beside()), (newest.to_vec(), vec![NEWER.to_vec()]));
    }
}

#[test]
fn what_we_put_in_never_returns_even_if_its_version_has_been_pruned_since() {
    let (bench, name) = repaired(&std::env::temp_dir());
    let hands = bench.hands();
    fs::write(bench.folder.join(&name), GOOD).unwrap();
    bench.write(NEWER);
    hands.store(NEWER, Mark::Good);
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    folder.prune(jsonwarden::backup::Keep::newest(1)).unwrap();
    drop(folder);
    assert_eq!(hands.versions(), [NEWER]);
    assert!(matches!(hands.settle(&name, None).unwrap(), Disposal::Quarantined(..)));
    assert_eq!(bench.read(), NEWER);
}

#[test]
fn the_only_whole_copy_is_not_removed_because_a_rotten_one_has_its_name() {
    let (bench, name) = repaired(&std::env::temp_dir());
    fs::write(bench.folder.join(&name), b"[\"late\"]").unwrap();
    bench.write(NEWER);
    bench.hands().store(b"[\"late\"]", Mark::Good);
    let version = bench.stored_files().into_iter().find(|path| path.to_str().unwrap().contains("/00000002-")).unwrap();
    fs::write(version, b"[\"rott\"]").unwrap();
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Kept);
    assert_eq!(bench.beside(), [b"[\"late\"]"]);
}

#[test]
fn what_a_dead_process_was_still_staging_is_removed_at_once_even_if_it_reads() {
    let (bench, name) = repaired(&std::env::temp_dir());
    bench.hands().settle(&name, None).unwrap();
    let hands = bench.hands();
    let incomplete = OsString::from(format!("{}0123456789abcdef.part", hands.document.staged_prefix()));
    fs::write(bench.folder.join(&incomplete), b"[\"half of an old version\"]").unwrap();
    assert_eq!(hands.settle(&incomplete, None).unwrap(), Disposal::Removed);
    assert_eq!((bench.read(), bench.quarantined()), (GOOD.to_vec(), vec![DAMAGED.to_vec()]));
    is_gone(&bench);
}

#[test]
fn a_stranger_s_file_does_not_get_to_the_name_by_looking_like_ours() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root gives files away");
    }
    let (bench, name) = repaired(&std::env::temp_dir());
    let path = bench.folder.join(&name);
    fs::write(&path, NEWER).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Kept);
    std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    fs::hard_link(&path, bench.folder.join("secret")).unwrap();
    assert_eq!(bench.hands().settle(&name, None).unwrap(), Disposal::Kept);
    assert_eq!(bench.read(), GOOD);
}

#[test]
fn what_is_no_file_or_too_large_or_whose_document_is_gone_is_kept() {
    let (bench, name) = repaired(&std::env::temp_dir());
    let hands = bench.hands();
    let other = OsString::from(format!("{}folder", hands.document.staged_prefix()));
    fs::create_dir(bench.folder.join(&other)).unwrap();
    assert_eq!(hands.settle(&other, None).unwrap(), Disposal::Kept);
    let path = bench.folder.join(&name);
    File::options().write(true).open(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    assert_eq!(hands.settle(&name, None).unwrap(), Disposal::Kept);
    fs::write(&path, NEWER).unwrap();
    fs::remove_file(bench.path()).unwrap();
    assert_eq!(hands.settle(&name, None).unwrap(), Disposal::Kept);
    assert_eq!(fs::read(path).unwrap(), NEWER);
}

#[test]
fn a_leftover_is_met_by_its_bytes_whatever_its_name_says() {
    let (bench, name) = repaired(&std::env::temp_dir());
    let hands = bench.hands();
    for end in ["-1", "-99", "", "-", "-x", "-99999999999999999999999"] {
        let odd = OsString::from(format!("{}ffff{end}", hands.document.staged_prefix()));
        fs::write(bench.folder.join(&odd), format!("odd{end}")).unwrap();
        assert!(matches!(hands.settle(&odd, None).unwrap(), Disposal::Quarantined(..)), "{end}");
    }
    assert_eq!(bench.leftovers(), [name]);
    assert_eq!(bench.quarantined().len(), 7);
}
