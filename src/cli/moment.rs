//! VERSION and TIME, as people type them.

use std::str::FromStr;

use crate::clock::{self, Timestamp};
use crate::config::quantity::parse_span;
use crate::document::{Stored, Version};

/// A version: `42`, `latest`, or `latest~2` for the second before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionWanted {
    Number(Version),
    Latest { back: usize },
}

impl FromStr for VersionWanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no version; write its number, \"latest\", or \"latest~2\"");
        let Some(rest) = text.strip_prefix("latest") else {
            return text.parse().map(|number| Self::Number(Version(number))).map_err(|_| wrong());
        };
        if rest.is_empty() {
            return Ok(Self::Latest { back: 0 });
        }
        let back = rest.strip_prefix('~').and_then(|back| back.parse().ok()).ok_or_else(wrong)?;
        Ok(Self::Latest { back })
    }
}

impl VersionWanted {
    /// That version among these, newest first.
    pub(super) fn among(self, versions: &[Stored]) -> Option<&Stored> {
        match self {
            Self::Number(number) => versions.iter().find(|stored| stored.version == number),
            Self::Latest { back } => versions.get(back),
        }
    }
}

/// A moment: RFC 3339, or a span ago.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let wrong = || format!("{text:?} is no time; write 2026-11-22T04:00:05Z, or a span ago such as \"10m\"");
    let ago = parse_span(text).map_err(|_| wrong())?;
    clock::now().checked_sub(ago).map_err(|_| wrong())
}

/// The version that was the newest at a moment, among these, newest first.
pub(super) fn newest_at(versions: &[Stored], moment: Timestamp) -> Option<&Stored> {
    versions.iter().find(|stored| stored.taken <= moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_or_counted_back_from_the_latest() {
        assert_eq!("42".parse(), Ok(VersionWanted::Number(Version(42))));
        assert_eq!("latest".parse(), Ok(VersionWanted::Latest { back: 0 }));
        assert_eq!("latest~2".parse(), Ok(VersionWanted::Latest { back: 2 }));
        for bad in ["", "-1", "newest", "latest~", "latest~x", "latest2"] {
            assert!(bad.parse::<VersionWanted>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_time_is_a_date_or_a_span_ago() {
        assert_eq!(parse_moment("2026-11-22T04:00:05Z"), Ok("2026-11-22T04:00:05Z".parse().unwrap()));
        let ago = parse_moment("10m").unwrap();
        assert!(clock::now().duration_since(ago).as_secs() >= 600);
        for bad in ["", "yesterday", "5 parsecs", "40000000d"] {
            assert!(parse_moment(bad).is_err(), "{bad:?} was taken");
        }
    }
}
