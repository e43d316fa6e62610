//! The settings, valid by construction: whoever holds a [`Settings`] need not check it again.

mod files;
mod keys;
mod load;
mod lock_kind;
mod matching;
mod overrides;
mod problem;
pub mod quantity;
mod raw;
mod schemas;
mod settings;
mod show;
mod surroundings;
mod target;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use globset::GlobSet;

pub use load::{Loaded, load};
pub use lock_kind::LockKind;
pub use matching::{EXTENSIONS, Match, NEVER_ENTERED, NOTHING_IN_FOLDER};
pub use overrides::{COMMAND_LINE, Options};
pub use problem::{LoadError, Origin, Problem, Sourced};
pub use schemas::{Schema, SchemaCheck, Schemas, read_schema};
pub use surroundings::Surroundings;
pub use target::resolved_by_name;

use crate::document::Dialect;

/// The file that ships: every key that is built, commented out, with its default and why one would change it.
pub const EXAMPLE: &str = include_str!("../config/jsonwarden.toml");

/// Everything that the daemon was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where backups, quarantine and incidents are kept. Absolute.
    pub state_dir: PathBuf,
    /// Every file is looked at this often, events or not.
    pub sweep_interval: Duration,
    /// How often the daemon looks at itself.
    pub health_interval: Duration,
    /// What is logged, and how.
    pub log: Log,
    /// Where HTTP is answered; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Host names allowed beside localhost and the machine's own.
    pub hosts: Vec<String>,
    /// Below this much room on the state directory's file system nothing new is stored.
    pub min_free: Share,
    /// What the state directory may hold.
    pub storage: Storage,
    /// How often everything is read in full.
    pub scrub: Scrub,
    /// What is guarded, in order: the first watch that matches a file has it.
    pub watches: Vec<Arc<Watch>>,
    /// Fragments of the configuration that are wrong and were left out: to be said loudly, and to degrade health.
    pub left_out: Vec<Problem>,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter directive: `info`, `jsonwarden=debug`.
    pub level: String,
    /// Text, JSON, or what suits where stderr goes.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// journald under systemd, text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
    /// To journald, in its own protocol.
    Journald,
}

/// What the state directory may hold, all watches together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Versions take no more than this on disk, but for the last good ones.
    pub max_bytes: u64,
    /// How long versions of files stay that are gone from every watch.
    pub keep_removed: Duration,
    /// How long replaced bytes stay in quarantine.
    pub quarantine_within: Duration,
    /// The quarantine takes no more bytes than this.
    pub quarantine_max_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        let long = Duration::from_secs(90 * 86_400);
        Self { max_bytes: 10 << 30, keep_removed: long, quarantine_within: long, quarantine_max_bytes: 1 << 30 }
    }
}

/// How often every live file is read in full, changed or not, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrub {
    /// This often, unless the rate stretches it.
    pub interval: Duration,
    /// No faster than this.
    pub bytes_per_second: u64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60 * 60), bytes_per_second: 8 << 20 }
    }
}

/// A part of a file system: so many bytes, or so many hundredths of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// This many bytes.
    Bytes(u64),
    /// This many hundredths, 0 to 100.
    Percent(f64),
}

/// The name of a watch, a label in metrics. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchName(Arc<str>);

/// Files that are guarded alike.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its name.
    pub name: WatchName,
    /// What it guards.
    pub paths: Vec<Target>,
    /// What it leaves out, by file name or by whole path.
    pub exclude: GlobSet,
    /// How.
    pub rules: Rules,
}

/// One entry of `paths`. All are absolute.
#[derive(Clone, Debug)]
pub enum Target {
    /// A file named literally. (Whether a path without wildcards is a file or a folder is seen on disk.)
    Path(PathBuf),
    /// A glob: the folder to start from (no wildcard in it), and the pattern for whole paths.
    Glob {
        /// The longest leading part without a wildcard.
        base: PathBuf,
        /// The pattern, with `*` not crossing `/`.
        pattern: globset::GlobMatcher,
        /// How many folder levels below `base` can match: with 0 only the files of `base` itself; `None` with `**`.
        depth: Option<usize>,
    },
}

