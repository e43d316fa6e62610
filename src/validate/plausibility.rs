//! Plausibility: a version that reads, but hardly is what its writer meant. Nothing here is certain, so nothing here is
//! corruption: what is found is told, and the version is kept with its mark.
//!
//! Every version is weighed against the last *good* one, not against the one before: a reset file that grows on from
//! nothing stays suspicious until it is back, or somebody accepts it.

use super::Content;
use super::measure::Measure;
use super::pointer::find;
use super::redacted::redacted;
use super::schema::breach;
use super::syntax::Inside;
use super::text::place;
use crate::config::Expectations;
use crate::verdict::{Fault, Kind};

/// A smaller last good version is too little to say that much is gone (contract, `shrink_limit`). In bytes.
const WEIGHTY: usize = 512;

/// Fewer keys, leaves or entries are too few to say that many are gone.
const MANY: u64 = 16;

/// Weighs a valid version against the last good one and what is expected of it; `None`: it is plausible. Linear in the
/// length of both for each expectation, without recursion, in memory that does not grow with them.
#[must_use]
pub fn weigh(now: Content, last_good: Option<Content>, expectations: &Expectations) -> Option<Fault> {
    let found = match last_good {
        Some(last_good) => pinned(now, last_good, expectations)
            .or_else(|| demanded(now, expectations))
            .or_else(|| less(now, last_good, expectations.shrink_limit))
            .or_else(|| backwards(now, last_good, expectations))
            .or_else(|| masked(now, last_good)),
        None => demanded(now, expectations),
    };
    let (kind, offset, cause) = found?;
    Some(Fault { kind, place: place(now.bytes, offset), cause })
}

/// What the operator demands of a version, and it does not meet, whoever writes it; `None`: it does. What only looks odd
/// (much is gone, a placeholder stands there) is no matter here: somebody who asks us to write means it.
#[must_use]
pub fn unmet(now: Content, last_good: Option<Content>, expectations: &Expectations) -> Option<Fault> {
    let by_last_good =
        |last_good| pinned(now, last_good, expectations).or_else(|| backwards(now, last_good, expectations));
    let (kind, offset, cause) = last_good.and_then(by_last_good).or_else(|| demanded(now, expectations))?;
    Some(Fault { kind, place: place(now.bytes, offset), cause })
}

/// What else is wrong with a version of which it is known that little is left; `None`: nothing.
#[must_use]
pub fn weigh_small(now: Content, last_good: Option<Content>, expectations: &Expectations) -> Option<Fault> {
    unmet(now, last_good, expectations).or_else(|| {
        let (kind, offset, cause) = masked(now, last_good?)?;
        Some(Fault { kind, place: place(now.bytes, offset), cause })
    })
}

/// What is wrong with a version that was suspicious beside a good one, of which nothing is left to weigh it anew.
#[must_use]
pub fn still_suspicious(now: Content) -> Fault {
    let kind = if Measure::of(now).is_bare() { Kind::Reset } else { Kind::Shrunk };
    let cause = "it is stored as suspicious, and no good version is whole any more to weigh it anew".to_owned();
    Fault { kind, place: place(now.bytes, 0), cause }
}

/// Is a version much smaller than a last good one of which no more than the size, in bytes, is known?
#[must_use]
pub fn smaller(now: Content, last_good_bytes: u64, expectations: &Expectations) -> Option<Fault> {
    let bytes = now.bytes.len() as u64;
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    let is_less = (bytes as f64) < last_good_bytes as f64 * expectations.shrink_limit;
    let is_found = is_less && last_good_bytes >= WEIGHTY as u64;
    let cause =
        || format!("it has {bytes} bytes, down from {last_good_bytes} in the last good version, which is rotten");
    is_found.then(|| Fault { kind: Kind::Shrunk, place: place(now.bytes, 0), cause: cause() })
}

/// The kind, where it shows, and why.
pub(super) type Found = (Kind, usize, String);

fn pinned(now: Content, last_good: Content, expectations: &Expectations) -> Option<Found> {
    let is_other = expectations.pinned && now.bytes != last_good.bytes;
    is_other.then(|| (Kind::Tampered, 0, "it is pinned, and was changed".to_owned()))
}

