//! The writers in use, each in the language that it is for: so many updates of one document (read, change, write) by several
//! processes at once, and what of them is there afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What each writer does for one update; `lock` and `save` are its own.
const NODE: &str = r"
const fs = require('fs');
const [rival, path, name, count] = process.argv.slice(1);
const update = () => { const all = JSON.parse(fs.readFileSync(path)); (all[name] = all[name] || []).push(1); return JSON.stringify(all); };
const savers = {
    'write-file-atomic': async () => require('write-file-atomic')(path, update()),
    'atomically': async () => (await import('atomically')).writeFile(path, update()),
    'steno': async () => new (await import('steno')).Writer(path).write(update()),
    'proper-lockfile + write-file-atomic': async () => {
        const release = await require('proper-lockfile').lock(path, { retries: { retries: 10000, minTimeout: 1, maxTimeout: 20 } });
        await require('write-file-atomic')(path, update());
        await release();
    },
};
(async () => { for (let n = 0; n < Number(count); n++) { try { await savers[rival](); } catch (error) { if (!(error instanceof SyntaxError)) throw error; } } })();
";

const PYTHON: &str = "
import filelock, json, os, sys
rival, path, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
for number in range(count):
    with filelock.FileLock(path + '.lock'):
        with open(path) as file:
            everything = json.load(file)
        everything.setdefault(name, []).append(1)
        with open(path + '.tmp', 'w') as file:
            json.dump(everything, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + '.tmp', path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
";

/// A writer in use.
#[derive(Clone, Copy)]
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    /// The module that it needs; it is left out where that is not installed.
    module: &'static str,
    is_python: bool,
}

pub(crate) const RIVALS: [Rival; 5] = [
    Rival { name: "write-file-atomic", module: "write-file-atomic", is_python: false },
    Rival { name: "atomically", module: "atomically", is_python: false },
    Rival { name: "steno", module: "steno", is_python: false },
    Rival { name: "proper-lockfile + write-file-atomic", module: "proper-lockfile", is_python: false },
    Rival { name: "filelock + os.replace", module: "filelock", is_python: true },
];

impl Rival {
    fn command(self, modules: &Path) -> Command {
        let mut command = Command::new(if self.is_python { "python3" } else { "node" });
        // `import` looks for modules from the current folder upwards, and minds no variable.
        command.current_dir(modules).env("NODE_PATH", modules.join("node_modules"));
        command
    }

    pub(crate) fn is_there(self, modules: &Path) -> bool {
        let tried = if self.is_python {
            self.command(modules).args(["-c", &format!("import {}", self.module)]).stderr(Stdio::null()).status()
        } else {
            let tried = format!("import('{}').catch(() => process.exit(1))", self.module);
            self.command(modules).args(["-e", &tried]).stderr(Stdio::null()).status()
        };
        tried.is_ok_and(|status| status.success())
    }

    /// Updates a second of all processes together, and how many updates are not there afterwards.
    pub(crate) fn contend(self, modules: &Path, path: &Path, processes: usize, each: usize) -> (f64, usize) {
        std::fs::write(path, "{}").unwrap();
        let begun = Instant::now();
        let children: Vec<_> = (0..processes)
            .map(|number| {
                let (flag, script) = if self.is_python { ("-c", PYTHON) } else { ("-e", NODE) };
                let mut command = self.command(modules);
                command.args([flag, script, self.name]).arg(path).args([format!("p{number}"), each.to_string()]);
                command.stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            child.wait().unwrap();
        }
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let rate = (processes * each) as f64 / begun.elapsed().as_secs_f64();
        (rate, (processes * each).saturating_sub(there(path)))
    }
}

/// How many updates a document shows; 0: it is damaged.
fn there(path: &Path) -> usize {
    let text = std::fs::read(path).unwrap_or_default();
    let all: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    all.as_object().map_or(0, |all| all.values().filter_map(|one| one.as_array()).map(Vec::len).sum())
}

/// Where `npm install` has put the modules.
pub(crate) fn modules() -> PathBuf {
    std::env::var_os("JSONWARDEN_BENCH_MODULES").map_or_else(std::env::temp_dir, PathBuf::from)
}
