//! What lies beside the document: what writers that died left there, and what stood at its name before.

use std::ffi::OsString;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Writer;
use crate::config::LockKind;
use crate::error::Result;
use crate::repair::{self, Disposal, Ground, MANY, Patience};
use crate::validate;

/// So many are looked at in one go: whoever writes is not to wait for all that years have left.
const AT_ONCE: usize = 64;

/// Where not all who may have them open can be seen, the first few tell how it stands with the younger ones.
const UNSURE_LIMIT: usize = 3;

/// What a writer has left beside the document since it last tidied up.
#[derive(Debug, Default)]
pub(super) struct Left {
    count: usize,
    /// Tidying is to take a small part of the time only.
    not_before: Option<Instant>,
}

impl Writer {
    /// Ends with what lies beside the document for a while: what writers that died left there, and what writes replaced, where no
    /// lease said that nobody has it open. What cannot be ended with now stays.
    pub fn tidy(&self) {
        self.tidy_from(3 * MANY, Patience::USUAL.crowded, self.rules.lock);
    }

    /// Notes that something was left beside the document.
    pub(super) fn leaves_one(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.count += 1;
    }

    /// Thins out what was left beside the document, for somebody who has its lock.
    pub(super) fn tidy_now_and_then(&self) {
        const SHARE: u32 = 4;
        let began = Instant::now();
        {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            if left.count < MANY || left.not_before.is_some_and(|then| began < then) {
                return;
            }
            left.count = 0;
        }
        self.tidy_from(MANY + 1, Duration::ZERO, LockKind::None);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.not_before = Some(began + SHARE * began.elapsed());
    }

    /// `crowd`: from so many on that are as old as `least`, those are looked at, too, that have not had their grace.
    fn tidy_from(&self, crowd: usize, least: Duration, lock: LockKind) {
        let Ok(found) = self.beside() else { return };
        let is_crowded = found.iter().filter(|(age, _)| *age >= least).count() >= crowd;
        let is_due = |(newer, (age, _)): &(usize, &(Duration, OsString))| {
            *age >= repair::GRACE || (is_crowded && *newer >= MANY && *age >= least)
        };
        // The oldest first.
        let due: Vec<_> = found.iter().enumerate().filter(is_due).rev().take(AT_ONCE).collect();
        if due.is_empty() {
            return;
        }
        let enrolled = self.backups.find(&self.document).ok().flatten();
        let enrolled = enrolled.and_then(|folder| folder.last_good_bytes().ok().flatten());
        let enrolled = enrolled.map(|(stored, _)| stored.dialect);
        let reader = self.reader(enrolled);
        let judge = |bytes: &[u8]| validate::judge(bytes, &reader);
        let ground = Ground { lock, ..self.ground(&judge) };
        let mut unsure = 0;
        for (newer, (_, name)) in due {
            let settled = repair::settle_among(&ground, name, None, newer, Patience::USUAL);
            unsure += usize::from(matches!(settled, Ok(Disposal::Unsure)));
            if unsure == UNSURE_LIMIT {
                return;
            }
        }
    }

    /// Our files beside the document, the youngest first, and how long ago each was changed.
    fn beside(&self) -> Result<Vec<(Duration, OsString)>> {
        let prefix = self.document.staged_prefix();
        let mut names = Vec::new();
        self.disk.list(&self.directory, |entry| {
            if entry.name.as_encoded_bytes().starts_with(prefix.as_bytes()) && !entry.is_directory {
                names.push(entry.name);
            }
            true
        })?;
        let age = |name: &OsString| self.disk.look(&self.directory, name).ok().flatten().map(|found| found.age());
        let mut found: Vec<_> = names.into_iter().filter_map(|name| Some((age(&name)?, name))).collect();
        found.sort();
        Ok(found)
    }
}
