//! Where in a document a token stands, as a JSON Pointer.

use super::Content;
use super::pointer::escaped;
use super::syntax::Inside;
use super::tokens::{Token, What};
use super::unquote::unquote;
use crate::document::Dialect;

/// Deeper than this no path is told: it would say nothing to anybody, and memory stays small.
const TOLD_DEPTH: usize = 64;

/// The path of the token met last.
pub(super) struct Paths<'t> {
    /// One step for each open container, outermost first: where in it we are.
    steps: Vec<Step<'t>>,
    /// Open containers beyond those.
    beyond: usize,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    /// At the value of this key, as it is written.
    Key(&'t [u8]),
    /// At the value with this number; `None`: before the first.
    Index(Option<u64>),
}

impl<'t> Paths<'t> {
    /// Before the first token of a text; JSON Lines are an array of their lines.
    pub(super) fn new(content: Content<'t>) -> Self {
        let steps = if content.dialect == Dialect::Jsonl { vec![Step::Index(None)] } else { Vec::new() };
        Self { steps, beyond: 0 }
    }

    /// Goes on to the next token.
    pub(super) fn meet(&mut self, token: &Token<'t>) {
        if token.what == What::Close {
            if self.beyond > 0 {
                self.beyond -= 1;
            } else {
                self.steps.pop();
            }
            return;
        }
        if self.beyond == 0 {
            self.advance(token);
        }
        if let What::Open(inside) = token.what {
            self.enter(inside);
        }
    }

    fn advance(&mut self, token: &Token<'t>) {
        match self.steps.last_mut() {
            Some(step @ Step::Key(_)) if token.what == What::Key => *step = Step::Key(token.raw),
            Some(Step::Index(index)) if token.is_value() => *index = Some(index.map_or(0, |index| index + 1)),
            _ => {}
        }
    }

    fn enter(&mut self, inside: Inside) {
        if self.steps.len() >= TOLD_DEPTH || self.beyond > 0 {
            self.beyond += 1;
            return;
        }
        self.steps.push(match inside {
            Inside::Object => Step::Key(b""),
            Inside::Array => Step::Index(None),
        });
    }

    /// The path of a key, or of a scalar; `None`: too deep.
    pub(super) fn pointer(&self) -> Option<String> {
        if self.beyond > 0 {
            return None;
        }
        let mut pointer = String::new();
        for step in &self.steps {
            pointer.push('/');
            match step {
                Step::Key(raw) => pointer.push_str(&escaped(&unquote(raw))),
                Step::Index(index) => pointer.push_str(&index.unwrap_or_default().to_string()),
            }
        }
        Some(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::Tokens;
    use super::*;

    fn pointers(text: &str, dialect: Dialect) -> Vec<String> {
        let content = Content { bytes: text.as_bytes(), dialect };
        let mut paths = Paths::new(content);
        let mut found = Vec::new();
        for token in Tokens::new(content) {
            paths.meet(&token);
            if token.what == What::Scalar {
                found.push(paths.pointer().unwrap_or_else(|| "too deep".into()));
            }
        }
        found
    }

    #[test]
    fn every_scalar_has_its_pointer() {
        let text = r#"{"a":[1,{"b":2},[3],4],"c/d":{},"e":5}"#;
        assert_eq!(pointers(text, Dialect::Json), ["/a/0", "/a/1/b", "/a/2/0", "/a/3", "/e"]);
        assert_eq!(pointers("1\n{\"a\":2}\n", Dialect::Jsonl), ["/0", "/1/a"]);
        assert_eq!(pointers("7", Dialect::Json), [""]);
    }

    #[test]
    fn what_lies_too_deep_has_none_and_what_follows_has_its_own_again() {
        let text = format!("[{}1{},2]", "[".repeat(100), "]".repeat(100));
        assert_eq!(pointers(&text, Dialect::Json), ["too deep", "/1"]);
    }
}
