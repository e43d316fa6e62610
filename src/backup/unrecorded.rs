//! Versions of which nothing is recorded any more, for the line about them has rotted, or the record is lost: what their
//! bytes are, beside the versions of which it is known.

use std::collections::HashMap;
use std::ffi::OsString;

use super::catalogue::Catalogue;
use super::folder::Folder;
use super::judged::is_rotten;
use super::names::VersionName;
use crate::document::{Dialect, Digest, Mark, Version};
use crate::error::Result;
use crate::validate::{self, Content, Reader};
use crate::verdict::Verdict;

/// What a version was found to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub mark: Mark,
    pub dialect: Dialect,
    /// How many bytes it has; `None`: they are not what was stored.
    pub bytes: Option<u64>,
}

impl Default for Found {
    fn default() -> Self {
        Self { mark: Mark::Suspicious, dialect: Dialect::Json, bytes: None }
    }
}

/// Those that nothing is recorded of.
pub(super) type Unrecorded = HashMap<(Version, Digest), Found>;

/// A version that stands for what is good.
struct Good {
    bytes: Vec<u8>,
    dialect: Dialect,
}

impl Folder {
    /// What those versions are of which nothing is recorded. Each is judged as it was when it was stored, beside the last good
    /// version before it, or, when none is left, beside the next one: what cannot be told good is suspicious, and left alone
    /// while a version is there that is known to be good. Where none is, they vouch for each other in their order: the oldest
    /// is what it reads like, and a reset after it is as suspicious as it was.
    ///
    /// # Errors
    /// The disk failed: nothing may be weighed against less than there is.
    pub(super) fn judge_unrecorded(&self, catalogue: &Catalogue) -> Result<Unrecorded> {
        let mut versions: Vec<&(OsString, VersionName)> = catalogue.newest_first().collect();
        versions.reverse();
        let is_recorded = |found: &VersionName| catalogue.remark(found).is_some();
        let (mut judged, mut vouched, mut from) = (HashMap::new(), None, 0);
        for run in versions.chunk_by(|(_, one), (_, other)| is_recorded(one) == is_recorded(other)) {
            let (before, after) = (&versions[..from], &versions[from + run.len()..]);
            from += run.len();
            if is_recorded(&run[0].1) {
                continue;
            }
            let known = self.first_good(catalogue, before.iter().rev().chain(after).copied())?;
            for entry in run {
                let beside = known.as_ref().or(vouched.as_ref());
                let (found, bytes) = self.judge_beside(catalogue, entry, beside)?;
                judged.insert((entry.1.version, entry.1.digest), found);
                if let Some(bytes) = bytes.filter(|_| found.mark.is_last_good()) {
                    vouched = Some(Good { bytes, dialect: found.dialect });
                }
            }
        }
        Ok(judged)
    }

    /// The first of them that is recorded as good, and whole.
    fn first_good<'a>(
        &self,
        catalogue: &Catalogue,
        versions: impl Iterator<Item = &'a (OsString, VersionName)>,
    ) -> Result<Option<Good>> {
        for (name, found) in versions {
            let Some(remark) = catalogue.remark(found).filter(|remark| remark.mark.is_last_good()) else { continue };
            match self.checked(catalogue, name, found) {
                Ok(bytes) => return Ok(Some(Good { bytes, dialect: remark.dialect })),
                Err(error) if is_rotten(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// One of them, and its bytes, if they are whole.
    fn judge_beside(
        &self,
        catalogue: &Catalogue,
        (name, found): &(OsString, VersionName),
        beside: Option<&Good>,
    ) -> Result<(Found, Option<Vec<u8>>)> {
        let newest = || catalogue.record.newest().map(|(_, remark)| remark.dialect);
        let enrolled = beside.map(|good| good.dialect).or_else(newest);
        // Whoever wants to use what is no version any more will see what is wrong with it.
        let unknown = (Mark::Uncertified, enrolled.unwrap_or(Dialect::Json));
        let bytes = match self.checked(catalogue, name, found) {
            Ok(bytes) => bytes,
            Err(error) if is_rotten(&error) => {
                return Ok((Found { mark: unknown.0, dialect: unknown.1, bytes: None }, None));
            }
            Err(error) => return Err(error),
        };
        let named = validate::dialect_of_name(self.document.name());
        let reader = Reader { dialect: None, enrolled, named, literal: true };
        let beside = beside.map(|good| Content { bytes: &good.bytes, dialect: good.dialect });
        let (mark, dialect) = match validate::judge_after(&bytes, &reader, beside, &self.expectations) {
            Verdict::Valid { dialect, .. } => (Mark::Uncertified, dialect),
            Verdict::Suspicious(dialect, _) => (Mark::Suspicious, dialect),
            Verdict::Corrupt(_) | Verdict::Told(_) => unknown,
        };
        Ok((Found { mark, dialect, bytes: Some(bytes.len() as u64) }, Some(bytes)))
    }
}
