//! Retention as a table, as properties, and as an hour in fast motion.

use proptest::prelude::*;

use super::*;
use crate::document::{Dialect, Digest, Mark};

const NOW: i64 = 1_795_320_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn weighed(version: u64, taken: i64, mark: Mark) -> Weighed {
    let stored = Stored {
        version: Version(version),
        taken: Timestamp::from_second(taken).unwrap(),
        digest: Digest::of(b"{}"),
        bytes: 2,
        mark,
        dialect: Dialect::Json,
    };
    Weighed { stored, disk_bytes: 4096 }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Good versions of these ages, the newest first.
fn aged(ages: &[i64]) -> Vec<Weighed> {
    let count = ages.len() as u64;
    ages.iter().zip(0..).map(|(age, index)| weighed(count - index, NOW - age, Mark::Good)).collect()
}

/// The ages of what stays.
fn staying(all: &[Weighed], keep: Keep) -> Vec<i64> {
    let going = surplus(all, keep, now());
    let stays = |weighed: &&Weighed| !going.contains(&weighed.stored.version);
    all.iter().filter(stays).map(|weighed| NOW - weighed.stored.taken.as_second()).collect()
}

fn within(days: u64) -> Keep {
    Keep { last: 1, within: Duration::from_secs(days * 86_400), max_bytes: u64::MAX }
}

#[test]
fn the_newest_stay_and_the_rest_may_go() {
    let all = aged(&[1, 2, 3, 4, 5]);
    assert_eq!(surplus(&all, Keep::newest(3), now()), [Version(2), Version(1)]);
    assert_eq!(surplus(&all, Keep::newest(9), now()), []);
}

#[test]
fn young_ones_are_thinned_out_to_one_an_hour_and_then_to_one_a_day() {
    // Hours and days are those of the epoch, whatever the time of day is now.
    let into_hour = NOW.rem_euclid(HOUR);
    let into_day = NOW.rem_euclid(DAY);
    let table: [(&[i64], &[i64]); 5] = [
        (&[1, 2, 30 * MINUTE, HOUR - 1], &[1, 2, 30 * MINUTE, HOUR - 1]),
        // Two of one hour: the newer stays. Of two hours: both.
        (&[0, into_hour + HOUR + 5, into_hour + HOUR + 9], &[0, into_hour + HOUR + 5]),
        (&[0, into_hour + HOUR + 5, into_hour + 2 * HOUR + 5], &[0, into_hour + HOUR + 5, into_hour + 2 * HOUR + 5]),
        // Beyond two days one a day is enough.
        (&[0, into_day + 3 * DAY + 5, into_day + 3 * DAY + 5 * HOUR], &[0, into_day + 3 * DAY + 5]),
        (&[0, 13 * DAY, 15 * DAY], &[0, 13 * DAY]),
    ];
    for (ages, stay) in table {
        assert_eq!(staying(&aged(ages), within(14)), stay, "of {ages:?}");
    }
}

#[test]
fn the_limit_of_bytes_beats_both_and_the_suspicious_go_first() {
    let keep = Keep { max_bytes: 3 * 4096, ..within(14) };
    assert_eq!(staying(&aged(&[1, 2, 3, 4, 5]), Keep { last: 30, ..keep }), [1, 2, 3]);
    let mut all = aged(&[1, 2, 3, 4, 5]);
    all[1].stored.mark = Mark::Suspicious;
    assert_eq!(staying(&all, Keep { last: 30, ..keep }), [1, 3, 4]);
    assert_eq!(staying(&all, Keep { max_bytes: 0, ..keep }), [1], "the last good one never goes");
}

#[test]
fn the_last_good_version_never_goes() {
    let mut all: Vec<Weighed> =
        (2..=9).rev().map(|version| weighed(version, NOW - 90 * DAY, Mark::Suspicious)).collect();
    all.push(weighed(1, NOW - 99 * DAY, Mark::Good));
    let keep = Keep { last: 0, within: Duration::ZERO, max_bytes: 0 };
    assert_eq!(staying(&all, keep), [90 * DAY, 99 * DAY]);
    assert_eq!(needed_bytes(&all), 2 * 4096);
}

#[test]
fn a_clock_that_was_set_back_makes_no_version_older_than_those_before_it() {
    // Version 3 was taken while the clock said 1970.
    let mut all = aged(&[1, 2, 3, 4, 5]);
    all[2].stored.taken = Timestamp::UNIX_EPOCH;
    assert!(surplus(&all, within(14), now()).is_empty());
    // And now that it says 1970, nothing is too old either.
    assert!(surplus(&aged(&[1, 2, 3]), within(14), Timestamp::UNIX_EPOCH).is_empty());
}

#[test]
fn an_hour_of_a_write_every_50_ms_leaves_a_bounded_number_of_versions() {
    let mut kept: Vec<Weighed> = aged(&[0, DAY, 2 * DAY, 3 * DAY]);
    let keep = Keep { last: 30, within: Duration::from_secs(14 * 86_400), max_bytes: 64 * 4096 };
    let mut most = 0;
    // min_interval lets one a second through.
    for second in 1..=3 * HOUR {
        let version = kept[0].stored.version.next();
        kept.insert(0, weighed(version.0, NOW + second, Mark::Good));
        let going = surplus(&kept, keep, Timestamp::from_second(NOW + second).unwrap());
        kept.retain(|weighed| !going.contains(&weighed.stored.version));
        most = most.max(kept.len());
    }
    assert_eq!(most, 64, "64 versions are all that fits");
}

prop_compose! {
    fn versions()(list in prop::collection::vec((0_i64..40 * DAY, prop::bool::weighted(0.3), 0_u64..5), 1..80)) -> Vec<Weighed> {
        let count = list.len() as u64;
        let mut ages: Vec<i64> = list.iter().map(|one| one.0).collect();
        ages.sort_unstable();
        list.iter().zip(ages).zip(0..).map(|((&(_, is_odd, blocks), age), index)| {
            let mark = if is_odd { Mark::Suspicious } else { Mark::Good };
            Weighed { disk_bytes: blocks * 4096, ..weighed(count - index, NOW - age, mark) }
        }).collect()
    }
}

prop_compose! {
    fn keeps()(last in 0_u32..40, days in 0_u64..40, blocks in prop::option::of(0_u64..100)) -> Keep {
        Keep { last, within: Duration::from_secs(days * 86_400), max_bytes: blocks.map_or(u64::MAX, |blocks| blocks * 4096) }
    }
}

proptest! {
    #[test]
    fn the_newest_and_the_last_good_stay_and_the_rest_fits(all in versions(), keep in keeps()) {
        let going = surplus(&all, keep, now());
        let left: Vec<Weighed> = all.iter().filter(|one| !going.contains(&one.stored.version)).cloned().collect();
        prop_assert_eq!(&left[0], &all[0]);
        let last_good = |list: &[Weighed]| list.iter().find(|one| one.stored.mark.is_last_good()).cloned();
        prop_assert_eq!(last_good(&left), last_good(&all));
        let bytes: u64 = left.iter().map(|one| one.disk_bytes).sum();
        prop_assert!(bytes <= keep.max_bytes.max(needed_bytes(&all)));
        let hours = left.iter().filter(|one| NOW - one.stored.taken.as_second() >= HOUR).count() as u64;
        prop_assert!(hours <= 2 * (u64::from(keep.last) + 1 + 48 + keep.within.as_secs() / 86_400 + 1));
    }

    #[test]
    fn what_stayed_once_stays_when_nothing_changed(all in versions(), keep in keeps()) {
        let going = surplus(&all, keep, now());
        let left: Vec<Weighed> = all.into_iter().filter(|one| !going.contains(&one.stored.version)).collect();
        prop_assert!(surplus(&left, keep, now()).is_empty());
    }

    #[test]
    fn suspicious_versions_push_no_better_one_out(all in versions(), keep in keeps()) {
        let keep = Keep { max_bytes: u64::MAX, ..keep };
        let better: Vec<Weighed> = all.iter().filter(|one| one.stored.mark.is_last_good()).cloned().collect();
        let alone = surplus(&better, keep, now());
        for version in surplus(&all, keep, now()) {
            let is_better = better.iter().any(|one| one.stored.version == version);
            prop_assert!(!is_better || alone.contains(&version));
        }
    }
}
