//! Which version a repair puts back.

use std::path::PathBuf;

use super::Ground;
use crate::backup::{Folder, is_rotten};
use crate::document::{Mark, Stored, Version};
use crate::error::Result;
use crate::verdict::Verdict;

/// The version chosen to be put back.
pub(super) struct Choice {
    pub version: Stored,
    pub bytes: Vec<u8>,
}

/// What choosing came to.
pub(super) enum Chosen {
    Version(Choice),
    /// This version is in the way; behind it is this good one.
    Suspicious(Version, Option<Version>),
    Nothing,
}

/// The newest version whose digest and today's rules both hold. A suspicious newest one is not passed over: a person must
/// say what it is. A version that a person wants is taken as it is.
pub(super) fn choose(
    ground: &Ground,
    folder: &Folder,
    wanted: Option<Version>,
    rotten: &mut Vec<(Version, PathBuf)>,
) -> Result<Chosen> {
    let versions = folder.versions()?;
    if let Some(version) = versions.iter().find(|stored| Some(stored.version) == wanted) {
        let bytes = folder.bytes(version.version)?;
        return Ok(Chosen::Version(Choice { version: version.clone(), bytes }));
    }
    let is_in_the_way = |newest: &&Stored| newest.mark == Mark::Suspicious && !ground.passes_suspicious;
    if let Some(newest) = versions.first().filter(is_in_the_way) {
        let good = versions.iter().find(|stored| stored.mark.is_last_good()).map(|stored| stored.version);
        return Ok(Chosen::Suspicious(newest.version, good));
    }
    for version in versions.into_iter().filter(|version| version.mark.is_last_good()) {
        match folder.bytes(version.version) {
            Ok(bytes) if may_be_put_back(&version, &(ground.judge)(&bytes)) => {
                return Ok(Chosen::Version(Choice { version, bytes }));
            }
            // Its own fault; another failure (no descriptor is left) says nothing against it, and must not cost its changes.
            Err(error) if !is_rotten(&error) => return Err(error),
            // What it was stored for, today's rules refuse: no fault of its own.
            Ok(_) => {}
            Err(_) => rotten.push((version.version, folder.path_of(version.version)?)),
        }
    }
    Ok(Chosen::Nothing)
}

/// Do today's rules hold for this version? Whatever was accepted is good, as long as it reads.
#[must_use]
pub fn may_be_put_back(stored: &Stored, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Valid { .. } => true,
        Verdict::Suspicious(..) => stored.mark == Mark::Accepted,
        Verdict::Corrupt(_) | Verdict::Told(_) => false,
    }
}
