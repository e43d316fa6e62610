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
        let bytes = folder.bytes_of(version)?;
        return Ok(Chosen::Version(Choice { version: version.clone(), bytes }));
    }
    if let Some((newest, good)) = in_the_way(ground, folder, &versions)? {
        return Ok(Chosen::Suspicious(newest, good));
    }
    for version in versions.into_iter().filter(|version| version.mark.is_last_good()) {
        match folder.bytes_of(&version) {
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

/// The suspicious newest version, if it is not to be passed over, and the good one behind it. Nothing is passed over that is
/// suspicious only because what was recorded of it is lost: somebody may have accepted it.
fn in_the_way(ground: &Ground, folder: &Folder, newest_first: &[Stored]) -> Result<Option<(Version, Option<Version>)>> {
    let Some(newest) = newest_first.first().filter(|newest| newest.mark == Mark::Suspicious) else { return Ok(None) };
    let mut is_known = true;
    for stored in newest_first.iter().take_while(|stored| !stored.mark.is_last_good()) {
        is_known &= folder.is_recorded(stored)?;
    }
    let good = newest_first.iter().find(|stored| stored.mark.is_last_good()).map(|stored| stored.version);
    Ok((!ground.passes_suspicious || !is_known).then_some((newest.version, good)))
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
