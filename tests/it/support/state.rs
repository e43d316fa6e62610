//! The state directory, read as a person reads it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A state directory.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory(pub(crate) PathBuf);

/// A stored version.
#[derive(Clone, Debug)]
pub(crate) struct StoredVersion {
    pub(crate) version: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl StateDirectory {
    /// The stored versions of a file, oldest first.
    pub(crate) fn versions(&self, file: &Path) -> Vec<StoredVersion> {
        let mut versions: Vec<StoredVersion> =
            files_in(&self.folder("backups", file)).iter().filter_map(|path| stored_version(path)).collect();
        versions.sort_by_key(|stored| stored.version);
        versions
    }

    /// The files that hold the stored versions of a file, oldest first, whatever is in them.
    pub(crate) fn stored_paths(&self, file: &Path) -> Vec<PathBuf> {
        let is_version = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("0000"))
        };
        files_in(&self.folder("backups", file)).into_iter().filter(is_version).collect()
    }

    /// Is the newest stored version these bytes?
    pub(crate) fn newest_is(&self, file: &Path, bytes: &[u8]) -> bool {
        self.versions(file).last().is_some_and(|stored| stored.bytes == bytes)
    }

    /// What is kept of a file's damaged and replaced versions, oldest first: file name and bytes.
    pub(crate) fn quarantine(&self, file: &Path) -> Vec<(String, Vec<u8>)> {
        let kept = files_in(&self.folder("quarantine", file)).into_iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let is_kept = path.extension().is_some_and(|extension| extension == "bad");
            is_kept.then(|| fs::read(&path).ok().map(|bytes| (name, bytes)))?
        });
        kept.collect()
    }

    /// The whole lines of `incidents.jsonl`.
    pub(crate) fn incidents(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("incidents.jsonl")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
    }

    /// The incident lines of one file with this event.
    pub(crate) fn incidents_of(&self, file: &Path, event: &str) -> Vec<Value> {
        let of_file = |line: &Value| line["path"].as_str().map(Path::new) == Some(file) && line["event"] == event;
        self.incidents().into_iter().filter(of_file).collect()
    }

    /// `<state>/<what>/<the file's absolute path>@`, byte for byte: names need not be UTF-8.
    fn folder(&self, what: &str, file: &Path) -> PathBuf {
        let mut folder = OsString::from(self.0.join(what));
        folder.push(file);
        folder.push("@");
        folder.into()
    }
}

/// `00000042-20261122T040005.123456Z-<32 hex digits>.json`.
fn stored_version(path: &Path) -> Option<StoredVersion> {
    let (version, rest) = path.file_name()?.to_str()?.split_once('-')?;
    let version = version.parse().ok()?;
    let (_, digest) = rest.split_once('-')?;
    (digest.len() >= 32).then_some(())?;
    let bytes = fs::read(path).ok()?;
    let is_packed = path.extension().is_some_and(|extension| extension == "zst");
    let bytes = if is_packed { zstd::decode_all(bytes.as_slice()).ok()? } else { bytes };
    Some(StoredVersion { version, path: path.to_owned(), bytes })
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
