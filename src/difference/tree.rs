//! A document as a flat list of its values, each with the hash of what it says: equal hashes, equal values.
//!
//! The hashes are keyed anew for every comparison (SipHash), so that nobody can prepare two values that pass for equal.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{TooMany, Value, number};
use crate::document::Dialect;
use crate::validate::{Content, Inside, Token, Tokens, What, unquote};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
    Scalar,
}

/// A value's place in the list. A container stands before what it holds.
pub(super) type Index = u32;

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
pub(super) struct Tree<'t> {
    text: &'t [u8],
    nodes: Vec<Node>,
    keys: RandomState,
}

/// A member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Of what its key says.
    pub key_hash: u64,
    pub value: Index,
}

impl<'t> Tree<'t> {
    /// Reads a document.
    pub(super) fn of(content: Content<'t>, keys: &RandomState, values_max: usize) -> Result<Self, TooMany> {
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

    pub(super) fn root(&self) -> Option<Index> {
        (!self.nodes.is_empty()).then_some(0)
    }

    pub(super) fn hash(&self, value: Index) -> u64 {
        self.node(value).hash
    }

    pub(super) fn shape(&self, value: Index) -> Shape {
        match self.node(value).end_and_shape >> SHAPE_BITS {
            0 => Shape::Array,
            1 => Shape::Object,
            _ => Shape::Scalar,
        }
    }

    /// Its text, as written.
    pub(super) fn text(&self, value: Index) -> &'t [u8] {
        let node = self.node(value);
        let (start, length) = (node.at as usize, node.length as usize);
        self.text.get(start..start + length).unwrap_or_default()
    }

    /// Its key, as written.
    pub(super) fn key(&self, value: Index) -> &'t [u8] {
        written_key(self.text.get(self.node(value).key as usize..).unwrap_or_default())
    }

    /// The values right inside a container, in order.
    pub(super) fn children(&self, value: Index) -> impl Iterator<Item = Index> {
        let (end, mut next) = (self.end(value), value + 1);
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.end(child);
            Some(child)
        })
    }

    /// The members of an object, in order; of those that share a key, the last.
    pub(super) fn members(&self, value: Index) -> Vec<Member> {
        let member = |value| Member { key_hash: key_hash(&self.keys, self.key(value)), value };
        let mut members: Vec<Member> = self.children(value).map(member).collect();
        if drop_shadowed(&mut members) {
            members.sort_unstable_by_key(|member| member.value);
        }
        members
    }

    /// Does it hold anything?
    pub(super) fn is_empty(&self, value: Index) -> bool {
        self.end(value) == value + 1
    }

    /// The value, for telling.
    pub(super) fn value(&self, value: Index) -> Value<'t> {
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

/// A tree that grows token by token.
struct Building<'t> {
    tree: Tree<'t>,
    open: Vec<Open>,
    /// The finished values in the open containers.
    finished: Vec<Member>,
    /// The key of the next value: where it begins, and its hash.
    key: (u32, u64),
    /// The form of a number.
    form: Vec<u8>,
}

/// A container that is open: which, its key's hash, and where its members begin among those that are finished.
struct Open {
    value: Index,
    key_hash: u64,
    first: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "the text has fewer bytes than 4 GiB: `Tree::of` sees to it")]
impl<'t> Building<'t> {
    fn new(content: Content<'t>, keys: &RandomState) -> Self {
        let tree =
            Tree { text: content.bytes, nodes: Vec::with_capacity(content.bytes.len() / 16), keys: keys.clone() };
        let mut building = Self { tree, open: vec![], finished: vec![], key: (0, 0), form: vec![] };
        if content.dialect == Dialect::Jsonl {
            building.open(Shape::Array, 0);
        }
        building
    }

    fn take(&mut self, token: &Token) {
        match token.what {
            What::Key => self.key = (token.offset as u32, key_hash(&self.tree.keys, token.raw)),
            What::Open(Inside::Array) => self.open(Shape::Array, token.offset as u32),
            What::Open(Inside::Object) => self.open(Shape::Object, token.offset as u32),
            What::Close => self.close(token.offset as u32 + 1),
            What::Scalar => self.scalar(token),
        }
    }

    fn push(&mut self, shape: Shape, at: u32, length: u32, hash: u64) -> (Index, u64) {
        let value = self.tree.nodes.len() as Index;
        let (key, key_hash) = std::mem::take(&mut self.key);
        let end_and_shape = (value + 1) | (shape as u32) << SHAPE_BITS;
        self.tree.nodes.push(Node { hash, key, at, length, end_and_shape });
        (value, key_hash)
    }

    fn open(&mut self, shape: Shape, at: u32) {
        let (value, key_hash) = self.push(shape, at, 0, 0);
        self.open.push(Open { value, key_hash, first: self.finished.len() });
    }

    fn scalar(&mut self, token: &Token) {
        let mut hasher = self.tree.keys.build_hasher();
        match token.raw.first() {
            Some(b'"' | b'\'') => {
                hasher.write_u8(b'"');
                hash_string(token.raw, &mut hasher);
            }
            Some(b't' | b'f' | b'n') => hasher.write(token.raw),
            _ => {
                number::canonical(token.raw, &mut self.form);
                hasher.write_u8(b'0');
                hasher.write(&self.form);
            }
        }
        let (value, key_hash) = self.push(Shape::Scalar, token.offset as u32, token.raw.len() as u32, hasher.finish());
        self.finished.push(Member { key_hash, value });
    }

    fn close(&mut self, behind: u32) {
        let Some(Open { value, key_hash, first }) = self.open.pop() else { return };
        let end = self.tree.nodes.len() as u32;
        let hash = match self.tree.shape(value) {
            Shape::Object => self.hash_of_members(first),
            Shape::Array | Shape::Scalar => self.hash_of_entries(first),
        };
        self.finished.truncate(first);
        self.finished.push(Member { key_hash, value });
        if let Some(node) = self.tree.nodes.get_mut(value as usize) {
            node.hash = hash;
            node.length = behind.saturating_sub(node.at);
            node.end_and_shape = end | (node.end_and_shape >> SHAPE_BITS) << SHAPE_BITS;
        }
    }

    fn hash_of_entries(&self, first: usize) -> u64 {
        let mut hasher = self.tree.keys.build_hasher();
        hasher.write_u8(b'[');
        for entry in self.finished.get(first..).unwrap_or_default() {
            hasher.write_u64(self.tree.hash(entry.value));
        }
        hasher.finish()
    }

    /// In whatever order they stand.
    fn hash_of_members(&mut self, first: usize) -> u64 {
        let mut members = self.finished.split_off(first);
        drop_shadowed(&mut members);
        let mut sum = 0_u64;
        for member in &members {
            sum = sum.wrapping_add(self.tree.keys.hash_one((member.key_hash, self.tree.hash(member.value))));
        }
        self.tree.keys.hash_one((b'{', members.len(), sum))
    }

    /// Ends what is still open: the lines, or a text that ends early.
    fn finish(mut self) -> Tree<'t> {
        while !self.open.is_empty() {
            self.close(self.tree.text.len() as u32);
        }
        self.tree
    }
}
