//! Publishing: events that wait are written in one step.

use super::archive::{Archive, Local};
use super::envelope::Event;
use super::skeleton;
use crate::backup::highest_in;
use crate::clock;
use crate::document::{Dialect, DocumentId};
use crate::error::{Cause, Error, Result};
use crate::patch::{self, Operation, Pointer, Refusal, Value};
use crate::validate::Content;
use crate::write::{Damaged, Present, WriteError, Writer, Written};

/// The events of one document.
#[derive(Debug)]
pub struct Bus<'w> {
    /// What writes the document.
    pub writer: &'w Writer,
    /// Where its events stand.
    pub pointer: Pointer,
    /// So many events stay in the document; older ones move. `None`: all stay.
    pub keep: Option<usize>,
    /// Where older events are kept; `None`: beside the document's versions.
    pub archive: Option<&'w dyn Archive>,
}

/// An event that was published: it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number in the document.
    pub id: u64,
    /// Its time, RFC 3339, UTC.
    pub time: String,
}

/// Why events were not published: none of them was.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The document would not be valid with them, or could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Something else.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Bus<'_> {
    /// Publishes events in one step: all of them, in their order, or none.
    ///
    /// # Errors
    /// There is no array at the pointer, the lock was not to be had, or something failed.
    pub fn publish(&self, events: &[Event]) -> std::result::Result<(Vec<Published>, Written), BusError> {
        let mut published = Vec::new();
        // It only adds, and archives what it takes away: nothing of what it leaves out is lost.
        let written = self.writer.update(Damaged::RepairUnweighed, |present| {
            let (bytes, numbered) = self.with(present, events)?;
            published = numbered;
            Ok::<_, BusError>(bytes)
        })?;
        if let Some(last) = published.last() {
            self.local().note(last.id, written.version);
        }
        if self.keep.is_some_and(|keep| keep < events.len()) {
            // They are published; what is too many now moves with the next ones if it cannot move yet.
            let _ = self.trim();
        }
        Ok((published, written))
    }

    /// The document with the events in it. Asked again, it gives them other numbers.
    fn with(&self, present: Option<Present>, events: &[Event]) -> Result<(Vec<u8>, Vec<Published>)> {
        let time = format!("{:.6}", clock::now());
        let there = present.and_then(|present| patch::value_at(content(present), &self.pointer));
        let texts = present.and_then(|present| patch::elements_at(content(present), &self.pointer)).unwrap_or_default();
        let first = self.highest(present)?.saturating_add(1);
        if first.checked_add(events.len() as u64).is_none() {
            return Err(self.failed(Cause::Refused("its events have the highest number that there is".to_owned())));
        }
        let published: Vec<Published> =
            (first..).zip(events).map(|(id, _)| Published { id, time: time.clone() }).collect();
        let stamped = events.iter().zip(&published).map(|(event, published)| event.stamped(published.id, &time));
        let stamped = stamped.collect::<std::result::Result<Vec<Value>, String>>();
        let stamped = stamped.map_err(|why| self.failed(Cause::Usage(why)))?;
        let Some(present) = present else { return Ok((self.first_text(&stamped), published)) };
        let mut operations = vec![Operation::Append(self.pointer.clone(), stamped)];
        if there.is_none() {
            let empty = Value::new("[]").map_err(|why| self.failed(Cause::Usage(why)))?;
            operations.insert(0, Operation::Set(self.pointer.clone(), empty));
        }
        let bytes = patch::apply(content(present), &operations).map_err(|refusal| self.refused(refusal))?;
        let bytes = self.rotated(bytes, present.dialect, texts.len())?;
        Ok((bytes, published))
    }

    /// The highest number that any event has, or had before the document went back to an older version.
    fn highest(&self, present: Option<Present>) -> Result<u64> {
        let here = present.map_or(0, |present| highest_in(content(present), &self.pointer));
        let highest = self.local().highest_beside(here, present.map(|present| present.version))?;
        self.archive.map_or(Ok(highest), |archive| Ok(highest.max(archive.highest()?)))
    }

    /// Moves what is too many, when more came at once than are to stay.
    fn trim(&self) -> std::result::Result<Written, BusError> {
        self.writer.update(Damaged::RepairUnweighed, |present| {
            let gone = || self.failed(Cause::Absent("it is gone".to_owned()));
            let present = present.ok_or_else(gone)?;
            Ok(self.rotated(present.bytes.to_vec(), present.dialect, usize::MAX)?)
        })
    }

    fn first_text(&self, events: &[Value]) -> Vec<u8> {
        if self.pointer.segments().is_empty() && self.writer.is_of_lines() {
            let line = |event: &Value| [patch::in_one_line(plain(event.text())), b"\n".to_vec()].concat();
            return events.iter().flat_map(line).collect();
        }
        let lines: Vec<Vec<u8>> = events.iter().map(|event| patch::in_one_wide_line(plain(event.text()))).collect();
        skeleton::around(&self.pointer, &lines)
    }

    /// The document with no more events than are to be kept; the others are durable in the archive by then. Of all that there
    /// are only the first `published` may move: the archive has none that were never in the document.
    fn rotated(&self, bytes: Vec<u8>, dialect: Dialect, published: usize) -> Result<Vec<u8>> {
        let Some(keep) = self.keep else { return Ok(bytes) };
        let whole = Content { bytes: &bytes, dialect };
        let texts = patch::elements_at(whole, &self.pointer).unwrap_or_default();
        let surplus = texts.len().saturating_sub(keep).min(published);
        if surplus == 0 {
            return Ok(bytes);
        }
        let old: Vec<Vec<u8>> = texts.iter().take(surplus).map(|text| patch::in_one_line(plain(text))).collect();
        match self.archive {
            Some(archive) => archive.append(&old)?,
            None => self.local().append(&old).map_err(|error| self.writer.told_of_room(error))?,
        }
        let removed = [Operation::RemoveFirst(self.pointer.clone(), surplus)];
        patch::apply(whole, &removed).map_err(|refusal| self.refused(refusal))
    }

    /// What is kept beside the document's versions.
    fn local(&self) -> Local<'_> {
        Local { backups: self.writer.backups(), document: self.document(), pointer: &self.pointer }
    }

    fn document(&self) -> &DocumentId {
        self.writer.document()
    }

    fn refused(&self, refusal: Refusal) -> Error {
        refusal.into_error("publishing to", self.document().path())
    }

    fn failed(&self, cause: Cause) -> Error {
        Error::new("publishing to", self.document().path(), cause)
    }
}

fn content(present: Present) -> Content {
    Content { bytes: present.bytes, dialect: present.dialect }
}

fn plain(bytes: &[u8]) -> Content<'_> {
    Content { bytes, dialect: Dialect::Python }
}
