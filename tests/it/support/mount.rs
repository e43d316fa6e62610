//! Small file systems that can be full or read-only.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::owner::is_root;
use super::skip::skip;

/// A mounted file system, unmounted when dropped.
pub(crate) struct Mount(PathBuf);

/// A file system that lies in a file: the kind, the smallest size in MiB that its mkfs takes, and how that is called.
pub(crate) struct Image {
    pub(crate) kind: &'static str,
    pub(crate) size_mib: u64,
    pub(crate) options: &'static [&'static str],
}

/// The file systems that people have.
pub(crate) const IMAGES: [Image; 3] = [
    Image { kind: "ext4", size_mib: 32, options: &["-q", "-F"] },
    Image { kind: "xfs", size_mib: 300, options: &["-q", "-f"] },
    Image { kind: "btrfs", size_mib: 128, options: &["-q", "-f"] },
];

impl Mount {
    /// Mounts a tmpfs at `folder`, which is made; `None`, told as a skip, where that is not possible.
    #[track_caller]
    pub(crate) fn tmpfs(folder: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        Self::new(&format!("a tmpfs ({options})"), &["-t", "tmpfs", "-o", options, "tmpfs"], folder)
    }

    /// Mounts a folder or a file at another one as well.
    #[track_caller]
    pub(crate) fn bind(what: &Path, at: &Path) -> Option<Self> {
        Self::new("a bind mount", &["--bind", what.to_str().unwrap()], at)
    }

    /// Makes a file system in a file beside `folder` and mounts it there; `None`, told as a skip, where that is not possible.
    #[track_caller]
    pub(crate) fn image(folder: &Path, image: &Image) -> Option<Self> {
        let (what, file) = (format!("{} on a loop device", image.kind), folder.with_extension("image"));
        if !is_root() {
            skip(&what, "mounting needs root");
            return None;
        }
        File::create(&file).unwrap().set_len(image.size_mib << 20).unwrap();
        let mut mkfs = Command::new(format!("mkfs.{}", image.kind));
        mkfs.args(image.options).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        if !mkfs.status().is_ok_and(|status| status.success()) {
            skip(&what, "its mkfs is not installed");
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        Self::new(&what, &["-o", "loop", file.to_str().unwrap()], folder)
    }

    /// Passes a folder on through a server in user space, bindfs(1); `None`, told as a skip, where that is not possible.
    #[track_caller]
    pub(crate) fn fuse(what: &Path, at: &Path) -> Option<Self> {
        let mut bindfs = Command::new("bindfs");
        bindfs.arg(what).arg(at).stdout(Stdio::null()).stderr(Stdio::null());
        if !is_root() || !bindfs.status().is_ok_and(|status| status.success()) {
            skip("a FUSE pass-through", "it needs root, bindfs(1) and /dev/fuse");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Mounts at a folder or file, as mount(8) is told to; `None`, told as a skip, where that is not possible.
    #[track_caller]
    pub(crate) fn new(what: &str, arguments: &[&str], at: &Path) -> Option<Self> {
        if !is_root() {
            skip(what, "mounting needs root");
            return None;
        }
        if !Command::new("mount").args(arguments).arg(at).status().is_ok_and(|status| status.success()) {
            skip(what, "mounting is not allowed here");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Mounts it anew with these options.
    #[track_caller]
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,bind,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        for size in [1 << 20, 65_536, 4_096, 1] {
            while self.grow(size) {}
        }
    }

    /// Fills it until no more than about so many bytes are left.
    pub(crate) fn fill_but(&self, left_bytes: u64) {
        while self.available_bytes() > left_bytes && self.grow(1 << 20) {}
    }

    /// Each time anew, and synced: otherwise room is given out late, or in advance.
    fn grow(&self, bytes: usize) -> bool {
        let mut ballast = OpenOptions::new().append(true).create(true).open(self.ballast()).unwrap();
        let text: Vec<u8> = (0..bytes).map(|at| (at % 251).to_le_bytes()[0]).collect();
        ballast.write(&text).is_ok_and(|written| written == bytes) && ballast.sync_data().is_ok()
    }

    /// The bytes that are left.
    pub(crate) fn available_bytes(&self) -> u64 {
        let room = rustix::fs::statvfs(&self.0).unwrap();
        room.f_bavail * room.f_frsize
    }

    /// The bytes that it has in all.
    pub(crate) fn all_bytes(&self) -> u64 {
        let room = rustix::fs::statvfs(&self.0).unwrap();
        room.f_blocks * room.f_frsize
    }

    /// The files that may still be made.
    pub(crate) fn available_files(&self) -> u64 {
        rustix::fs::statvfs(&self.0).unwrap().f_favail
    }

    /// Makes room again.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the daemon may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
