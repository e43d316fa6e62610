//! What each stored version changed, for `history`: counted when somebody asks, and only as far as that is quick.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::differing::{counts_in_short, counts_json};
use crate::backup::Folder;
use crate::difference::{Counts, summary};
use crate::document::{Stored, Version};
use crate::error::Escaped;
use crate::validate::Content;

/// Nobody waits longer for a list. What is not compared by then is told as `…`.
const TIME_LIMIT: Duration = Duration::from_millis(1_500);

/// Larger versions are not compared, in bytes,
const BYTES_MAX: u64 = 16 << 20;

/// nor those that hold more values.
const VALUES_MAX: usize = 2 << 20;

/// So many paths are named.
const PATHS: usize = 2;

/// What a version changed.
pub(super) enum Changed {
    /// Nothing older is stored.
    First,
    /// It was not compared.
    Unknown,
    /// In the version before, so much; the first paths.
    Since(Version, Counts, Vec<String>),
}

/// What each of these versions, newest first, changed in the one before.
pub(super) fn changes(folder: &Folder, versions: &[Stored]) -> Vec<Changed> {
    let begun = Instant::now();
    let mut newer: Option<Vec<u8>> = None;
    let mut changes = Vec::with_capacity(versions.len());
    for (place, stored) in versions.iter().enumerate() {
        let Some(before) = versions.get(place + 1) else {
            changes.push(Changed::First);
            break;
        };
        if begun.elapsed() > TIME_LIMIT || stored.bytes.max(before.bytes) > BYTES_MAX {
            newer = None;
            changes.push(Changed::Unknown);
            continue;
        }
        // The old one of one comparison is the new one of the next.
        let after = newer.take().or_else(|| folder.bytes(stored.version).ok());
        let older = folder.bytes(before.version).ok();
        let compared = after.zip(older.as_ref()).and_then(|(after, older)| {
            let old = Content { bytes: older, dialect: before.dialect };
            let new = Content { bytes: &after, dialect: stored.dialect };
            summary(old, new, VALUES_MAX, PATHS).ok()
        });
        newer = older;
        changes
            .push(compared.map_or(Changed::Unknown, |(counts, paths)| Changed::Since(before.version, counts, paths)));
    }
    changes
}

impl Changed {
    /// `+3 -0 ~1 /a/b, /c`.
    pub(super) fn in_short(&self) -> String {
        match self {
            Self::First => "-".to_owned(),
            Self::Unknown => "…".to_owned(),
            Self::Since(_, counts, _) if counts.is_none() => "only formatting".to_owned(),
            Self::Since(_, counts, paths) => {
                let paths: Vec<String> = paths.iter().map(|path| in_short(path)).collect();
                format!("{} {}", counts_in_short(counts), paths.join(", ")).trim_end().to_owned()
            }
        }
    }

    pub(super) fn as_json(&self) -> Json {
        let Self::Since(since, counts, paths) = self else { return Json::Null };
        let mut told = counts_json(counts);
        told["since"] = since.0.into();
        told["paths"] = paths.as_slice().into();
        told
    }
}

/// A path, safe to print, and no longer than a table can bear: its end says most.
fn in_short(path: &str) -> String {
    const SHOWN: usize = 40;
    let length = path.chars().count();
    let end: String = path.chars().skip(length.saturating_sub(SHOWN)).collect();
    let cut = if length > SHOWN { "…" } else { "" };
    format!("{cut}{}", Escaped(OsStr::new(&end)))
}
