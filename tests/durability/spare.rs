//! The spare: where there is no room, a repair is written into it, and nobody's bytes are ever taken for one.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonwarden::disk::{Disk, Step};
use jsonwarden::repair::{GRACE, Outcome};
use jsonwarden::swap::spare::{self, NAME, Owner};

use super::bench::{Bench, DAMAGED, GOOD, places, places_with_leases};

const NO_SPACE: i32 = 28;
const QUOTA: i32 = 122;

/// A disk that has no room for the first new file.
fn full(errno: i32) -> Disk {
    let is_first = AtomicBool::new(true);
    Disk::with_hook(move |step| match step {
        Step::Create if is_first.swap(false, Ordering::Relaxed) => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    })
}

fn owner_of(bench: &Bench) -> Owner {
    let found = fs::metadata(bench.path()).unwrap();
    Owner { user: found.uid(), group: found.gid() }
}

fn spare_of(bench: &Bench) -> PathBuf {
    bench.folder.join(NAME)
}

#[test]
fn a_repair_without_room_is_written_into_the_spare_and_has_the_file_s_length_and_attributes() {
    for (place, errno) in places().iter().zip([NO_SPACE, QUOTA].into_iter().cycle()) {
        let bench = Bench::with(place, DAMAGED);
        let hands = bench.hands_with(full(errno));
        spare::prepare(&Disk::default(), &hands.directory, 4096, owner_of(&bench)).unwrap();
        let (spare, before) = (fs::metadata(spare_of(&bench)).unwrap(), fs::metadata(bench.path()).unwrap());
        assert_eq!((spare.len(), spare.mode() & 0o7777), (4096, 0o600));
        let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it is not repaired") };
        assert!(restored.leftover.is_some(), "the damaged file stays for a late writer");
        let after = fs::metadata(bench.path()).unwrap();
        assert_eq!(bench.read(), GOOD);
        assert_eq!((after.ino(), after.mode()), (spare.ino(), before.mode()));
        assert!(!spare_of(&bench).exists());
    }
}

#[test]
fn where_there_is_no_room_for_a_name_either_the_spare_is_exchanged_under_its_own() {
    for place in places_with_leases() {
        let bench = Bench::with(&place, DAMAGED);
        let disk = Disk::with_hook(|step| match step {
            Step::Create | Step::Rename => Err(io::Error::from_raw_os_error(NO_SPACE)),
            _ => Ok(()),
        });
        // Only the folder of the document is full.
        let hands = bench.hands_with(disk);
        spare::prepare(&Disk::default(), &hands.directory, 4096, owner_of(&bench)).unwrap();
        let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it is not repaired") };
        assert_eq!((bench.read(), restored.leftover.unwrap()), (GOOD.to_vec(), NAME.into()));
        assert_eq!(fs::read(spare_of(&bench)).unwrap(), DAMAGED);
        assert!(spare::prepare(&Disk::default(), &hands.directory, 8192, owner_of(&bench)).is_err());
        let settle = |grace, is_kept| {
            spare::settle(&Disk::default(), &hands.directory, grace, |_| is_kept).unwrap();
            spare_of(&bench).exists()
        };
        assert!(settle(GRACE, true), "a late writer may still come");
        assert!(settle(Duration::ZERO, false), "its bytes are nowhere else");
        assert!(!settle(Duration::ZERO, true));
    }
}

#[test]
fn a_repair_that_is_called_off_leaves_the_spare_as_it_was() {
    for place in places_with_leases() {
        let bench = Bench::with(&place, DAMAGED);
        let is_first = AtomicBool::new(true);
        let hands = bench.hands_with(Disk::with_hook(move |step| match step {
            Step::Create if is_first.swap(false, Ordering::Relaxed) => Err(io::Error::from_raw_os_error(NO_SPACE)),
            Step::Exchange => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }));
        spare::prepare(&Disk::default(), &hands.directory, 8192, owner_of(&bench)).unwrap();
        let inode = fs::metadata(spare_of(&bench)).unwrap().ino();
        hands.repair(DAMAGED).unwrap_err();
        assert_eq!(bench.read(), DAMAGED);
        assert_eq!(fs::read(spare_of(&bench)).unwrap(), [0; 8192]);
        let found = fs::metadata(spare_of(&bench)).unwrap();
        assert_eq!((found.ino(), found.mode() & 0o7777), (inode, 0o600));
    }
}

