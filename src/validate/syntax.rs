//! Is this one value? The grammar of RFC 8259, and of its dialects, as a loop over a stack of bits: no recursion, no
//! value is built, and nesting costs one bit a level, so that five million brackets are read like any other text.
//!
//! The grammar is our own because the kept libraries reject what real readers accept, and a file that is wrongly called
//! corrupt is a file put back by mistake: `serde_json::Value`, `json5` and `jsonc-parser` reject half surrogate pairs,
//! and all recurse, with a limit or without (measured: `json5` 1.3 overflows the stack on five million brackets). They
//! are the counterparts of the tests instead.

use super::json5;
use super::token::{Grammar, Halt, Step, Why, blanks, halt, scalar, string};

/// RFC 8259.
pub(super) struct Json;
/// JSON with `NaN`, `Infinity` and `-Infinity`.
pub(super) struct Python;
/// JSON with comments and trailing commas.
pub(super) struct Jsonc;
/// spec.json5.org.
pub(super) struct Json5;

impl Grammar for Json {}
impl Grammar for Python {
    const NON_FINITE: bool = true;
}
impl Grammar for Jsonc {
    const LAX: bool = true;
}
impl Grammar for Json5 {
    const LAX: bool = true;
    const NON_FINITE: bool = true;
    const JSON5: bool = true;
}

/// What stands at the top level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// An object or an array.
    Container,
    /// Anything else.
    Scalar,
}

/// Where a text stops being one value, why, and how many objects and arrays are open there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// The offset in bytes.
    pub(super) offset: usize,
    /// Why.
    pub(super) why: Why,
    /// Open objects and arrays.
    pub(super) depth: usize,
}

impl Stop {
    /// Nothing is there.
    pub(super) const END: Self = Self { offset: 0, why: Why::End, depth: 0 };

    /// Does the text end before its value does?
    pub(super) fn is_end(self) -> bool {
        self.why == Why::End
    }
}

/// Reads `text`, which must be UTF-8, as exactly one value.
pub(super) fn check<G: Grammar>(text: &[u8]) -> Result<Top, Stop> {
    let mut open = Nesting::default();
    let start = blanks::<G>(text, 0).map_err(|stop| at_depth(stop, 0))?;
    let end = value::<G>(text, start, &mut open).map_err(|stop| at_depth(stop, open.depth))?;
    let rest = blanks::<G>(text, end).map_err(|stop| at_depth(stop, 0))?;
    let shape = if matches!(text.get(start), Some(b'{' | b'[')) { Top::Container } else { Top::Scalar };
    match (rest == text.len(), shape) {
        (true, _) => Ok(shape),
        (false, Top::Container) => Err(Stop { offset: rest, why: Why::AfterContainer, depth: 0 }),
        (false, Top::Scalar) => Err(Stop { offset: rest, why: Why::AfterScalar, depth: 0 }),
    }
}

#[cold]
fn at_depth(Halt { offset, why }: Halt, depth: usize) -> Stop {
    Stop { offset, why, depth }
}

/// How a value goes on.
enum Onward {
    /// The next value begins at this offset.
    Value(usize),
    /// A value has ended before this offset.
    Done(usize),
}

/// Reads the value that begins at `at` to its end.
fn value<G: Grammar>(text: &[u8], mut at: usize, open: &mut Nesting) -> Step {
    loop {
        let end = match begin::<G>(text, at, open)? {
            Onward::Value(first) => {
                at = first;
                continue;
            }
            Onward::Done(end) => end,
        };
        match climb::<G>(text, end, open)? {
            Onward::Value(following) => at = following,
            Onward::Done(end) => return Ok(end),
        }
    }
}

/// Reads a scalar or an empty container whole; of another container, all that stands before its first value.
#[inline]
fn begin<G: Grammar>(text: &[u8], at: usize, open: &mut Nesting) -> Result<Onward, Halt> {
    let inside = match text.get(at) {
        Some(b'{') => Inside::Object,
        Some(b'[') => Inside::Array,
        _ => return scalar::<G>(text, at).map(Onward::Done),
    };
    open.push(inside);
    let first = blanks::<G>(text, at + 1)?;
    if text.get(first) == Some(&inside.closing()) {
        open.pop();
        return Ok(Onward::Done(first + 1));
    }
    entry::<G>(text, first, inside).map(Onward::Value)
}

/// From behind a value to the next one: over a comma, or out of every container that ends here.
#[inline]
fn climb<G: Grammar>(text: &[u8], mut end: usize, open: &mut Nesting) -> Result<Onward, Halt> {
    while let Some(inside) = open.innermost() {
        let mut here = blanks::<G>(text, end)?;
        if text.get(here) == Some(&b',') {
            here = blanks::<G>(text, here + 1)?;
            if !(G::LAX && text.get(here) == Some(&inside.closing())) {
                return entry::<G>(text, here, inside).map(Onward::Value);
            }
        } else if text.get(here) != Some(&inside.closing()) {
            return Err(halt(text, here, inside.expected()));
        }
        open.pop();
        end = here + 1;
    }
    Ok(Onward::Done(end))
}

/// In an object, the key and the colon before a value; in an array, nothing.
#[inline]
fn entry<G: Grammar>(text: &[u8], at: usize, inside: Inside) -> Step {
    if inside == Inside::Array {
        return Ok(at);
    }
    let end = match text.get(at) {
        Some(b'"') => string::<G>(text, at + 1)?,
        _ if G::JSON5 => json5::key(text, at)?,
        _ => return Err(halt(text, at, Why::Key)),
    };
    let colon = blanks::<G>(text, end)?;
    match text.get(colon) {
        Some(b':') => blanks::<G>(text, colon + 1),
        _ => Err(halt(text, colon, Why::Colon)),
    }
}

/// What a value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Inside {
    #[inline]
    fn closing(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }

    fn expected(self) -> Why {
        match self {
            Self::Array => Why::CommaOrBracket,
            Self::Object => Why::CommaOrBrace,
        }
    }
}

/// The containers that are open: a bit each, the innermost lowest. Nothing is allocated for the first 64.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    /// The innermost 1 to 64.
    bits: u64,
    /// Those further out, 64 to an entry.
    outer: Vec<u64>,
}

impl Nesting {
    #[inline]
    pub(super) fn push(&mut self, inside: Inside) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(inside == Inside::Object);
        self.depth += 1;
    }

    #[inline]
    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.bits >>= 1;
        if self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    #[inline]
    pub(super) fn innermost(&self) -> Option<Inside> {
        match self.bits & 1 {
            _ if self.depth == 0 => None,
            1 => Some(Inside::Object),
            _ => Some(Inside::Array),
        }
    }
}
