//! A folder of its own for each test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder with a place for guarded files and one for the daemon's state.
pub(crate) struct World {
    /// The whole folder, canonical.
    pub(crate) root: PathBuf,
    /// Where guarded files go.
    pub(crate) files: PathBuf,
    /// The state directory; not made yet.
    pub(crate) state: PathBuf,
    /// Where the daemon's socket goes; not made yet.
    pub(crate) run: PathBuf,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("jsonwarden-test-").tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let files = root.join("files");
        fs::create_dir(&files).unwrap();
        Self { state: root.join("state"), run: root.join("run"), files, root, _folder: folder }
    }

    /// The path of a guarded file.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.files.join(name)
    }

    /// Writes a guarded file and returns its path.
    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}
