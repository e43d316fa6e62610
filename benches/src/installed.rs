//! Where the rivals are: on the path, or where `benches/rivals` and `tests/run` install what Debian has no package of.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Below the target folder.
fn counterparts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/counterparts")
}

/// Python, with the packages that were installed for us if they were.
pub(crate) fn python() -> Command {
    let own = counterparts().join("python/bin/python3");
    Command::new(if own.exists() { own } else { "python3".into() })
}

/// Has Python this module?
pub(crate) fn has_module(name: &str) -> bool {
    succeeds(python().args(["-c", &format!("import {name}")]))
}

/// Node, in the folder of the packages that were installed for us if they were: `import` looks for modules from the current
/// folder upwards, and minds no variable.
pub(crate) fn node() -> Command {
    let folder = counterparts();
    let mut node = Command::new("node");
    node.current_dir(if folder.exists() { folder } else { std::env::temp_dir() });
    // Where Debian's packages are.
    node.env("NODE_PATH", "/usr/share/nodejs");
    node
}

/// Does it end well? Not when it cannot be started.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Is there a program of this name?
pub(crate) fn has_program(name: &str) -> bool {
    succeeds(Command::new("sh").args(["-c", &format!("command -v {name}")]))
}
