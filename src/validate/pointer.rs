//! The value at a JSON Pointer (RFC 6901), found in one reading of the text. JSON Lines are an array of their lines.

use super::Content;
use super::syntax::Inside;
use super::tokens::{Token, Tokens, What};
use super::unquote::unquote;
use crate::document::Dialect;

/// The value at `pointer`: a scalar, or the bracket that begins a container. Of a key that stands there twice the last
/// counts, as it does for nearly every reader.
pub(super) fn find<'t>(content: Content<'t>, pointer: &str) -> Option<Token<'t>> {
    let segments: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
    if segments.is_empty() {
        return Tokens::new(content).next();
    }
    let is_lines = content.dialect == Dialect::Jsonl;
    let mut search = Search { segments: &segments, indexes: Vec::new(), depth: 0, is_next: false, found: None };
    if is_lines {
        search.enter();
    }
    for token in Tokens::new(content) {
        search.meet(token, is_lines);
    }
    search.found
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// A segment of a pointer, written as one.
pub(crate) fn escaped(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

struct Search<'s, 't> {
    segments: &'s [String],
    /// Of each open container on the way, outermost first: the index of its next value.
    indexes: Vec<usize>,
    /// Open containers.
    depth: usize,
    /// The value that begins next is on the way.
    is_next: bool,
    found: Option<Token<'t>>,
}

impl<'t> Search<'_, 't> {
    fn enter(&mut self) {
        self.indexes.push(0);
        self.depth += 1;
    }

    /// Is the innermost container on the way?
    fn is_on_the_way(&self) -> bool {
        self.depth == self.indexes.len()
    }

    fn meet(&mut self, token: Token<'t>, is_lines: bool) {
        match token.what {
            What::Key if self.is_on_the_way() => {
                let wanted = self.indexes.len().checked_sub(1).and_then(|level| self.segments.get(level));
                self.is_next = wanted.is_some_and(|wanted| unquote(token.raw) == wanted.as_str());
            }
            What::Open(_) | What::Scalar => self.value(token, is_lines),
            What::Close => {
                if self.is_on_the_way() {
                    self.indexes.pop();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            What::Key => {}
        }
    }

    fn value(&mut self, token: Token<'t>, is_lines: bool) {
        let is_wanted = self.is_on_the_way() && self.is_wanted(token, is_lines);
        let is_open = matches!(token.what, What::Open(_));
        if is_wanted {
            let arrived = self.indexes.len() == self.segments.len();
            self.found = arrived.then_some(token);
            if is_open && !arrived {
                return self.enter();
            }
        }
        if is_open {
            self.depth += 1;
        }
    }

    /// Is a value in a container on the way the next one to go to?
    fn is_wanted(&mut self, token: Token<'t>, is_lines: bool) -> bool {
        if token.parent == Some(Inside::Object) {
            return std::mem::take(&mut self.is_next);
        }
        if token.parent.is_none() && !is_lines {
            return true;
        }
        let level = self.indexes.len().saturating_sub(1);
        let (Some(index), Some(wanted)) = (self.indexes.last_mut(), self.segments.get(level)) else { return false };
        let is_wanted = *wanted == index.to_string();
        *index += 1;
        is_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> Option<String> {
        found(text, pointer, Dialect::Json)
    }

    fn found(text: &str, pointer: &str, dialect: Dialect) -> Option<String> {
        let token = find(Content { bytes: text.as_bytes(), dialect }, pointer)?;
        Some(String::from_utf8_lossy(token.raw).into_owned())
    }

    #[test]
    fn the_examples_of_rfc_6901() {
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        for pointer in ["/foo/0", "/foo/1", "/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"] {
            assert_eq!(at(text, pointer), value.pointer(pointer).map(ToString::to_string), "{pointer}");
        }
        assert_eq!(at(text, "").as_deref(), Some("{"));
        assert_eq!(at(text, "/foo").as_deref(), Some("["));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let text = r#"{"a":{"c":1},"b":[{"a":2},[3,4]],"d":{"b":5}}"#;
        for absent in ["/c", "/a/b", "/a/c/d", "/b/2", "/b/01", "/b/1/2", "/d/c", "/b/a"] {
            assert_eq!(at(text, absent), None, "{absent}");
        }
        assert_eq!(at(text, "/b/1/1").as_deref(), Some("4"));
        assert_eq!(at(text, "/d/b").as_deref(), Some("5"));
        assert_eq!(at("7", "").as_deref(), Some("7"));
        assert_eq!(at("7", "/a"), None);
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts() {
        assert_eq!(at(r#"{"a":1,"a":2}"#, "/a").as_deref(), Some("2"));
        assert_eq!(at(r#"{"a":{"b":1},"a":2}"#, "/a/b"), None);
    }

    #[test]
    fn json_lines_are_an_array_of_their_lines() {
        let text = "{\"a\":1}\n{\"a\":2}\n";
        assert_eq!(found(text, "/1/a", Dialect::Jsonl).as_deref(), Some("2"));
        assert_eq!(found(text, "/2/a", Dialect::Jsonl), None);
    }
}
