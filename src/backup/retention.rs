//! Which versions need not be kept: a pure function over what there is.

use crate::document::{Stored, Version};

/// How much is kept of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest versions.
    pub last: u32,
}

/// The versions, given newest first, that may go. *Invariant:* never the newest one that a repair may put back.
#[must_use]
pub fn surplus(newest_first: &[Stored], keep: Keep) -> Vec<Version> {
    let last_good = newest_first.iter().find(|stored| stored.mark.is_last_good()).map(|stored| stored.version);
    newest_first
        .iter()
        .skip(keep.last.max(1) as usize)
        .map(|stored| stored.version)
        .filter(|version| Some(*version) != last_good)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::document::{Dialect, Digest, Mark};

    fn stored(version: u64, mark: Mark) -> Stored {
        Stored {
            version: Version(version),
            taken: Timestamp::UNIX_EPOCH,
            digest: Digest::of(b"{}"),
            bytes: 2,
            mark,
            dialect: Dialect::Json,
        }
    }

    #[test]
    fn the_newest_stay_and_the_rest_may_go() {
        let all: Vec<Stored> = (1..=5).rev().map(|version| stored(version, Mark::Good)).collect();
        assert_eq!(surplus(&all, Keep { last: 3 }), [Version(2), Version(1)]);
        assert_eq!(surplus(&all, Keep { last: 9 }), []);
    }

    #[test]
    fn the_last_good_version_never_goes() {
        let mut all: Vec<Stored> = (2..=9).rev().map(|version| stored(version, Mark::Suspicious)).collect();
        all.push(stored(1, Mark::Good));
        assert!(!surplus(&all, Keep { last: 0 }).contains(&Version(1)));
    }
}
