//! What a process remembers of a folder of versions is never what it was before somebody else changed it.

use std::fs;
use std::io::Write;

use jsonwarden::document::Mark;

use super::bench::{Bench, GOOD, NEWER};

fn text(number: usize) -> Vec<u8> {
    format!("{{\"version\": {number}}}\n").into_bytes()
}

#[test]
fn two_who_store_in_turn_see_each_other_s_versions_and_never_give_a_number_twice() {
    let bench = Bench::new();
    let both = [bench.hands(), bench.hands()];
    for number in 1..=40 {
        let stored = both[number % 2].store(&text(number), Mark::Good);
        assert_eq!(stored.version.0, number as u64);
        assert_eq!(both[number / 2 % 2].versions().len(), number);
    }
    let newest_first: Vec<Vec<u8>> = (1..=40).rev().map(text).collect();
    assert_eq!(both.map(|one| one.versions()), [newest_first.clone(), newest_first]);
}

#[test]
fn a_version_that_somebody_removed_is_gone_and_its_number_is_not_given_again() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let hands = bench.hands();
    hands.store(NEWER, Mark::Good);
    let newest = bench.stored_files().into_iter().find(|path| path.to_str().unwrap().contains("/00000002-")).unwrap();
    fs::remove_file(newest).unwrap();
    assert_eq!(hands.versions(), [GOOD]);
    assert_eq!(hands.store(NEWER, Mark::Good).version.0, 3);
    assert_eq!(hands.versions(), [NEWER, GOOD]);
}

#[test]
fn a_line_that_somebody_tore_takes_no_other_with_it() {
    let bench = Bench::with(&std::env::temp_dir(), GOOD);
    let hands = bench.hands();
    hands.store(NEWER, Mark::Suspicious);
    let record = bench.stored_files().into_iter().find(|path| path.ends_with("record.jsonl")).unwrap();
    fs::File::options().append(true).open(record).unwrap().write_all(b"{\"v\":1,\"version\":9,\"dig").unwrap();
    let stored = hands.store(&text(3), Mark::Good);
    let versions = hands.backups.find(&hands.document).unwrap().unwrap().versions().unwrap();
    let marks: Vec<(u64, Mark)> = versions.iter().map(|stored| (stored.version.0, stored.mark)).collect();
    assert_eq!(marks, [(stored.version.0, Mark::Good), (2, Mark::Suspicious), (1, Mark::Good)]);
}
