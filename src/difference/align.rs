//! Which entry of one array is which of another.

use super::{edits, similar};
use crate::validate::{ByHash, Index, Shape, Tree, identical};

/// What becomes of the entries of an array, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The old entry at this place is gone.
    Removed(usize),
    /// The new entry at this place is new.
    Added(usize),
    /// The same entry, or a version of it, at its place among the others.
    Kept(usize, usize),
    /// The same entry, elsewhere among the others.
    Moved(usize, usize),
}

impl Entry {
    fn shift(&mut self, by: usize) {
        match self {
            Self::Removed(place) | Self::Added(place) => *place += by,
            Self::Kept(old, new) | Self::Moved(old, new) => (*old, *new) = (*old + by, *new + by),
        }
    }
}

/// One array: its document, and its entries.
#[derive(Clone, Copy)]
pub(super) struct Array<'a, 't> {
    pub tree: &'a Tree<'t>,
    pub entries: &'a [Index],
}

impl<'a, 't> Array<'a, 't> {
    fn hashes(&self) -> Vec<u64> {
        self.entries.iter().map(|entry| self.tree.hash(*entry)).collect()
    }

    fn within(self, start: usize, end: usize) -> Self {
        Self { entries: self.entries.get(start..end).unwrap_or_default(), ..self }
    }

    fn is_all(&self, is: impl Fn(&'a Tree<'t>, Index) -> bool) -> bool {
        self.entries.iter().all(|entry| is(self.tree, *entry))
    }
}

/// Matches the entries of two arrays. `steps`, which every comparison shares, bounds the work; when they are used up,
/// matches are missed.
pub(super) fn align(old: Array, new: Array, steps: &mut u64) -> Vec<Entry> {
    let (old_hashes, new_hashes) = (old.hashes(), new.hashes());
    let (head, tail) = common_ends(&old_hashes, &new_hashes);
    let (old_end, new_end) = (old_hashes.len() - tail, new_hashes.len() - tail);
    let (old, new) = (old.within(head, old_end), new.within(head, new_end));
    let middle = Middle { old, new, old_hashes: &old_hashes[head..old_end], new_hashes: &new_hashes[head..new_end] };
    if middle.is_one_pair() {
        return vec![Entry::Kept(head, head)];
    }
    let mut told = middle.told(steps);
    for entry in &mut told {
        entry.shift(head);
    }
    told
}

/// How many entries the arrays share at their beginning, and how many of the rest at their end.
fn common_ends(old: &[u64], new: &[u64]) -> (usize, usize) {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let rest = old[head..].iter().rev().zip(new[head..].iter().rev());
    (head, rest.take_while(|(one, other)| one == other).count())
}

/// What is left of two arrays between equal ends.
struct Middle<'a, 't> {
    old: Array<'a, 't>,
    new: Array<'a, 't>,
    old_hashes: &'a [u64],
    new_hashes: &'a [u64],
}

impl Middle<'_, '_> {
    /// Is one entry left of each? Unless both are objects, which may have an identity, the new one is what the old one became.
    fn is_one_pair(&self) -> bool {
        let is_object = |array: &Array| array.is_all(|tree, entry| tree.shape(entry) == Shape::Object);
        self.old.entries.len() == 1 && self.new.entries.len() == 1 && !(is_object(&self.old) && is_object(&self.new))
    }

    fn told(&self, steps: &mut u64) -> Vec<Entry> {
        let (old, new) = (self.old, self.new);
        if old.entries.is_empty() || new.entries.is_empty() {
            return self.with(Vec::new()).told();
        }
        if let Some(pairs) = identical((old.tree, old.entries), (new.tree, new.entries)) {
            return self.with(pairs).told();
        }
        let in_order = edits::kept_pairs(self.old_hashes, self.new_hashes, steps);
        if self.is_better_by_place(in_order.as_ref().map(Vec::len)) {
            let differs = |place: &usize| self.old_hashes[*place] != self.new_hashes[*place];
            return (0..old.entries.len()).filter(differs).map(|place| Entry::Kept(place, place)).collect();
        }
        let mut matches = self.with(in_order.unwrap_or_else(|| self.first_come()));
        self.find_moved(&mut matches);
        self.fill_gaps(&mut matches, steps);
        matches.told()
    }

    fn with(&self, pairs: Vec<(usize, usize)>) -> Matches {
        Matches::new(self.old.entries.len(), self.new.entries.len(), pairs)
    }

    /// Numbers of a fixed number of places (a colour, a position) change where they stand, unless far more of them are
    /// equal once they are shifted.
    fn is_better_by_place(&self, kept: Option<usize>) -> bool {
        let is_mute = |tree: &Tree, entry| tree.shape(entry) == Shape::Scalar && !is_string(tree, entry);
        let length = self.old.entries.len();
        if length != self.new.entries.len() || !self.old.is_all(is_mute) || !self.new.is_all(is_mute) {
            return false;
        }
        let others = self.old_hashes.iter().zip(self.new_hashes).filter(|(one, other)| one != other).count();
        kept.is_none_or(|kept| others <= 2 * (length - kept))
    }

    /// Equal entries, first come, first served; of those, as many as keep their order.
    fn first_come(&self) -> Vec<(usize, usize)> {
        // Of each hash the first new place that is left; each place leads to the next with its hash.
        let mut firsts: ByHash<usize> = ByHash::default();
        let mut following = vec![None; self.new_hashes.len()];
        for (place, hash) in self.new_hashes.iter().enumerate().rev() {
            following[place] = firsts.insert(*hash, place);
        }
        let mut take = |(place, hash): (usize, &u64)| {
            let found = *firsts.get(hash)?;
            match following[found] {
                Some(next) => firsts.insert(*hash, next),
                None => firsts.remove(hash),
            };
            Some((place, found))
        };
        let pairs: Vec<(usize, usize)> = self.old_hashes.iter().enumerate().filter_map(&mut take).collect();
        let order: Vec<usize> = pairs.iter().map(|(_, new)| *new).collect();
        edits::longest_growing(&order).into_iter().map(|kept| pairs[kept]).collect()
    }

