//! Placeholders where values were: a file that went through a log filter, a support bundle or an export, and came back.

use std::collections::{HashMap, HashSet};

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
    let (many, few) = (counted(new.iter().map(|(pointer, _)| pointer)), counted(before.iter()));
    // Entries of arrays move: what only changed its place masks nothing.
    let has_moved = |pointer: &str| {
        let place = anywhere(pointer);
        place != pointer && many.get(&place) <= few.get(&place)
    };
    new.retain(|(pointer, _)| !before.contains(pointer) && !has_moved(pointer));
    new.into_iter()
        .take(LOOKED_UP)
        .find(|(pointer, _)| find(last_good, pointer).is_some_and(|token| says_something(token.raw)))
}

/// How many pointers there are for each place, whatever the entry.
fn counted<'p>(pointers: impl Iterator<Item = &'p String>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for pointer in pointers {
        *counts.entry(anywhere(pointer)).or_insert(0) += 1;
    }
    counts
}

/// A pointer to the same place in any entry of the arrays on its way.
fn anywhere(pointer: &str) -> String {
    let is_index = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let segments: Vec<&str> = pointer.split('/').map(|segment| if is_index(segment) { "*" } else { segment }).collect();
    segments.join("/")
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

    #[test]
    fn an_entry_that_moves_masks_nothing_and_one_more_that_is_masked_does() {
        let before = r#"{"s":[{"v":"real"},{"v":"real2"},{"v":"***"}]}"#;
        assert_eq!(found(r#"{"s":[{"v":"real"},{"v":"***"}]}"#, before), None);
        assert_eq!(found(r#"{"s":[{"v":"***"},{"v":"real"},{"v":"real2"}]}"#, before), None);
        assert_eq!(found(r#"{"s":[{"v":"***"},{"v":"real2"},{"v":"***"}]}"#, before), Some("/s/0/v".into()));
        assert_eq!(found(r#"["***","real"]"#, r#"["real","***"]"#), None);
    }
}
