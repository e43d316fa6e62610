//! Could a file be repaired where it lies? Asked beforehand, so that a person hears of it before the incident, and asked
//! without a trace: nothing is opened, made or written.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use super::Disk;
use super::directory::Directory;
use super::guise;
use super::lease;
use super::signature::Signature;
use crate::error::Result;

/// What a repair of one file would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prospects {
    /// Why it cannot be; `None`: it can.
    pub unrepairable: Option<Arc<str>>,
    /// Is it known that two names cannot be exchanged there in one step?
    pub lacks_exchange: bool,
}

/// What may change, while nothing in a folder does, of whether its files can be repaired: whoever meets another asks anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footing {
    names: Option<i32>,
    owner: u32,
    mode: u32,
    is_fixed: bool,
}

impl Disk {
    /// What a repair of a file would come to. `lacks_leases`: none was to be had when it was read.
    #[must_use]
    pub fn prospects(&self, directory: &Directory, name: &OsStr, lacks_leases: bool) -> Prospects {
        let unrepairable = self.unrepairable(directory, name, lacks_leases);
        let lacks_exchange = file_system(directory).is_some_and(|kind| WITHOUT_EXCHANGE.contains(&kind));
        // What cannot be asked now is said when it is read.
        Prospects { unrepairable: unrepairable.unwrap_or_default().map(Arc::from), lacks_exchange }
    }

    /// What a folder's files stand on ([`Footing`]). `found` is what it looks like.
    #[must_use]
    pub fn footing(&self, directory: &Directory, found: &Signature) -> Footing {
        let names = guise::may_change_names(directory).err().map(Errno::raw_os_error);
        Footing { names, owner: found.owner, mode: found.mode, is_fixed: found.is_fixed }
    }

    fn unrepairable(&self, directory: &Directory, name: &OsStr, lacks_leases: bool) -> Result<Option<String>> {
        let Some(found) = self.look(directory, name)?.filter(Signature::is_regular) else { return Ok(None) };
        if let Err(error) = self.refuse_strangers(directory, &found, &directory.path().join(name)) {
            return Ok(Some(error.to_string()));
        }
        let may = |wanted| rustix::fs::accessat(directory, name, wanted, AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW);
        if let Err(errno) = may(Access::READ_OK) {
            return Ok(Some(format!("it cannot be read: {}", io::Error::from(errno))));
        }
        let Some(no_swap) = no_swap(directory, &directory.signature()?, &found) else { return Ok(None) };
        let has_leases = !lacks_leases && has_leases(directory, &found);
        Ok(match may(Access::WRITE_OK) {
            Err(errno) if errno == Errno::ROFS => Some(
                "it is on a read-only mount (under systemd see `jsonwarden config unit`, and restart it)".to_owned(),
            ),
            Err(errno) => Some(format!("{no_swap}, and the file itself {}", refusal(errno))),
            Ok(()) if has_leases => None,
            Ok(()) => Some(format!("{no_swap}, and without leases nothing keeps a writer from being overwritten")),
        })
    }
}

/// What stands in the way of another file at the name; what is not seen here shows in the attempt.
fn no_swap(directory: &Directory, folder: &Signature, found: &Signature) -> Option<String> {
    const STICKY: u32 = 0o1000;
    let has = |capability| capabilities(None).is_ok_and(|sets| sets.effective.contains(capability));
    let stranger = guise::stranger(directory).ok().flatten();
    let actor = stranger.map_or_else(|| rustix::process::geteuid().as_raw(), |(owner, _)| owner);
    if let Err(errno) = guise::may_change_names(directory) {
        return Some(format!("its folder {}", refusal(errno)));
    }
    let is_sticky = folder.mode & STICKY != 0 && ![found.owner, folder.owner].contains(&actor);
    let is_foreign = found.owner != rustix::process::geteuid().as_raw() && !has(CapabilitySet::CHOWN);
    let why = if found.is_fixed {
        "it is immutable or append-only"
    } else if folder.is_fixed {
        "its folder is immutable or append-only"
    } else if is_sticky && (stranger.is_some() || !has(CapabilitySet::FOWNER)) {
        "its folder is sticky, and it is another's"
    } else if is_foreign {
        "it is another's, and we may not give files away"
    } else if found.is_mount_root {
        "it is a mount point of its own"
    } else if found.links > 1 {
        "it has several names (hard links)"
    } else {
        return None;
    };
    Some(why.to_owned())
}

fn refusal(errno: Errno) -> String {
    match errno {
        Errno::ROFS => "is on a read-only mount".to_owned(),
        Errno::PERM => "is immutable or append-only".to_owned(),
        Errno::ACCESS => "may not be written".to_owned(),
        errno => format!("may not be written: {}", io::Error::from(errno)),
    }
}

/// Would the kernel give us a lease on it (fcntl(2), "Leases": to the file's owner, and to `CAP_LEASE`)?
fn has_leases(directory: &Directory, found: &Signature) -> bool {
    let may_ask = found.owner == rustix::process::geteuid().as_raw()
        || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::LEASE));
    may_ask && file_system(directory).is_some_and(lease::is_sighted)
}

fn file_system(directory: &Directory) -> Option<u64> {
    rustix::fs::fstatfs(directory).ok().map(|found| found.f_type.cast_unsigned() & 0xffff_ffff)
}

/// NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, exFAT: their renames know no flags. (What a FUSE server can do shows in the first
/// repair.) Magic numbers as in statfs(2).
const WITHOUT_EXCHANGE: [u64; 8] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x00c3_6400, 0x5346_414f, 0x2011_bab0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::is_root;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown};

    fn at(folder: &tempfile::TempDir) -> Directory {
        let disk = Disk::default();
        disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap()
    }

    fn asked(folder: &tempfile::TempDir, lacks_leases: bool) -> Option<Arc<str>> {
        Disk::default().prospects(&at(folder), OsStr::new("a.json"), lacks_leases).unrepairable
    }

    #[test]
    fn what_can_be_swapped_or_rewritten_can_be_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(asked(&folder, false), None, "nothing is there");
        fs::write(&path, "{}").unwrap();
        assert_eq!((asked(&folder, false), asked(&folder, true)), (None, None));
        fs::hard_link(&path, folder.path().join("b")).unwrap();
        let why = asked(&folder, true).unwrap();
        assert!(why.contains("hard links") && why.contains("without leases"), "{why}");
    }

    #[test]
    fn what_an_owner_may_not_write_in_a_folder_they_may_not_write_cannot_be_repaired() {
        if is_root() {
            return eprintln!("skipped: root may write everything of its own");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(asked(&folder, false), None);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let why = asked(&folder, false).unwrap();
        assert!(why.contains("folder may not be written") && why.contains("the file itself"), "{why}");
    }

    #[test]
    fn a_stranger_s_file_in_a_folder_of_somebody_else_s_cannot_be_repaired() {
        if !is_root() {
            return eprintln!("skipped: only root is among strangers");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{}").unwrap();
        chown(folder.path(), Some(1234), None).unwrap();
        assert_eq!(asked(&folder, false), None, "root put it there");
        chown(&path, Some(1235), None).unwrap();
        assert!(asked(&folder, false).unwrap().contains("does not own it"));
    }

    #[test]
    fn a_folder_that_may_be_written_no_longer_stands_on_another_footing() {
        let folder = tempfile::tempdir().unwrap();
        let footing = || Disk::default().footing(&at(&folder), &at(&folder).signature().unwrap());
        let before = footing();
        fs::write(folder.path().join("a.json"), "{}").unwrap();
        assert_eq!(footing(), before);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        assert_ne!(footing(), before);
    }
}
