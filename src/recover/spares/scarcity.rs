//! When a file system counts as nearly full, and how much of what is left the spares may take: pure.

use crate::disk::Room;

/// Below this much, and below a fifth of all, a file system is nearly full: a runaway writer is through with it in seconds.
const BYTES: u64 = 1 << 30;

/// The same of files.
const FILES: u64 = 1024;

/// Nor is there ever less than so many times of what all the spares take.
const TIMES: u64 = 16;

/// What repairs need: of each folder one, the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub bytes: u64,
    pub files: u64,
}

/// Is it nearly full? Once it is, it stays so until there is half as much again, so that it does not come and go.
pub(super) fn is_scarce(room: &Room, need: Need, was_scarce: bool) -> bool {
    let is_below = |available: u64, all: u64, most: u64, need: u64| {
        let least = (all / 5).min(most).max(need.saturating_mul(TIMES).min(all / 2));
        available < if was_scarce { least.saturating_add(least / 2) } else { least }
    };
    is_below(room.available_bytes, room.all_bytes, BYTES, need.bytes)
        || is_below(room.available_files, room.all_files, FILES, need.files)
}

/// How many of the spares there may be, the smallest first: `there` is what each would take, and what it takes already.
/// Together they take no more than half of what is left, lest they fill the disk themselves; the first may always be.
pub(super) fn allowed(room: &Room, there: &[(u64, Option<u64>)]) -> usize {
    let taken: u64 = there.iter().filter_map(|(_, taken)| *taken).sum();
    let half = room.available_bytes.saturating_add(taken) / 2;
    let most_files = if room.all_files == 0 { u64::MAX } else { room.available_files / 2 };
    let (mut bytes, mut new_files) = (0_u64, 0);
    let mut allowed = 0;
    for (wanted, taken) in there {
        bytes = bytes.saturating_add(*wanted);
        new_files += u64::from(taken.is_none());
        if allowed > 0 && (bytes > half || new_files > most_files) {
            break;
        }
        allowed += 1;
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn bytes(available_bytes: u64, all_bytes: u64) -> Room {
        Room { available_bytes, all_bytes, available_files: 0, all_files: 0 }
    }

    fn files(available_files: u64, all_files: u64) -> Room {
        Room { available_files, all_files, ..bytes(100 * MIB, 100 * MIB) }
    }

    #[test]
    fn it_is_nearly_full_below_a_fifth_or_a_gibibyte_and_until_there_is_half_as_much_again() {
        let is_scarce = |room, was| is_scarce(&room, Need { bytes: 4096, files: 1 }, was);
        assert!(!is_scarce(bytes(20 * MIB, 100 * MIB), false) && is_scarce(bytes(20 * MIB - 1, 100 * MIB), false));
        assert!(is_scarce(bytes(30 * MIB - 1, 100 * MIB), true) && !is_scarce(bytes(30 * MIB, 100 * MIB), true));
        let disk = 1 << 40;
        assert!(!is_scarce(bytes(BYTES, disk), false) && is_scarce(bytes(BYTES - 1, disk), false));
        assert!(is_scarce(files(19, 100), false) && !is_scarce(files(20, 100), false));
        assert!(!is_scarce(files(0, 0), false), "it does not count files");
    }

    #[test]
    fn it_is_nearly_full_long_before_repairs_lack_room() {
        let need = Need { bytes: 3 * MIB, files: 1 };
        assert!(is_scarce(&bytes(48 * MIB - 1, 100 * MIB), need, false));
        let need = Need { bytes: 40 * MIB, files: 1 };
        assert!(!is_scarce(&bytes(90 * MIB, 100 * MIB), need, false), "an empty disk is never nearly full");
    }

    #[test]
    fn the_spares_take_half_of_what_is_left_and_one_may_always_be() {
        assert_eq!(allowed(&bytes(10, 100), &[(2, None), (3, None), (4, None)]), 2);
        assert_eq!(allowed(&bytes(8, 100), &[(2, Some(2)), (3, None), (4, None)]), 2);
        assert_eq!(allowed(&bytes(0, 100), &[(2, None), (3, None)]), 1);
        assert_eq!(allowed(&files(2, 100), &[(1, None), (1, None)]), 1);
        assert_eq!(allowed(&files(2, 100), &[(1, Some(1)), (1, None)]), 2);
        assert_eq!(allowed(&bytes(0, 100), &[]), 0);
    }
}
