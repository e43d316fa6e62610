//! Can the state directory be written? Only a write that is synced proves it.

use std::ffi::OsStr;

use super::canary::FOLDER;
use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable};
use crate::error::Result;

/// What is written: a block, so that a full disk shows.
const BYTES: [u8; 4096] = [b'\n'; 4096];

/// Makes a file in the folder of the canary, writes and syncs it, and takes it away again.
pub(super) fn probe(disk: &Disk, state: &Directory) -> Result<()> {
    let (folder, name) = (disk.make_below(state, &[OsStr::new(FOLDER)], Durable::Later)?, OsStr::new("probe"));
    let path = folder.path().join(name);
    if disk.look(&folder, name)?.is_some() {
        // Whoever was to remove it was killed.
        disk.unlink(&folder, name)?;
    }
    let file = disk.create(&folder, name, 0o600)?;
    let written = disk.write(&file, &path, &BYTES).and_then(|()| disk.sync(&file, &path));
    let removed = disk.unlink(&folder, name);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Step;

    #[test]
    fn each_step_that_fails_shows_and_nothing_is_left() {
        let kept = tempfile::tempdir().unwrap();
        let state = Disk::default().open_directory(kept.path()).unwrap();
        assert!(probe(&Disk::default(), &state).is_ok());
        for failing in [Step::Create, Step::Allocate, Step::Write, Step::Sync] {
            let disk =
                Disk::with_hook(
                    move |step| {
                        if step == failing { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                    },
                );
            assert!(probe(&disk, &state).is_err(), "{failing:?}");
            assert_eq!(std::fs::read_dir(kept.path().join(FOLDER)).unwrap().count(), 0, "{failing:?}");
        }
    }

    #[test]
    fn what_a_killed_probe_left_is_no_trouble() {
        let kept = tempfile::tempdir().unwrap();
        std::fs::create_dir(kept.path().join(FOLDER)).unwrap();
        std::fs::write(kept.path().join(FOLDER).join("probe"), "x").unwrap();
        let state = Disk::default().open_directory(kept.path()).unwrap();
        assert!(probe(&Disk::default(), &state).is_ok());
    }
}
