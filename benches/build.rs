//! Where the program is that is measured: beside this one, where `main` has cargo build it; or `JSONWARDEN_BENCH_PROGRAM`.
//! It is told under the name by which cargo tells the tests, whose harness the benches share.

use std::path::PathBuf;

fn main() {
    const ASKED: &str = "JSONWARDEN_BENCH_PROGRAM";
    // <target>/<profile>/build/<package>/out
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let folder = out.ancestors().nth(3).unwrap_or(&out);
    let program = std::env::var_os(ASKED).map_or_else(|| folder.join("jsonwarden"), PathBuf::from);
    println!("cargo::rustc-env=CARGO_BIN_EXE_jsonwarden={}", program.display());
    println!("cargo::rerun-if-env-changed={ASKED}");
    println!("cargo::rerun-if-changed=build.rs");
}
