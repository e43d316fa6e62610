//! Spans, sizes and shares, as people write them: `10m`, `64MiB`, `5%`.

use std::fmt::Write;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::Share;

/// Reads a span: `1s`, `1m30s`, `14d`. A day is 24 hours; months and years, which vary, are refused.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no span; write a number with a unit (ms, s, m, h or d), such as \"10s\"");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let whole = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    if whole < SignedDuration::ZERO {
        return Err(format!("{text:?} is negative; write how long, without a sign"));
    }
    Duration::try_from(whole).map_err(|_| wrong())
}

/// A span as [`parse_span`] reads it.
#[must_use]
pub fn span_text(span: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut rest = span.as_nanos();
    let mut text = String::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Reads a size: `64MiB`, `10GB`, or a plain number of bytes.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let size: Result<ByteSize, _> = text.parse();
    size.map(|size| size.as_u64())
        .map_err(|_| format!("{text:?} is no size; write a number with a unit (KiB, MiB, GiB), such as \"64MiB\""))
}

/// A size as [`parse_size`] reads it, without loss.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    UNITS
        .iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(|| format!("{bytes}B"), |(shift, name)| format!("{}{name}", bytes >> shift))
}

/// Reads a share of a file system: `5%`, or a size.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse_share(text: &str) -> Result<Share, String> {
    let Some(number) = text.strip_suffix('%') else {
        return parse_size(text)
            .map(Share::Bytes)
            .map_err(|_| format!("{text:?} is neither a share nor a size; write \"5%\" or \"2GiB\""));
    };
    match number.trim_end().parse::<f64>() {
        Ok(percent) if (0.0..=90.0).contains(&percent) => Ok(Share::Percent(percent)),
        Ok(_) => Err(format!("{text:?} is out of bounds; write a share from \"0%\" to \"90%\"")),
        Err(_) => Err(format!("{text:?} is no share; write a number before the sign, such as \"5%\"")),
    }
}

/// A share as [`parse_share`] reads it.
#[must_use]
pub fn share_text(share: Share) -> String {
    match share {
        Share::Bytes(bytes) => size_text(bytes),
        Share::Percent(percent) => format!("{percent}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_24_hours_and_a_month_is_no_span() {
        assert_eq!(parse_span("14d"), Ok(Duration::from_secs(14 * 86_400)));
        assert_eq!(parse_span("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_span("0s"), Ok(Duration::ZERO));
        for bad in ["", "5", "5 parsecs", "1mo", "1y", "-1s", "1s ago"] {
            assert!(parse_span(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn sizes_are_exact_or_refused() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1000"), Ok(1000));
        for bad in ["", "lots", "5 parsecs", "-1", "1.5.1MiB"] {
            assert!(parse_size(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_share_is_a_percentage_that_leaves_room_or_a_size() {
        assert_eq!(parse_share("5%"), Ok(Share::Percent(5.0)));
        assert_eq!(parse_share("2GiB"), Ok(Share::Bytes(2 << 30)));
        for bad in ["%", "NaN%", "inf%", "-1%", "91%", "five"] {
            assert!(parse_share(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for span in ["0s", "100ms", "1s", "10m", "1h30m", "14d"] {
            assert_eq!(parse_span(span).map(span_text).as_deref(), Ok(span));
        }
        for size in ["0B", "1B", "1KiB", "64MiB", "10GiB", "1000B"] {
            assert_eq!(parse_size(size).map(size_text).as_deref(), Ok(size));
        }
        for share in ["5%", "0.5%", "2GiB"] {
            assert_eq!(parse_share(share).map(share_text).as_deref(), Ok(share));
        }
    }
}
