//! Which versions need not be kept: pure functions over what there is.

use std::collections::HashSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Rules;
use crate::document::{Stored, Version};

/// A stored version, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The version.
    pub stored: Stored,
    /// The blocks that it takes on disk, in bytes.
    pub disk_bytes: u64,
}

/// How much is kept of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest versions.
    pub last: u32,
    /// And younger ones, thinned out: all for an hour, then one an hour for two days, then one a day.
    pub within: Duration,
    /// Not more than this on disk, which beats both.
    pub max_bytes: u64,
}

impl Keep {
    /// So many of the newest, however old and large they are.
    #[must_use]
    pub fn newest(last: u32) -> Self {
        Self { last, within: Duration::ZERO, max_bytes: u64::MAX }
    }

    /// As the rules of a watch have it; one document may use all that its watch may.
    #[must_use]
    pub fn of(rules: &Rules) -> Self {
        Self { last: rules.keep_last, within: rules.keep_within, max_bytes: rules.max_bytes }
    }
}

/// The versions, given newest first, that may go. *Invariant:* never the newest, and never the newest that a repair may put
/// back. Suspicious versions never push out a better one: they are counted and thinned by themselves, and go first.
#[must_use]
pub fn surplus(newest_first: &[Weighed], keep: Keep, now: Timestamp) -> Vec<Version> {
    let needed = needed(newest_first);
    let mut rank = [0; 2];
    let mut slots = HashSet::new();
    let mut staying = Vec::new();
    let mut going = Vec::new();
    for (weighed, taken) in newest_first.iter().zip(moments(newest_first, now)) {
        let is_better = weighed.stored.mark.is_last_good();
        let rank = &mut rank[usize::from(is_better)];
        *rank += 1;
        let age = Duration::try_from(now.duration_since(taken)).unwrap_or_default();
        let is_new_slot = slot(taken, age).is_none_or(|slot| slots.insert((is_better, slot)));
        let is_young = age < keep.within && is_new_slot;
        let stays = needed.contains(&weighed.stored.version) || *rank <= keep.last || is_young;
        if stays { staying.push(weighed) } else { going.push(weighed.stored.version) }
    }
    // Where an older copy was put back, two versions may have one number: then both stay.
    let numbers: HashSet<Version> = staying.iter().map(|weighed| weighed.stored.version).collect();
    going.retain(|version| !numbers.contains(version));
    going.extend(too_heavy(&staying, keep.max_bytes, &needed));
    going
}

/// The versions that never go: the newest, and the newest that a repair may put back.
fn needed(newest_first: &[Weighed]) -> Vec<Version> {
    let last_good = newest_first.iter().find(|weighed| weighed.stored.mark.is_last_good());
    newest_first.first().into_iter().chain(last_good).map(|weighed| weighed.stored.version).collect()
}

/// How many bytes on disk the versions take that never go.
#[must_use]
pub fn needed_bytes(newest_first: &[Weighed]) -> u64 {
    let needed = needed(newest_first);
    let stays = |weighed: &&Weighed| needed.contains(&weighed.stored.version);
    newest_first.iter().filter(stays).map(|weighed| weighed.disk_bytes).sum()
}

/// When each was taken, as far as the clock can be believed: a version is no older than those before it, for the clock may
/// have been set back; what it dates into the future is as young as can be.
fn moments(newest_first: &[Weighed], now: Timestamp) -> Vec<Timestamp> {
    let mut latest = Timestamp::MIN;
    let believed = |weighed: &Weighed| {
        let taken = weighed.stored.taken;
        if taken > now {
            return now;
        }
        latest = latest.max(taken);
        latest
    };
    let mut moments: Vec<Timestamp> = newest_first.iter().rev().map(believed).collect();
    moments.reverse();
    moments
}

/// The stretch of time of which one version is enough; `None`: every one counts. Counted from the epoch, so that a version
/// that stays today stays tomorrow.
fn slot(taken: Timestamp, age: Duration) -> Option<(i64, i64)> {
    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;
    let length = match age.as_secs() {
        0..3_600 => return None,
        3_600..172_800 => HOUR,
        _ => DAY,
    };
    Some((length, taken.as_second().div_euclid(length)))
}

/// What has to go so that the rest fits: the suspicious first, then the oldest.
fn too_heavy(staying: &[&Weighed], max_bytes: u64, needed: &[Version]) -> Vec<Version> {
    let mut bytes: u64 = staying.iter().map(|weighed| weighed.disk_bytes).sum();
    let (better, suspicious): (Vec<&Weighed>, Vec<&Weighed>) =
        staying.iter().rev().partition(|weighed| weighed.stored.mark.is_last_good());
    let mut going = Vec::new();
    for weighed in suspicious.into_iter().chain(better) {
        if bytes <= max_bytes {
            break;
        }
        if !needed.contains(&weighed.stored.version) {
            bytes -= weighed.disk_bytes;
            going.push(weighed.stored.version);
        }
    }
    going
}

#[cfg(test)]
mod tests;
