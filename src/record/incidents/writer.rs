//! The thread that writes `incidents.jsonl`.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use super::FILE_NAME;
use super::queue::{Batch, Queue, Taken};
use crate::disk::directory::Directory;
use crate::disk::{Disk, Durable, Room};
use crate::error::{Error, Result};
use crate::health::{Check, Health, Level};

/// A failed write is tried again after this, and after twice as long each time it fails again,
const PAUSE: Duration = Duration::from_millis(250);

/// up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The room is looked at after each write, and this often when there is nothing to write.
const ROOM_PERIOD: Duration = Duration::from_secs(10);

pub(super) struct Writer {
    disk: Disk,
    state_dir: Directory,
    queue: Arc<Queue>,
    health: Arc<Health>,
    /// Does the file end in the middle of a line? Then a newline comes first, so that the torn one spoils no other.
    is_torn: bool,
    /// Is the file's name known to be durable?
    name_is_durable: bool,
    is_failing: bool,
    /// Lines that were dropped, in all.
    dropped: u64,
}

impl Writer {
    pub(super) fn new(disk: Disk, state_dir: Directory, queue: Arc<Queue>, health: Arc<Health>, is_torn: bool) -> Self {
        Self { disk, state_dir, queue, health, is_torn, name_is_durable: false, is_failing: false, dropped: 0 }
    }

    /// Writes until the queue is closed, and looks now and then how much room is left: here a disk that hangs keeps nobody.
    pub(super) fn run(mut self) {
        loop {
            self.look_at_room();
            match self.queue.take(ROOM_PERIOD) {
                Taken::Batch(batch) if self.write_at_last(&batch) => {}
                Taken::Nothing => {}
                Taken::Batch(_) | Taken::End => return,
            }
        }
    }

    fn look_at_room(&self) {
        // A file system that does not say keeps its last number; what cannot be written is told where it is written.
        if let Ok(Room { available_bytes, .. }) = self.disk.room(&self.state_dir) {
            self.queue.set_room(available_bytes);
        }
    }

    /// Tries until it is written; `false`: the queue was closed and the last try failed, too.
    fn write_at_last(&mut self, batch: &Batch) -> bool {
        self.tell_dropped(batch.dropped);
        let mut pause = PAUSE;
        let mut goes_on = true;
        loop {
            self.queue.writing(true);
            let written = self.write(&batch.text);
            self.queue.writing(false);
            match written {
                Ok(()) => {
                    self.tell_success();
                    return true;
                }
                Err(error) => self.tell_failure(&error, batch.lines),
            }
            if !goes_on {
                return false;
            }
            goes_on = self.queue.pause(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One write and one sync. After a failure nobody knows how much of it reached the disk, so all of it is taken back, and
    /// written again; where that cannot be, readers skip a line whose number they have seen.
    fn write(&mut self, text: &str) -> Result<()> {
        let name = OsStr::new(FILE_NAME);
        let before = self.disk.look(&self.state_dir, name)?.map_or(0, |found| found.bytes);
        let whole = if self.is_torn { format!("\n{text}") } else { text.to_owned() };
        if let Err(error) = self.disk.append(&self.state_dir, name, whole.as_bytes(), Durable::Now) {
            self.is_torn |= self.take_back(before).is_err();
            return Err(error);
        }
        self.is_torn = false;
        if !self.name_is_durable {
            self.disk.sync_directory(&self.state_dir)?;
            self.name_is_durable = true;
        }
        Ok(())
    }

    /// Cuts the file to what it was: half a line is nobody's.
    fn take_back(&self, bytes: u64) -> Result<()> {
        let Some((file, found)) = self.disk.open_to_write(&self.state_dir, OsStr::new(FILE_NAME))? else {
            return Ok(());
        };
        if found.bytes > bytes {
            self.disk.truncate(&file, &self.state_dir.path().join(FILE_NAME), bytes)
        } else {
            Ok(())
        }
    }

    fn tell_dropped(&mut self, dropped: u64) {
        self.dropped += dropped;
        if dropped > 0 {
            tracing::error!(event = "record_dropped", "{dropped} lines of {FILE_NAME} were dropped");
        }
    }

    fn tell_failure(&mut self, error: &Error, lines: usize) {
        let waiting = self.queue.len() + lines;
        let detail = format!("{error} ({waiting} lines wait, {} were dropped)", self.dropped);
        self.health.set(Check::Record, Level::Degraded, detail);
        if !self.is_failing {
            self.is_failing = true;
            tracing::error!(event = "record_failed", "incidents cannot be written down, for now: {error}");
        }
    }

    fn tell_success(&mut self) {
        self.health.clear(Check::Record);
        if self.is_failing {
            self.is_failing = false;
            tracing::info!(event = "record_back", "incidents are written down again");
        }
    }
}
