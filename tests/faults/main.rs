//! Nothing is ever lost: faults from outside, on the real binary and on real file systems. What fails inside, step by step, is
//! in `tests/durability`. Each test prints its figures; `tests/README.md` says which promise it holds and which mutant it
//! was seen to catch.
//!
//! `JSONWARDEN_LONG=1` asks for the long modes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, unused_imports, reason = "shared with the suite in tests/durability")]
#[path = "../durability/bench.rs"]
mod bench;
#[allow(dead_code, unused_imports, reason = "shared with the suite in tests/it")]
#[path = "../it/support/mod.rs"]
mod support;

mod clock;
mod dying;
mod events;
mod failed;
mod interrupted;
mod killed;
mod mounts;
mod names;
mod power_cuts;
mod quota;
mod rot;
mod strace;
mod told;
mod torture;
mod trial;
mod volume;
