//! Acting as somebody else, as far as files go: root's names in a folder of somebody else's are made, moved and removed with
//! that folder's owner's rights and no others, so no trick played with names gets more out of us than the owner could do.

use std::marker::PhantomData;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::fs::{Access, AtFlags};

use super::directory::Directory;
use super::signature::Signature;

/// This thread acts as the owner of a folder until it is dropped (setfsuid(2)). Meanwhile it lacks the capabilities that
/// pass over permissions, too (capabilities(7), "Effect of user ID changes on capabilities").
///
/// *Invariant:* it never leaves its thread, and the thread never outlives it as somebody else: being again what the process
/// is needs no privilege.
pub(super) struct Guise {
    own: (Uid, Gid),
    _stays_in_its_thread: PhantomData<*const ()>,
}

impl Guise {
    /// Puts it on where it is needed: as root, in a folder that a user other than root owns and that is not one of our own.
    /// Without `CAP_SETUID` the kernel refuses silently, and we act as ourselves.
    pub(super) fn of_owner(directory: &Directory) -> rustix::io::Result<Option<Self>> {
        let Some((owner, group)) = stranger(directory)? else { return Ok(None) };
        let own = (nix::unistd::geteuid(), nix::unistd::getegid());
        setfsgid(Gid::from_raw(group));
        setfsuid(Uid::from_raw(owner));
        Ok(Some(Self { own, _stays_in_its_thread: PhantomData }))
    }
}

impl Drop for Guise {
    fn drop(&mut self) {
        setfsuid(self.own.0);
        setfsgid(self.own.1);
    }
}

/// The owner and group of a folder whose owner is a stranger to us, root.
pub(super) fn stranger(directory: &Directory) -> rustix::io::Result<Option<(u32, u32)>> {
    if directory.is_ours() || !super::is_root() {
        return Ok(None);
    }
    let found = Signature::of_file(directory)?;
    Ok((found.owner != 0).then_some((found.owner, found.group)))
}

/// May names be made and removed in a folder by whoever would do so: its owner, or ourselves?
///
/// # Errors
/// They may not, and why.
pub(super) fn may_change_names(directory: &Directory) -> rustix::io::Result<()> {
    let _guise = Guise::of_owner(directory)?;
    rustix::fs::accessat(directory, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use std::os::unix::fs::{MetadataExt, chown};

    fn strange() -> Option<(tempfile::TempDir, Directory)> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root is among strangers");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(1234), Some(1235)).unwrap();
        let disk = Disk::default();
        let directory = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
        Some((folder, directory))
    }

    fn status(line: &str) -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find(|found| found.starts_with(line)).unwrap().to_owned()
    }

    #[test]
    fn names_are_made_as_the_folder_s_owner_and_the_thread_is_itself_again_even_after_a_panic() {
        let Some((folder, directory)) = strange() else { return };
        let before = (status("Uid"), status("Gid"), status("CapEff"));
        Disk::default().create(&directory, "a".as_ref(), 0o600).unwrap();
        let made = std::fs::metadata(folder.path().join("a")).unwrap();
        assert_eq!((made.uid(), made.gid()), (1234, 1235));
        assert_eq!((status("Uid"), status("Gid"), status("CapEff")), before);
        let panicking = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guise = Guise::of_owner(&directory).unwrap();
            assert_ne!(status("CapEff"), before.2, "nor does it pass over permissions meanwhile");
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicking.is_err());
        assert_eq!((status("Uid"), status("Gid"), status("CapEff")), before);
    }

    #[test]
    fn what_the_owner_could_not_do_is_not_done_for_them() {
        let Some((folder, directory)) = strange() else { return };
        assert!(may_change_names(&directory).is_ok());
        std::fs::write(folder.path().join("a"), "{}").unwrap();
        rustix::fs::chmod(folder.path(), 0o555.into()).unwrap();
        let disk = Disk::default();
        assert!(may_change_names(&directory).is_err());
        assert!(disk.create(&directory, "b".as_ref(), 0o600).is_err());
        assert!(disk.unlink(&directory, "a".as_ref()).is_err());
        assert!(disk.rename(&directory, "a".as_ref(), "b".as_ref()).is_err());
        assert!(folder.path().join("a").exists());
    }

    #[test]
    fn a_folder_of_our_own_is_ours_whoever_owns_it() {
        let Some((folder, directory)) = strange() else { return };
        Disk::default().create(&directory.as_ours(), "a".as_ref(), 0o600).unwrap();
        assert_eq!(std::fs::metadata(folder.path().join("a")).unwrap().uid(), 0);
    }
}
