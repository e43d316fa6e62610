//! Findings: what readers may stumble over in a document that reads. A pass of its own, beside judging: it is asked only of
//! versions that are new.

use std::hash::{BuildHasher, RandomState};

use super::Content;
use super::paths::Paths;
use super::syntax::Inside;
use super::text::{BYTE_ORDER_MARK, place};
use super::tokens::{Token, Tokens, What};
use super::unquote::unquote;
use crate::verdict::{Finding, Found};

/// Readers that go no deeper: .NET's System.Text.Json (64 by default); next come Ruby (100) and serde_json (128).
const COMMON_DEPTH: usize = 64;

/// So many keys of open objects are compared; whoever has more at once has findings of another kind. Bounds memory.
const COMPARED_KEYS: usize = 1 << 22;

/// The first finding of each kind in valid bytes, in the order they stand. Linear but for sorting the keys of each object.
#[must_use]
pub fn findings(content: Content) -> Vec<Found> {
    let mut noticed = Noticed::default();
    if content.bytes.starts_with(BYTE_ORDER_MARK) {
        noticed.at(Finding::Bom, 0);
    }
    let mut keys = Keys::default();
    let mut depth = 0_usize;
    for token in Tokens::new(content) {
        match token.what {
            What::Open(inside) => {
                depth += 1;
                if depth > COMMON_DEPTH {
                    noticed.at(Finding::TooDeep, token.offset);
                }
                keys.open(inside);
            }
            What::Close => {
                depth = depth.saturating_sub(1);
                if let Some(offset) = keys.close(token.raw == b"}") {
                    noticed.at(Finding::DuplicateKey, offset);
                }
            }
            What::Key => keys.add(&token),
            What::Scalar if is_beyond_doubles(token.raw) => noticed.at(Finding::NumberRange, token.offset),
            What::Scalar => {}
        }
        if has_lone_surrogate(token.raw) {
            noticed.at(Finding::LoneSurrogate, token.offset);
        }
    }
    noticed.told(content)
}

/// Where each kind stands first.
#[derive(Default)]
struct Noticed(Vec<(usize, Finding)>);

impl Noticed {
    fn at(&mut self, finding: Finding, offset: usize) {
        match self.0.iter_mut().find(|(_, noticed)| *noticed == finding) {
            Some((first, _)) => *first = offset.min(*first),
            None => self.0.push((offset, finding)),
        }
    }

    /// A second reading tells the paths; it is rare that there is something to tell.
    fn told(mut self, content: Content) -> Vec<Found> {
        self.0.sort_unstable_by_key(|(offset, _)| *offset);
        let mut paths = Paths::new(content);
        let mut tokens = Tokens::new(content);
        let mut found = Vec::with_capacity(self.0.len());
        let mut last = None;
        for (offset, finding) in self.0 {
            while last.is_none_or(|last| last < offset) {
                let Some(token) = tokens.next() else { break };
                paths.meet(&token);
                last = Some(token.offset);
            }
            let path = if finding == Finding::Bom { None } else { paths.pointer() };
            found.push(Found { finding, place: place(content.bytes, offset), path });
        }
        found
    }
}

/// The keys of the open objects, as hashes with the offsets they stand at.
#[derive(Default)]
struct Keys {
    hasher: RandomState,
    seen: Vec<(u64, usize)>,
    /// Where in `seen` those of each open object begin.
    objects: Vec<usize>,
}

impl Keys {
    fn open(&mut self, inside: Inside) {
        if inside == Inside::Object {
            self.objects.push(self.seen.len());
        }
    }

    fn add(&mut self, key: &Token) {
        if self.seen.len() < COMPARED_KEYS {
            self.seen.push((self.hasher.hash_one(unquote(key.raw)), key.offset));
        }
    }

    /// Where the object that ends has a key for the second time.
    fn close(&mut self, is_object: bool) -> Option<usize> {
        let begun = if is_object { self.objects.pop()? } else { return None };
        let own = self.seen.get_mut(begun..)?;
        own.sort_unstable();
        let twice = own.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min();
        self.seen.truncate(begun);
        twice
    }
}

