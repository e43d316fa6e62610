//! Owner, mode, access control list, label and extended attributes: what a file that replaces another must have, too.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Gid, Mode, Uid, XattrFlags};

use super::signature::Signature;
use super::{Disk, Step};
use crate::error::{Cause, Error, Result};

/// The attributes of a file that its replacement must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The owner.
    pub owner: u32,
    /// The group.
    pub group: u32,
    /// The permission bits. Set-user-ID and set-group-ID are left out: a JSON file has no use for them.
    pub mode: u32,
    /// Extended attributes, in the order of their names: the user's own, the ACL, the SELinux label.
    pub extended: Vec<(CString, Vec<u8>)>,
}

const PERMISSIONS: u32 = 0o1777;

/// More than this of attributes in one file, and the kernel refuses it too (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`, xattr(7)).
const LIMIT_BYTES: usize = 64 << 10;

/// Mostly there is none, or a short one.
const USUAL_BYTES: usize = 1 << 10;

impl Disk {
    /// The attributes of an open file.
    ///
    /// # Errors
    /// The disk failed.
    pub fn attributes(&self, file: &File, path: &Path) -> Result<Attributes> {
        let failed = |errno| Error::new("reading the attributes of", path, Cause::from(errno));
        let found = Signature::of_file(file).map_err(failed)?;
        let extended = extended(file).map_err(failed)?;
        Ok(Attributes { owner: found.owner, group: found.group, mode: found.mode & PERMISSIONS, extended })
    }

    /// Gives an open file these attributes, and looks whether it has them now.
    ///
    /// # Errors
    /// `Refused` when they cannot be reproduced (as this user, on this file system); else the disk failed.
    pub fn set_attributes(&self, file: &File, path: &Path, wanted: &Attributes) -> Result<()> {
        let set = self.step(Step::SetAttributes).and_then(|()| apply(file, wanted).map_err(std::io::Error::from));
        let refused = |why: String| Error::new("keeping the attributes of", path, Cause::Refused(why));
        set.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::InvalidInput => {
                refused(error.to_string())
            }
            _ => Error::new("keeping the attributes of", path, error),
        })?;
        let now = self.attributes(file, path)?;
        if now == *wanted { Ok(()) } else { Err(refused("owner, mode or extended attributes do not take".to_owned())) }
    }

    /// Dates a file's inode to now (`ctime`), and changes nothing else of it. Not every file system does so when a name
    /// is exchanged (XFS does not).
    ///
    /// # Errors
    /// The file is another's, or the disk failed.
    pub fn touch(&self, file: &File, path: &Path) -> Result<()> {
        let touched = self.step(Step::SetAttributes).and_then(|()| {
            let mode = Signature::of_file(file)?.mode & 0o7777;
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(std::io::Error::from)
        });
        touched.map_err(|error| Error::new("dating", path, error))
    }
}

/// The owner first, for a change of owner clears bits of the mode; then the mode; then the list that refines the mode.
fn apply(file: &File, wanted: &Attributes) -> rustix::io::Result<()> {
    let now = Signature::of_file(file)?;
    if (now.owner, now.group) != (wanted.owner, wanted.group) {
        rustix::fs::fchown(file, Some(Uid::from_raw(wanted.owner)), Some(Gid::from_raw(wanted.group)))?;
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(wanted.mode))?;
    let present = extended(file)?;
    for (name, _) in present.iter().filter(|(name, _)| !wanted.extended.iter().any(|(kept, _)| kept == name)) {
        rustix::fs::fremovexattr(file, name.as_c_str())?;
    }
    for (name, value) in wanted.extended.iter().filter(|wanted| !present.contains(wanted)) {
        rustix::fs::fsetxattr(file, name.as_c_str(), value, XattrFlags::empty())?;
    }
    Ok(())
}

fn extended(file: &File) -> rustix::io::Result<Vec<(CString, Vec<u8>)>> {
    let names = match filled(|buffer| rustix::fs::flistxattr(file, buffer)) {
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(Vec::new()),
        result => result?,
    };
    let mut extended = Vec::new();
    for name in names.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok()) {
        if is_kept(name) {
            extended.push((name.to_owned(), filled(|buffer| rustix::fs::fgetxattr(file, name, buffer))?));
        }
    }
    extended.sort_unstable();
    Ok(extended)
}

/// What a call fills a buffer with.
fn filled(mut fill: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; USUAL_BYTES];
    let length = match fill(&mut buffer) {
        Err(rustix::io::Errno::RANGE) => {
            buffer.resize(LIMIT_BYTES, 0);
            fill(&mut buffer)?
        }
        filled => filled?,
    };
    buffer.truncate(length);
    Ok(buffer)
}

/// Capabilities and trusted attributes belong to the inode they were given to, not to its contents.
fn is_kept(name: &CStr) -> bool {
    let name = name.to_bytes();
    name.starts_with(b"user.") || name == b"system.posix_acl_access" || name == b"security.selinux"
}
