//! Who gives when everybody together uses too much: whoever uses most, down to one level for all.

/// What one document uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its versions, in bytes on disk.
    pub bytes: u64,
    /// Those of them that never go.
    pub needed_bytes: u64,
}

impl User {
    /// What it uses after it gave everything beyond a level.
    fn down_to(self, level: u64) -> u64 {
        self.bytes.min(level.max(self.needed_bytes))
    }
}

/// The level that everybody has to come down to, so that all together use no more than `max_bytes`, or as little as they can;
/// `None`: nobody has to give anything. Whoever is below it gives nothing.
#[must_use]
pub fn level(users: &[User], max_bytes: u64) -> Option<u64> {
    let at = |level: u64| users.iter().fold(0_u64, |sum, user| sum.saturating_add(user.down_to(level)));
    if at(u64::MAX) <= max_bytes {
        return None;
    }
    let (mut fits, mut exceeds) = (0, users.iter().map(|user| user.bytes).max().unwrap_or(0));
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if at(middle) <= max_bytes { fits = middle } else { exceeds = middle }
    }
    Some(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn users(bytes: &[u64]) -> Vec<User> {
        bytes.iter().map(|&bytes| User { bytes, needed_bytes: bytes.min(4) }).collect()
    }

    #[test]
    fn whoever_uses_most_gives_first_and_neighbours_below_the_level_nothing() {
        assert_eq!(level(&users(&[100, 10, 10]), 120), None);
        assert_eq!(level(&users(&[100, 10, 10]), 60), Some(40));
        assert_eq!(level(&users(&[100, 90, 10]), 60), Some(25), "two large ones share the burden");
        assert_eq!(level(&[], 0), None);
    }

    #[test]
    fn what_never_goes_is_no_reason_to_spare_the_others() {
        let stuck = User { bytes: 50, needed_bytes: 50 };
        let level = level(&[stuck, User { bytes: 40, needed_bytes: 1 }], 60);
        assert_eq!(level, Some(10));
    }

    proptest! {
        #[test]
        fn afterwards_all_fits_or_nobody_can_give_more(bytes in prop::collection::vec((0_u64..1000, 0_u64..1000), 0..20), max in 0_u64..5000) {
            let users: Vec<User> =
                bytes.iter().map(|&(bytes, needed)| User { bytes, needed_bytes: needed.min(bytes) }).collect();
            let level = level(&users, max).unwrap_or(u64::MAX);
            let after: u64 = users.iter().map(|user| user.down_to(level)).sum();
            let needed: u64 = users.iter().map(|user| user.needed_bytes).sum();
            prop_assert!(after <= max.max(needed));
        }
    }
}
