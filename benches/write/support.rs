//! What the volumes of the fault suite ask of those who use them.

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn skip(what: &str, why: &str) {
    println!("  {what}: {why}");
}
