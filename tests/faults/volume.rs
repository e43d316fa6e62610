//! Small file systems of every kind, mounted for a test and gone with it; those on a loop device can lose their power.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{LIMIT, is_root, skip, wait_until};

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
    Btrfs,
    Tmpfs,
    Overlay,
}

/// All of them.
pub(crate) const KINDS: [Kind; 5] = [Kind::Ext4, Kind::Xfs, Kind::Btrfs, Kind::Tmpfs, Kind::Overlay];

/// A mounted file system; unmounted when dropped, which also gives its loop device back.
pub(crate) struct Volume {
    kind: Kind,
    image: PathBuf,
    point: PathBuf,
    _folder: TempDir,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Tmpfs => "tmpfs",
            Self::Overlay => "overlay",
        }
    }

    /// Makes one in a sparse image; the sizes are the least that each takes, or a little more.
    fn make(self, image: &Path) -> bool {
        let (megabytes, command): (u64, &[&str]) = match self {
            Self::Ext4 => (256, &["mkfs.ext4", "-q", "-F"]),
            Self::Xfs => (512, &["mkfs.xfs", "-q", "-f"]),
            Self::Btrfs => (512, &["mkfs.btrfs", "-q", "-f"]),
            Self::Tmpfs | Self::Overlay => return true,
        };
        File::create(image).unwrap().set_len(megabytes << 20).unwrap();
        succeeds(Command::new(command[0]).args(&command[1..]).arg(image))
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Volume {
    /// A fresh one; `None`, told as a skip, where that is not possible.
    pub(crate) fn new(kind: Kind) -> Option<Self> {
        if !is_root() {
            skip(&format!("faults on {}", kind.name()), "mounting needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("jsonwarden-volume-").tempdir().unwrap();
        let (image, point) = (folder.path().join("image"), folder.path().join("point"));
        fs::create_dir(&point).unwrap();
        let volume = Self { kind, image, point, _folder: folder };
        if kind.make(&volume.image) && volume.mount() {
            return Some(volume);
        }
        skip(&format!("faults on {}", kind.name()), "its mkfs is not installed, or mounting is not allowed here");
        None
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    fn mount(&self) -> bool {
        let mut command = Command::new("mount");
        match self.kind {
            Kind::Ext4 | Kind::Xfs | Kind::Btrfs => command.args(["-o", "loop"]).arg(&self.image),
            Kind::Tmpfs => command.args(["-t", "tmpfs", "-o", "size=1g", "tmpfs"]),
            Kind::Overlay => {
                let part = |name: &str| {
                    let part = self.image.with_extension(name);
                    fs::create_dir_all(&part).unwrap();
                    part.display().to_string()
                };
                let (lower, upper, work) = (part("lower"), part("upper"), part("work"));
                let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
                command.args(["-t", "overlay", "-o", &options, "overlay"])
            }
        };
        succeeds(command.arg(&self.point))
    }

    /// Everything that is written from here on is lost, and what was written and is not durable: as when the power goes.
    /// (`FS_IOC_SHUTDOWN`, without a flush of the log: include/uapi/linux/fs.h.)
    pub(crate) fn cut_power(point: &Path) {
        const FS_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
        static NO_LOG_FLUSH: u32 = 2;
        let handle = File::open(point).unwrap();
        #[expect(unsafe_code, reason = "the call has no safe interface among our dependencies")]
        // SAFETY: the descriptor is open, and the argument is a number that lives as long as the call.
        let result = unsafe { libc::ioctl(handle.as_raw_fd(), FS_IOC_SHUTDOWN, &raw const NO_LOG_FLUSH) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    /// The power is back: the file system recovers as it does after a crash. Nobody may have a file open.
    pub(crate) fn restore_power(&self) {
        assert!(succeeds(Command::new("umount").arg(&self.point)), "{} is in use", self.point.display());
        // Another process may have a mount namespace of its own for a moment, and in that the file system is still mounted:
        // whoever mounts it again meanwhile gets the dead one.
        wait_until(LIMIT, "nobody has it mounted", || !self.is_attached());
        assert!(self.mount(), "{} does not come back", self.kind.name());
    }

    fn is_attached(&self) -> bool {
        let output = Command::new("losetup").arg("-j").arg(&self.image).output().unwrap();
        !output.stdout.is_empty()
    }

    /// Makes all of it durable.
    pub(crate) fn sync(&self) {
        rustix::fs::syncfs(File::open(&self.point).unwrap()).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: on a failure somebody may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.point).output();
    }
}
