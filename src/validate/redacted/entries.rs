//! Which entry of an array became which, though others came, went or moved: entries are known again by what identifies
//! them, by their content, and only then by where they stand.

use std::collections::{HashMap, HashSet};

use super::{is_placeholder, says_something};
use crate::validate::identity::{identical, identifying};
use crate::validate::keyed::ByHash;
use crate::validate::tree::{Index, Shape, Tree};

/// So many values of one entry are compared,
const LOOKED_AT: usize = 1_024;

/// and so many of all arrays together: a fraction of a second. Then entries are known by their places alone.
const STEPS_MAX: u64 = 3_000_000;

/// So many entries that share the most with one are looked at more closely.
const CANDIDATES: usize = 4;

/// What more entries than this share says nothing about any of them.
const OWNERS: usize = 4;

/// The entries of one array.
#[derive(Clone, Copy)]
pub(super) struct Side<'a, 't> {
    pub(super) tree: &'a Tree<'t>,
    pub(super) entries: &'a [Index],
}

impl Side<'_, '_> {
    fn hash(&self, place: usize) -> u64 {
        self.tree.hash(self.entries[place])
    }
}

/// Matches entries, as long as its steps last.
pub(super) struct Entries {
    steps_left: u64,
}

impl Default for Entries {
    fn default() -> Self {
        Self { steps_left: STEPS_MAX }
    }
}

/// A text says more about what an entry is than a number or a word such as `true`: so much.
const TEXT_WEIGHT: u64 = 4;

/// What an entry says besides placeholders: the hash of each value with its key, and what it weighs, in order.
type Words = Vec<(u64, u64)>;

impl Entries {
    /// The entries of `new` that hold a placeholder (`masked`) and are other versions of old ones, with those. What stands in
    /// both arrays, wherever, is the same and masks nothing.
    pub(super) fn versions(&mut self, old: Side, new: Side, masked: &[bool]) -> Vec<(Index, Index)> {
        let Some(known) = identical((old.tree, old.entries), (new.tree, new.entries)) else {
            let (gone, come) = left_over(&old, &new);
            return self.alike(old, new, gone, come.into_iter().filter(|place| masked[*place]).collect());
        };
        // Who is not known again is another, unless it is just that which is masked.
        let (known_old, known_new): (HashSet<usize>, HashSet<usize>) = known.iter().copied().unzip();
        let is_nameless = |place: &usize| {
            let names = identifying(new.tree, new.entries[*place]);
            names.into_iter().any(|name| is_placeholder(new.tree.text(name)))
        };
        let come = (0..new.entries.len()).filter(|place| masked[*place] && !known_new.contains(place));
        let come = come.filter(is_nameless).collect();
        let gone = (0..old.entries.len()).filter(|place| !known_old.contains(place)).collect();
        let mut pairs: Vec<(Index, Index)> =
            known.into_iter().map(|(from, to)| (old.entries[from], new.entries[to])).collect();
        pairs.extend(self.alike(old, new, gone, come));
        pairs
    }

    /// The entries at the places `come` that are other versions of those at `gone`, by what they say and where they stand.
    fn alike(&mut self, old: Side, new: Side, gone: Vec<usize>, come: Vec<usize>) -> Vec<(Index, Index)> {
        if gone.is_empty() || come.is_empty() {
            return Vec::new();
        }
        let before = gone.iter().map(|place| self.words(old.tree, old.entries[*place])).collect();
        let mut gone = Gone::new(gone, before);
        let shift = |place: usize| (place + old.entries.len()).checked_sub(new.entries.len());
        let mut pairs = Vec::new();
        for place in come {
            let words = self.words(new.tree, new.entries[place]);
            if let Some(was) = gone.take(words.as_ref(), [Some(place), shift(place)]) {
                pairs.push((old.entries[was], new.entries[place]));
            }
        }
        pairs
    }

    /// `None`: there is no more time.
    fn words(&mut self, tree: &Tree, entry: Index) -> Option<Words> {
        let places = tree.places(entry);
        let cost = (places.len() as u64).min(LOOKED_AT as u64);
        self.steps_left = self.steps_left.checked_sub(cost)?;
        let says = |value: &Index| {
            let text = tree.text(*value);
            tree.shape(*value) == Shape::Scalar && says_something(text) && !is_placeholder(text)
        };
        let word = |value: Index| {
            let is_text = matches!(tree.text(value).first(), Some(b'"' | b'\''));
            (tree.member_hash(value), if is_text { TEXT_WEIGHT } else { 1 })
        };
        let mut words: Words = places.take(LOOKED_AT).filter(says).map(word).collect();
        words.sort_unstable();
        Some(words)
    }
}

