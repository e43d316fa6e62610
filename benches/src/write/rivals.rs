//! The writers in use, each in the language that it is for, and ours beside them as a program of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::installed::{self, succeeds};
use crate::numbers::passed;

/// What each writer does, in its own language.
const NODE: &str = include_str!("rivals.js");
const PYTHON: &str = include_str!("rivals.py");

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// A package for Node, and what it is called here.
    Node(&'static str, &'static str),
    /// A package for Python, and what it is called here.
    Python(&'static str, &'static str),
    /// We ourselves: this very program.
    Ours,
}

pub(crate) const RIVALS: [Rival; 6] = [
    Rival::Node("write-file-atomic", "write-file-atomic"),
    Rival::Node("atomically", "atomically"),
    Rival::Node("steno", "steno"),
    Rival::Node("proper-lockfile", "proper-lockfile + write-file-atomic"),
    Rival::Python("filelock", "filelock + os.replace"),
    Rival::Python("atomicwrites", "atomicwrites"),
];

/// The scripts that are not handed over as an argument.
#[derive(Debug)]
pub(crate) struct Scripts(tempfile::TempDir);

impl Scripts {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rivals.py"), PYTHON).unwrap();
        Self(folder)
    }
}

impl Rival {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node(_, name) | Self::Python(_, name) => name,
            Self::Ours => "ours",
        }
    }

    /// Is all that it needs installed?
    pub(crate) fn is_there(self) -> bool {
        let has = |package| {
            let script =
                format!("try {{ require('{package}') }} catch {{ import('{package}').catch(() => process.exit(1)) }}");
            succeeds(installed::node().args(["-e", &script]))
        };
        match self {
            Self::Node("proper-lockfile", _) => ["proper-lockfile", "write-file-atomic"].into_iter().all(has),
            Self::Node(package, _) => has(package),
            Self::Python(package, _) => installed::has_module(package),
            Self::Ours => true,
        }
    }

    /// The program that does something with a file.
    pub(crate) fn command<A: AsRef<OsStr>>(self, scripts: &Scripts, deed: &str, path: &Path, rest: &[A]) -> Command {
        let mut command = match self {
            Self::Node(..) => {
                let mut node = installed::node();
                // Two dashes: what follows is for the script. Node counts the script itself only when it is a file.
                node.args(["-e", NODE, "--", "script"]);
                node
            }
            Self::Python(..) => {
                let mut python = installed::python();
                python.arg(scripts.0.path().join("rivals.py"));
                python
            }
            Self::Ours => {
                let mut ours = Command::new(std::env::current_exe().unwrap());
                ours.env(super::child::ROLE, "1");
                ours
            }
        };
        command.args([self.name(), deed]).arg(path).args(rest).stdin(Stdio::null());
        command
    }

    /// Updates a second of all processes together, and how many updates are not there afterwards.
    pub(crate) fn contend(self, scripts: &Scripts, path: &Path, processes: usize, each: usize) -> (f64, usize) {
        std::fs::write(path, "{}").unwrap();
        let start = |number: usize| {
            let rest = [format!("p{number}"), each.to_string()];
            self.command(scripts, "contend", path, &rest).stderr(Stdio::null()).spawn().unwrap()
        };
        let all = || {
            let children: Vec<_> = (0..processes).map(start).collect();
            for mut child in children {
                child.wait().unwrap();
            }
        };
        let rate = (processes * each) as f64 / passed(all).as_secs_f64();
        (rate, (processes * each).saturating_sub(there(path)))
    }

    /// Seconds for so many updates by one program alone, a version of each stored and all durable.
    pub(crate) fn alone(self, scripts: &Scripts, path: &Path, versions: &Path, count: usize) -> f64 {
        std::fs::create_dir_all(versions).unwrap();
        let rest = [versions.display().to_string(), count.to_string()];
        let output = self.command(scripts, "alone", path, &rest).output().unwrap();
        assert!(output.status.success(), "{}: {}", self.name(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }
}

/// How many updates a document shows; 0: it is damaged.
fn there(path: &Path) -> usize {
    let text = std::fs::read(path).unwrap_or_default();
    let all: Value = serde_json::from_slice(&text).unwrap_or_default();
    all.as_object().map_or(0, |all| all.values().filter_map(|one| one.as_array()).map(Vec::len).sum())
}