#[test]
fn a_spare_grows_and_goes_and_stays_one() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let (hands, owner) = (bench.hands(), owner_of(&bench));
    let bytes = || spare::bytes(&hands.disk, &hands.directory).unwrap();
    assert_eq!(bytes(), None);
    for wanted in [4096, 100_000, 8192] {
        spare::prepare(&hands.disk, &hands.directory, wanted, owner).unwrap();
    }
    assert_eq!(bytes(), Some(100_000));
    assert!(fs::metadata(spare_of(&bench)).unwrap().blocks() * 512 >= 100_000, "it has its room");
    spare::discard(&hands.disk, &hands.directory).unwrap();
    assert_eq!(bytes(), None);
    spare::discard(&hands.disk, &hands.directory).unwrap();
}

#[test]
fn bytes_that_somebody_put_at_the_spare_s_name_are_neither_used_nor_removed() {
    let theirs = |bench: &Bench| fs::write(spare_of(bench), vec![b'x'; 4096]).unwrap();
    let links = |bench: &Bench| {
        let other = bench.state.join("another's");
        fs::write(&other, vec![0; 4096]).unwrap();
        fs::hard_link(&other, spare_of(bench)).unwrap();
    };
    let leads = |bench: &Bench| {
        let other = bench.state.join("another's");
        fs::write(&other, vec![0; 4096]).unwrap();
        symlink(&other, spare_of(bench)).unwrap();
    };
    let is_another_s = |bench: &Bench| {
        fs::write(spare_of(bench), vec![0; 8192]).unwrap();
        chown(spare_of(bench), Some(54_321), None).unwrap();
    };
    let is_folder = |bench: &Bench| fs::create_dir(spare_of(bench)).unwrap();
    let ways: [&dyn Fn(&Bench); 5] = [&theirs, &links, &leads, &is_folder, &is_another_s];
    // Only root gives files away.
    for put in &ways[..if rustix::process::geteuid().is_root() { 5 } else { 4 }] {
        let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
        put(&bench);
        let before = fs::symlink_metadata(spare_of(&bench)).unwrap();
        let hands = bench.hands_with(full(NO_SPACE));
        let Outcome::Restored(restored) = hands.outcome(DAMAGED) else { panic!("it is not repaired") };
        assert_eq!(restored.leftover, None, "in place");
        let is_room = before.uid() != owner_of(&bench).user;
        if !is_room {
            assert!(spare::prepare(&Disk::default(), &hands.directory, 8192, owner_of(&bench)).is_err());
            let _ = spare::discard(&Disk::default(), &hands.directory);
        }
        let after = fs::symlink_metadata(spare_of(&bench)).unwrap();
        assert_eq!((after.ino(), after.len(), after.nlink()), (before.ino(), before.len(), before.nlink()));
        let another = bench.state.join("another's");
        assert!(!another.exists() || fs::read(another).unwrap() == vec![0; 4096]);
    }
}

#[test]
fn a_spare_that_a_death_left_half_filled_is_told_from_bytes_that_are_nowhere_else() {
    let version = vec![b'7'; 5_000];
    let spare = |written: &[u8], bytes: usize| [written, &vec![0; bytes - written.len()]].concat();
    for written in [0, 1, 4_096, 5_000] {
        assert!(spare::is_half_filled_with(&spare(&version[..written], 8_192), &version), "{written} bytes");
    }
    for (what, bytes) in [
        ("another's bytes", spare(b"8", 8_192)),
        ("more than the version", [&version[..], b"8", &vec![0; 3_191]].concat()),
        ("damage of the version's length", spare(&version[..100], 5_000)),
        ("damage that is cut", version[..4_096].to_vec()),
        ("not whole blocks", spare(&version[..100], 8_000)),
    ] {
        assert!(!spare::is_half_filled_with(&bytes, &version), "{what}");
    }
}
