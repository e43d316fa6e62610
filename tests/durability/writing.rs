//! The safe write: old or new bytes at the name, both kept, and nobody's change lost.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonwarden::config::Rules;
use jsonwarden::disk::{Disk, Step};
use jsonwarden::error::Cause;
use jsonwarden::write::{Damaged, Present, WriteError, Writer};

use super::bench::{Bench, DAMAGED, GOOD, NEWER, places};

const GOOD_AND_FOUR: &[u8] = b"{\"version\": 1, \"data\": [1, 2, 3, 4]}\n";

fn writer(bench: &Bench) -> Writer {
    Writer::open(&Disk::default(), &bench.path(), &bench.state, Rules::default()).unwrap()
}

#[test]
fn new_bytes_stand_at_the_name_and_both_versions_are_kept() {
    for place in places() {
        let bench = Bench::in_place(&place);
        bench.write(GOOD);
        fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let written = writer(&bench).replace(NEWER).unwrap();
        assert_eq!((bench.read(), written.is_changed, written.version.0), (NEWER.to_vec(), true, 2));
        assert_eq!(bench.hands().versions(), [NEWER, GOOD]);
        assert_eq!(fs::metadata(bench.path()).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(bench.leftovers().len(), 0, "{:?}", bench.leftovers());
        let lock = fs::metadata(bench.folder.join("core.json.lock")).unwrap();
        assert_eq!(lock.mode() & 0o7777, 0o640, "the lock is for whoever may write the file");
    }
}

#[test]
fn bytes_that_stand_there_already_are_not_written_again() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let inode = fs::metadata(bench.path()).unwrap().ino();
    let written = writer(&bench).replace(GOOD).unwrap();
    assert!(!written.is_changed && fs::metadata(bench.path()).unwrap().ino() == inode);
}

#[test]
fn a_new_file_is_made_and_its_first_version_kept() {
    let bench = Bench::new();
    let written = writer(&bench).replace(GOOD).unwrap();
    assert_eq!((bench.read(), written.version.0), (GOOD.to_vec(), 1));
    assert_eq!(fs::metadata(bench.path()).unwrap().mode() & 0o111, 0);
    assert_eq!((bench.hands().versions(), bench.leftovers().len()), (vec![GOOD.to_vec()], 0));
}

#[test]
fn invalid_bytes_change_nothing_and_their_place_is_told() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let Err(WriteError::Invalid(fault)) = writer(&bench).replace(DAMAGED) else { panic!("it was to be refused") };
    assert_eq!(fault.place.line, 1);
    assert_eq!((bench.read(), bench.hands().versions()), (GOOD.to_vec(), vec![GOOD.to_vec()]));
    assert!(!bench.folder.join("core.json.lock").exists());
}

#[test]
fn damaged_bytes_are_kept_in_quarantine_when_they_are_replaced() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    writer(&bench).replace(NEWER).unwrap();
    assert_eq!((bench.read(), bench.quarantined()), (NEWER.to_vec(), vec![DAMAGED.to_vec()]));
    assert_eq!(bench.leftovers().len(), 0);
}

#[test]
fn an_update_of_a_damaged_file_goes_on_from_its_last_good_version() {
    let bench = Bench::with(&std::env::temp_dir(), DAMAGED);
    let seen = std::cell::RefCell::new(Vec::new());
    let updated = writer(&bench).update(Damaged::Repair, |present| {
        seen.borrow_mut().push(present.unwrap().bytes.to_vec());
        Ok::<_, WriteError>(NEWER.to_vec())
    });
    updated.unwrap();
    assert_eq!((seen.into_inner(), bench.read()), (vec![GOOD.to_vec()], NEWER.to_vec()));
    assert_eq!(bench.quarantined(), [DAMAGED]);
}

#[test]
fn a_change_that_damage_overtakes_is_made_once() {
    for place in places() {
        let bench = Bench::with(&place, GOOD);
        let (path, other) = (bench.path(), bench.folder.join("other"));
        let is_first = AtomicBool::new(true);
        let disk = Disk::with_hook(move |step| {
            // A writer that takes no lock, a moment after our last look.
            if step == Step::Exchange && is_first.swap(false, Ordering::Relaxed) {
                fs::write(&other, DAMAGED)?;
                fs::rename(&other, &path)?;
            }
            Ok(())
        });
        let rules = Rules { settle: Duration::ZERO, ..Rules::default() };
        let writer = Writer::open(&disk, &bench.path(), &bench.state, rules).unwrap();
        let appended = |present: Option<Present>| {
            let text = String::from_utf8(present.unwrap().bytes.to_vec()).unwrap();
            Ok::<_, WriteError>(text.replace(']', ", 4]").into_bytes())
        };
        let written = writer.update(Damaged::Repair, appended).unwrap();
        assert_eq!(bench.read(), GOOD_AND_FOUR, "{}", place.display());
        assert!(written.is_changed);
        assert_eq!(bench.quarantined(), [DAMAGED]);
        assert_eq!(bench.hands().versions(), [GOOD_AND_FOUR, GOOD]);
    }
}

#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_written() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let link = bench.folder.join("link.json");
    symlink("core.json", &link).unwrap();
    let open = |path| Writer::open(&Disk::default(), path, &bench.state, Rules::default()).unwrap();
    open(&link).replace(NEWER).unwrap();
    assert_eq!((bench.read(), fs::read_link(&link).unwrap()), (NEWER.to_vec(), "core.json".into()));
    symlink("other.json", bench.folder.join("ahead.json")).unwrap();
    open(&bench.folder.join("ahead.json")).replace(NEWER).unwrap();
    assert_eq!(fs::read(bench.folder.join("other.json")).unwrap(), NEWER);
}

#[test]
fn a_folder_and_a_pipe_are_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path()).unwrap();
    let refused = || match writer(&bench).replace(GOOD) {
        Err(WriteError::Failed(error)) => assert!(matches!(error.cause(), Cause::Refused(_)), "{error}"),
        other => panic!("{other:?}"),
    };
    refused();
    fs::remove_dir(bench.path()).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    refused();
}

#[test]
fn hard_links_keep_their_file_and_see_the_new_bytes() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let other = bench.folder.join("other.json");
    fs::hard_link(bench.path(), &other).unwrap();
    writer(&bench).replace(NEWER).unwrap();
    assert_eq!((bench.read(), fs::read(other).unwrap()), (NEWER.to_vec(), NEWER.to_vec()));
    assert_eq!(bench.hands().versions(), [NEWER, GOOD]);
    assert_eq!(bench.quarantined(), Vec::<Vec<u8>>::new());
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for_until_the_deadline_and_its_holder_named() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let lock = File::create(bench.folder.join("core.json.lock")).unwrap();
    lock.lock().unwrap();
    let rules = Rules { lock_timeout: std::time::Duration::from_millis(50), ..Rules::default() };
    let writer = Writer::open(&Disk::default(), &bench.path(), &bench.state, rules).unwrap();
    let Err(error) = writer.replace(NEWER) else { panic!("it was to wait in vain") };
    assert_eq!(error.exit_status(), 4);
    assert!(error.to_string().contains(&format!("process {} ", std::process::id())), "{error}");
    assert_eq!(bench.read(), GOOD);
    drop(lock);
    writer.replace(NEWER).unwrap();
}
