//! jsonwarden keeps JSON files valid: it watches files that other programs write, keeps verified backups of their good
//! versions, and puts the newest one back when a file becomes corrupt.
//!
//! **The one law: never destroy bytes that somebody wrote, and never put an old version over a good one.**
//!
//! This file is the map. The modules stand in the order the data flows; each imports only what stands above it (a test
//! enforces this), so whoever reads downwards meets every idea before its use.
//!
//! *Ground*, the only code that meets the outside world: [`error`] says what failed, where and why; [`clock`] alone reads
//! the wall clock; [`mod@line`] seals the lines of our own records; [`disk`] alone touches the file system, one verb a step.
//!
//! *Vocabulary*: a [`document`] is a guarded file with numbered versions; a [`hint`] is what a person can do about it; a [`verdict`] is what can be said of it;
//! [`config`] is what the operator wants.
//!
//! *Judgement*, pure functions: [`validate`] turns bytes into a verdict; [`mod@patch`] changes a text and keeps all that it
//! does not touch; [`difference`] says what two documents differ in, [`salvage`] what survives of a damaged one;
//! [`decide`] turns a state and an input into the next state and an action.
//!
//! *Durability*, synchronous, the part that other programs embed: [`lock`], then [`read`] (nobody was writing), [`backup`]
//! (keep the good), [`quarantine`] (keep the bad), [`swap`] (exchange two files and look what came out), [`repair`], and
//! [`mod@write`], the safe write of programs that cooperate; [`guarded`] makes a program's own type of a document.
//!
//! *Stages*, one task each: [`steer`] is what people ask of them; [`event`] what they say; [`stage`] what they share; [`health`] is the board that they write, [`checkup`] looks at ourselves; [`watch`] turns kernel hints and the
//! sweep into observations; [`recover`] owns every document's state; [`record`] tells; [`expose`] answers.
//!
//! *Wiring*: [`daemon`] connects the stages; [`cli`] is the command line.

pub mod error;
pub mod clock;
pub mod line;
pub mod disk;
pub mod document;
pub mod hint;
pub mod verdict;
pub mod config;
pub mod validate;
pub mod patch;
pub mod difference;
pub mod salvage;
pub mod decide;
pub mod lock;
pub mod read;
pub mod backup;
pub mod quarantine;
pub mod swap;
pub mod repair;
pub mod write;
pub mod guarded;
pub mod bus;
#[cfg(feature = "daemon")]
pub mod health;
#[cfg(feature = "daemon")]
pub mod steer;
#[cfg(feature = "daemon")]
pub mod event;
#[cfg(feature = "daemon")]
pub mod stage;
#[cfg(feature = "daemon")]
pub mod checkup;
#[cfg(feature = "daemon")]
pub mod watch;
#[cfg(feature = "daemon")]
pub mod recover;
#[cfg(feature = "daemon")]
pub mod record;
#[cfg(feature = "daemon")]
pub mod expose;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "daemon")]
pub mod cli;

pub use error::Error;
pub use guarded::{Guarded, Options, UpdateError, update_all};
pub use write::{WriteError, Written};

/// Puts these bytes in the place of the JSON file at `path`, or makes it: lock, back up, temporary file, validate, exchange,
/// validate again. Whatever happens, either the old bytes stand there or the new ones, and when this returns the new ones
/// are durable, twice.
///
/// ```
/// # fn main() -> Result<(), jsonwarden::WriteError> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("state.json");
/// let options = jsonwarden::Options::new().state_dir(folder.path().join("versions"));
/// jsonwarden::write(&path, b"{\"version\": 1}\n", &options)?;
/// let refused = jsonwarden::write(&path, b"{\"version\": ", &options);
/// assert!(matches!(refused, Err(jsonwarden::WriteError::Invalid(_))));
/// assert_eq!(std::fs::read(&path).unwrap(), b"{\"version\": 1}\n");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The bytes are invalid, the lock was not to be had in time, or something failed: nothing was changed.
pub fn write(path: impl AsRef<std::path::Path>, bytes: &[u8], options: &Options) -> Result<Written, WriteError> {
    options.writer(path)?.replace(bytes)
}
