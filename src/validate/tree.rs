//! A document as a flat list of its values, each with the hash of what it says: equal hashes, equal values.
//!
//! The hashes are keyed anew for every comparison (SipHash), so that nobody can prepare two values that pass for equal.

mod building;

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{Content, Tokens, unquote};
use building::Building;

/// A document holds more values than may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds more than {0} values: too many to compare")]
pub struct TooMany(pub usize);

/// A value as a document has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'t> {
    /// Its text, as written.
    pub text: &'t [u8],
    /// How many scalars and empty containers it holds; 1 if it is one.
    pub values: u64,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Array,
    Object,
    Scalar,
}

/// A value's place in the list. A container stands before what it holds.
pub(crate) type Index = u32;

/// One value.
#[derive(Clone, Copy)]
struct Node {
    /// Of what it says.
    hash: u64,
    /// Where its key begins in the text, if it has one.
    key: u32,
    /// Where it begins in the text,
    at: u32,
    /// and how long it is.
    length: u32,
    /// The place behind all that it holds, and its shape in the two top bits.
    end_and_shape: u32,
}

const SHAPE_BITS: u32 = 30;

/// A document.
pub(crate) struct Tree<'t> {
    text: &'t [u8],
    nodes: Vec<Node>,
    keys: RandomState,
}

/// A member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Of what its key says.
    pub(crate) key_hash: u64,
    pub(crate) value: Index,
}

impl<'t> Tree<'t> {
    /// Reads a document.
    pub(crate) fn of(content: Content<'t>, keys: &RandomState, values_max: usize) -> Result<Self, TooMany> {
        let too_many = TooMany(values_max);
        u32::try_from(content.bytes.len()).map_err(|_| too_many)?;
        let values_max = values_max.min(1 << SHAPE_BITS);
        let mut building = Building::new(content, keys);
        for token in Tokens::new(content) {
            if building.tree.nodes.len() >= values_max {
                return Err(too_many);
            }
            building.take(&token);
        }
        Ok(building.finish())
    }

    pub(crate) fn root(&self) -> Option<Index> {
        (!self.nodes.is_empty()).then_some(0)
    }

    pub(crate) fn hash(&self, value: Index) -> u64 {
        self.node(value).hash
    }

    pub(crate) fn shape(&self, value: Index) -> Shape {
        match self.node(value).end_and_shape >> SHAPE_BITS {
            0 => Shape::Array,
            1 => Shape::Object,
            _ => Shape::Scalar,
        }
    }

    /// Its text, as written.
    pub(crate) fn text(&self, value: Index) -> &'t [u8] {
        let node = self.node(value);
        let (start, length) = (node.at as usize, node.length as usize);
        self.text.get(start..start + length).unwrap_or_default()
    }

    /// Its key, as written.
    pub(crate) fn key(&self, value: Index) -> &'t [u8] {
        written_key(self.text.get(self.node(value).key as usize..).unwrap_or_default())
    }

    /// The hash of a value together with its key, if it has one.
    pub(crate) fn member_hash(&self, value: Index) -> u64 {
        match self.node(value).key {
            // No key is the first thing in a text.
            0 => self.hash(value),
            _ => self.keys.hash_one((key_hash(&self.keys, self.key(value)), self.hash(value))),
        }
    }

    /// Where it begins, in bytes from the start of the file.
    pub(crate) fn offset(&self, value: Index) -> usize {
        self.node(value).at as usize
    }

    /// The places of a value and of all that it holds.
    pub(crate) fn places(&self, value: Index) -> std::ops::Range<Index> {
        value..self.end(value)
    }

    /// The values right inside a container, in order.
    pub(crate) fn children(&self, value: Index) -> impl Iterator<Item = Index> {
        let (end, mut next) = (self.end(value), value + 1);
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.end(child);
            Some(child)
        })
    }

    /// The members of an object, in order; of those that share a key, the last.
    pub(crate) fn members(&self, value: Index) -> Vec<Member> {
        let member = |value| Member { key_hash: key_hash(&self.keys, self.key(value)), value };
        let mut members: Vec<Member> = self.children(value).map(member).collect();
        if drop_shadowed(&mut members) {
            members.sort_unstable_by_key(|member| member.value);
        }
        members
    }

    /// Does it hold anything?
    pub(crate) fn is_empty(&self, value: Index) -> bool {
        self.end(value) == value + 1
    }

    /// The value, for telling.
    pub(crate) fn value(&self, value: Index) -> Value<'t> {
        let is_leaf = |index: &Index| self.is_empty(*index);
        Value { text: self.text(value), values: (value..self.end(value)).filter(is_leaf).count() as u64 }
    }

    fn end(&self, value: Index) -> Index {
        self.node(value).end_and_shape & ((1 << SHAPE_BITS) - 1)
    }

    fn node(&self, value: Index) -> Node {
        const NONE: Node = Node { hash: 0, key: 0, at: 0, length: 0, end_and_shape: 0 };
        self.nodes.get(value as usize).copied().unwrap_or(NONE)
    }
}

/// Leaves of the members that share a key the last, ordered by key; `false`: nobody shares one, and the order is as it was.
fn drop_shadowed(members: &mut Vec<Member>) -> bool {
    const FEW: usize = 8;
    let is_shared = |members: &[Member]| {
        members
            .iter()
            .enumerate()
            .any(|(index, one)| members[..index].iter().any(|other| other.key_hash == one.key_hash))
    };
    if members.len() <= FEW && !is_shared(members) {
        return false;
    }
    members.sort_unstable_by_key(|member| (member.key_hash, std::cmp::Reverse(member.value)));
    members.dedup_by_key(|member| member.key_hash);
    true
}

/// A key from its first byte on, without what follows it.
fn written_key(text: &[u8]) -> &[u8] {
    let Some(quote) = text.first().copied().filter(|byte| matches!(byte, b'"' | b'\'')) else {
        let is_behind = |byte: &u8| matches!(byte, b':' | b'/' | 0..=b' ');
        return &text[..text.iter().position(is_behind).unwrap_or(text.len())];
    };
    let mut at = 1;
    loop {
        match text.get(at) {
            Some(b'\\') => at += 2,
            Some(byte) if *byte == quote => return &text[..=at],
            Some(_) => at += 1,
            None => return text,
        }
    }
}

fn key_hash(keys: &RandomState, raw: &[u8]) -> u64 {
    let mut hasher = keys.build_hasher();
    hash_string(raw, &mut hasher);
    hasher.finish()
}

/// What a string says; half a surrogate pair, which no text can hold, as it is written.
fn hash_string(raw: &[u8], hasher: &mut impl Hasher) {
    match raw {
        [b'"' | b'\'', plain @ .., b'"' | b'\''] if !plain.contains(&b'\\') => hasher.write(plain),
        _ => {
            let said = unquote(raw);
            let is_said = !said.contains(char::REPLACEMENT_CHARACTER);
            hasher.write(if is_said { said.as_bytes() } else { raw });
        }
    }
}
