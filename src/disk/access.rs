//! What somebody else may do to a file: asked of the kernel in that user's name, so that modes, ACLs, folders on the way
//! and read-only mounts all count, and nothing of it is worked out here.

use std::ffi::OsStr;
use std::path::Path;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::{Disk, Opened};
use crate::error::{Cause, Error, Result};

/// A user, as the kernel checks one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's number.
    pub user: u32,
    /// The number of the first group.
    pub group: u32,
    /// The numbers of all others.
    pub groups: Vec<u32>,
}

impl Caller {
    /// Root, or the user that this process runs as: may do whatever this process does.
    #[must_use]
    pub fn is_equal_to_us(&self) -> bool {
        self.user == 0 || self.user == rustix::process::geteuid().as_raw()
    }
}

/// More groups than this nobody has (`NGROUPS_MAX`), and a line that says so is no longer than this.
const STATUS_BYTES_MAX: u64 = 1 << 20;

/// Enough for thousands of local users.
const PASSWD_BYTES_MAX: u64 = 4 << 20;

impl Disk {
    /// May `caller` read and write the file at `path`? A link in its last part is not followed.
    ///
    /// # Errors
    /// `Refused` when it cannot be found out: this process may not act in another's name, or the kernel is older than 5.8.
    pub fn may_change(&self, caller: &Caller, path: &Path) -> Result<bool> {
        if caller.is_equal_to_us() {
            return Ok(true);
        }
        let (caller, owned) = (caller.clone(), path.to_owned());
        // On a thread that ends after it: nothing else is ever done in another's name.
        let asking = std::thread::Builder::new().name("access".to_owned()).spawn(move || ask_as(&caller, &owned));
        let asked = asking.map_err(|error| Error::new("starting a thread for", path, error))?.join();
        match asked.unwrap_or(Err(Errno::INVAL)) {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::NOENT | Errno::NOTDIR | Errno::ROFS | Errno::LOOP) => Ok(false),
            Err(Errno::PERM | Errno::NOSYS) => {
                let why = "this daemon cannot find out what another user may do to it; ask as root, or as its own user";
                Err(Error::new("asking for access to", path, Cause::Refused(why.to_owned())))
            }
            Err(errno) => Err(Error::new("asking for access to", path, errno)),
        }
    }

    /// The further groups of a process; none where it cannot be seen, or is no longer this user's.
    #[must_use]
    pub fn groups_of(&self, process: i32, user: u32) -> Vec<u32> {
        let folder = Path::new("/proc").join(process.to_string());
        let text = self.small_file(&folder, "status", STATUS_BYTES_MAX);
        let text = String::from_utf8_lossy(&text);
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let numbers = |line: &str| line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
        let is_user_s = of("Uid:").map(numbers).is_some_and(|users| users.get(1) == Some(&user));
        if is_user_s { of("Groups:").map(numbers).unwrap_or_default() } else { Vec::new() }
    }

    /// The name of a local user, for people; `None`: /etc/passwd has none.
    #[must_use]
    pub fn user_name(&self, user: u32) -> Option<String> {
        let text = self.small_file(Path::new("/etc"), "passwd", PASSWD_BYTES_MAX);
        String::from_utf8_lossy(&text).lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
        })
    }

    fn small_file(&self, folder: &Path, name: &str, limit_bytes: u64) -> Vec<u8> {
        let read = || {
            let directory = self.open_directory(folder)?;
            match self.open(&directory, OsStr::new(name))? {
                Opened::File(file, _) => self.read(&file, &folder.join(name), limit_bytes, || true),
                Opened::Other(_) | Opened::Missing => Ok(None),
            }
        };
        read().ok().flatten().unwrap_or_default()
    }
}

/// Asks in the caller's name. The kernel takes the capabilities that override modes from a thread whose file-system user
/// is not root (capabilities(7)), and `AT_EACCESS` makes it ask for that user, not for the process's.
fn ask_as(caller: &Caller, path: &Path) -> std::result::Result<(), Errno> {
    let groups: Vec<_> = caller.groups.iter().map(|group| rustix::process::Gid::from_raw(*group)).collect();
    rustix::thread::set_thread_groups(&groups)?;
    let (user, group) = (Uid::from_raw(caller.user), Gid::from_raw(caller.group));
    setfsgid(group);
    setfsuid(user);
    // They fail silently; the second call tells what the first one came to.
    if setfsgid(group) != group || setfsuid(user) != user {
        return Err(Errno::PERM);
    }
    let access = Access::READ_OK | Access::WRITE_OK;
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown};

    const NOBODY: u32 = 65_534;

    fn caller(groups: &[u32]) -> Caller {
        Caller { user: NOBODY, group: NOBODY, groups: groups.to_vec() }
    }

    #[test]
    fn who_may_change_a_file_is_asked_of_the_kernel() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(folder.path(), 0o755);
        let path = folder.path().join("a.json");
        std::fs::write(&path, "{}").unwrap();
        let disk = Disk::default();
        let may = |groups: &[u32]| disk.may_change(&caller(groups), &path).unwrap();
        set(&path, 0o644);
        assert!(!may(&[]), "nobody's file of another");
        set(&path, 0o660);
        chown(&path, None, Some(4242)).unwrap();
        assert!(!may(&[]) && may(&[4242]), "by a further group");
        chown(&path, Some(NOBODY), None).unwrap();
        assert!(may(&[]), "the owner");
        set(folder.path(), 0o700);
        assert!(!may(&[4242]), "a folder on the way is closed");
        assert!(disk.may_change(&Caller { user: 0, ..caller(&[]) }, &path).unwrap());
        assert!(rustix::process::geteuid().is_root() && std::fs::read(&path).is_ok(), "we are who we were");
    }

    #[test]
    fn a_process_has_the_groups_that_the_kernel_says() {
        let disk = Disk::default();
        let own: Vec<u32> = rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        let process = i32::try_from(std::process::id()).unwrap();
        assert_eq!(disk.groups_of(process, rustix::process::geteuid().as_raw()), own);
        assert!(disk.groups_of(process, 77).is_empty(), "a process of somebody else");
        assert_eq!(disk.user_name(0).as_deref(), Some("root"));
    }
}
