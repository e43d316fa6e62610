//! Stored versions: whole, in order, and never fewer than promised.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use jsonwarden::backup::{Batch, Keep, New, Taken};
use jsonwarden::config::Compress;
use jsonwarden::disk::attributes::Attributes;
use jsonwarden::document::{Dialect, Digest, Mark, Version};
use jsonwarden::error::Cause;

use super::bench::{Bench, GOOD, Hands, NEWER, places};

fn version_file(bench: &Bench, version: u64) -> std::path::PathBuf {
    let start = format!("{version:08}-");
    let is_it = |path: &std::path::PathBuf| path.file_name().unwrap().as_bytes().starts_with(start.as_bytes());
    bench.stored_files().into_iter().find(is_it).unwrap()
}

fn prune(hands: &Hands, last: u32) -> usize {
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    folder.lock().unwrap();
    folder.prune(Keep::newest(last)).unwrap().0
}

#[test]
fn a_version_is_a_plain_file_that_a_person_can_copy_back() {
    for place in places() {
        let bench = Bench::in_place(&place);
        let hands = bench.hands();
        let stored = hands.store(GOOD, Mark::Good);
        assert_eq!(stored.version, Version(1));
        let path = version_file(&bench, 1);
        assert_eq!(fs::read(&path).unwrap(), GOOD);
        assert_eq!(path.parent().unwrap().file_name().unwrap(), "core.json@");
        assert_eq!(hands.backups.find(&hands.document).unwrap().unwrap().versions().unwrap(), [stored]);
    }
}

#[test]
fn bytes_that_are_the_newest_already_are_not_stored_twice() {
    let bench = Bench::new();
    let hands = bench.hands();
    let first = hands.store(GOOD, Mark::Good);
    assert_eq!(hands.take(GOOD, Mark::Good).unwrap(), Taken::Already(first));
    hands.store(NEWER, Mark::Good);
    assert!(matches!(hands.take(GOOD, Mark::Good).unwrap(), Taken::New(stored) if stored.version == Version(3)));
}

#[test]
fn a_number_is_never_used_twice_even_if_the_newest_version_is_gone() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    hands.store(NEWER, Mark::Good);
    fs::remove_file(version_file(&bench, 2)).unwrap();
    assert_eq!(hands.store(b"[]", Mark::Good).version, Version(3));
}

#[test]
fn a_flipped_bit_in_a_stored_version_is_noticed_and_the_bytes_are_stored_anew() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    let path = version_file(&bench, 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    assert!(matches!(folder.bytes(Version(1)).unwrap_err().cause(), Cause::Damaged(_)));
    assert!(!folder.keeps(Digest::of(GOOD)).unwrap());
    assert!(matches!(hands.take(GOOD, Mark::Good).unwrap(), Taken::New(stored) if stored.version == Version(2)));
    assert_eq!(folder.bytes(Version(2)).unwrap(), GOOD);
}

#[test]
fn a_torn_line_in_the_record_costs_neither_versions_nor_the_next_line() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    let record = bench.stored_files().into_iter().find(|path| path.ends_with("record.jsonl")).unwrap();
    let line = fs::read(&record).unwrap();
    fs::write(&record, &line[..line.len() - 9]).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    assert_eq!(folder.versions().unwrap()[0].mark, Mark::Uncertified, "what is not known is not sure");
    hands.store(NEWER, Mark::Suspicious);
    let marks: Vec<Mark> = folder.versions().unwrap().iter().map(|stored| stored.mark).collect();
    assert_eq!(marks, [Mark::Suspicious, Mark::Uncertified]);
    assert_eq!(hands.versions(), [NEWER, GOOD]);
}

#[test]
fn a_version_of_which_nothing_is_recorded_is_what_its_bytes_say() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(b"// a comment\n{\"a\": 1}\n", Mark::Good);
    fs::remove_file(bench.stored_files().into_iter().find(|path| path.ends_with("record.jsonl")).unwrap()).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    let stored = folder.versions().unwrap().remove(0);
    assert_eq!((stored.mark, stored.dialect), (Mark::Uncertified, Dialect::Jsonc));

    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    hands.store(b"// a comment\n{\"a\": 1}\n", Mark::Suspicious);
    let record = bench.stored_files().into_iter().find(|path| path.ends_with("record.jsonl")).unwrap();
    let first_line = fs::read_to_string(&record).unwrap().lines().next().unwrap().to_owned() + "\n";
    fs::write(&record, first_line).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    assert_eq!(folder.versions().unwrap()[0].mark, Mark::Suspicious, "it does not become good by a lost line");
}

