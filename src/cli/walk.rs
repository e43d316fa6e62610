//! The files of a folder that a watch on it would take.

use std::path::{Path, PathBuf};

use globset::GlobSet;

use crate::config::{NEVER_ENTERED, Rules, Target, Watch, WatchName};
use crate::disk::Disk;
use crate::error::Error;

/// Calls `each` for every file below `folder`, in the order of names, and for every folder that cannot be read. Links are
/// not followed.
pub(super) fn walk<E>(
    disk: &Disk,
    folder: &Path,
    each: &mut impl FnMut(Result<&Path, Error>) -> Result<(), E>,
) -> Result<(), E> {
    let watch = Watch {
        name: WatchName::new("check"),
        paths: vec![Target::Path(folder.to_owned())],
        exclude: GlobSet::empty(),
        rules: Rules::default(),
    };
    walk_watch(disk, folder, &watch, each)
}

/// Calls `each` for every file below `folder` that a watch takes, as [`walk`].
pub(super) fn walk_watch<E>(
    disk: &Disk,
    folder: &Path,
    watch: &Watch,
    each: &mut impl FnMut(Result<&Path, Error>) -> Result<(), E>,
) -> Result<(), E> {
    // A stack of its own: how deep folders go is not for us to say.
    let mut ahead = vec![Ahead::Folder(folder.to_owned())];
    while let Some(next) = ahead.pop() {
        match next {
            Ahead::File(path) => each(Ok(&path))?,
            Ahead::Folder(path) => match listed(disk, &path, watch) {
                Ok(found) => ahead.extend(found),
                Err(error) => each(Err(error))?,
            },
        }
    }
    Ok(())
}

enum Ahead {
    File(PathBuf),
    Folder(PathBuf),
}

/// What is in a folder and worth a look, the last name first.
fn listed(disk: &Disk, folder: &Path, watch: &Watch) -> Result<Vec<Ahead>, Error> {
    let mut found = Vec::new();
    disk.list(&disk.open_directory(folder)?, |entry| {
        let path = folder.join(&entry.name);
        if entry.is_directory {
            if !NEVER_ENTERED.iter().any(|never| entry.name == *never) {
                found.push((entry.name, Ahead::Folder(path)));
            }
        } else if watch.takes(&path).is_some() {
            found.push((entry.name, Ahead::File(path)));
        }
        true
    })?;
    found.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok(found.into_iter().map(|(_, ahead)| ahead).collect())
}