/// What the watch demands of every version, whatever was before.
fn demanded(now: Content, expectations: &Expectations) -> Option<Found> {
    let breach = || expectations.schemas.as_ref().and_then(|schemas| breach(now, schemas));
    required(now, expectations).or_else(breach)
}

fn required(now: Content, expectations: &Expectations) -> Option<Found> {
    let missing = expectations.required.iter().find(|pointer| find(now, pointer).is_none())?;
    Some((Kind::Required, 0, format!("it has no {missing:?}, which is required")))
}

/// Is much of it gone?
fn less(now: Content, last_good: Content, shrink_limit: f64) -> Option<Found> {
    let is_weighty = last_good.bytes.len() >= WEIGHTY;
    let (measure, before) = (Measure::of(now), Measure::of(last_good));
    reset(&measure, &before, is_weighty).or_else(|| {
        let gone = is_weighty.then(|| shrunk(&measure, &before, shrink_limit))?;
        gone.map(|cause| (Kind::Shrunk, 0, cause))
    })
}

/// Back to nothing. A short list may well run empty, an object of settings hardly ever does.
fn reset(now: &Measure, before: &Measure, is_weighty: bool) -> Option<Found> {
    let was_something = before.leaves > 0 && (is_weighty || before.top == Some(Inside::Object));
    let is_skeleton = is_weighty && before.deep_leaves * 2 >= before.leaves && now.deep_leaves == 0;
    let is_nothing = is_weighty && now.leaves == 0;
    let is_scalar = now.longest_array == 0 && now.top.is_none() && before.top.is_some();
    let cause = if was_something && (now.is_bare() || is_scalar) {
        "nothing is left in it"
    } else if before.leaves > 0 && (is_nothing || (is_skeleton && before.deep_leaves > 0)) {
        "only a skeleton is left of it"
    } else {
        return None;
    };
    Some((Kind::Reset, 0, format!("{cause}: the last good version has {} values", before.leaves)))
}

fn shrunk(now: &Measure, before: &Measure, limit: f64) -> Option<String> {
    let counts = [
        ("bytes", now.bytes, before.bytes, 0),
        ("keys", now.keys, before.keys, MANY),
        ("values", now.leaves, before.leaves, MANY),
        ("entries in its longest list", now.longest_array, before.longest_array, MANY),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    let is_less = |now: u64, before: u64| (now as f64) < before as f64 * limit;
    let (what, now, before, _) =
        counts.into_iter().find(|(_, now, before, least)| before >= least && is_less(*now, *before))?;
    Some(format!("it has {now} {what}, down from {before} in the last good version"))
}

/// A number that was there goes on being there, and grows: one that is gone, or no number any more, would let the next
/// version begin anew. A last good version without it (enrolled so, or accepted) says nothing.
fn backwards(now: Content, last_good: Content, expectations: &Expectations) -> Option<Found> {
    expectations.monotonic.iter().find_map(|pointer| {
        let before = Number::of(find(last_good, pointer)?.raw)?;
        let (offset, what) = match find(now, pointer) {
            None => (0, "is gone"),
            Some(counter) => match Number::of(counter.raw) {
                None => (counter.offset, "is no number any more"),
                Some(number) if number.is_below(before) => (counter.offset, "went backwards"),
                Some(_) => return None,
            },
        };
        Some((Kind::Backwards, offset, format!("{pointer:?} {what}, though it only grows")))
    })
}

fn masked(now: Content, last_good: Content) -> Option<Found> {
    let (pointer, offset) = redacted(now, last_good)?;
    Some((Kind::Redacted, offset, format!("a placeholder stands at {pointer:?}, where a value was")))
}

/// A number as written: exact while it is whole and of a common size.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Other(f64),
}

impl Number {
    fn of(raw: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(raw).ok()?;
        let is_number = text.starts_with(|one: char| one.is_ascii_digit() || matches!(one, '-' | '+' | '.'));
        let hex = || i128::from_str_radix(text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?, 16).ok();
        let whole = text.parse().ok().or_else(hex).map(Self::Whole);
        whole.or_else(|| text.parse().ok().map(Self::Other)).filter(|_| is_number)
    }

    fn is_below(self, other: Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one < other,
            (one, other) => one.about() < other.about(),
        }
    }

    fn about(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "compared with what is not exact either")]
            Self::Whole(number) => number as f64,
            Self::Other(number) => number,
        }
    }
}

#[cfg(test)]
mod tests;