#[test]
fn what_a_dead_process_left_half_done_is_cleared_away() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    let folder = version_file(&bench, 1).parent().unwrap().to_owned();
    fs::write(folder.join(format!(".new-{}", Digest::of(NEWER))), "{\"ver").unwrap();
    fs::write(folder.join(".new-0123"), "").unwrap();
    hands.store(NEWER, Mark::Good);
    assert_eq!(hands.versions(), [NEWER, GOOD]);
    assert_eq!(bench.stored_files().len(), 3, "two versions and the record: {:?}", bench.stored_files());
}

#[test]
fn two_processes_at_one_folder_take_turns() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let bench = &bench;
            scope.spawn(move || {
                let hands = bench.hands();
                for number in 0..10 {
                    hands.store(format!("[{writer}, {number}]").as_bytes(), Mark::Good);
                }
            });
        }
    });
    let hands = bench.hands();
    let versions = hands.backups.find(&hands.document).unwrap().unwrap().versions().unwrap();
    let numbers: Vec<u64> = versions.iter().rev().map(|stored| stored.version.0).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    assert_eq!(hands.versions().len(), 40);
}

#[test]
fn who_waits_too_long_for_the_folder_is_told_so() {
    let bench = Bench::new();
    let hands = bench.hands();
    let folder = hands.backups.make(&hands.document).unwrap();
    folder.lock().unwrap();
    assert!(matches!(hands.take(GOOD, Mark::Good).unwrap_err().cause(), Cause::Locked(_)));
    drop(folder);
    hands.store(GOOD, Mark::Good);
}

#[test]
fn every_name_that_a_file_can_have_has_a_folder() {
    for name in [
        OsString::from("n".repeat(255)),
        OsString::from("n".repeat(254)),
        OsString::from_vec(b"\xff\xfe\n\x1b[31m.json".to_vec()),
        OsString::from("record.jsonl"),
        OsString::from(" "),
    ] {
        let bench = Bench::with_name(&std::env::temp_dir(), &name);
        bench.write(GOOD);
        let hands = bench.hands();
        hands.store(GOOD, Mark::Good);
        bench.write(b"{");
        assert!(matches!(hands.outcome(b"{"), jsonwarden::repair::Outcome::Restored(_)), "{name:?}");
        assert_eq!(bench.read(), GOOD);
    }
}

#[test]
fn a_file_and_a_folder_of_the_same_name_do_not_meet() {
    let bench = Bench::new();
    bench.hands().store(GOOD, Mark::Good);
    let inner = bench.folder.join("core.json@");
    fs::create_dir(&inner).unwrap();
    let disk = jsonwarden::disk::Disk::default();
    let document = jsonwarden::document::DocumentId::new(&inner, OsStr::new("b.json"));
    let hands = Hands { directory: disk.open_directory(&inner).unwrap(), document, ..bench.hands() };
    hands.store(NEWER, Mark::Good);
    assert_eq!(bench.hands().versions(), [GOOD]);
    assert_eq!(hands.versions(), [NEWER]);
}

#[test]
fn pruning_keeps_the_newest_and_never_takes_the_last_good_version() {
    let bench = Bench::new();
    let hands = bench.hands();
    hands.store(GOOD, Mark::Good);
    for number in 0..5 {
        hands.store(format!("[{number}]").as_bytes(), Mark::Suspicious);
    }
    assert_eq!(prune(&hands, 2), 3);
    assert_eq!(hands.versions(), [b"[4]".as_slice(), b"[3]", GOOD]);
    assert_eq!(prune(&hands, 2), 0);
}

#[test]
fn the_record_does_not_grow_for_ever_and_forgets_no_version_that_is_there() {
    let bench = Bench::in_place(places().last().unwrap());
    let hands = bench.hands();
    hands.store(GOOD, Mark::Accepted);
    for number in 0..400 {
        hands.store(format!("[{number}]").as_bytes(), Mark::Suspicious);
        prune(&hands, 3);
    }
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    let marks: Vec<Mark> = folder.versions().unwrap().iter().map(|stored| stored.mark).collect();
    assert_eq!(marks, [Mark::Suspicious, Mark::Suspicious, Mark::Suspicious, Mark::Accepted]);
    let record = bench.stored_files().into_iter().find(|path| path.ends_with("record.jsonl")).unwrap();
    let lines = fs::read_to_string(record).unwrap().lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 270, "{lines} lines for 4 versions");
    assert_eq!(bench.stored_files().len(), 5);
    assert_eq!(folder.digest_of(Version(400)).unwrap(), Some(Digest::of(b"[398]")));
    assert_eq!(folder.digest_of(Version(350)).unwrap(), Some(Digest::of(b"[348]")), "pruned, but not long ago");
}

