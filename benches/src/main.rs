//! What jsonwarden costs, beside what else does the same work on this machine: one command, one table.
//!
//! `cargo run --release -- [--quick] [NAME…]` measures all, or what is named. Whoever is compared takes turns round by round,
//! with the same work, so that a busy machine is busy for all; figures are medians, and a ratio is the median of the ratios
//! of pairs. What is not installed is named as absent; `benches/rivals` installs it. Files go to `TMPDIR`: on a disk that
//! others write to, their bytes are waited for too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement fails by panicking")]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod support;
#[path = "../../tests/faults/volume.rs"]
#[allow(dead_code, reason = "shared with the fault suite")]
mod volume;

mod clock;
mod difference;
mod documents;
mod guarding;
mod installed;
mod numbers;
mod process;
mod programs;
mod repair;
mod scrape;
mod table;
mod validator;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, ExitCode};

use numbers::Effort;
use table::Table;

/// A measurement, under each of the names that ask for it.
struct Bench {
    names: &'static [&'static str],
    measure: fn(Effort, &mut Table),
}

/// In the order in which they run.
const BENCHES: [Bench; 8] = [
    Bench { names: &["validator"], measure: validator::measure },
    Bench { names: &["read"], measure: validator::measure_beside_reading },
    Bench { names: &["difference"], measure: difference::measure },
    Bench { names: &["sweep", "memory", "idle"], measure: guarding::measure },
    Bench { names: &["repair"], measure: repair::measure },
    Bench { names: &["scrape"], measure: scrape::measure },
    Bench { names: &["write"], measure: write::measure },
    Bench { names: &["group"], measure: write::measure_group_commit },
];

fn main() -> ExitCode {
    if std::env::var_os(write::ROLE).is_some() {
        write::run_as_child();
        return ExitCode::SUCCESS;
    }
    let (options, names): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with('-'));
    let unknown =
        options.iter().find(|option| *option != "--quick").or_else(|| names.iter().find(|name| !is_known(name)));
    if let Some(unknown) = unknown {
        eprintln!("{unknown} is unknown; there are --quick and {}", all_names().collect::<Vec<_>>().join(", "));
        return ExitCode::from(2);
    }
    build_program();
    let effort = if options.is_empty() { Effort::Full } else { Effort::Quick };
    run(effort, &names)
}

fn all_names() -> impl Iterator<Item = &'static str> {
    BENCHES.iter().flat_map(|bench| bench.names.iter().copied())
}

fn is_known(name: &str) -> bool {
    all_names().any(|known| known == name)
}

/// Measures what is asked for. A measurement that fails leaves the others their turn.
fn run(effort: Effort, asked: &[String]) -> ExitCode {
    let mut table = Table::default();
    let mut failed = Vec::new();
    let is_asked = |bench: &&Bench| asked.is_empty() || asked.iter().any(|name| bench.names.contains(&name.as_str()));
    for bench in BENCHES.iter().filter(is_asked) {
        let name = bench.names.join(", ");
        eprintln!("{name} …");
        if catch_unwind(AssertUnwindSafe(|| (bench.measure)(effort, &mut table))).is_err() {
            failed.push(name);
        }
    }
    println!("{table}");
    for name in &failed {
        eprintln!("failed: {name}");
    }
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// Has cargo build the program that is measured, as this one was built and beside it.
fn build_program() {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    if Path::new(env!("CARGO_BIN_EXE_jsonwarden")) != folder.join("jsonwarden") {
        return;
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--locked", "--quiet", "--bin", "jsonwarden"]);
    cargo.args((!cfg!(debug_assertions)).then_some("--release"));
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    cargo.arg("--target-dir").arg(folder.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "cargo build");
}
