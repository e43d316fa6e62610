//! The way down two documents, only where the new one has placeholders.

use super::entries::{Entries, Side};
use super::{is_placeholder, says_something};
use crate::validate::keyed::ByHash;
use crate::validate::tree::{Index, Shape, Tree};

/// The way down.
pub(super) struct Masking<'a, 't> {
    old: &'a Tree<'t>,
    new: &'a Tree<'t>,
    /// The placeholders of the new document, in order.
    placeholders: &'a [Index],
    /// An old value and what became of it, still to be looked at.
    work: Vec<(Index, Index)>,
    entries: Entries,
}

impl<'a, 't> Masking<'a, 't> {
    pub(super) fn new(old: &'a Tree<'t>, new: &'a Tree<'t>, placeholders: &'a [Index]) -> Self {
        let work = old.root().zip(new.root()).into_iter().collect();
        Self { old, new, placeholders, work, entries: Entries::default() }
    }

    /// The first placeholder of the new document that stands for a value of the old one.
    pub(super) fn first(mut self) -> Option<Index> {
        let mut first: Option<Index> = None;
        while let Some((old, new)) = self.work.pop() {
            let may_be_first = first.is_none_or(|first| new < first);
            if !may_be_first || !self.has_placeholder(new) || self.old.hash(old) == self.new.hash(new) {
                continue;
            }
            match (self.old.shape(old), self.new.shape(new)) {
                (_, Shape::Scalar) if self.was_shown(old) => first = Some(new),
                (Shape::Object, Shape::Object) => self.members(old, new),
                (Shape::Array, Shape::Array) => self.array(old, new),
                _ => {}
            }
        }
        first
    }

    /// Is a placeholder in it, or is it one?
    fn has_placeholder(&self, new: Index) -> bool {
        let places = self.new.places(new);
        let next = self.placeholders.partition_point(|placeholder| *placeholder < places.start);
        self.placeholders.get(next).is_some_and(|placeholder| *placeholder < places.end)
    }

    /// Does it say something that can be missed?
    fn was_shown(&self, old: Index) -> bool {
        let text = self.old.text(old);
        match self.old.shape(old) {
            Shape::Scalar => says_something(text) && !is_placeholder(text),
            Shape::Array | Shape::Object => !self.old.is_empty(old),
        }
    }

    fn members(&mut self, old: Index, new: Index) {
        let before: ByHash<Index> =
            self.old.members(old).into_iter().map(|member| (member.key_hash, member.value)).collect();
        let both = self.new.members(new).into_iter().filter_map(|now| Some((*before.get(&now.key_hash)?, now.value)));
        self.work.extend(both);
    }

    fn array(&mut self, old: Index, new: Index) {
        let (was, is): (Vec<Index>, Vec<Index>) = (self.old.children(old).collect(), self.new.children(new).collect());
        let masked: Vec<bool> = is.iter().map(|entry| self.has_placeholder(*entry)).collect();
        let (old, new) = (Side { tree: self.old, entries: &was }, Side { tree: self.new, entries: &is });
        self.work.extend(self.entries.versions(old, new, &masked));
    }
}
