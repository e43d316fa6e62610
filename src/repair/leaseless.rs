//! The end of a leftover where the kernel gives no lease (overlayfs, FUSE, NFS, another user's file): nothing says in one
//! call that no writer has it open, so it is given time, and the processes are looked into.
//!
//! Its bytes, as they are, must be kept elsewhere, as always. What may be lost is only what somebody writes to it from now
//! on, who opened it before the swap and has not written since. Whoever rewrites a file begins with emptying it, as a rule,
//! and is seen by that at once. So what is left to fear is a program that opened the file to write into it or to append to
//! it, and then sat still, for longer than [`Patience`] says and where it cannot be seen. (A writer who renames loses such
//! bytes at once, and every editor does.) A folder that fills for ever harms everybody, and with certainty.

use std::time::Duration;

use super::leftover::{Disposal, Found, kept};
use super::{GRACE, Ground};
use crate::backup::Folder;
use crate::disk::writers::{UNSEEN, Writers};
use crate::document::Digest;
use crate::error::Result;
use crate::read::{self, Look, OpenWriter};

/// How long a leftover must have stayed the same before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// What every late writer is given (protocol C, step 8).
    pub grace: Duration,
    /// The same, where no lease is to be had and not all who might have it open can be seen.
    pub unseen: Duration,
    /// The least, when there are too many: two reads this far apart are what is believed of a file without leases.
    pub crowded: Duration,
}

impl Patience {
    /// A minute; an hour; a second.
    pub const USUAL: Self = Self { grace: GRACE, unseen: UNSEEN, crowded: Duration::from_secs(1) };

    /// No longer than this, whoever may be unseen.
    #[must_use]
    pub const fn of(grace: Duration) -> Self {
        Self { grace, unseen: grace, crowded: grace }
    }

    /// How long one must have stayed the same, beside so many newer ones of the same document; `None`: for as long as
    /// somebody has it open.
    fn span(self, writers: Writers, newer: usize) -> Option<Duration> {
        match writers {
            Writers::Some => None,
            // As under a lease.
            Writers::None if newer >= MANY => Some(Duration::ZERO),
            Writers::None => Some(self.grace),
            Writers::NoneSeen if newer >= TOO_MANY => Some(self.crowded),
            Writers::NoneSeen if newer >= MANY => Some(self.grace),
            Writers::NoneSeen => Some(self.unseen),
        }
    }

    /// The least that it comes to, whoever has it open: before that nobody need be looked for.
    fn least(self, newer: usize) -> Duration {
        if newer >= MANY { Duration::ZERO } else { self.grace }
    }
}

/// With so many newer leftovers of a document beside it, an old one is in the way. (A program that writes once a second
/// leaves sixty within the grace.)
pub const MANY: usize = 16;

/// With so many, it is too much.
const TOO_MANY: usize = 2 * MANY;

/// Can a version that is kept nowhere be anybody's news? Where there are no leases, writers leave versions behind by the dozen, and those
/// that were given since are none. But one that was written after it left the name is, and one that was never a version
/// and in whose place ours stands: whoever exchanged them died before that was looked at.
pub(super) fn may_be_news(ground: &Ground, folder: &Folder, found: &Found, put_in: Option<Digest>) -> Result<bool> {
    if found.signature.is_written_last() {
        return Ok(true);
    }
    let Some(put_in) = put_in else { return Ok(false) };
    let look = read::look(ground.disk, ground.directory, ground.document, ground.limit_bytes, OpenWriter::Wait)?;
    let stands = matches!(look, Look::Read(present) if present.digest == put_in);
    Ok(stands && !folder.had(found.digest)?)
}

/// Ends with a leftover that was read whole, if it may go. `newer`: how many of the document's leftovers are younger.
pub(super) fn end(ground: &Ground, found: &Found, newer: usize, patience: Patience) -> Result<Disposal> {
    let age = found.signature.age();
    // What a repair put aside may be a writer's who is not done, however many lie there.
    let newer = if found.is_quarantined { 0 } else { newer };
    if age < patience.least(newer) {
        return Ok(Disposal::Waiting);
    }
    match patience.span(ground.disk.writers(found.file, found.name, age), newer) {
        None => return Ok(Disposal::Open),
        Some(span) if age < span => return Ok(Disposal::Unsure),
        Some(_) => {}
    }
    let kept = kept(ground, found)?;
    // Nobody held it when the processes were looked into: it has not changed since, and will not.
    let is_the_same = found.is_as_it_was(ground)?;
    let at_name = ground.disk.look(ground.directory, found.name)?;
    if !is_the_same || at_name != Some(found.signature) {
        return Ok(Disposal::Waiting);
    }
    ground.disk.unlink(ground.directory, found.name).map(|()| kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_lie_there_and_the_more_can_be_seen_the_shorter_is_the_wait() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let span = |writers, newer| Patience::USUAL.span(writers, newer);
        assert_eq!([0, 15].map(|newer| span(Writers::None, newer)), [minutes(1); 2]);
        assert_eq!(span(Writers::None, 16), Some(Duration::ZERO));
        assert_eq!([0, 15].map(|newer| span(Writers::NoneSeen, newer)), [minutes(60); 2]);
        assert_eq!([16, 31].map(|newer| span(Writers::NoneSeen, newer)), [minutes(1); 2]);
        assert_eq!(span(Writers::NoneSeen, 32), Some(Duration::from_secs(1)));
        assert_eq!(span(Writers::Some, 1000), None, "whoever is seen is waited for");
    }

    #[test]
    fn nobody_is_looked_for_before_it_could_matter() {
        for newer in [0, 15, 16, 31, 32, 1000] {
            let spans = [Writers::None, Writers::NoneSeen].map(|writers| Patience::USUAL.span(writers, newer).unwrap());
            assert!(spans.iter().all(|span| *span >= Patience::USUAL.least(newer)), "{newer}");
        }
    }
}
