//! How much the quarantine may hold, and how much it holds.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Cause, Error, Result};

/// The limit, and what is held in all, as far as this process knows; `UNKNOWN`: to be counted.
#[derive(Debug)]
pub(super) struct Room {
    max_bytes: u64,
    held_bytes: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Default for Room {
    fn default() -> Self {
        Self::limited_to(u64::MAX)
    }
}

impl Clone for Room {
    fn clone(&self) -> Self {
        Self { max_bytes: self.max_bytes, held_bytes: AtomicU64::new(self.held_bytes.load(Ordering::Relaxed)) }
    }
}

impl Room {
    pub(super) fn limited_to(max_bytes: u64) -> Self {
        Self { max_bytes, held_bytes: AtomicU64::new(UNKNOWN) }
    }

    /// Is there room for so many bytes more? Before it says no, it counts again: somebody may have made room.
    pub(super) fn for_bytes(&self, bytes: u64, folder: &Path, total: impl FnOnce() -> Result<u64>) -> Result<()> {
        if self.max_bytes == u64::MAX {
            return Ok(());
        }
        let fits = |held: u64| held.saturating_add(bytes) <= self.max_bytes;
        let known = self.held_bytes.load(Ordering::Relaxed);
        if known != UNKNOWN && fits(known) {
            return Ok(());
        }
        let held = total()?;
        self.held_bytes.store(held, Ordering::Relaxed);
        if fits(held) {
            return Ok(());
        }
        let why = format!("the quarantine is full: it holds {held} bytes and may hold {}", self.max_bytes);
        Err(Error::new("keeping in", folder, Cause::Refused(why)))
    }

    /// So many bytes more are held.
    pub(super) fn taken(&self, bytes: u64) {
        let known = |held: u64| (held != UNKNOWN).then(|| held.saturating_add(bytes));
        // Nothing is known: nothing is to be changed.
        let _ = self.held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, known);
    }

    /// Bytes went, and nobody counted them.
    pub(super) fn forget(&self) {
        self.held_bytes.store(UNKNOWN, Ordering::Relaxed);
    }
}
