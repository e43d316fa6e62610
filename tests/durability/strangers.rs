//! Root in a folder of somebody else's: nothing outside is read into backups, or written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jsonwarden::disk::Disk;
use jsonwarden::document::Mark;
use jsonwarden::read::{self, Look, OpenWriter};
use jsonwarden::repair::{Disposal, Outcome};
use jsonwarden::verdict::Reason;

use super::bench::{Bench, DAMAGED, GOOD, Hands, places_with_leases};

const STRANGER: u32 = 1234;

/// A damaged document in a folder that belongs to somebody else, as it does.
fn strange() -> Option<Bench> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root is among strangers");
        return None;
    }
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    for path in [&bench.folder, &bench.path()] {
        chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    }
    Some(bench)
}

fn look(hands: &Hands) -> jsonwarden::error::Result<Look> {
    read::look(&hands.disk, &hands.directory, &hands.document, 1 << 20, OpenWriter::Wait)
}

/// Whatever stands at the name is replaced by a link to this file.
fn link_in(bench: &Bench, outside: &Path) {
    fs::remove_file(bench.path()).unwrap();
    fs::hard_link(outside, bench.path()).unwrap();
}

#[test]
fn what_the_folder_s_owner_owns_is_repaired_and_stays_theirs() {
    let Some(bench) = strange() else { return };
    assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Restored(_)));
    let signature = bench.hands().disk.look(&bench.hands().directory, &bench.name).unwrap().unwrap();
    assert_eq!((bench.read(), signature.owner), (GOOD.to_vec(), STRANGER));
}

#[test]
fn a_folder_that_its_owner_may_not_write_gets_the_bytes_in_place() {
    let Some(bench) = strange() else { return };
    let number = fs::metadata(bench.path()).unwrap().ino();
    fs::set_permissions(&bench.folder, fs::Permissions::from_mode(0o555)).unwrap();
    let outcome = bench.hands().outcome(DAMAGED);
    if places_with_leases().contains(&std::env::temp_dir()) {
        assert!(matches!(outcome, Outcome::Restored(_)), "{outcome:?}");
        assert_eq!((bench.read(), fs::metadata(bench.path()).unwrap().ino()), (GOOD.to_vec(), number));
    } else {
        assert!(matches!(outcome, Outcome::Held(Reason::Linked, _)), "{outcome:?}");
    }
    assert!(bench.leftovers().is_empty(), "nothing is left that its owner could not have removed");
}

#[test]
fn what_root_put_there_is_repaired_and_stays_root_s_and_its_bytes_are_never_the_owner_s() {
    let Some(bench) = strange() else { return };
    chown(bench.path(), Some(0), Some(0)).unwrap();
    let (folder, owners) = (bench.folder.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&owners);
    let disk = Disk::with_hook(move |_| {
        let staged = fs::read_dir(&folder)?.flatten().map(|entry| entry.metadata().map_or(0, |found| found.uid()));
        seen.lock().unwrap().extend(staged);
        Ok(())
    });
    let outcome = bench.hands_with(disk).outcome(DAMAGED);
    assert!(matches!(outcome, Outcome::Restored(_)), "{outcome:?}");
    let found = fs::metadata(bench.path()).unwrap();
    assert_eq!((bench.read(), found.uid(), found.gid()), (GOOD.to_vec(), 0, 0));
    assert!(owners.lock().unwrap().iter().all(|owner| *owner == 0));
}

#[test]
fn a_link_to_somebody_else_s_file_is_neither_read_nor_written() {
    let Some(bench) = strange() else { return };
    for owner in [0, STRANGER + 1] {
        let outside = bench.state.join(format!("secret of {owner}"));
        fs::write(&outside, DAMAGED).unwrap();
        chown(&outside, Some(owner), None).unwrap();
        link_in(&bench, &outside);
        let refused = look(&bench.hands()).unwrap_err();
        assert_eq!(Reason::of(&refused), Reason::Owner);
        assert!(matches!(bench.hands().outcome(DAMAGED), Outcome::Held(Reason::Owner, _)));
        assert_eq!(fs::read(&outside).unwrap(), DAMAGED);
        assert!(bench.quarantined().is_empty() && bench.leftovers().is_empty());
    }
}

#[test]
fn a_lock_of_somebody_else_s_that_is_linked_in_is_not_locked() {
    let Some(bench) = strange() else { return };
    let outside = bench.state.join("lock of root's");
    fs::write(&outside, "").unwrap();
    let name = bench.hands().document.lock_name();
    fs::hard_link(&outside, bench.folder.join(&name)).unwrap();
    let opened = bench.hands().disk.open_lock_file(&bench.hands().directory, &name).unwrap();
    assert!(opened.is_none());
    fs::remove_file(&outside).unwrap();
    let opened = bench.hands().disk.open_lock_file(&bench.hands().directory, &name).unwrap();
    assert!(opened.is_some(), "one that has no other name is a lock like any other");
}

#[test]
fn a_leftover_that_is_not_the_owner_s_is_neither_read_nor_removed() {
    let Some(bench) = strange() else { return };
    let name = format!("{}0123-1", bench.hands().document.staged_prefix());
    fs::write(bench.folder.join(&name), b"[\"secret\"]").unwrap();
    chown(bench.folder.join(&name), Some(STRANGER + 1), None).unwrap();
    assert_eq!(bench.hands().settle(name.as_ref(), None).unwrap(), Disposal::Kept);
    assert!(bench.quarantined().is_empty());
}

/// What the folder's owner makes of the document, over and over.
fn flip(bench: &Bench, secret: &Path, turn: usize) {
    let path = bench.path();
    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    let _ = match turn % 5 {
        0 => fs::create_dir(&path),
        1 => symlink(secret, &path),
        2 => rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .map_err(std::io::Error::from),
        3 => fs::hard_link(secret, &path),
        _ => fs::write(&path, DAMAGED).and_then(|()| chown(&path, Some(STRANGER), None)),
    };
}

#[test]
fn a_name_that_is_flipped_all_the_time_leads_root_nowhere() {
    let Some(bench) = strange() else { return };
    let is_long = std::env::var_os("JSONWARDEN_LONG").is_some();
    let span = Duration::from_secs(if is_long { 60 } else { 10 });
    let secret = bench.state.join("secret");
    fs::write(&secret, DAMAGED).unwrap();
    let number = fs::metadata(&secret).unwrap().ino();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    let (is_over, repairs, reads) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in (0..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                flip(&bench, &secret, turn);
                // Now and then what they own stands long enough to be repaired.
                std::thread::sleep(Duration::from_micros(if turn % 5 == 4 { 5000 } else { turn as u64 % 97 }));
            }
        });
        let deadline = Instant::now() + span;
        while Instant::now() < deadline {
            if let Ok(Look::Read(reading)) = look(&hands) {
                assert_ne!(reading.signature.inode, number, "the file outside was read");
                reads.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(report) = hands.repair(DAMAGED) {
                repairs.fetch_add(usize::from(matches!(report.outcome, Outcome::Restored(_))), Ordering::Relaxed);
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let (reads, repairs) = (reads.into_inner(), repairs.into_inner());
    eprintln!("{reads} reads and {repairs} repairs among flips");
    assert!(reads > 10 && repairs > 10, "{reads} reads, {repairs} repairs");
    assert_eq!(fs::read(&secret).unwrap(), DAMAGED, "the file outside is as it was");
    let outside: Vec<_> = fs::read_dir(&bench.state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(outside.len() <= 3, "nothing but the secret, backups and quarantine: {outside:?}");
}
