//! The entries of one container: where each key and value stands. Its inner containers are passed over.

use std::ops::Range;

use crate::document::Dialect;
use crate::validate::{Content, Inside, Token, Tokens, What, unquote};

use super::pointer::index;

/// One container of a text.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    /// What it is.
    pub(super) shape: Shape,
    /// What stands between its brackets.
    pub(super) inner: Range<usize>,
    /// Its entries, in order.
    pub(super) entries: Vec<Entry>,
}

/// What a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object.
    Object,
    /// An array.
    Array,
    /// The lines of JSON Lines: an array without brackets and commas.
    Lines,
}

/// An entry: its ranges in the text.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key of an object's.
    pub(super) key: Option<Range<usize>>,
    /// The value.
    pub(super) value: Range<usize>,
}

impl Entry {
    /// Where it begins.
    pub(super) fn start(&self) -> usize {
        self.key.as_ref().unwrap_or(&self.value).start
    }

    /// Where it ends: a comma does not belong to it.
    pub(super) fn end(&self) -> usize {
        self.value.end
    }
}

impl Outline {
    /// The outermost container; `None`: the text is a scalar.
    pub(super) fn of_root(content: Content) -> Option<Self> {
        if content.dialect == Dialect::Jsonl {
            let (entries, _) = entries(Tokens::new(content));
            return Some(Self { shape: Shape::Lines, inner: 0..content.bytes.len(), entries });
        }
        Self::at(content, Tokens::new(content).next()?.offset)
    }

    /// The container whose bracket stands at `offset`; `None`: a scalar stands there.
    pub(super) fn at(content: Content, offset: usize) -> Option<Self> {
        let mut tokens = Tokens::from(content, offset);
        let shape = match tokens.next()?.what {
            What::Open(Inside::Object) => Shape::Object,
            What::Open(Inside::Array) => Shape::Array,
            _ => return None,
        };
        let (entries, close) = entries(tokens);
        Some(Self { shape, inner: offset + 1..close?, entries })
    }

    /// Is it an object?
    pub(super) fn is_object(&self) -> bool {
        self.shape == Shape::Object
    }

    /// Which entry a segment of a pointer leads to: of a key that stands there twice the last.
    pub(super) fn position(&self, bytes: &[u8], segment: &str) -> Option<usize> {
        if self.is_object() {
            return self.entries.iter().rposition(|entry| key(bytes, entry) == segment);
        }
        index(segment).filter(|index| *index < self.entries.len())
    }

    /// All entries that have the key of this one; of an array, the entry alone.
    pub(super) fn namesakes(&self, bytes: &[u8], position: usize) -> Vec<usize> {
        let Some(entry) = self.entries.get(position).filter(|_| self.is_object()) else { return vec![position] };
        let own = key(bytes, entry);
        (0..self.entries.len()).filter(|one| key(bytes, &self.entries[*one]) == own).collect()
    }
}

fn key<'t>(bytes: &'t [u8], entry: &Entry) -> std::borrow::Cow<'t, str> {
    unquote(entry.key.clone().and_then(|range| bytes.get(range)).unwrap_or_default())
}

/// Entries up to the bracket that closes the container, and where that stands.
fn entries(tokens: Tokens) -> (Vec<Entry>, Option<usize>) {
    let (mut entries, mut depth, mut key, mut start) = (Vec::new(), 0_usize, None, 0);
    let range = |token: &Token| token.offset..token.offset + token.raw.len();
    for token in tokens {
        match token.what {
            What::Key if depth == 0 => key = Some(range(&token)),
            What::Scalar if depth == 0 => entries.push(Entry { key: key.take(), value: range(&token) }),
            What::Close if depth == 0 => return (entries, Some(token.offset)),
            What::Open(_) => {
                start = if depth == 0 { token.offset } else { start };
                depth += 1;
            }
            What::Close => {
                depth -= 1;
                if depth == 0 {
                    entries.push(Entry { key: key.take(), value: start..token.offset + 1 });
                }
            }
            What::Key | What::Scalar => {}
        }
    }
    (entries, None)
}
