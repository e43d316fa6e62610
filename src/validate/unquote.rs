//! What a key or a string says, without its quotation marks and escapes.

use std::borrow::Cow;

/// What the text of a key or a string says, quoted in either way or not at all. Half a surrogate pair, which no text can
/// hold, becomes U+FFFD.
pub(crate) fn unquote(raw: &[u8]) -> Cow<'_, str> {
    let inner = match raw {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        whole => whole,
    };
    let text = String::from_utf8_lossy(inner);
    if text.contains('\\') { Cow::Owned(unescape(&text)) } else { text }
}

fn unescape(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        said.push_str(plain);
        rest = one(escaped, &mut said);
    }
    said.push_str(rest);
    said
}

/// Says what the escape behind a backslash means; returns what stands behind it.
fn one<'t>(escaped: &'t str, said: &mut String) -> &'t str {
    let mut characters = escaped.chars();
    let meaning = match characters.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{b}',
        Some('0') => '\0',
        // A string that goes on in the next line.
        Some('\r') => return characters.as_str().strip_prefix('\n').unwrap_or(characters.as_str()),
        Some('\n' | '\u{2028}' | '\u{2029}') | None => return characters.as_str(),
        Some('x') => return of_two(characters.as_str(), said),
        Some('u') => return of_four(characters.as_str(), said),
        Some(itself) => itself,
    };
    said.push(meaning);
    characters.as_str()
}

fn of_two<'t>(digits: &'t str, said: &mut String) -> &'t str {
    let (unit, rest) = unit(digits, 2);
    said.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

fn of_four<'t>(digits: &'t str, said: &mut String) -> &'t str {
    let (first, rest) = unit(digits, 4);
    if let Some(lower) = rest.strip_prefix("\\u").filter(|_| (0xd800..0xdc00).contains(&first)) {
        let (second, behind) = unit(lower, 4);
        if (0xdc00..0xe000).contains(&second) {
            let whole = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            said.push(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER));
            return behind;
        }
    }
    said.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

/// A number of so many hexadecimal digits, and what stands behind it.
fn unit(digits: &str, count: usize) -> (u32, &str) {
    let Some((number, rest)) = digits.split_at_checked(count) else { return (0xfffd, "") };
    (u32::from_str_radix(number, 16).unwrap_or(0xfffd), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_serde_json_says() {
        for text in [r#""""#, r#""a\"\\\/\b\f\n\r\t""#, r#""\u00e9\ud83d\ude00x""#, r#""plain é""#] {
            assert_eq!(unquote(text.as_bytes()), serde_json::from_str::<String>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn half_pairs_other_quotes_and_names_are_said_too() {
        let cases = [
            (r#""\ud800\u0041""#, "\u{fffd}A"),
            (r"'\x41\v\'\0'", "A\u{b}'\0"),
            ("name", "name"),
            ("'a\\\r\nb'", "ab"),
        ];
        for (raw, expected) in cases {
            assert_eq!(unquote(raw.as_bytes()), expected, "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in "\\PC{0,20}|[\\\\uxd80-9a-f\"']{0,20}") {
            let _ = unquote(raw.as_bytes());
        }
    }
}
