//! The safe write: against the bare system calls that do the same, with many threads, as a process, and against the writers
//! in use: how fast they are, what they lose, and what faults leave of their files. Full disks and power cuts are mounted,
//! which root may.

mod bare;
mod child;
mod faults;
mod group;
mod rivals;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jsonwarden::Options;

use crate::numbers::{Effort, Rounds, passed};
use crate::support::command;
use crate::table::{Beside, Table};

use bare::Bare;
pub(crate) use child::{ROLE, run as run_as_child};
pub(crate) use group::measure as measure_group_commit;
use rivals::{RIVALS, Rival, Scripts};

/// About 10 KB, different each time.
fn document(number: usize) -> Vec<u8> {
    let entry = |at: usize| format!("    {{\"id\": \"{:016x}\", \"on\": true}}", number * 1_000_003 + at * 7919);
    let entries: Vec<String> = (0..220).map(entry).collect();
    format!("{{\n  \"version\": {number},\n  \"entries\": [\n{}\n  ]\n}}\n", entries.join(",\n")).into_bytes()
}

/// Who is there, and who is not.
struct Ring {
    scripts: Scripts,
    there: Vec<Rival>,
    absent: Vec<Rival>,
}

impl Ring {
    fn new() -> Self {
        let scripts = Scripts::new();
        let (there, absent) = RIVALS.into_iter().partition(|rival| rival.is_there());
        Self { scripts, there, absent }
    }

    /// Ours first, then those that are there.
    fn all(&self) -> Vec<Rival> {
        [&[Rival::Ours], self.there.as_slice()].concat()
    }

    /// What stands beside ours: `shown` tells of one that is there by its place in [`Self::all`].
    fn beside(&self, shown: impl Fn(usize, &'static str) -> Beside) -> Vec<Beside> {
        let there = self.there.iter().enumerate().map(|(at, rival)| shown(at + 1, rival.name()));
        there.chain(self.absent.iter().map(|rival| Beside::absent(rival.name()))).collect()
    }
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    against_bare(&root, effort.rounds(100, 30), table);
    as_a_process(&root, effort.rounds(100, 20), table);
    let ring = Ring::new();
    alone(&ring, &root, effort, table);
    contending(&ring, &root, effort.rounds(100, 25), table);
    faults::full_disk(&ring, table);
    faults::kills(&ring, &root, effort.rounds(20, 4), table);
    faults::power_cuts(&ring, effort.rounds(4, 1), table);
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

fn against_bare(root: &Path, rounds: usize, table: &mut Table) {
    let path = |folder: &str| {
        fs::create_dir(root.join(folder)).unwrap();
        let path = root.join(folder).join("a.json");
        fs::write(&path, document(0)).unwrap();
        path
    };
    let writer = Options::new().state_dir(root.join("state")).writer(path("ours")).unwrap();
    let mut bare = Bare::new(&path("bare"), &root.join("versions"));
    let rounds = Rounds::of(rounds, 2, |candidate, number| {
        let bytes = document(number + 1);
        let took = match candidate {
            0 => passed(|| assert!(writer.replace(&bytes).unwrap().is_changed)),
            _ => passed(|| bare.write(&bytes)),
        };
        took.as_secs_f64()
    });
    let what = format!("write: {} bytes, by the library", document(1).len());
    table.rounds(what, &rounds, &["bare system calls, both versions kept"], milliseconds);
}

fn as_a_process(root: &Path, rounds: usize, table: &mut Table) {
    let (path, input) = (root.join("process.json"), root.join("input"));
    let rounds = Rounds::of(rounds, 1, |_, number| {
        fs::write(&input, document(number)).unwrap();
        let mut command = command();
        command.arg("--state-dir").arg(root.join("state")).arg("write").arg(&path);
        command.stdin(fs::File::open(&input).unwrap()).stderr(Stdio::null());
        passed(|| assert!(command.status().unwrap().success())).as_secs_f64()
    });
    table.rounds("write: the command, from start to exit", &rounds, &[], milliseconds);
}

/// A folder of its own, with the file in it.
fn place(root: &Path, what: &str, rival: Rival) -> PathBuf {
    let folder = root.join(what).join(rival.name());
    fs::create_dir_all(&folder).unwrap();
    folder.join("a.json")
}

/// Who writes alone, one update after the other; a version of each is stored and all is durable, which ours does by itself
/// and the others are made to do.
fn alone(ring: &Ring, root: &Path, effort: Effort, table: &mut Table) {
    let (all, updates) = (ring.all(), effort.rounds(100, 30));
    let rounds = Rounds::of(effort.rounds(5, 3), all.len(), |candidate, number| {
        let path = place(root, &format!("alone-{number}"), all[candidate]);
        fs::write(&path, document(0)).unwrap();
        all[candidate].alone(&ring.scripts, &path, &path.with_file_name("versions"), updates)
    });
    let rate = |seconds: f64| format!("{:.0} a second", updates as f64 / seconds);
    let beside = ring.beside(|at, who| Beside::paired(who, rate(rounds.median(at)), rounds.ratio(at)));
    table.row("write: updates of 10 KB by one program, versions kept, durable", rate(rounds.median(0)), beside);
}

/// Four processes update one file, each writer as it is.
fn contending(ring: &Ring, root: &Path, each: usize, table: &mut Table) {
    const PROCESSES: usize = 4;
    let tell = |rival: Rival| {
        let (rate, lost) = rival.contend(&ring.scripts, &place(root, "contended", rival), PROCESSES, each);
        format!("{lost} lost, {rate:.0} a second")
    };
    let told: Vec<String> = ring.all().into_iter().map(tell).collect();
    let beside = ring.beside(|at, who| Beside::alone(who, told[at].clone()));
    table.row(format!("write: {PROCESSES} processes x {each} updates of one file"), told[0].clone(), beside);
}
