use super::*;
use std::path::Path;

fn empty(folder: &tempfile::TempDir) -> Quarantine {
    let disk = Disk::default();
    let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
    Quarantine::new(disk, state)
}

#[test]
fn a_full_quarantine_refuses_until_something_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = empty(&folder).limited_to(10);
    let document = |name: &str| DocumentId::new(Path::new("/srv"), OsStr::new(name));
    let first = quarantine.keep(&document("a.json"), "truncated", b"{12345").unwrap();
    let refused = quarantine.keep(&document("b.json"), "truncated", b"[12345").unwrap_err();
    assert!(matches!(refused.cause(), Cause::Refused(_)), "{refused}");
    assert!(!quarantine.keep(&document("a.json"), "truncated", b"{12345").unwrap().is_new, "it has them already");
    quarantine.keep(&document("b.json"), "truncated", b"[123").unwrap();
    std::fs::remove_file(first.path).unwrap();
    quarantine.keep(&document("b.json"), "truncated", b"[12345").unwrap();
}

#[test]
fn what_was_kept_long_enough_goes_unless_its_date_cannot_be_believed() {
    const DAY: Duration = Duration::from_secs(86_400);
    let folder = tempfile::tempdir().unwrap();
    let quarantine = empty(&folder);
    let document = DocumentId::new(Path::new("/srv"), OsStr::new("a.json"));
    let kept = quarantine.keep(&document, "truncated", b"{").unwrap().path;
    let dated_wrong = kept.with_file_name("19700101T000005.000000Z-truncated.bad");
    std::fs::copy(&kept, &dated_wrong).unwrap();
    quarantine.expire(90 * DAY, clock::now() + 89 * DAY).unwrap();
    assert!(kept.exists());
    quarantine.expire(90 * DAY, clock::now() + 91 * DAY).unwrap();
    assert!(!kept.exists() && dated_wrong.exists());
}

#[test]
fn identical_bytes_are_kept_once_and_different_ones_each() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
    let quarantine = Quarantine::new(disk, state);
    let document = DocumentId::new(Path::new("/srv"), OsStr::new("a.json"));
    let first = quarantine.keep(&document, "truncated", b"{").unwrap();
    assert!(first.is_new && std::fs::read(&first.path).unwrap() == b"{");
    let again = quarantine.keep(&document, "truncated", b"{").unwrap();
    assert_eq!(again, Kept { path: first.path.clone(), is_new: false });
    assert_ne!(quarantine.keep(&document, "truncated", b"[").unwrap().path, first.path);
    assert!(quarantine.holds(&document, 1, Digest::of(b"{")).unwrap());
    assert!(!quarantine.holds(&document, 1, Digest::of(b"x")).unwrap());
}

#[test]
fn two_keeps_in_one_microsecond_have_a_name_each() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let folder = || disk.open_directory(&disk.canonical(root.path()).unwrap()).unwrap();
    let quarantine = Quarantine::new(disk.clone(), folder());
    let moment = Timestamp::new(1_795_320_005, 123_456_000).unwrap();
    for (bytes, expected) in [("1", "20261122T040005.123456Z-empty.bad"), ("2", "20261122T040005.123457Z-empty.bad")] {
        std::fs::write(root.path().join(STAGED), bytes).unwrap();
        assert_eq!(quarantine.name(&folder(), OsStr::new(STAGED), "empty", moment).unwrap(), expected);
        assert_eq!(std::fs::read_to_string(root.path().join(expected)).unwrap(), bytes);
    }
}
