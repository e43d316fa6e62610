//! Where older events are kept, and how high the numbers of all of them went.

use std::collections::HashSet;
use std::fmt;

use super::envelope::Numbered;
use crate::backup::{Backups, Folder, highest_of, number_of};
use crate::document::{DocumentId, Version};
use crate::error::Result;
use crate::patch::Pointer;

/// What is kept of the events that stood at one place of a document. Whoever may not enter the state directory asks a daemon.
pub trait Archive: fmt::Debug {
    /// The highest number that any of them is known to have had.
    ///
    /// # Errors
    /// It cannot be read.
    fn highest(&self) -> Result<u64>;

    /// Appends events, durably, but for those that it has as its last.
    ///
    /// # Errors
    /// The disk is full or failed, or permission was denied.
    fn append(&self, events: &[Vec<u8>]) -> Result<()>;

    /// Those that have these numbers, as far as they are there, and at least the first of them; more can be asked for again.
    ///
    /// # Errors
    /// It cannot be read.
    fn events(&self, from: u64, to: u64) -> Result<Vec<Numbered>>;
}

/// That in a state directory.
#[derive(Debug)]
pub struct Local<'a> {
    /// Of this state directory.
    pub backups: &'a Backups,
    /// Whose events.
    pub document: &'a DocumentId,
    /// Where they stood.
    pub pointer: &'a Pointer,
}

impl Local<'_> {
    /// As [`Archive::highest`], for somebody who has read the newest version and found this.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn highest_beside(&self, here: u64, read: Option<Version>) -> Result<u64> {
        let Some(folder) = self.folder()? else { return Ok(here) };
        let archived = highest_of(&folder.last_events(self.pointer)?);
        let highest = here.max(archived).max(folder.highest_number(self.pointer, read)?);
        // From here on the next event need not look through what this one has.
        match read.map_or(Ok(()), |read| folder.note_number(self.pointer, highest, read)) {
            // The versions say it all the same.
            Err(error) if error.is_for_want_of_room() => Ok(highest),
            noted => noted.map(|()| highest),
        }
    }

    /// Notes that events up to this number stood in the document, as this version.
    pub(super) fn note(&self, highest: u64, version: Version) {
        // The versions say it, too, as long as they are there.
        let _ = self.folder().map(|folder| folder.map(|folder| folder.note_seen(self.pointer, highest, version)));
    }

    fn folder(&self) -> Result<Option<Folder>> {
        self.backups.find(self.document)
    }
}

impl Archive for Local<'_> {
    fn highest(&self) -> Result<u64> {
        self.highest_beside(0, None)
    }

    fn append(&self, events: &[Vec<u8>]) -> Result<()> {
        let folder = self.folder()?.map_or_else(|| self.backups.make(self.document), Ok)?;
        // Whoever died between the archive and the document left its lines there. A number alone proves nothing: somebody
        // may have given an event of their own the same one.
        let archived: HashSet<Vec<u8>> = folder.last_events(self.pointer)?.into_iter().collect();
        let is_new = |event: &&Vec<u8>| number_of(event).is_none() || !archived.contains(*event);
        let new: Vec<Vec<u8>> = events.iter().filter(is_new).cloned().collect();
        folder.append_events(self.pointer, &new)
    }

    fn events(&self, from: u64, to: u64) -> Result<Vec<Numbered>> {
        let mut events = Vec::new();
        if let Some(folder) = self.folder()? {
            folder.each_event(self.pointer, |line| {
                events.extend(Numbered::read(line).filter(|event| (from..=to).contains(&event.id)));
            })?;
        }
        Ok(events)
    }
}