/// Would a double be another number, or none?
fn is_beyond_doubles(raw: &[u8]) -> bool {
    let is_short = raw.len() < 16 && !raw.iter().any(|byte| matches!(byte, b'e' | b'E'));
    let is_number = matches!(raw.first(), Some(b'-' | b'+' | b'.' | b'0'..=b'9')) && !raw.ends_with(b"y");
    let Some(text) = std::str::from_utf8(raw).ok().filter(|_| is_number && !is_short) else { return false };
    let digits = text.trim_start_matches(['-', '+']);
    let Ok(double) = text.parse::<f64>() else { return false };
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // What a program that has only doubles wrote is as short as can be, and comes back as the same double.
        return format!("{}", double.abs()) != digits && text.parse().map_or(true, |whole| is_inexact(whole, double));
    }
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    double.is_infinite() || (double == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

#[expect(clippy::cast_possible_truncation, reason = "whether it is lost is the question")]
fn is_inexact(number: i128, double: f64) -> bool {
    double as i128 != number
}

/// An escape for one half of a surrogate pair without the other.
fn has_lone_surrogate(raw: &[u8]) -> bool {
    if !raw.contains(&b'\\') {
        return false;
    }
    let (mut at, mut is_upper_before) = (0, false);
    while let Some(byte) = raw.get(at) {
        let half = if *byte == b'\\' { half(raw, at) } else { None };
        match half {
            Some(Half::Upper) if !is_upper_before => is_upper_before = true,
            Some(Half::Lower) if is_upper_before => is_upper_before = false,
            None if !is_upper_before => {}
            _ => return true,
        }
        at += match (byte, half) {
            (b'\\', Some(_)) => 6,
            (b'\\', None) => 2,
            _ => 1,
        };
    }
    is_upper_before
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Upper,
    Lower,
}

fn half(raw: &[u8], at: usize) -> Option<Half> {
    let escape = raw.get(at..at + 6)?;
    let is_surrogate = escape[1] == b'u' && matches!(escape[2], b'd' | b'D');
    match escape[3] {
        b'8' | b'9' | b'a' | b'b' | b'A' | b'B' if is_surrogate => Some(Half::Upper),
        b'c'..=b'f' | b'C'..=b'F' if is_surrogate => Some(Half::Lower),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Dialect;

    fn found(text: &str) -> Vec<(Finding, u64, String)> {
        let found = findings(Content { bytes: text.as_bytes(), dialect: Dialect::Json });
        found.into_iter().map(|one| (one.finding, one.place.column, one.path.unwrap_or_default())).collect()
    }

    #[test]
    fn each_kind_is_found_with_its_place_and_path() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let text = format!(
            "\u{feff}{{\"a\":[{{\"b\":1,\"b\":2}}],\"c\":\"\\ud800\",\"d\":1e999,\"e\":{deep},\"f\":{{\"f\":9007199254740993}}}}"
        );
        let expected = [
            (Finding::Bom, 1, ""),
            (Finding::DuplicateKey, 14, "/a/0/b"),
            (Finding::LoneSurrogate, 26, "/c"),
            (Finding::NumberRange, 39, "/d"),
            (Finding::TooDeep, 112, ""),
        ];
        let expected: Vec<_> =
            expected.into_iter().map(|(kind, column, path)| (kind, column, path.to_owned())).collect();
        assert_eq!(found(&text), expected);
    }

    #[test]
    fn what_every_reader_reads_alike_is_no_finding() {
        for text in [
            r#"{"a":{"b":1},"b":2,"c":[{"b":3},{"b":4}]}"#,
            r#"["\ud83d\ude00", "\\ud800", "é", "\u00e9"]"#,
            "[9007199254740992, -9007199254740993e-1, 0.1, 1e308, 0e999, 123456789012345680000, 0.0000000000000000000]",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert_eq!(found(&deep), []);
    }

    #[test]
    fn the_same_key_is_the_same_however_it_is_written() {
        assert_eq!(found(r#"{"a":1,"b":2,"\u0061":3}"#), [(Finding::DuplicateKey, 14, "/a".to_owned())]);
    }

    #[test]
    fn every_half_pair_is_told_from_a_whole_one() {
        for lone in [r"\ud800", r"\udc00", r"\ud800\ud800\udc00", r"\ud800x\udc00", r"\udc00\ud800", r"\ud800\n"] {
            assert!(has_lone_surrogate(format!("\"{lone}\"").as_bytes()), "{lone}");
        }
        assert!(!has_lone_surrogate(br#""\\\ud83d\ude00\ud83D\uDE00\"""#));
    }

    #[test]
    fn numbers_that_a_double_loses_are_told() {
        for number in ["9007199254740993", "-123456789012345678", "1e400", "-1E+309", "1e-400", &"9".repeat(50)] {
            assert!(is_beyond_doubles(number.as_bytes()), "{number}");
        }
        assert!(!is_beyond_doubles(b"-Infinity") && !is_beyond_doubles(b"\"9007199254740993\""));
    }

    #[test]
    fn five_million_levels_are_looked_through() {
        let deep = "[{\"a\":".repeat(2_500_000) + "1" + &"}]".repeat(2_500_000);
        assert_eq!(found(&deep).len(), 1);
    }
}
