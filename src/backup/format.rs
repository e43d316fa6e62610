//! The format of the state directory.

use std::ffi::OsStr;
use std::io::ErrorKind;

use crate::disk::directory::Directory;
use crate::disk::{Disk, Opened};
use crate::error::{Cause, Error, Result};

/// The format of everything in the state directory. A newer program upgrades in order; an older one refuses.
const FORMAT: &str = "1";

/// The file that says so.
pub(super) const NAME: &str = "format";

/// Sees that a state directory is of the format that we know; one that says nothing is new, and says so from now on.
///
/// # Errors
/// `Refused` when a newer program wrote it; else the disk failed.
pub fn check_format(disk: &Disk, directory: &Directory) -> Result<()> {
    let name = OsStr::new(NAME);
    let path = directory.path().join(name);
    match disk.open(directory, name)? {
        Opened::File(file, _) => {
            let bytes = disk.read(&file, &path, 64, || true)?.unwrap_or_default();
            let found = String::from_utf8_lossy(&bytes).replace('\0', "");
            // Nothing in it, or room for it only: the disk was full, or the power went, when it was made.
            if found.trim() == FORMAT || found.trim().is_empty() {
                return Ok(());
            }
            let why =
                format!("its format is {:?}, and this program knows {FORMAT}: run a newer jsonwarden", found.trim());
            Err(Error::new("opening the state directory", directory.path(), Cause::Refused(why)))
        }
        Opened::Missing => {
            let file = match disk.create(directory, name, 0o600) {
                // Another process makes it just now.
                Err(error) if error.io_kind() == Some(ErrorKind::AlreadyExists) => return Ok(()),
                file => file?,
            };
            disk.write(&file, &path, format!("{FORMAT}\n").as_bytes())?;
            disk.sync(&file, &path)?;
            disk.sync_directory(directory)
        }
        Opened::Other(found) => {
            let why = format!("a {} stands there", found.file_type());
            Err(Error::new("reading", path, Cause::Refused(why)))
        }
    }
}
