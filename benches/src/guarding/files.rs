//! The files, and the two plain ways to look at all of them.

use std::ffi::CString;
use std::fmt;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, StatxFlags, statx};

use crate::numbers::passed;
use crate::support::{World, document};

/// Files a folder.
const FOLDER: usize = 100;

/// So many are of the sizes that a home automation's state has; more are of 1 KB.
const STATE_FILES: usize = 1_000;

/// Many files, by folder: a handle, and the names in it.
pub(crate) struct Files {
    pub(crate) count: usize,
    folders: Vec<(File, Vec<CString>)>,
}

impl Files {
    /// Writes them where this world's daemon guards.
    pub(crate) fn write(world: &World, count: usize) -> Self {
        let bytes = |number: usize| if count <= STATE_FILES { 2_000 + number * 18_000 / count } else { 1_000 };
        let folder = |first: usize| {
            let path = world.file(format!("{first:06}"));
            fs::create_dir(&path).unwrap();
            let write = |number: usize| {
                let name = format!("{number:06}.json");
                fs::write(path.join(&name), document(number as u64, bytes(number))).unwrap();
                CString::new(name).unwrap()
            };
            let names = (first..count.min(first + FOLDER)).map(write).collect();
            (File::open(&path).unwrap(), names)
        };
        let folders = (0..count).step_by(FOLDER).map(folder).collect();
        rustix::fs::syncfs(File::open(&world.root).unwrap()).unwrap();
        Self { count, folders }
    }

    /// One statx a file, by a held directory handle and ready names: the floor of any sweep. Seconds.
    pub(crate) fn bare_sweep(&self) -> f64 {
        let look = |folder: &File, name: &CString| {
            statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS | StatxFlags::BTIME).unwrap();
        };
        passed(|| self.folders.iter().for_each(|(folder, names)| names.iter().for_each(|name| look(folder, name))))
            .as_secs_f64()
    }

    /// Microseconds a file, where all take so many seconds.
    pub(crate) fn each_us(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.count as f64
    }
}

impl fmt::Display for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = if self.count <= STATE_FILES { "2 to 20 KB" } else { "1 KB" };
        write!(formatter, "{} files of {size}", self.count)
    }
}

/// `find -newer`: the same question, asked by a program. Its output is nothing, for nothing is newer. Seconds.
pub(crate) fn find_newer(world: &World) -> f64 {
    let stamp = world.root.join("stamp");
    fs::write(&stamp, "").unwrap();
    let mut find = Command::new("find");
    find.arg(&world.files).arg("-newer").arg(&stamp).stdout(Stdio::null());
    passed(|| assert!(find.status().unwrap().success())).as_secs_f64()
}
