//! Which entries of a gap between two matches are versions of one another: those that have most in common, in order.

use crate::validate::{Index, Member, Shape, Tree};

/// Larger gaps are not weighed: their entries are paired as they stand. In pairs of entries.
const WEIGHED_MAX: usize = 1_024;

/// One side of a gap: the entries, and their places in the array.
pub(super) type Side<'a> = &'a [(usize, Index)];

/// The pairs of places whose entries are told as changed, in order; the rest was removed and added.
pub(super) fn pairs(old_tree: &Tree, old: Side, new_tree: &Tree, new: Side, steps: &mut u64) -> Vec<(usize, usize)> {
    let is_scalar = |tree: &Tree, side: Side| side.iter().all(|(_, entry)| tree.shape(*entry) == Shape::Scalar);
    let has_as_many = old.len() == new.len();
    if has_as_many && (old.len() == 1 || (is_scalar(old_tree, old) && is_scalar(new_tree, new))) {
        return old.iter().zip(new).map(|(one, other)| (one.0, other.0)).collect();
    }
    let is_small = old.len().saturating_mul(new.len()) <= WEIGHED_MAX;
    match is_small.then(|| weights(old_tree, old, new_tree, new, steps)).flatten() {
        Some(weights) => heaviest(old, new, &weights),
        None => as_they_stand(old_tree, old, new_tree, new),
    }
}

fn as_they_stand(old_tree: &Tree, old: Side, new_tree: &Tree, new: Side) -> Vec<(usize, usize)> {
    let is_alike = |one: Index, other: Index| {
        let shape = old_tree.shape(one);
        shape == new_tree.shape(other) && (shape != Shape::Scalar || old.len() == new.len())
    };
    let both = old.iter().zip(new).filter(|(one, other)| is_alike(one.1, other.1));
    both.map(|(one, other)| (one.0, other.0)).collect()
}

/// How much each old entry has in common with each new one, row by row; `None`: that would take too long.
fn weights(old_tree: &Tree, old: Side, new_tree: &Tree, new: Side, steps: &mut u64) -> Option<Vec<u64>> {
    let (old, new) = (features(old_tree, old), features(new_tree, new));
    let cost = |side: &[Features]| side.iter().map(|one| one.parts.len() as u64 + 1).sum::<u64>();
    let all = cost(&old).saturating_mul(new.len() as u64) + cost(&new).saturating_mul(old.len() as u64);
    *steps = steps.checked_sub(all)?;
    Some(old.iter().flat_map(|one| new.iter().map(|other| one.weight(other))).collect())
}

/// What is compared of an entry: keys and values of an object, ordered by key; places and values of an array.
struct Features {
    shape: Shape,
    parts: Vec<(u64, u64)>,
}

fn features(tree: &Tree, side: Side) -> Vec<Features> {
    side.iter()
        .map(|(_, entry)| {
            let shape = tree.shape(*entry);
            let mut parts: Vec<(u64, u64)> = match shape {
                Shape::Object => {
                    let part = |member: Member| (member.key_hash, tree.hash(member.value));
                    tree.members(*entry).into_iter().map(part).collect()
                }
                Shape::Array => (0..).zip(tree.children(*entry).map(|child| tree.hash(child))).collect(),
                Shape::Scalar => Vec::new(),
            };
            parts.sort_unstable();
            Features { shape, parts }
        })
        .collect()
}

impl Features {
    /// A key in common is something, a value much more.
    fn weight(&self, other: &Self) -> u64 {
        if self.shape != other.shape || self.shape == Shape::Scalar {
            return 0;
        }
        let (mut one, mut two) = (self.parts.iter().peekable(), other.parts.iter().peekable());
        let mut weight = u64::from(self.shape == Shape::Array);
        while let (Some((key, value)), Some((other_key, other_value))) = (one.peek(), two.peek()) {
            match key.cmp(other_key) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    weight += if value == other_value { 4 } else { 1 };
                    one.next();
                    two.next();
                }
            }
        }
        weight
    }
}

/// The pairs, in order, that weigh most together.
fn heaviest(old: Side, new: Side, weights: &[u64]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // The best that the first entries of each side come to.
    let mut best = vec![0; (old.len() + 1) * width];
    for (i, row) in weights.chunks(new.len().max(1)).enumerate() {
        for (j, weight) in row.iter().enumerate() {
            let paired = if *weight > 0 { best[i * width + j] + weight } else { 0 };
            best[(i + 1) * width + j + 1] = paired.max(best[i * width + j + 1]).max(best[(i + 1) * width + j]);
        }
    }
    let (mut i, mut j) = (old.len(), new.len());
    let mut pairs = Vec::new();
    while i > 0 && j > 0 {
        let here = best[i * width + j];
        if here == best[(i - 1) * width + j] {
            i -= 1;
        } else if here == best[i * width + j - 1] {
            j -= 1;
        } else {
            (i, j) = (i - 1, j - 1);
            pairs.push((old[i].0, new[j].0));
        }
    }
    pairs.reverse();
    pairs
}
