//! What the versions say of bytes: which one they are weighed against, and whether a person accepted them before.

use super::Folder;
use crate::document::{Digest, Mark, Stored};
use crate::error::{Cause, Error, Result};

impl Folder {
    /// The version that new bytes are weighed against, with its bytes: the newest that a repair may put back. One that is
    /// rotten is passed over, as a repair does.
    ///
    /// # Errors
    /// The disk failed: nothing may be weighed against less than there is.
    pub fn last_good_bytes(&self) -> Result<Option<(Stored, Vec<u8>)>> {
        let catalogue = self.catalogue()?;
        for (name, found) in catalogue.newest_first() {
            let stored = self.weigh(&catalogue, name, found)?.stored;
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
        let is_accepted =
            |version| catalogue.record.remark(version).is_some_and(|remark| remark.mark == Mark::Accepted);
        Ok(alike.any(|(_, found)| is_accepted(found.version)))
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
