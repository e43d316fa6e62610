//! What the volumes of the fault suite ask of those who use them.

#[allow(dead_code, reason = "shared with the suite in tests/it")]
#[path = "../../tests/it/support/wait.rs"]
mod wait;

pub(crate) use wait::{LIMIT, wait_until};

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn skip(what: &str, why: &str) {
    println!("  {what}: {why}");
}
