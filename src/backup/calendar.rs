//! How far the wall clock is believed when it says that something is old enough to go. One that is a year ahead would have
//! everything removed that is kept for a span of time, and setting it right would bring nothing back.

use std::ffi::OsStr;
use std::time::Duration;

use super::Backups;
use super::format;
use crate::clock::{self, Timestamp};
use crate::disk::Opened;
use crate::error::Result;

/// So far the clock may have gone on since it was believed last: the machine may have been off.
const LEAP_LIMIT: Duration = Duration::from_secs(7 * 86_400);

impl Backups {
    /// The present moment for whatever is removed because of its age: what the clock says, but not more than a week after
    /// it was believed last, which the kernel's date of the file `format` tells. Where nothing tells, the clock is believed.
    #[must_use]
    pub fn believed_now(&self) -> Timestamp {
        bounded(clock::now(), self.unbelieved_for())
    }

    /// Believes the clock from now on, if it has not gone on by more than a week since the last time, or `is_sure`; else
    /// says by how much it has.
    ///
    /// # Errors
    /// The disk failed: it is believed as far as before.
    pub fn believe_clock(&self, is_sure: bool) -> Result<Option<Duration>> {
        let unbelieved_for = self.unbelieved_for().unwrap_or_default();
        if unbelieved_for > LEAP_LIMIT && !is_sure {
            return Ok(Some(unbelieved_for));
        }
        if unbelieved_for.is_zero() {
            // It has gone back, as at the start of a machine that keeps no time: what was believed before is nearer the truth.
            return Ok(None);
        }
        let name = OsStr::new(format::NAME);
        match self.disk.open(&self.state, name)? {
            Opened::File(file, _) => self.disk.touch(&file, &self.state.path().join(name)).map(|()| None),
            Opened::Other(_) | Opened::Missing => Ok(None),
        }
    }

    fn unbelieved_for(&self) -> Option<Duration> {
        let found = self.disk.look(&self.state, OsStr::new(format::NAME)).ok().flatten();
        found.map(|found| found.age())
    }
}

fn bounded(now: Timestamp, unbelieved_for: Option<Duration>) -> Timestamp {
    let ahead = unbelieved_for.unwrap_or_default().saturating_sub(LEAP_LIMIT);
    now.checked_sub(ahead).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_clock_that_leaps_by_a_year_is_believed_for_a_week_of_it() {
        let now = Timestamp::new(1_795_320_005, 0).unwrap();
        assert_eq!(bounded(now, None), now);
        assert_eq!(bounded(now, Some(Duration::ZERO)), now);
        assert_eq!(bounded(now, Some(7 * DAY)), now);
        assert_eq!(bounded(now, Some(365 * DAY)), now - 358 * DAY);
    }

    #[test]
    fn the_clock_is_believed_again_and_again_as_long_as_it_does_not_leap() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
        super::super::check_format(&disk, &state).unwrap();
        let backups = Backups::new(disk, state);
        std::thread::sleep(Duration::from_millis(30));
        let before = backups.unbelieved_for().unwrap();
        assert_eq!(backups.believe_clock(false).unwrap(), None);
        assert!(before >= Duration::from_millis(30) && backups.unbelieved_for().unwrap() < before);
    }
}
