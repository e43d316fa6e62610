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

/// A clock that leapt is believed once it has stayed so for this long: somebody would have set it right.
pub const DOUBT: Duration = Duration::from_secs(86_400);

/// A clock that was believed so lately is not dated again.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// The file whose kernel's date says since when processes that come and go have doubted the clock.
const DOUBTED: &str = "clock-doubted";

impl Backups {
    /// The present moment for whatever is removed because of its age: what the clock says; but where that is more than a week
    /// after it was believed last, which the kernel's date of the file `format` tells, it is that moment still: a part of a
    /// leap would have versions thinned out that were taken a minute ago. Where nothing tells, the clock is believed.
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

    /// As [`Backups::believed_now`], for a process that lives no longer than its own write, and is followed by others: it
    /// believes the clock as a daemon would, and a doubt outlives it.
    #[must_use]
    pub fn believed_in_passing(&self) -> Timestamp {
        let doubted_for = self.age_of(DOUBTED);
        if doubted_for.is_some() || self.unbelieved_for().is_some_and(|age| age > FRESH) {
            // What cannot be dated stays as it was: less is removed.
            let _ = self.believe_in_passing(doubted_for);
        }
        self.believed_now()
    }

    fn believe_in_passing(&self, doubted_for: Option<Duration>) -> Result<()> {
        let is_still_doubted = self.believe_clock(doubted_for.is_some_and(is_long_enough))?.is_some();
        match (is_still_doubted, doubted_for) {
            (false, None) => Ok(()),
            (false, Some(_)) => self.disk.unlink(&self.state, OsStr::new(DOUBTED)),
            (true, Some(age)) if age <= LEAP_LIMIT && !age.is_zero() => Ok(()),
            // By another leap, forward or back: the doubt begins anew.
            (true, Some(_)) => {
                self.disk.unlink(&self.state, OsStr::new(DOUBTED))?;
                self.doubt()
            }
            (true, None) => self.doubt(),
        }
    }

    fn doubt(&self) -> Result<()> {
        self.disk.create(&self.state, OsStr::new(DOUBTED), 0o600).map(|_| ())
    }

    fn unbelieved_for(&self) -> Option<Duration> {
        self.age_of(format::NAME)
    }

    /// How long ago the kernel dated a file of the state directory; `None`: it is not there.
    fn age_of(&self, name: &str) -> Option<Duration> {
        let found = self.disk.look(&self.state, OsStr::new(name)).ok().flatten();
        found.map(|found| found.age())
    }
}

/// Has the clock gone on from where it leapt to for long enough, and not leapt again?
fn is_long_enough(doubted_for: Duration) -> bool {
    (DOUBT..=LEAP_LIMIT).contains(&doubted_for)
}

fn bounded(now: Timestamp, unbelieved_for: Option<Duration>) -> Timestamp {
    let ahead = unbelieved_for.filter(|age| *age > LEAP_LIMIT).unwrap_or_default();
    now.checked_sub(ahead).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_clock_that_leaps_by_a_year_is_not_believed_for_a_minute_of_it() {
        let now = Timestamp::new(1_795_320_005, 0).unwrap();
        assert_eq!(bounded(now, None), now);
        assert_eq!(bounded(now, Some(Duration::ZERO)), now);
        assert_eq!(bounded(now, Some(7 * DAY)), now);
        assert_eq!(bounded(now, Some(365 * DAY)), now - 365 * DAY);
    }

    #[test]
    fn a_leap_is_believed_after_a_day_in_which_there_was_no_other() {
        let believed = [Duration::from_secs(60), DAY, 3 * DAY, 7 * DAY, 8 * DAY, 365 * DAY].map(is_long_enough);
        assert_eq!(believed, [false, true, true, true, false, false]);
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
