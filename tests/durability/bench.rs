//! A document in a folder of its own, and a state directory beside it.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jsonwarden::backup::{Backups, New, Taken};
use jsonwarden::config::{Expectations, LockKind};
use jsonwarden::disk::Disk;
use jsonwarden::disk::directory::Directory;
use jsonwarden::disk::lease::{self, Request};
use jsonwarden::document::{Dialect, Digest, DocumentId, Mark, Stored};
use jsonwarden::quarantine::Quarantine;
use jsonwarden::repair::{self, Disposal, Ground, Judged, Outcome, Report};
use jsonwarden::validate::{self, Reader};
use jsonwarden::verdict::{Kind, Verdict};

pub(crate) const GOOD: &[u8] = b"{\"version\": 1, \"data\": [1, 2, 3]}\n";
pub(crate) const NEWER: &[u8] = b"{\"version\": 2, \"data\": [1, 2, 3, 4]}\n";
pub(crate) const DAMAGED: &[u8] = b"{\"version\": 1, \"data\": [1, ";

/// How long a condition is waited for before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A place to try things in.
pub(crate) struct Bench {
    _root: Option<tempfile::TempDir>,
    pub(crate) folder: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) name: OsString,
}

/// The library, at work in a bench.
pub(crate) struct Hands {
    pub(crate) disk: Disk,
    pub(crate) directory: Directory,
    pub(crate) document: DocumentId,
    pub(crate) backups: Backups,
    pub(crate) quarantine: Quarantine,
    pub(crate) expectations: Expectations,
}

/// The folders to try things in: the usual temporary one, and a tmpfs.
pub(crate) fn places() -> Vec<PathBuf> {
    let memory = PathBuf::from("/dev/shm");
    [std::env::temp_dir(), memory].into_iter().filter(|place| place.is_dir()).collect()
}

