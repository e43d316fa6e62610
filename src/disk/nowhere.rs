//! Nowhere: what stands for a folder that cannot be opened.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;

use super::directory::Directory;
use super::{Disk, Durable};
use crate::error::Result;

/// What it is called for the moment in which it has a name.
const NAME: &str = ".nowhere";

impl Disk {
    /// A folder in which no document can be found or made, to stand for one that cannot be opened: the kernel's list of
    /// our descriptors, whose names are numbers; without /proc (a bare chroot) one that was made in `place` and removed.
    ///
    /// # Errors
    /// No descriptor is left; or there is no /proc, and `place` cannot be written.
    pub fn open_nowhere(&self, place: &Path) -> Result<Directory> {
        match self.open_directory(&Path::new("/proc").join(std::process::id().to_string()).join("fdinfo")) {
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => self.make_nowhere(place),
            opened => opened,
        }
    }

    fn make_nowhere(&self, place: &Path) -> Result<Directory> {
        let name = OsStr::new(NAME);
        let place = self.make_directory_at(place)?;
        let nowhere = self.make_below(&place, &[name], Durable::Later)?;
        self.remove_directory(&place, name)?;
        Ok(nowhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nowhere_holds_no_document_and_takes_none() {
        let place = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        for nowhere in [disk.open_nowhere(place.path()).unwrap(), disk.make_nowhere(place.path()).unwrap()] {
            assert_eq!(disk.look(&nowhere, OsStr::new("a.json")).unwrap(), None);
            assert!(disk.create(&nowhere, OsStr::new("a.json"), 0o600).is_err());
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
