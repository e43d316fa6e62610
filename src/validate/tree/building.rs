//! A document read into a tree, token by token.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{Index, Member, Node, SHAPE_BITS, Shape, Tree, drop_shadowed, hash_string, key_hash};
use crate::document::Dialect;
use crate::validate::{Content, Inside, Token, What, number};

/// A tree that grows token by token.
pub(super) struct Building<'t> {
    pub(super) tree: Tree<'t>,
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
    pub(super) fn new(content: Content<'t>, keys: &RandomState) -> Self {
        let tree =
            Tree { text: content.bytes, nodes: Vec::with_capacity(content.bytes.len() / 16), keys: keys.clone() };
        let mut building = Self { tree, open: vec![], finished: vec![], key: (0, 0), form: vec![] };
        if content.dialect == Dialect::Jsonl {
            building.open(Shape::Array, 0);
        }
        building
    }

    pub(super) fn take(&mut self, token: &Token) {
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
    pub(super) fn finish(mut self) -> Tree<'t> {
        while !self.open.is_empty() {
            self.close(self.tree.text.len() as u32);
        }
        self.tree
    }
}