/// Those of [`places`] where the kernel says who writes (not on overlayfs, for one).
pub(crate) fn places_with_leases() -> Vec<PathBuf> {
    let has_leases = |place: &PathBuf| {
        let path = tempfile::NamedTempFile::new_in(place).unwrap().into_temp_path();
        let is_granted = matches!(lease::request(&fs::File::open(&path).unwrap()), Request::Granted(_));
        if !is_granted {
            eprintln!("skipped: no leases in {}", place.display());
        }
        is_granted
    };
    places().into_iter().filter(has_leases).collect()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// What a reader of any JSON document says.
pub(crate) fn judge(bytes: &[u8]) -> Verdict {
    validate::judge(bytes, &Reader { dialect: None, enrolled: Some(Dialect::Json), named: None, literal: true })
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::in_place(&std::env::temp_dir())
    }

    pub(crate) fn in_place(place: &Path) -> Self {
        Self::with_name(place, OsStr::new("core.json"))
    }

    pub(crate) fn with_name(place: &Path, name: &OsStr) -> Self {
        let root = tempfile::tempdir_in(place).unwrap();
        let path = fs::canonicalize(root.path()).unwrap();
        Self { _root: Some(root), name: name.to_owned(), ..Self::at(&path) }
    }

    /// One that stays: what is there is found again.
    pub(crate) fn at(root: &Path) -> Self {
        let (folder, state) = (root.join("folder"), root.join("state"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(&state).unwrap();
        Self { _root: None, folder, state, name: OsString::from("core.json") }
    }

    /// A document that holds `bytes`, with `GOOD` stored.
    pub(crate) fn with(place: &Path, bytes: &[u8]) -> Self {
        let bench = Self::in_place(place);
        bench.write(GOOD);
        bench.hands().store(GOOD, Mark::Good);
        bench.write(bytes);
        bench
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    pub(crate) fn write(&self, bytes: &[u8]) {
        fs::write(self.path(), bytes).unwrap();
    }

    pub(crate) fn read(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    pub(crate) fn hands(&self) -> Hands {
        self.hands_with(Disk::default())
    }

    pub(crate) fn hands_with(&self, disk: Disk) -> Hands {
        let state = || disk.open_directory(&self.state).unwrap();
        Hands {
            directory: disk.open_directory(&self.folder).unwrap(),
            document: DocumentId::new(&self.folder, &self.name),
            backups: Backups::new(disk.clone(), state()),
            quarantine: Quarantine::new(disk.clone(), state()),
            expectations: Expectations::default(),
            disk,
        }
    }

    /// What lies beside the document that is ours.
    pub(crate) fn leftovers(&self) -> Vec<OsString> {
        names(&self.folder).into_iter().filter(|name| name.as_bytes().starts_with(b".jsonwarden-")).collect()
    }

    /// Every file below the state directory.
    pub(crate) fn stored_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.state.clone()];
        while let Some(folder) = folders.pop() {
            for name in names(&folder) {
                let path = folder.join(name);
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// The bytes in quarantine.
    pub(crate) fn quarantined(&self) -> Vec<Vec<u8>> {
        let is_bad = |path: &&PathBuf| path.extension() == Some(OsStr::new("bad"));
        self.stored_files().iter().filter(is_bad).map(|path| fs::read(path).unwrap()).collect()
    }

    /// All the bytes that lie beside the document.
    pub(crate) fn beside(&self) -> Vec<Vec<u8>> {
        self.leftovers().iter().map(|name| fs::read(self.folder.join(name)).unwrap()).collect()
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

impl Hands {
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground {
            disk: &self.disk,
            directory: &self.directory,
            document: &self.document,
            backups: &self.backups,
            quarantine: &self.quarantine,
            judge: &judge,
            limit_bytes: 64 << 20,
            expectations: &self.expectations,
            passes_suspicious: false,
            lock: LockKind::Auto,
        }
    }

    pub(crate) fn take(&self, bytes: &[u8], mark: Mark) -> jsonwarden::error::Result<Taken> {
        let attributes =
            jsonwarden::disk::attributes::Attributes { owner: 0, group: 0, mode: 0o640, extended: Vec::new() };
        let digest = Digest::of(bytes);
        let new = New { bytes, digest, mark, dialect: Dialect::Json, origin: "file", attributes };
        let folder = self.backups.make(&self.document)?;
        folder.lock()?;
        folder.take(&new)
    }

    pub(crate) fn store(&self, bytes: &[u8], mark: Mark) -> Stored {
        match self.take(bytes, mark).unwrap() {
            Taken::New(stored) | Taken::Already(stored) => stored,
        }
    }

    /// The bytes of every version, newest first; each must be what was stored.
    pub(crate) fn versions(&self) -> Vec<Vec<u8>> {
        let Some(folder) = self.backups.find(&self.document).unwrap() else { return Vec::new() };
        let versions = folder.versions().unwrap();
        versions.iter().map(|stored| folder.bytes(stored.version).unwrap()).collect()
    }

    /// Repairs the document, whose bytes were judged to be `damaged`.
    pub(crate) fn repair(&self, damaged: &[u8]) -> jsonwarden::error::Result<Report> {
        let judged = Judged { digest: Digest::of(damaged), kind: Kind::Truncated, is_paired: true };
        repair::execute(&self.ground(), &judged)
    }

    pub(crate) fn outcome(&self, damaged: &[u8]) -> Outcome {
        self.repair(damaged).unwrap().outcome
    }

    /// Ends with a leftover, as after its grace.
    pub(crate) fn settle(&self, name: &OsStr, put_aside: Option<&[u8]>) -> jsonwarden::error::Result<Disposal> {
        repair::settle_after(&self.ground(), name, put_aside.map(Digest::of), Duration::ZERO)
    }

    /// Looks at every leftover until nothing changes any more, as the sweep does, storing what is good in between.
    pub(crate) fn settle_all(&self, bench: &Bench) {
        let is_moving = Cell::new(true);
        while is_moving.replace(false) {
            for name in bench.leftovers() {
                let before = (bench.leftovers(), fs::read(bench.path()).ok());
                self.settle(&name, None).unwrap();
                is_moving.set(is_moving.get() || before != (bench.leftovers(), fs::read(bench.path()).ok()));
            }
            let present = fs::read(bench.path()).unwrap_or_default();
            if matches!(judge(&present), Verdict::Valid { .. }) {
                let taken = self.take(&present, Mark::Good).unwrap();
                is_moving.set(is_moving.get() || matches!(taken, Taken::New(_)));
            }
        }
    }
}
