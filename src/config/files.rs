//! The configuration's files, read whole. Links are followed: Kubernetes mounts every key of a `ConfigMap` as one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::problem::{Problem, Source};
use crate::disk::{Disk, Opened};
use crate::error::{Cause, Error, Result};

/// The most bytes that a file of ours may have.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The most fragments.
const MAX_FRAGMENTS: usize = 1000;

/// A file's text; `None`: there is no such file.
///
/// # Errors
/// It is there but cannot be read, is no regular file, or is far too large.
pub(super) fn read(disk: &Disk, path: &Path) -> Result<Option<std::result::Result<Source, Problem>>> {
    Ok(read_bytes(disk, path)?.map(|bytes| text(path, bytes)))
}

/// A file's bytes; `None`: there is no such file.
///
/// # Errors
/// As [`read`].
pub(super) fn read_bytes(disk: &Disk, path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(real) = real_path(disk, path)? else { return Ok(None) };
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(Error::new("reading", path, Cause::Usage("it is a folder; name a file".into())));
    };
    match disk.open(&disk.open_directory(folder)?, name)? {
        Opened::Missing => Ok(None),
        Opened::Other(_) => Err(Error::new("reading", path, Cause::Usage("it is no regular file; name one".into()))),
        Opened::File(file, _) => {
            let bytes = disk.read(&file, path, MAX_FILE_BYTES + 1, || true)?.unwrap_or_default();
            if bytes.len() as u64 > MAX_FILE_BYTES {
                let cause = Cause::Usage("it has more than 1 MiB, which is no configuration; name another".into());
                return Err(Error::new("reading", path, cause));
            }
            Ok(Some(bytes))
        }
    }
}

fn text(path: &Path, bytes: Vec<u8>) -> std::result::Result<Source, Problem> {
    String::from_utf8(bytes).map(|text| Source::new(path, &text)).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let source = Source::new(path, &String::from_utf8_lossy(error.as_bytes()));
        source.problem(&(good..good), "not UTF-8 from here on; save the file as UTF-8")
    })
}

/// The `*.toml` of a folder, in the order of their names; none when there is no such folder.
///
/// # Errors
/// The folder cannot be listed, or holds more than a thousand.
pub(super) fn fragments(disk: &Disk, folder: &Path) -> Result<Vec<PathBuf>> {
    let Some(real) = real_path(disk, folder)? else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    disk.list(&disk.open_directory(&real)?, |entry| {
        let is_fragment = Path::new(&entry.name).extension().is_some_and(|extension| extension == "toml");
        if is_fragment && !entry.name.as_encoded_bytes().starts_with(b".") {
            paths.push(folder.join(&entry.name));
        }
        paths.len() <= MAX_FRAGMENTS
    })?;
    if paths.len() > MAX_FRAGMENTS {
        let cause = Cause::Usage("it holds more than 1000 fragments; put several watches into one".into());
        return Err(Error::new("reading", folder, cause));
    }
    paths.sort();
    Ok(paths)
}

/// The path with its links resolved; `None`: there is nothing.
fn real_path(disk: &Disk, path: &Path) -> Result<Option<PathBuf>> {
    match disk.canonical(path) {
        Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => Ok(None),
        result => result.map(Some),
    }
}