#[test]
fn many_versions_of_many_documents_are_stored_with_shared_syncs() {
    for place in places() {
        let bench = Bench::in_place(&place);
        let hands = bench.hands();
        let mut batch = Batch::new(&hands.backups);
        let document =
            |number: u32| jsonwarden::document::DocumentId::new(&bench.folder, OsStr::new(&format!("{number}.json")));
        let compress = |number: u32| if number.is_multiple_of(2) { Compress::Always } else { Compress::Never };
        for number in 0..50 {
            let bytes = format!("[{number}]");
            let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: Vec::new() };
            let digest = Digest::of(bytes.as_bytes());
            let (bytes, dialect) = (bytes.as_bytes(), Dialect::Json);
            let new = New { bytes, digest, mark: Mark::Good, dialect, origin: "file", attributes };
            assert_eq!(batch.add(&document(number), &new, compress(number)).unwrap(), None);
        }
        let stored = batch.finish();
        for number in 0..50 {
            assert_eq!(stored[&document(number)].as_ref().unwrap().version, Version(1));
            let folder = hands.backups.find(&document(number)).unwrap().unwrap();
            assert_eq!(folder.bytes(Version(1)).unwrap(), format!("[{number}]").as_bytes());
            assert_eq!(folder.versions().unwrap()[0].mark, Mark::Good);
        }
    }
}

/// The next of a row of numbers that look random (xorshift64).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn of_a_thousand_flipped_bits_each_is_found_or_changes_nothing() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let bench = Bench::in_place(&places()[0]);
    let lines: Vec<String> = (0..300).map(|number| format!("{{\"number\": {number}}}")).collect();
    let plain = format!("[{}]", lines.join(",\n")).into_bytes();
    for (name, compress) in [("plain.json", Compress::Never), ("packed.json", Compress::Always)] {
        let hands = bench.hands();
        let document = jsonwarden::document::DocumentId::new(&bench.folder, OsStr::new(name));
        let folder = hands.backups.make(&document).unwrap().compressing(compress);
        let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: Vec::new() };
        let (digest, dialect) = (Digest::of(&plain), Dialect::Json);
        let new = New { bytes: &plain, digest, mark: Mark::Good, dialect, origin: "file", attributes };
        folder.take(&new).unwrap();
        let path = folder.path_of(Version(1)).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(path.extension().unwrap() == "zst", compress == Compress::Always);
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut missed = 0;
        for _ in 0..500 {
            let mut flipped = whole.clone();
            let bit = usize::try_from(next(&mut seed) % (whole.len() as u64 * 8)).unwrap();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let mut is_rotten = None;
            folder.scrub(|one| is_rotten.replace(one.is_rotten).is_none()).unwrap();
            assert_eq!(is_rotten, Some(folder.bytes(Version(1)).is_err()), "the scrub finds as much");
            match folder.bytes(Version(1)) {
                // A bit of the frame that says nothing about the bytes.
                Ok(bytes) => {
                    assert_eq!(bytes, plain);
                    missed += 1;
                }
                Err(error) => assert!(matches!(error.cause(), Cause::Damaged(_)), "{error}"),
            }
        }
        println!("{name}: 500 bits flipped, {missed} of them without effect");
        assert!(missed == 0 || compress == Compress::Always);
    }
}

#[test]
fn a_suspicious_version_is_suspicious_to_whoever_looks_while_it_is_stored() {
    let bench = Bench::new();
    let (hands, looking) = (bench.hands(), bench.hands());
    hands.take(b"{}", Mark::Suspicious).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (is_over, looking) = (&is_over, &looking);
        let looks = scope.spawn(move || {
            let folder = looking.backups.find(&looking.document).unwrap().unwrap();
            let mut seen = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                seen += folder.versions().unwrap().iter().filter(|stored| stored.mark != Mark::Suspicious).count();
            }
            seen
        });
        for number in 0..60 {
            hands.take(format!("[{number}]").as_bytes(), Mark::Suspicious).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(looks.join().unwrap(), 0, "so often one passed for another");
    });
}
