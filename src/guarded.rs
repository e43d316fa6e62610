//! A document as a value of a program's own type, which many threads and many programs may change: what embedders use.

mod group;
mod text;
mod together;

pub use together::update_all;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{LockKind, Rules};
use crate::disk::Disk;
use crate::document::{Dialect, DocumentId, Version};
use crate::error::{Cause, Error};
use crate::write::{WriteError, Writer, own_state_dir};
use group::Group;

/// How a document is written: where its versions are kept, which lock its writers use, what it must be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    state_dir: Option<PathBuf>,
    rules: Rules,
    accepts: bool,
    disk: Disk,
}

impl Options {
    /// As the daemon has it where nothing is configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Versions are kept here: where a daemon guards the document, in its state directory. [default: `/var/lib/jsonwarden`
    /// as root, else `$XDG_STATE_HOME/jsonwarden` or `~/.local/state/jsonwarden`]
    #[must_use]
    pub fn state_dir(self, path: impl Into<PathBuf>) -> Self {
        Self { state_dir: Some(path.into()), ..self }
    }

    /// The lock that the document's writers use. [default: [`LockKind::Auto`]]
    #[must_use]
    pub fn lock(mut self, kind: LockKind) -> Self {
        self.rules.lock = kind;
        self
    }

    /// How long a write waits for it. [default: 10 s]
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.rules.lock_timeout = limit;
        self
    }

    /// The language that the document's readers accept. [default: whatever any supported dialect reads, then what it was]
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.rules.dialect = Some(dialect);
        self
    }

    /// JSON Pointers (RFC 6901) that the document must have.
    #[must_use]
    pub fn required(mut self, pointers: impl IntoIterator<Item = String>) -> Self {
        self.rules.expectations.required = pointers.into_iter().collect();
        self
    }

    /// All the rules at once, as a watch of the daemon has them.
    #[must_use]
    pub fn rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// What is written is meant, however little of the document it leaves: a version that would be suspicious beside the last
    /// good one is stored as accepted, instead of [`WriteError::Suspicious`]; also over one that is suspicious itself
    /// ([`WriteError::Held`]). [default: no]
    #[must_use]
    pub fn accepting(self, accepts: bool) -> Self {
        Self { accepts, ..self }
    }

    /// With this disk: for tests that stop or fail its steps.
    #[must_use]
    pub fn disk(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// A writer of the file at `path` by these options.
    ///
    /// # Errors
    /// The path leads nowhere, or the state directory cannot be made or opened.
    pub fn writer(&self, path: impl AsRef<Path>) -> Result<Writer, Error> {
        let unknown = || {
            let why = "neither $XDG_STATE_HOME nor $HOME says where; name one with Options::state_dir";
            Error::new("keeping versions of", path.as_ref(), Cause::Usage(why.to_owned()))
        };
        let state_dir = self.state_dir.clone().or_else(own_state_dir).ok_or_else(unknown)?;
        let writer = Writer::open(&self.disk, path.as_ref(), &state_dir, self.rules.clone())?;
        let writer = writer.accepting(self.accepts);
        writer.tidy();
        Ok(writer)
    }
}

/// A JSON document that holds a `T`. It may be shared between threads: updates that wait for one another are written in one
/// step, and each is acknowledged only when it is durable.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct State {
///     counter: u64,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let (path, state_dir) = (folder.path().join("state.json"), folder.path().join("state"));
/// let options = jsonwarden::Options::new().state_dir(state_dir);
/// let guarded = jsonwarden::Guarded::<State>::open_or_default(path, &options)?;
/// let counter = guarded.update(|state| {
///     state.counter += 1;
///     state.counter
/// })?;
/// assert_eq!(counter, 1);
/// assert_eq!(guarded.read()?.counter, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Guarded<T> {
    writer: Writer,
    /// What stands in for a document that is not there yet.
    initial: Option<Vec<u8>>,
    group: Group<T>,
    holds: PhantomData<fn() -> T>,
}

/// Why an update was not done: nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The program's own change did not want to be.
    #[error(transparent)]
    Change(E),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl<T: Serialize + DeserializeOwned> Guarded<T> {
    /// The document at `path`, with the default [`Options`].
    ///
    /// # Errors
    /// The path leads nowhere, or the state directory cannot be made or opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, &Options::new())
    }

    /// The document at `path`.
    ///
    /// # Errors
    /// As [`Guarded::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Self, Error> {
        Ok(Self { writer: options.writer(path)?, initial: None, group: Group::default(), holds: PhantomData })
    }

    /// The document at `path`; where nothing stands yet, the first update begins with `T::default()`.
    ///
    /// # Errors
    /// As [`Guarded::open`], or the default cannot be written as JSON.
    pub fn open_or_default(path: impl AsRef<Path>, options: &Options) -> Result<Self, WriteError>
    where
        T: Default,
    {
        let initial = Some(text::written(&T::default(), None)?);
        Ok(Self { initial, ..Self::open_with(path, options)? })
    }

    /// The file that it is.
    #[must_use]
    pub fn document(&self) -> &DocumentId {
        self.writer.document()
    }

    /// What it holds now.
    ///
    /// # Errors
    /// It is not there, is no `T`, or cannot be read.
    pub fn read(&self) -> Result<T, WriteError> {
        let bytes = self.writer.read()?;
        text::read(&self.or_initial(bytes.as_deref())?)
    }

    /// Changes it. `change` may be asked more than once, each time with what the document then holds: its only effect must
    /// be on what it is given.
    ///
    /// # Errors
    /// The document is not there or no `T`, what it would become breaks its rules, the lock was not to be had in time, or
    /// something failed. Nothing was changed.
    ///
    /// # Panics
    /// If `change` does: the updates of other threads are not concerned.
    pub fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, WriteError> {
        let updated = self.try_update(|state| Ok::<_, std::convert::Infallible>(change(state)));
        updated.map_err(|error| match error {
            UpdateError::Change(never) => match never {},
            UpdateError::Write(error) => error,
        })
    }

    /// As [`Guarded::update`], for a change that may not want to be.
    ///
    /// # Errors
    /// What `change` says; else as [`Guarded::update`]. Nothing was changed.
    ///
    /// # Panics
    /// If `change` does: the updates of other threads are not concerned.
    pub fn try_update<R, E>(&self, change: impl FnMut(&mut T) -> Result<R, E>) -> Result<R, UpdateError<E>> {
        group::update(self, change)
    }

    /// Puts this value in the place of whatever stands there.
    ///
    /// # Errors
    /// As [`Writer::replace`].
    pub fn replace(&self, value: &T) -> Result<Version, WriteError> {
        let present = self.writer.read().ok().flatten();
        Ok(self.writer.replace(&text::written(value, present.as_deref())?)?.version)
    }

    /// Nothing was to be changed.
    fn unchanged(&self) -> WriteError {
        Error::new("writing", self.document().path(), Cause::Refused("its update was called off".to_owned())).into()
    }

    fn or_initial(&self, present: Option<&[u8]>) -> Result<Vec<u8>, WriteError> {
        let absent = || {
            let why = Cause::Absent("it is not there; write it first, or open it with a default".to_owned());
            Error::new("reading", self.document().path(), why)
        };
        Ok(present.or(self.initial.as_deref()).ok_or_else(absent)?.to_vec())
    }
}
