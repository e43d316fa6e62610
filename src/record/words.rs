//! The sentences of the log: one plain sentence a fact, that a person can act on. Names are escaped by their `Display`.

use std::path::Path;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::Escaped;
use crate::event::Subject;
use crate::verdict::Fault;

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `once`, `17 times`.
pub(super) fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// `1 byte`, `512 bytes`, `3.4 MiB`.
pub(super) fn bytes(number: u64) -> String {
    match number {
        1 => "1 byte".to_owned(),
        0..10_000 => format!("{number} bytes"),
        _ => bytesize::ByteSize::b(number).display().iec().to_string(),
    }
}

/// `512 bytes left`, `512 bytes and 3 files left`.
pub(super) fn room(available_bytes: u64, available_files: Option<u64>) -> String {
    let available_bytes = bytes(available_bytes);
    match available_files.filter(|files| *files < 1_000) {
        None => format!("{available_bytes} left"),
        Some(files) => format!("{available_bytes} and {} left", count(usize::try_from(files).unwrap_or(0), "file")),
    }
}

/// Whether room for repairs is kept on a file system that is nearly full.
pub(super) fn spared(unspared: usize) -> String {
    match unspared {
        0 => "room for repairs is kept beside the guarded files".to_owned(),
        some => format!("there is no room to keep for repairs in {}", count(some, "folder")),
    }
}

/// `40 ms`, `1.2 s`, `3 minutes`.
pub(super) fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = span.as_secs();
    match UNITS.iter().find(|(unit, _)| seconds >= 2 * unit || (*unit == 60 && seconds >= 60)) {
        Some((unit, name)) => count(usize::try_from(seconds / unit).unwrap_or(usize::MAX), name),
        None if seconds >= 10 => format!("{seconds} s"),
        None if seconds >= 1 => format!("{:.1} s", span.as_secs_f64()),
        None => format!("{} ms", span.as_millis()),
    }
}

/// How long before `now` something was; nothing below a second, nor when the clock was set back since.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(then)).unwrap_or_default();
    if passed < Duration::from_secs(1) { "a moment ago".to_owned() } else { format!("{} ago", span(passed)) }
}

/// A path, safe to print.
pub(super) fn path(path: &Path) -> String {
    Escaped(path.as_os_str()).to_string()
}

/// `… is damaged: it ends in NUL bytes (nul_filled at 1:1)`.
pub(super) fn fault(fault: &Fault) -> String {
    format!("{} ({} at {})", fault.cause, fault.kind, fault.place)
}

/// Where the damaged bytes of a repaired file are now.
pub(super) fn kept(quarantine: Option<&Path>, damaged: u64) -> String {
    let (is_nothing, damaged) = (damaged == 0, bytes(damaged));
    match quarantine {
        Some(place) => format!("the damaged {damaged} are kept in {}", path(place)),
        None if is_nothing => "nothing stood at its name".to_owned(),
        None => format!("the damaged {damaged} could not be put in quarantine and stay beside the file"),
    }
}

/// What became of the bytes of a late writer.
pub(super) fn late_writer(subject: &Subject, kept_at: Option<&Path>) -> String {
    let document = &subject.document;
    match kept_at {
        None => {
            format!("{document}: a writer finished after the repair; its version is the newest and stands at the name")
        }
        Some(place) => {
            format!("{document}: a writer finished after the repair; what it wrote is kept at {}", path(place))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_unit_that_a_person_would_choose() {
        let told = |ms| span(Duration::from_millis(ms));
        assert_eq!(told(40), "40 ms");
        assert_eq!(told(1_234), "1.2 s");
        assert_eq!(told(42_000), "42 s");
        assert_eq!(told(60_000), "1 minute");
        assert_eq!(told(180_000), "3 minutes");
        assert_eq!(told(5_400_000), "90 minutes");
        assert_eq!(told(7_200_000), "2 hours");
        assert_eq!(told(200_000_000), "2 days");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let now = Timestamp::from_second(1_000).unwrap();
        assert_eq!(ago(Timestamp::from_second(2_000).unwrap(), now), "a moment ago");
        assert_eq!(ago(Timestamp::from_second(820).unwrap(), now), "3 minutes ago");
    }

    #[test]
    fn sizes_are_exact_while_they_are_small() {
        assert_eq!((bytes(1), bytes(512)), ("1 byte".to_owned(), "512 bytes".to_owned()));
        assert_eq!(bytes(1 << 20), "1.0 MiB");
    }
}
