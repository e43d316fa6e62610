//! What a text says, as a digest: two texts that say the same value have the same one, however they are written.

use crate::document::Digest;
use crate::validate::{Inside, Tokens, What, unquote};

/// The digest of all the values of a text, one after the other. Keys are told apart by what they say, the last of the same
/// name counts; numbers by their value, to the last digit.
pub(super) fn of(tokens: Tokens) -> Digest {
    let mut meaning = Meaning::default();
    for token in tokens {
        match token.what {
            What::Key => meaning.key = Digest::of(said(token.raw).as_bytes()),
            What::Scalar => meaning.value(scalar(token.raw)),
            What::Open(inside) => meaning.open.push((inside, meaning.key, meaning.entries.len())),
            What::Close => meaning.close(),
        }
    }
    listed(b'v', &meaning.entries)
}

/// Values that are complete, those of each open container behind those of the one around it.
struct Meaning {
    entries: Vec<(Digest, Digest)>,
    open: Vec<(Inside, Digest, usize)>,
    /// Of the value that comes next, if it is an object's.
    key: Digest,
}

impl Default for Meaning {
    fn default() -> Self {
        Self { entries: Vec::new(), open: Vec::new(), key: Digest::of(b"") }
    }
}

impl Meaning {
    fn value(&mut self, value: Digest) {
        self.entries.push((self.key, value));
    }

    fn close(&mut self) {
        let Some((inside, key, start)) = self.open.pop() else { return };
        let mut own = self.entries.split_off(start.min(self.entries.len()));
        self.key = key;
        self.value(match inside {
            Inside::Array => listed(b'[', &own),
            Inside::Object => {
                own.reverse();
                own.sort_by_key(|(key, _)| *key);
                own.dedup_by_key(|(key, _)| *key);
                listed(b'{', &own)
            }
        });
    }
}

/// The digest of entries; of an array's, without keys.
fn listed(tag: u8, entries: &[(Digest, Digest)]) -> Digest {
    let mut text = vec![tag];
    for (key, value) in entries {
        if tag == b'{' {
            text.extend_from_slice(key.as_bytes());
        }
        text.extend_from_slice(value.as_bytes());
    }
    Digest::of(&text)
}

fn scalar(raw: &[u8]) -> Digest {
    let text = match raw.first() {
        Some(b'"' | b'\'') => format!("\"{}", said(raw)),
        Some(b'-' | b'+' | b'.' | b'0'..=b'9') => number(raw),
        _ => String::from_utf8_lossy(raw).into_owned(),
    };
    Digest::of(text.as_bytes())
}

/// What a string says; one with half a surrogate pair, which no text can hold, is taken as it is written.
fn said(raw: &[u8]) -> String {
    let said = unquote(raw);
    if said.contains('\u{fffd}') { String::from_utf8_lossy(raw).into_owned() } else { said.into_owned() }
}

/// A number in its one plainest form: `-12e3`, the digits without zeros at either end.
fn number(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).to_ascii_lowercase();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest.to_owned()),
        None => ("", text.trim_start_matches('+').to_owned()),
    };
    let text = match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).map_or(text.clone(), |number| number.to_string()),
        None => text,
    };
    let plain = plainest(&text).unwrap_or(text);
    if plain == "0" { plain } else { format!("{sign}{plain}") }
}

/// `None`: it is no number in base ten (JSON5's `Infinity`), or its exponent is beyond all use.
fn plainest(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let shortest = digits.trim_end_matches('0');
    if shortest.is_empty() {
        return Some("0".to_owned());
    }
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let shift = i64::try_from(digits.len() - shortest.len()).ok()? - i64::try_from(fraction.len()).ok()?;
    Some(format!("{shortest}e{}", exponent.checked_add(shift)?))
}

#[cfg(test)]
mod tests {
    use super::super::{Content, is_same_value};
    use crate::document::Dialect;

    fn same(one: &str, other: &str) -> bool {
        let content = |text| Content { bytes: str::as_bytes(text), dialect: Dialect::Json5 };
        is_same_value(content(one), content(other))
    }

    #[test]
    fn the_same_value_is_the_same_however_it_is_written() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.10", "+1E-1"),
            ("-0", "0e99"),
            ("0x1F", "31"),
            (".5", "5e-1"),
            ("12345678901234567890123.0", "12345678901234567890123"),
            (r#""\u0061\/""#, "'a/'"),
            (r#"{"a":1,"b":[2]}"#, "{b:[2.0,],/* c */a:1}"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("NaN", " NaN"),
        ] {
            assert!(same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn different_values_differ() {
        for (one, other) in [
            ("1", "\"1\""),
            ("9007199254740993", "9007199254740992"),
            ("1", "-1"),
            ("true", "\"true\""),
            ("[]", "{}"),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#""\ud800""#, r#""\ud801""#),
            ("[{}]", "[[]]"),
            ("Infinity", "-Infinity"),
        ] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn half_a_million_levels_are_compared() {
        let deep = "[".repeat(500_000) + &"]".repeat(500_000);
        assert!(same(&deep, &deep));
    }
}
