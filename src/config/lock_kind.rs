//! How the programs that write a file keep out of each other's way.

/// How the programs that write a file keep out of each other's way: what `<name>.lock` is to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockKind {
    /// As what is there tells: a folder means proper-lockfile, a file means flock(2), nothing means flock(2) on a new one.
    #[default]
    Auto,
    /// flock(2) on `<name>.lock`, as Python's `filelock.FileLock` and flock(1) have it.
    Flock,
    /// A record lock on `<name>.lock`, as Python's `fcntl.lockf` and fcntl(2) `F_SETLK` have it.
    Posix,
    /// The file `<name>.lock` is there as long as the lock is held, as with Python's `filelock.SoftFileLock`.
    Soft,
    /// The folder `<name>.lock` is there as long as the lock is held, and is dated anew every few seconds, as with Node's
    /// `proper-lockfile`.
    ProperLockfile,
    /// They do not: there is no lock.
    None,
}

impl LockKind {
    /// Every one of them.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Flock, Self::Posix, Self::Soft, Self::ProperLockfile, Self::None];

    /// Its word in the configuration.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flock => "flock",
            Self::Posix => "posix",
            Self::Soft => "soft",
            Self::ProperLockfile => "proper_lockfile",
            Self::None => "none",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}
