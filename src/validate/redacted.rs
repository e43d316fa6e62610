//! Placeholders where values were: a file that went through a log filter, a support bundle or an export, and came back.

mod entries;
mod masking;
#[cfg(test)]
mod tests;

use std::hash::RandomState;

use super::Content;
use super::paths::Paths;
use super::tokens::{Tokens, What};
use super::tree::{Index, Shape, Tree};
use super::unquote::unquote;
use masking::Masking;

/// Of documents that hold more values nothing is said: the trees that are compared take 24 bytes for each.
const VALUES_MAX: usize = 4 << 20;

/// The first pointer at which a placeholder stands for what the last good version says, and where that is. Entries of
/// arrays are matched by content: what only moved, came or went masks nothing.
pub(super) fn redacted(now: Content, last_good: Content) -> Option<(String, usize)> {
    if !Tokens::new(now).any(|token| token.what == What::Scalar && is_placeholder(token.raw)) {
        return None;
    }
    let keys = RandomState::new();
    let (new, old) = (Tree::of(now, &keys, VALUES_MAX).ok()?, Tree::of(last_good, &keys, VALUES_MAX).ok()?);
    let offset = new.offset(Masking::new(&old, &new, &placeholders(&new)).first()?);
    Some((pointer_at(now, offset), offset))
}

fn placeholders(tree: &Tree) -> Vec<Index> {
    let is_one = |value: &Index| tree.shape(*value) == Shape::Scalar && is_placeholder(tree.text(*value));
    tree.root().into_iter().flat_map(|root| tree.places(root)).filter(is_one).collect()
}

/// The pointer of the value that begins at `offset`; so deep that it says nothing to anybody, none.
fn pointer_at(content: Content, offset: usize) -> String {
    let mut paths = Paths::new(content);
    for token in Tokens::new(content) {
        paths.meet(&token);
        if token.offset == offset {
            break;
        }
    }
    paths.pointer().unwrap_or_default()
}

/// Nobody misses what said nothing.
fn says_something(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"\"\"" | b"''")
}

/// `***`, `•••`, `[redacted]`, `**REDACTED**`, `<hidden>`: a word for "not shown" in brackets or stars, or nothing but
/// stars or bullets.
fn is_placeholder(raw: &[u8]) -> bool {
    if !(5..=64).contains(&raw.len()) || !matches!(raw.first(), Some(b'"' | b'\'')) {
        return false;
    }
    // Most strings are told apart by their first letter.
    if !matches!(
        raw[1],
        b'*' | b'[' | b'<' | b'>' | b']' | b'(' | b')' | b'{' | b'}' | b'_' | b'#' | b'R' | b'\\' | 0x80..
    ) {
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
