//! How a document is laid out, so that what is new looks like what was there.

use crate::validate::{Content, Inside, Token, Tokens, What};

/// So many tokens are looked at; whoever has shown no indentation by then has none.
const LOOKED_AT: usize = 4096;

/// Deeper values are written in one line: indentation would outgrow them.
const INDENTED_DEPTH: usize = 64;

/// How a document is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// What ends a line.
    pub(super) newline: &'static str,
    /// How much further the entries of a container are indented than the container; `None`: all stands in one line.
    pub(super) unit: Option<Vec<u8>>,
    /// What stands between a key and its value.
    pub(super) colon: Vec<u8>,
    /// What stands behind the comma between two entries of one line.
    pub(super) space: Vec<u8>,
}

impl Style {
    /// The style of a valid text.
    pub(super) fn of(content: Content) -> Self {
        let mut seen = Seen { bytes: content.bytes, unit: None, colon: None, space: None };
        let mut before: Option<Token> = None;
        for token in Tokens::new(content).take(LOOKED_AT) {
            if let Some(before) = before {
                seen.between(&before, &token);
            }
            before = Some(token);
        }
        let is_tight = seen.colon.is_some_and(|colon| colon == b":");
        let space = if is_tight && seen.unit.is_none() { b"".as_slice() } else { b" " };
        Self {
            newline: newline(content.bytes),
            unit: seen.unit,
            colon: seen.colon.unwrap_or(b": ").to_vec(),
            space: seen.space.unwrap_or(space).to_vec(),
        }
    }

    /// A JSON text as it is written here: over several lines, the entries of its container further indented than `indent`,
    /// or in one line. `null_means_absent`: the members that RFC 7386 takes out are left out.
    pub(super) fn lay_out(&self, json: Content, indent: Option<&[u8]>, null_means_absent: bool) -> Vec<u8> {
        let lines = indent.zip(self.unit.as_deref()).filter(|_| depth(json) <= INDENTED_DEPTH);
        let mut page = Page { style: self, lines, written: Vec::new(), depth: 0, is_first: true };
        let (mut key, mut arrays) = (None, 0_usize);
        for token in Tokens::new(json) {
            match token.what {
                What::Key => key = Some(token.raw),
                What::Scalar if null_means_absent && arrays == 0 && key.is_some() && token.raw == b"null" => key = None,
                What::Scalar => page.value(&token, key.take()),
                What::Open(inside) => {
                    page.value(&token, key.take());
                    page.enter();
                    arrays += usize::from(inside == Inside::Array);
                }
                What::Close => {
                    page.leave(token.raw);
                    arrays -= usize::from(token.raw == b"]");
                }
            }
        }
        page.written
    }
}

/// What the tokens of a text have shown of its style.
struct Seen<'t> {
    bytes: &'t [u8],
    unit: Option<Vec<u8>>,
    colon: Option<&'t [u8]>,
    space: Option<&'t [u8]>,
}

impl Seen<'_> {
    fn between(&mut self, before: &Token, token: &Token) {
        let gap = self.bytes.get(before.offset + before.raw.len()..token.offset).unwrap_or_default();
        match before.what {
            What::Key if is_plain(gap, b':') => _ = self.colon.get_or_insert(gap),
            What::Open(_) if token.what != What::Close && gap.contains(&b'\n') && self.unit.is_none() => {
                let (outer, inner) = (indentation(self.bytes, before.offset), indentation(self.bytes, token.offset));
                self.unit = Some(inner.strip_prefix(outer).unwrap_or_default().to_vec());
            }
            What::Scalar | What::Close if is_plain(gap, b',') => {
                let behind = gap.iter().position(|byte| *byte == b',').map_or(0, |comma| comma + 1);
                self.space.get_or_insert(gap.get(behind..).unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Is it this character, and spaces around it?
fn is_plain(gap: &[u8], character: u8) -> bool {
    gap.contains(&character) && gap.iter().all(|byte| *byte == character || *byte == b' ')
}

fn newline(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().position(|byte| *byte == b'\n');
    match first.and_then(|at| bytes.get(at.checked_sub(1)?)) {
        Some(b'\r') => "\r\n",
        _ => "\n",
    }
}

fn depth(json: Content) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in Tokens::new(json) {
        match token.what {
            What::Open(_) => depth += 1,
            What::Close => depth = depth.saturating_sub(1),
            What::Key | What::Scalar => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The spaces and tabs that the line begins with in which `offset` stands.
pub(super) fn indentation(bytes: &[u8], offset: usize) -> &[u8] {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = bytes.get(start..).unwrap_or_default();
    let width = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    line.get(..width).unwrap_or_default()
}

/// A value that is being written.
struct Page<'s> {
    style: &'s Style,
    /// The indentation of its first line, and how much deeper each level stands; `None`: all in one line.
    lines: Option<(&'s [u8], &'s [u8])>,
    written: Vec<u8>,
    depth: usize,
    /// Has the innermost container no entry yet?
    is_first: bool,
}

impl Page<'_> {
    fn value(&mut self, token: &Token, key: Option<&[u8]>) {
        if self.depth > 0 {
            if !self.is_first {
                self.written.push(b',');
            }
            match self.lines {
                Some(_) => self.new_line(),
                None if !self.is_first => self.written.extend_from_slice(&self.style.space),
                None => {}
            }
        }
        if let Some(key) = key {
            self.written.extend_from_slice(key);
            self.written.extend_from_slice(&self.style.colon);
        }
        self.written.extend_from_slice(token.raw);
        self.is_first = false;
    }

    fn enter(&mut self) {
        self.depth += 1;
        self.is_first = true;
    }

    fn leave(&mut self, bracket: &[u8]) {
        self.depth -= 1;
        if !self.is_first && self.lines.is_some() {
            self.new_line();
        }
        self.written.extend_from_slice(bracket);
        self.is_first = false;
    }

    fn new_line(&mut self) {
        let Some((indent, unit)) = self.lines else { return };
        self.written.extend_from_slice(self.style.newline.as_bytes());
        self.written.extend_from_slice(indent);
        for _ in 0..self.depth {
            self.written.extend_from_slice(unit);
        }
    }
}
