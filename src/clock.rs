//! The only reader of the wall clock. Spans are measured with [`std::time::Instant`], which no administrator can set back;
//! the wall clock only dates what people read.

use std::time::{Duration, SystemTime};

pub use jiff::Timestamp;

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// How long ago the kernel says that something happened; zero when the clock has been set back since.
#[must_use]
pub fn elapsed_since(seconds: i64, nanoseconds: u32) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = u64::try_from(seconds).map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanoseconds));
    now.saturating_sub(then)
}

/// A moment as file names carry it: `20261122T040005.123456Z`, UTC, microseconds.
#[must_use]
pub fn stamp(moment: Timestamp) -> String {
    moment.strftime("%Y%m%dT%H%M%S.%6fZ").to_string()
}

/// Reads what [`stamp`] wrote.
#[must_use]
pub fn parse_stamp(text: &str) -> Option<Timestamp> {
    jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", text)
        .ok()
        .and_then(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|moment| moment.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_to_the_microsecond() {
        let moment = Timestamp::new(1_795_320_005, 123_456_000).unwrap();
        assert_eq!(stamp(moment), "20261122T040005.123456Z");
        assert_eq!(parse_stamp(&stamp(moment)), Some(moment));
        assert_eq!(parse_stamp("yesterday"), None);
    }
}