    /// Entries that say something, and that no other is equal to, are the same wherever they stand.
    fn find_moved(&self, matches: &mut Matches) {
        // Numbers and words say too little, and there may be millions.
        let says_something = |(array, place): (&Array, usize)| {
            let entry = array.entries[place];
            array.tree.shape(entry) != Shape::Scalar || is_string(array.tree, entry)
        };
        let candidates: Vec<usize> = (0..self.old_hashes.len())
            .filter(|place| matches.old[*place].is_none() && says_something((&self.old, *place)))
            .collect();
        if candidates.is_empty() || matches.new.iter().all(Option::is_some) {
            return;
        }
        let (times, places) = (counted(self.old_hashes), counted(self.new_hashes));
        for place in candidates {
            let hash = &self.old_hashes[place];
            if let (Some((1, _)), Some((1, to))) = (times.get(hash), places.get(hash))
                && matches.new[*to].is_none()
            {
                matches.pair(place, *to);
                matches.is_moved[*to] = true;
            }
        }
    }

    /// Between two matches, entries that have something in common are versions of one another.
    fn fill_gaps(&self, matches: &mut Matches, steps: &mut u64) {
        for (old, new) in matches.gaps() {
            let side = |array: &Array, places: &[usize]| -> Vec<(usize, Index)> {
                places.iter().map(|place| (*place, array.entries[*place])).collect()
            };
            let (old, new) = (side(&self.old, &old), side(&self.new, &new));
            for (i, j) in similar::pairs(self.old.tree, &old, self.new.tree, &new, steps) {
                matches.pair(i, j);
            }
        }
    }
}

/// How often each hash is there, and where the last time.
fn counted(hashes: &[u64]) -> ByHash<(usize, usize)> {
    let mut counts: ByHash<(usize, usize)> = ByHash::default();
    for (place, hash) in hashes.iter().enumerate() {
        let entry = counts.entry(*hash).or_default();
        *entry = (entry.0 + 1, place);
    }
    counts
}

fn is_string(tree: &Tree, entry: Index) -> bool {
    matches!(tree.text(entry).first(), Some(b'"' | b'\''))
}

/// Which entry is which, from both sides.
struct Matches {
    old: Vec<Option<usize>>,
    new: Vec<Option<usize>>,
    /// Which of the new ones stand elsewhere among the others.
    is_moved: Vec<bool>,
}

impl Matches {
    /// Of `pairs`, which are ordered by their old places, those are moved that break the order of the others.
    fn new(old: usize, new: usize, pairs: Vec<(usize, usize)>) -> Self {
        let mut matches = Self { old: vec![None; old], new: vec![None; new], is_moved: vec![false; new] };
        let order: Vec<usize> = pairs.iter().map(|(_, new)| *new).collect();
        for (i, j) in pairs {
            matches.pair(i, j);
            matches.is_moved[j] = true;
        }
        for kept in edits::longest_growing(&order) {
            matches.is_moved[order[kept]] = false;
        }
        matches
    }

    fn pair(&mut self, old: usize, new: usize) {
        self.old[old] = Some(new);
        self.new[new] = Some(old);
    }

    fn is_moved_from(&self, old: usize) -> bool {
        self.old[old].is_some_and(|new| self.is_moved[new])
    }

    /// The runs of unmatched places between two matches that keep their order: old ones, and new ones.
    fn gaps(&self) -> Vec<(Vec<usize>, Vec<usize>)> {
        let mut gaps = Vec::new();
        let (mut i, mut j) = (0, 0);
        loop {
            let gap = (self.unmatched_old(&mut i), self.unmatched_new(&mut j));
            if !gap.0.is_empty() && !gap.1.is_empty() {
                gaps.push(gap);
            }
            if i >= self.old.len() {
                return gaps;
            }
            (i, j) = (i + 1, j + 1);
        }
    }

    /// Goes on to the next old place that is matched in order.
    fn unmatched_old(&self, i: &mut usize) -> Vec<usize> {
        let mut places = Vec::new();
        while *i < self.old.len() && (self.old[*i].is_none() || self.is_moved_from(*i)) {
            places.extend(self.old[*i].is_none().then_some(*i));
            *i += 1;
        }
        places
    }

    fn unmatched_new(&self, j: &mut usize) -> Vec<usize> {
        let mut places = Vec::new();
        while *j < self.new.len() && (self.new[*j].is_none() || self.is_moved[*j]) {
            places.extend(self.new[*j].is_none().then_some(*j));
            *j += 1;
        }
        places
    }

    /// In the order of the new array; what was removed stands where it was.
    fn told(&self) -> Vec<Entry> {
        let mut told = Vec::new();
        let mut i = 0;
        for (j, old) in self.new.iter().enumerate() {
            let Some(from) = *old else {
                told.push(Entry::Added(j));
                continue;
            };
            if self.is_moved[j] {
                told.push(Entry::Moved(from, j));
                continue;
            }
            told.extend((i..from).filter(|place| self.old[*place].is_none()).map(Entry::Removed));
            told.push(Entry::Kept(from, j));
            i = from + 1;
        }
        told.extend((i..self.old.len()).filter(|place| self.old[*place].is_none()).map(Entry::Removed));
        told
    }
}
