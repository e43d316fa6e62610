//! Small file systems that can be full or read-only.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::owner::is_root;
use super::skip::skip;

/// A mounted tmpfs, unmounted when dropped.
pub(crate) struct Mount(PathBuf);

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
        let mut ballast = File::create(self.ballast()).unwrap();
        for size in [4_096, 1] {
            while ballast.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
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
