//! The writers in use, each in the language that it is for, and ours beside them as a program of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What each writer does, in its own language.
const NODE: &str = include_str!("rivals.js");
const PYTHON: &str = include_str!("rivals.py");

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// A package for Node, and what it is called here.
    Node(&'static str, &'static str),
    /// Python's `filelock` and `os.replace`.
    Python,
    /// We ourselves: this very program, or `jsonwarden write`.
    Ours,
}

pub(crate) const RIVALS: [Rival; 5] = [
    Rival::Node("write-file-atomic", "write-file-atomic"),
    Rival::Node("atomically", "atomically"),
    Rival::Node("steno", "steno"),
    Rival::Node("proper-lockfile", "proper-lockfile + write-file-atomic"),
    Rival::Python,
];

/// Where programs that are run here find what they need.
#[derive(Debug)]
pub(crate) struct Ring {
    modules: PathBuf,
    scripts: tempfile::TempDir,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let scripts = tempfile::tempdir().unwrap();
        std::fs::write(scripts.path().join("rivals.py"), PYTHON).unwrap();
        let modules = std::env::var_os("JSONWARDEN_BENCH_MODULES").map_or_else(std::env::temp_dir, PathBuf::from);
        Self { modules, scripts }
    }

    /// Those that are installed; of the others it says so.
    pub(crate) fn rivals(&self) -> Vec<Rival> {
        let (there, not): (Vec<Rival>, Vec<Rival>) = RIVALS.into_iter().partition(|rival| rival.is_there(self));
        for rival in not {
            println!("not installed: {}", rival.name());
        }
        there
    }
}

impl Rival {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node(_, name) => name,
            Self::Python => "filelock + os.replace",
            Self::Ours => "ours, every version kept",
        }
    }

    fn is_there(self, ring: &Ring) -> bool {
        let mut tried = match self {
            Self::Node(module, _) => {
                let mut node = node(ring);
                node.args(["-e", &format!("import('{module}').catch(() => process.exit(1))")]);
                node
            }
            Self::Python => {
                let mut python = Command::new("python3");
                python.args(["-c", "import filelock"]);
                python
            }
            Self::Ours => return true,
        };
        tried.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// The program that does something with a file.
    pub(crate) fn command<A: AsRef<OsStr>>(self, ring: &Ring, deed: &str, path: &Path, rest: &[A]) -> Command {
        let mut command = match self {
            Self::Node(..) => {
                let mut node = node(ring);
                // Two dashes: what follows is for the script. Node counts the script itself only when it is a file.
                node.args(["-e", NODE, "--", "script"]);
                node
            }
            Self::Python => {
                let mut python = Command::new("python3");
                python.arg(ring.scripts.path().join("rivals.py"));
                python
            }
            Self::Ours => Command::new(std::env::current_exe().unwrap()),
        };
        if self == Self::Ours {
            command.env(super::child::ROLE, "1");
        }
        command.args([self.name(), deed]).arg(path).args(rest).stdin(Stdio::null());
        command
    }

    /// Updates a second of all processes together, and how many updates are not there afterwards.
    pub(crate) fn contend(self, ring: &Ring, path: &Path, processes: usize, each: usize) -> (f64, usize) {
        std::fs::write(path, "{}").unwrap();
        let begun = Instant::now();
        let start = |number: usize| {
            let rest = [format!("p{number}"), each.to_string()];
            self.command(ring, "contend", path, &rest).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..processes).map(start).collect();
        for mut child in children {
            child.wait().unwrap();
        }
        let rate = rate(processes * each, begun.elapsed());
        (rate, (processes * each).saturating_sub(there(path)))
    }

    /// Updates a second by one program alone, a version of each stored and all durable.
    pub(crate) fn alone(self, ring: &Ring, path: &Path, versions: &Path, count: usize) -> f64 {
        std::fs::create_dir_all(versions).unwrap();
        let rest = [versions.display().to_string(), count.to_string()];
        let output = self.command(ring, "alone", path, &rest).output().unwrap();
        assert!(output.status.success(), "{}: {}", self.name(), String::from_utf8_lossy(&output.stderr));
        let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
        rate(count, Duration::from_secs_f64(seconds))
    }
}

fn node(ring: &Ring) -> Command {
    let mut node = Command::new("node");
    // `import` looks for modules from the current folder upwards, and minds no variable.
    node.current_dir(&ring.modules).env("NODE_PATH", ring.modules.join("node_modules"));
    node
}

#[expect(clippy::cast_precision_loss, reason = "few")]
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// How many updates a document shows; 0: it is damaged.
fn there(path: &Path) -> usize {
    let text = std::fs::read(path).unwrap_or_default();
    let all: Value = serde_json::from_slice(&text).unwrap_or_default();
    all.as_object().map_or(0, |all| all.values().filter_map(|one| one.as_array()).map(Vec::len).sum())
}
