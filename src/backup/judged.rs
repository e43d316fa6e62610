//! What the versions say of bytes: which one they are weighed against, and whether a person accepted them before.

use std::collections::BTreeMap;

use super::Folder;
use crate::config::Expectations;
use crate::document::{Digest, Mark, Stored, Version};
use crate::error::{Cause, Error, Result};
use crate::validate::{self, Content};
use crate::verdict::Fault;

impl Folder {
    /// The version that new bytes are weighed against, with its bytes: the newest that a repair may put back. One that is
    /// rotten is passed over, as a repair does.
    ///
    /// # Errors
    /// The disk failed: nothing may be weighed against less than there is.
    pub fn last_good_bytes(&self) -> Result<Option<(Stored, Vec<u8>)>> {
        let (catalogue, mut unrecorded) = (self.catalogue()?, None);
        for (name, found) in catalogue.newest_first() {
            let stored = self.weigh(&catalogue, &mut unrecorded, name, found)?.stored;
            if !stored.mark.is_last_good() {
                continue;
            }
            match self.checked(&catalogue, name, found) {
                Ok(bytes) => return Ok(Some((stored, bytes))),
                Err(error) if is_rotten(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Did somebody accept these bytes before? Whoever has them again is not told again.
    ///
    /// # Errors
    /// The disk failed.
    pub fn accepts(&self, digest: Digest) -> Result<bool> {
        let catalogue = self.catalogue()?;
        let mut alike = catalogue.newest_first().filter(|(_, found)| found.digest == digest);
        Ok(alike.any(|(_, found)| catalogue.remark(found).is_some_and(|remark| remark.mark == Mark::Accepted)))
    }

    /// What is wrong with bytes that read, beside the last good version and by what is expected of every version; `None`:
    /// they are plausible.
    ///
    /// # Errors
    /// As [`Folder::last_good_bytes`].
    pub fn weigh_new(&self, now: Content, expectations: &Expectations) -> Result<Option<Fault>> {
        let last_good = self.last_good_bytes()?;
        let last_good = last_good.as_ref().map(|(stored, bytes)| Content { bytes, dialect: stored.dialect });
        let found = validate::weigh(now, last_good, expectations);
        if found.is_some() || last_good.is_some() { Ok(found) } else { self.weigh_beside_lost(now, expectations) }
    }

    /// The same, where no good version is whole any more: what was suspicious beside it stays suspicious, and what is known of
    /// its size still says whether much is gone.
    ///
    /// # Errors
    /// The disk failed.
    pub fn weigh_beside_lost(&self, now: Content, expectations: &Expectations) -> Result<Option<Fault>> {
        let told = self.told()?;
        let digest = Digest::of(now.bytes);
        let good = |mark: Mark| mark.is_last_good();
        let lost = told.values().rev().find(|(_, mark, _)| good(*mark));
        let alike: Vec<Mark> = told.values().filter(|told| told.0 == digest).map(|told| told.1).collect();
        Ok(match lost {
            Some(_) if alike.iter().any(|mark| good(*mark)) => None,
            Some(_) if !alike.is_empty() => Some(validate::still_suspicious(now)),
            Some((_, _, bytes)) => validate::smaller(now, *bytes, expectations),
            None => None,
        })
    }

    /// Was there ever a good version, whole or not, there or not?
    ///
    /// # Errors
    /// The disk failed.
    pub fn has_lost_good(&self) -> Result<bool> {
        Ok(self.told()?.values().any(|(_, mark, _)| mark.is_last_good()))
    }

    /// The digest, the mark and the length in bytes of all versions, and of those that are told of though they are gone.
    fn told(&self) -> Result<BTreeMap<Version, (Digest, Mark, u64)>> {
        let mut told = self.catalogue()?.record.last_remarks();
        for Stored { version, digest, mark, bytes, .. } in self.versions()? {
            told.insert(version, (digest, mark, bytes));
        }
        Ok(told)
    }

    /// Is it recorded what this version is?
    ///
    /// # Errors
    /// The disk failed.
    pub fn is_recorded(&self, stored: &Stored) -> Result<bool> {
        Ok(self.catalogue()?.record.remark_on(stored.version, stored.digest).is_some())
    }
}

/// Is it a stored version's own fault that it cannot be read? Another failure (no descriptor is left) says nothing against
/// it.
#[must_use]
pub fn is_rotten(error: &Error) -> bool {
    match error.cause() {
        Cause::Damaged(_) | Cause::Absent(_) => true,
        Cause::Io(error) => error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_its_own_fault_has_a_version_passed_over() {
        let failed = |cause| is_rotten(&Error::new("reading", "/a", cause));
        assert!(failed(Cause::Damaged("its digest differs".to_owned())));
        assert!(failed(Errno::IO.into()));
        for passing in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::ACCESS] {
            assert!(!failed(passing.into()), "{passing}");
        }
    }
}
