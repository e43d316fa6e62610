//! The files of a folder that a watch on it would take.

use std::path::{Path, PathBuf};

use globset::GlobSet;

use super::store::resolved;
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

/// Calls `each` for every file below `folder` that a watch takes, as [`walk`]. The folder itself may be a link: what is found
/// is called as the watch does.
pub(super) fn walk_watch<E>(
    disk: &Disk,
    folder: &Path,
    watch: &Watch,
    each: &mut impl FnMut(Result<&Path, Error>) -> Result<(), E>,
) -> Result<(), E> {
    let real = resolved(disk, folder).unwrap_or_else(|_| folder.to_owned());
    // A stack of its own: how deep folders go is not for us to say.
    let mut ahead = vec![Ahead::Folder(folder.to_owned())];
    while let Some(next) = ahead.pop() {
        match next {
            Ahead::File(path) => each(Ok(&path))?,
            Ahead::Folder(path) => match listed(disk, &path, &as_real(&path, folder, &real), watch) {
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

fn as_real(path: &Path, folder: &Path, real: &Path) -> PathBuf {
    // Joining nothing would add a slash.
    let below = path.strip_prefix(folder).ok().filter(|below| !below.as_os_str().is_empty());
    below.map_or_else(|| real.to_owned(), |below| real.join(below))
}

/// What is in a folder and worth a look, the last name first.
fn listed(disk: &Disk, folder: &Path, real: &Path, watch: &Watch) -> Result<Vec<Ahead>, Error> {
    let mut found = Vec::new();
    disk.list(&disk.open_directory(real)?, |entry| {
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