/// The places of entries without an equal one in the other array: old ones, and new ones.
fn left_over(old: &Side, new: &Side) -> (Vec<usize>, Vec<usize>) {
    let lengths = (old.entries.len(), new.entries.len());
    let shortest = lengths.0.min(lengths.1);
    let head = (0..shortest).take_while(|place| old.hash(*place) == new.hash(*place)).count();
    let is_tail = |back: &usize| old.hash(lengths.0 - back) == new.hash(lengths.1 - back);
    let tail = (1..=shortest - head).take_while(is_tail).count();
    if lengths == (head + tail + 1, head + tail + 1) {
        return (vec![head], vec![head]);
    }
    let mut times: ByHash<usize> = ByHash::default();
    for place in head..lengths.0 - tail {
        *times.entry(old.hash(place)).or_default() += 1;
    }
    let take = |times: &mut ByHash<usize>, hash| match times.get_mut(&hash).filter(|left| **left > 0) {
        Some(left) => {
            *left -= 1;
            true
        }
        None => false,
    };
    let come = (head..lengths.1 - tail).filter(|place| !take(&mut times, new.hash(*place))).collect();
    let gone = (head..lengths.0 - tail).filter(|place| take(&mut times, old.hash(*place))).collect();
    (gone, come)
}

/// The old entries that have no equal.
struct Gone {
    /// Their places in the array, and what they say.
    entries: HashMap<usize, Option<Words>>,
    /// Who says a word, where few do.
    owners: ByHash<Vec<usize>>,
}

impl Gone {
    fn new(places: Vec<usize>, words: Vec<Option<Words>>) -> Self {
        let mut owners: ByHash<Vec<usize>> = ByHash::default();
        for (place, words) in places.iter().zip(&words) {
            for (word, _) in words.iter().flatten() {
                let owners = owners.entry(*word).or_default();
                // One more than counts, so that it is seen that there are too many.
                if owners.len() <= OWNERS && owners.last() != Some(place) {
                    owners.push(*place);
                }
            }
        }
        owners.retain(|_, owners| owners.len() <= OWNERS);
        Self { entries: places.into_iter().zip(words).collect(), owners }
    }

    /// Takes the entry that a new one, which says `words`, is another version of: one that says most of them, and either
    /// stands at the same place, from either end, or shares a rare one. At its place, nothing to compare is no objection.
    fn take(&mut self, words: Option<&Words>, at: [Option<usize>; 2]) -> Option<usize> {
        let none = Words::new();
        let words = words.unwrap_or(&none);
        let all_weigh: u64 = words.iter().map(|(_, weight)| weight).sum();
        let version = |place: usize| {
            let common = in_common(self.entries.get(&place)?.as_ref().unwrap_or(&none), words);
            (common * 2 > all_weigh || words.is_empty()).then_some((common, place))
        };
        let in_place = at.into_iter().flatten();
        let elsewhere = self.shared(words).into_iter().take(CANDIDATES).map(|(place, _)| place);
        // Of those that have as much in common, the first.
        let all: Vec<(u64, usize)> = in_place.chain(elsewhere).filter_map(version).collect();
        let (_, place) = all.into_iter().rev().max_by_key(|(common, _)| *common)?;
        self.entries.remove(&place);
        Some(place)
    }

    /// The entries that say the same rare words, those that share most of them first.
    fn shared(&self, words: &Words) -> Vec<(usize, usize)> {
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for place in words.iter().filter_map(|(word, _)| self.owners.get(word)).flatten() {
            *shared.entry(*place).or_default() += 1;
        }
        let mut shared: Vec<(usize, usize)> = shared.into_iter().collect();
        shared.sort_unstable_by_key(|(place, count)| (std::cmp::Reverse(*count), *place));
        shared
    }
}

/// What the words weigh that two ordered lists share.
fn in_common(one: &Words, other: &Words) -> u64 {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        common += if a == b { a.1 } else { 0 };
        (i, j) = (i + usize::from(a <= b), j + usize::from(b <= a));
    }
    common
}
