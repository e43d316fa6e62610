//! Syncs that go on beside other work: what several files wait for at once they wait for once.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use super::{Disk, File, Step};
use crate::error::{Error, Result};

/// A file that is being made durable. Whoever gives it up waits too: nothing of ours has the file open afterwards.
#[derive(Debug)]
#[must_use = "it is durable only once it was waited for"]
pub struct Syncing {
    path: PathBuf,
    /// `None`: it was done at once.
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Disk {
    /// Begins to make a file's bytes and attributes durable, as [`Disk::sync`] does; where no thread is to be had, at once.
    ///
    /// # Errors
    /// As [`Disk::sync`].
    pub fn begin_sync(&self, file: &File, path: &Path) -> Result<Syncing> {
        let failed = |error| Error::new("syncing", path, error);
        self.step(Step::Sync).map_err(failed)?;
        let shared = file.try_clone().map_err(failed)?;
        let thread = Builder::new().name("sync".to_owned()).spawn(move || shared.sync_all()).ok();
        if thread.is_none() {
            file.sync_all().map_err(failed)?;
        }
        Ok(Syncing { path: path.to_owned(), thread })
    }
}

impl Syncing {
    /// Waits until the file is durable.
    ///
    /// # Errors
    /// As [`Disk::sync`].
    pub fn wait(mut self) -> Result<()> {
        let synced = match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(synced)) => synced,
            Some(Err(_)) => Err(io::Error::other("the thread that was to sync it ended")),
        };
        synced.map_err(|error| Error::new("syncing", &self.path, error))
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        // Nobody asks any more whether it was.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
