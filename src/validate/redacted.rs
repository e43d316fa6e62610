//! Placeholders where values were: a file that went through a log filter, a support bundle or an export, and came back.

use std::collections::HashSet;

use super::Content;
use super::paths::Paths;
use super::pointer::find;
use super::tokens::{Tokens, What};
use super::unquote::unquote;

/// So many placeholders of the last good version are remembered; whoever has more lives with them.
const REMEMBERED: usize = 10_000;

/// So many new placeholders are looked up: each costs a reading of the last good version.
const LOOKED_UP: usize = 16;

/// The first pointer at which a placeholder stands where the last good version has a value, and where that is.
pub(super) fn redacted(now: Content, last_good: Content) -> Option<(String, usize)> {
    let mut new = placeholders(now, LOOKED_UP + REMEMBERED);
    if new.is_empty() {
        return None;
    }
    let before: HashSet<String> = placeholders(last_good, REMEMBERED).into_iter().map(|(pointer, _)| pointer).collect();
    new.retain(|(pointer, _)| !before.contains(pointer));
    new.into_iter()
        .take(LOOKED_UP)
        .find(|(pointer, _)| find(last_good, pointer).is_some_and(|token| says_something(token.raw)))
}

/// Nobody misses what said nothing.
fn says_something(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"\"\"" | b"''")
}

fn placeholders(content: Content, limit: usize) -> Vec<(String, usize)> {
    let mut paths = Paths::new(content);
    let mut found = Vec::new();
    for token in Tokens::new(content) {
        paths.meet(&token);
        if token.what == What::Scalar && is_placeholder(token.raw) && found.len() < limit {
            found.extend(paths.pointer().map(|pointer| (pointer, token.offset)));
        }
    }
    found
}

/// `***`, `•••`, `[redacted]`, `**REDACTED**`, `<hidden>`: a word for "not shown" in brackets or stars, or nothing but
/// stars or bullets.
fn is_placeholder(raw: &[u8]) -> bool {
    if !(5..=64).contains(&raw.len()) || !matches!(raw.first(), Some(b'"' | b'\'')) {
        return false;
    }
    let text = unquote(raw);
    let is_mark = |one: char| matches!(one, '*' | '•' | '●');
    if text.chars().count() >= 3 && text.chars().all(is_mark) {
        return true;
    }
    let word = text.trim_matches(|one: char| is_mark(one) || "[]<>(){}_#".contains(one));
    let is_wrapped = word.len() + 2 <= text.len();
    let words = ["redacted", "masked", "filtered", "hidden", "removed", "scrubbed"];
    word == "REDACTED" || (is_wrapped && words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Dialect;

    fn found(now: &str, before: &str) -> Option<String> {
        let json = |text: &'static str| Content { bytes: text.as_bytes(), dialect: Dialect::Json };
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        redacted(json(leak(now)), json(leak(before))).map(|(pointer, _)| pointer)
    }

    #[test]
    fn what_programs_write_instead_of_a_secret_is_known() {
        for placeholder in [
            "***",
            "********",
            "[redacted]",
            "**REDACTED**",
            "<Redacted>",
            "•••••",
            "[Filtered]",
            "REDACTED",
            "__hidden__",
        ] {
            assert!(is_placeholder(format!("\"{placeholder}\"").as_bytes()), "{placeholder}");
        }
        for value in ["**", "*", "hidden", "removed", "redacted by hand", "a***", "[x]", "visible: hidden"] {
            assert!(!is_placeholder(format!("\"{value}\"").as_bytes()), "{value}");
        }
    }

    #[test]
    fn only_a_placeholder_where_a_value_was_counts() {
        let before = r#"{"user":"a","token":"s3cret","old":"***","none":null}"#;
        assert_eq!(found(r#"{"user":"a","token":"***","old":"***"}"#, before), Some("/token".into()));
        assert_eq!(found(r#"{"user":"a","token":"new","old":"***","none":"***","more":"***"}"#, before), None);
    }
}
