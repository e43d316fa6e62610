//! The tokens of a text that is known to be valid, one after the other: what plausibility, findings and differences count
//! and compare. No value is built, and nothing recurses.
//!
//! *Invariant:* structure is not checked again: a text that no dialect reads gives some tokens, and then ends.

use super::syntax::{Inside, Json, Json5, Jsonc, Nesting, Python};
use super::text::Text;
use super::token::{Grammar, Step, blanks, scalar, string};
use super::{Content, json5};
use crate::document::Dialect;

/// One token. A comma or a colon is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    /// What it is.
    pub(crate) what: What,
    /// The container that it stands in.
    pub(crate) parent: Option<Inside>,
    /// Its text as written; of a container, the bracket.
    pub(crate) raw: &'t [u8],
    /// Where it begins, in bytes from the start of the file.
    pub(crate) offset: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A container begins.
    Open(Inside),
    /// The innermost container ends.
    Close,
    /// The key of the value that follows.
    Key,
    /// A string, a number, a word.
    Scalar,
}

impl Token<'_> {
    /// Does a value begin here?
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.what, What::Open(_) | What::Scalar)
    }
}

/// The words of one grammar.
struct Words {
    blanks: fn(&[u8], usize) -> Step,
    scalar: fn(&[u8], usize) -> Step,
    key: fn(&[u8], usize) -> Step,
}

/// The tokens of a text, in order. Of JSON Lines, those of one line after the other.
pub(crate) struct Tokens<'t> {
    text: &'t [u8],
    /// Where the text begins in the file.
    start: usize,
    at: usize,
    open: Nesting,
    wants_key: bool,
    words: &'static Words,
}

impl<'t> Tokens<'t> {
    pub(crate) fn new(content: Content<'t>) -> Self {
        let text = Text::new(content.bytes);
        let words = words_of(content.dialect);
        Self { text: text.body(), start: text.in_bytes(0), at: 0, open: Nesting::default(), wants_key: false, words }
    }

    /// The tokens of a valid text from the value on that begins at `offset`; those of what it stands in follow it.
    pub(crate) fn from(content: Content<'t>, offset: usize) -> Self {
        let words = words_of(content.dialect);
        Self { text: content.bytes, start: 0, at: offset, open: Nesting::default(), wants_key: false, words }
    }

    fn token(&mut self, what: What, parent: Option<Inside>, end: usize) -> Token<'t> {
        let (start, text) = (self.at, self.text);
        self.at = end;
        self.wants_key = match what {
            What::Open(inside) => inside == Inside::Object,
            What::Key => false,
            What::Close | What::Scalar => parent == Some(Inside::Object),
        };
        Token { what, parent, raw: text.get(start..end).unwrap_or_default(), offset: self.start + start }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            self.at = (self.words.blanks)(self.text, self.at).ok()?;
            let parent = self.open.innermost();
            let inside = match *self.text.get(self.at)? {
                b',' | b':' => {
                    self.at += 1;
                    continue;
                }
                b'{' => Inside::Object,
                b'[' => Inside::Array,
                b'}' | b']' => {
                    self.open.pop();
                    let parent = self.open.innermost();
                    return Some(self.token(What::Close, parent, self.at + 1));
                }
                _ if self.wants_key => {
                    let end = (self.words.key)(self.text, self.at).ok()?;
                    return Some(self.token(What::Key, parent, end));
                }
                _ => {
                    let end = (self.words.scalar)(self.text, self.at).ok()?;
                    return Some(self.token(What::Scalar, parent, end));
                }
            };
            self.open.push(inside);
            return Some(self.token(What::Open(inside), parent, self.at + 1));
        }
    }
}

/// Where behind `offset` of a valid text something stands that is neither blank nor comment: a token, a comma, a colon.
pub(crate) fn behind_blanks(content: Content, offset: usize) -> usize {
    (words_of(content.dialect).blanks)(content.bytes, offset).unwrap_or(content.bytes.len())
}

fn words_of(dialect: Dialect) -> &'static Words {
    match dialect {
        Dialect::Json => words::<Json>(),
        Dialect::Python | Dialect::Jsonl => words::<Python>(),
        Dialect::Jsonc => words::<Jsonc>(),
        Dialect::Json5 => words::<Json5>(),
    }
}

fn words<G: Grammar>() -> &'static Words {
    &const { Words { blanks: blanks::<G>, scalar: scalar::<G>, key: key::<G> } }
}

fn key<G: Grammar>(text: &[u8], at: usize) -> Step {
    if G::JSON5 { json5::key(text, at) } else { string::<G>(text, at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, dialect: Dialect) -> String {
        let tokens = Tokens::new(Content { bytes: text.as_bytes(), dialect });
        let word = |token: Token| match token.what {
            What::Key => format!("{}:", String::from_utf8_lossy(token.raw)),
            _ => String::from_utf8_lossy(token.raw).into_owned(),
        };
        tokens.map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys_are_told_from_values_at_every_depth() {
        assert_eq!(
            shown(r#" {"a": {"b":[1,"c"], "d":{}} , "e":null}"#, Dialect::Json),
            r#"{ "a": { "b": [ 1 "c" ] "d": { } } "e": null }"#
        );
    }

    #[test]
    fn every_dialect_is_read_in_its_own_words() {
        assert_eq!(shown("{\"a\":-Infinity}\n[NaN]\n", Dialect::Jsonl), "{ \"a\": -Infinity } [ NaN ]");
        assert_eq!(shown("{a:'x', /* y */ 0:.5,}", Dialect::Json5).as_str(), "{ a: 'x'");
        assert_eq!(shown("\u{feff}{a:'x', /* y */ \"b\":.5,}", Dialect::Json5), "{ a: 'x' \"b\": .5 }");
        assert_eq!(shown("// x\n[1, 2,]", Dialect::Jsonc), "[ 1 2 ]");
    }

    #[test]
    fn five_million_levels_are_read_to_the_end() {
        let deep = "[".repeat(5_000_000) + &"]".repeat(5_000_000);
        assert_eq!(Tokens::new(Content { bytes: deep.as_bytes(), dialect: Dialect::Json }).count(), 10_000_000);
    }

    #[test]
    fn a_text_that_is_not_valid_ends_early() {
        assert_eq!(shown("{\"a\":1, b", Dialect::Json), "{ \"a\": 1");
        assert_eq!(shown("]}{x", Dialect::Json), "] } {");
    }
}