/// How the files of a watch are guarded.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Repair, or only tell.
    pub mode: Mode,
    /// The dialect that readers of these files accept; `None`: whatever any supported dialect reads.
    pub dialect: Option<Dialect>,
    /// How long damage must stay the same before it is believed.
    pub settle: Duration,
    /// Files with more bytes are told, not read.
    pub max_size: u64,
    /// What a missing file means; `None`: alert for files named literally, ignore for others.
    pub on_missing: Option<OnMissing>,
    /// How long a file must have been missing before it is put back: 10 s, and two sweeps.
    pub missing_for: Duration,
    /// What is done about damage under a writer that keeps the file open.
    pub on_open_writer: OnOpenWriter,
    /// Repairs of one file within `max_repairs_within` before it is held; 0: no limit.
    pub max_repairs: u32,
    /// The span of `max_repairs`.
    pub max_repairs_within: Duration,
    /// How the programs that write these files keep out of each other's way.
    pub lock: LockKind,
    /// How long a write waits for that lock.
    pub lock_timeout: Duration,
    /// One series a file in the metrics.
    pub per_file_metrics: bool,
    /// Of one file, versions at least this far apart.
    pub min_interval: Duration,
    /// Versions kept.
    pub keep_last: u32,
    /// And younger ones, thinned out.
    pub keep_within: Duration,
    /// All versions of the watch's files take no more than this on disk, but for the last good ones.
    pub max_bytes: u64,
    /// Which versions are compressed.
    pub compress: Compress,
    /// What a version that reads, but is implausible, means.
    pub on_suspicious: OnSuspicious,
    /// What makes a version plausible.
    pub expectations: Expectations,
    /// Where the events of the message bus stand in the document, as a JSON Pointer; `None`: at `/events`.
    pub events: Option<String>,
    /// So many events stay in the document when one is published; `None`: all.
    pub events_keep: Option<u32>,
}

/// Which versions are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// None.
    #[default]
    Never,
    /// Those of 4 KiB or more that become smaller by it.
    Auto,
    /// All.
    Always,
}

/// What makes a version plausible.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectations {
    /// A version smaller than this share of the last good one, 0 to 1, is suspicious; 0: none is.
    pub shrink_limit: f64,
    /// JSON Pointers that must exist.
    pub required: Vec<String>,
    /// JSON Pointers of numbers that never run backwards.
    pub monotonic: Vec<String>,
    /// Any change is tampering.
    pub pinned: bool,
    /// The JSON Schemas that documents follow.
    pub schemas: Option<Schemas>,
}

/// What a version that reads, but is implausible, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSuspicious {
    /// Tell.
    Alert,
    /// Put the last good version back, as over damage.
    Restore,
    /// Nothing: it is the good one.
    Accept,
}

/// Repair, or only tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Repair.
    Guard,
    /// Only tell.
    Observe,
}

/// What a missing file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// Tell.
    Alert,
    /// Put the last good version back, if its folder is the one that it was in.
    Restore,
    /// Nothing: it is no longer guarded until it comes back.
    Ignore,
}

/// What is done about damage under a writer that keeps the file open, after 20 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOpenWriter {
    /// Nothing, until the writer closes it.
    #[default]
    Wait,
    /// The file is rewritten in place; what the writer writes meanwhile may be lost.
    InPlace,
    /// Another file comes to the name; the writer goes on with the one that it has.
    Rename,
}

impl WatchName {
    /// Names a watch.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WatchName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for WatchName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            mode: Mode::Guard,
            dialect: None,
            settle: Duration::from_secs(1),
            max_size: 64 << 20,
            on_missing: None,
            missing_for: Duration::from_secs(10),
            on_open_writer: OnOpenWriter::Wait,
            max_repairs: 3,
            max_repairs_within: Duration::from_secs(600),
            lock: LockKind::Auto,
            lock_timeout: Duration::from_secs(10),
            per_file_metrics: false,
            min_interval: Duration::from_secs(1),
            keep_last: 30,
            keep_within: Duration::from_secs(14 * 86_400),
            max_bytes: 1 << 30,
            compress: Compress::Auto,
            on_suspicious: OnSuspicious::Alert,
            expectations: Expectations::default(),
            events: None,
            events_keep: None,
        }
    }
}

impl Default for Expectations {
    fn default() -> Self {
        Self { shrink_limit: 0.5, required: Vec::new(), monotonic: Vec::new(), pinned: false, schemas: None }
    }
}

/// Names that are never guarded, whatever a watch says: our own temporaries and spares, editors' files, half-made files.
#[must_use]
pub fn is_always_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".jsonwarden-") || name.ends_with(b".tmp") || name.ends_with(b"~") || name.ends_with(b".swp")
}
