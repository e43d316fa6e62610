//! What is promised of bytes, proved on real files: nothing torn is stored, nothing that somebody wrote is lost, whatever
//! fails and whenever we die. Each test runs where its promise must hold: on the file system of the temporary folder and,
//! if it is there, on a tmpfs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aside;
mod backups;
mod bench;
mod dying;
mod failing;
mod in_place;
mod interrupted;
mod leftovers;
mod order;
mod racing;
mod reading;
mod remembering;
mod repairing;
mod sharing;
mod rot;
mod spare;
mod strangers;
mod swapping;
mod writing;
