//! What lies beside the document: what writers that died left there, and what stood at its name before.

use std::ffi::OsString;

use super::Writer;
use crate::error::Result;
use crate::repair::{self, Ground};
use crate::validate;

impl Writer {
    /// Ends with what writers that died left beside the document a while ago. What cannot be ended with now stays.
    pub fn tidy(&self) {
        let Ok(mut names) = self.beside() else { return };
        let found = |name: &OsString| self.disk.look(&self.directory, name).ok().flatten();
        names.retain(|name| found(name).is_some_and(|found| found.age() >= repair::GRACE));
        if names.is_empty() {
            return;
        }
        let enrolled = self.backups.find(&self.document).ok().flatten();
        let enrolled = enrolled.and_then(|folder| folder.last_good_bytes().ok().flatten());
        let enrolled = enrolled.map(|(stored, _)| stored.dialect);
        let reader = self.reader(enrolled);
        let judge = |bytes: &[u8]| validate::judge(bytes, &reader);
        let ground = Ground { lock: self.rules.lock, ..self.ground(&judge) };
        for name in &names {
            let _ = repair::settle(&ground, name, None);
        }
    }

    /// The names of our files beside the document.
    fn beside(&self) -> Result<Vec<OsString>> {
        let prefix = self.document.staged_prefix();
        let mut names = Vec::new();
        self.disk.list(&self.directory, |entry| {
            if entry.name.as_encoded_bytes().starts_with(prefix.as_bytes()) && !entry.is_directory {
                names.push(entry.name);
            }
            true
        })?;
        Ok(names)
    }
}
