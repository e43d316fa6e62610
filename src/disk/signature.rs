//! What tells, without reading it, whether a file has changed.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxAttributes, StatxFlags, statx};

use super::directory::Directory;
use crate::clock;

/// A file's signature: when none of it has changed, nobody wrote the file, save through a mapping (stores to a mapping
/// move the times late or, on tmpfs, never: the scrub reads every file in full now and then).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The file system.
    pub device: u64,
    /// The file's number in it.
    pub inode: u64,
    /// Its size in bytes.
    pub bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
    born_ns: i64,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Its owner.
    pub owner: u32,
    /// Its group.
    pub group: u32,
    /// How many names it has.
    pub links: u32,
    /// Is something mounted at the name (statx(2), `STATX_ATTR_MOUNT_ROOT`, Linux 5.8)? Then it cannot be swapped.
    pub is_mount_root: bool,
    /// Is it immutable or append-only (chattr(1))? Not every file system tells.
    pub is_fixed: bool,
}

/// A signature in eight bytes, for whoever keeps those of a hundred thousand files: other fingerprints are of other
/// signatures, and like ones, but for one in 2^64, of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// What a file or folder is, whatever becomes of it: another at the same path has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// The number in it.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not say. Numbers are used again.
    pub born_ns: i64,
}

impl Signature {
    pub(super) fn of_name(directory: &Directory, name: &OsStr) -> rustix::io::Result<Self> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        statx(directory, name, flags, wanted()).map(|found| Self::new(&found))
    }

    pub(super) fn of_path(path: &Path) -> rustix::io::Result<Self> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        statx(CWD, path, flags, wanted()).map(|found| Self::new(&found))
    }

    pub(super) fn of_file(file: impl AsFd) -> rustix::io::Result<Self> {
        statx(file, c"", AtFlags::EMPTY_PATH, wanted()).map(|found| Self::new(&found))
    }

    fn new(found: &Statx) -> Self {
        let nanoseconds =
            |seconds: i64, rest: u32| seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(rest));
        Self {
            device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            bytes: found.stx_size,
            modified_ns: nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
            changed_ns: nanoseconds(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
            born_ns: nanoseconds(found.stx_btime.tv_sec, found.stx_btime.tv_nsec),
            mode: u32::from(found.stx_mode),
            owner: found.stx_uid,
            group: found.stx_gid,
            links: found.stx_nlink,
            is_mount_root: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
            is_fixed: found.stx_attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
        }
    }

    /// In short.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    /// Is it a regular file?
    #[must_use]
    pub fn is_regular(&self) -> bool {
        FileType::from_raw_mode(self.mode) == FileType::RegularFile
    }

    /// Is it a folder?
    #[must_use]
    pub fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.mode) == FileType::Directory
    }

    /// Is it a symbolic link?
    #[must_use]
    pub fn is_link(&self) -> bool {
        FileType::from_raw_mode(self.mode) == FileType::Symlink
    }

    /// What it is, in a word for people.
    #[must_use]
    pub fn file_type(&self) -> &'static str {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile => "regular file",
            FileType::Directory => "folder",
            FileType::Symlink => "symbolic link",
            FileType::Fifo => "pipe",
            FileType::Socket => "socket",
            FileType::CharacterDevice | FileType::BlockDevice => "device",
            FileType::Unknown => "file of an unknown type",
        }
    }

    /// Which file or folder it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode, born_ns: self.born_ns }
    }

    /// Is it the same file, whatever its contents?
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// Were its bytes written after `other` was last changed in any way? The kernel dates both.
    #[must_use]
    pub fn is_written_after(&self, other: &Self) -> bool {
        self.modified_ns >= other.changed_ns
    }

    /// Was it changed after `other` was, by more than what one exchange of the two dates apart?
    #[must_use]
    pub fn is_changed_after(&self, other: &Self) -> bool {
        const ONE_STEP_NS: i64 = 10_000_000;
        self.changed_ns.saturating_sub(other.changed_ns) > ONE_STEP_NS
    }

    /// Was the last thing that happened to it a write, and not a renaming or another change that leaves its bytes alone?
    #[must_use]
    pub fn is_written_last(&self) -> bool {
        self.modified_ns >= self.changed_ns
    }

    /// How long ago it was dated (`mtime`, which any program that may write it can set).
    #[must_use]
    pub fn dated_age(&self) -> Duration {
        elapsed_since_ns(self.modified_ns)
    }

    /// Is it dated as the other is?
    #[must_use]
    pub fn is_dated_as(&self, other: &Self) -> bool {
        self.modified_ns == other.modified_ns
    }

    /// How long ago the kernel saw the file change (`ctime`, which no program can forge).
    #[must_use]
    pub fn age(&self) -> Duration {
        elapsed_since_ns(self.changed_ns)
    }
}

fn elapsed_since_ns(nanoseconds: i64) -> Duration {
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or(0);
    clock::elapsed_since(nanoseconds.div_euclid(1_000_000_000), rest)
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}
