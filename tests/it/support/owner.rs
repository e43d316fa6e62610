//! Other users.

/// A user who is nobody here: the files' owner, where the daemon runs as root.
pub(crate) const STRANGER: u32 = 12_345;

/// Do the tests run as root, so that they can give files away and mount file systems?
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
