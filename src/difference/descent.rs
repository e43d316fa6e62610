//! The way down two trees, only where they differ.

use std::fmt::Write;

use super::align::{Array, Entry, align};
use super::{Change, Counts, How};
use crate::validate::{ByHash, Index, Member, Shape, Tree, escaped, unquote};

/// Deeper than this, what differs is told whole: its path would say nothing to anybody.
const DEPTH_MAX: u16 = 512;

/// All the arrays of a comparison together may cost so many steps before matches are missed: a fraction of a second.
const STEPS_MAX: u64 = 30_000_000;

/// A path, as the place of its last step in the list of steps: small, for there may be millions.
type Path = u32;

/// One step of a path, and the path that it goes on from.
#[derive(Clone, Copy)]
struct Step {
    before: Path,
    depth: u16,
    name: Name,
}

#[derive(Clone, Copy)]
enum Name {
    /// The key of this value of the old document,
    OldKey(Index),
    /// or of the new one.
    NewKey(Index),
    Place(u32),
}

/// What is still to be told.
enum Work {
    Differing(Index, Index, Path),
    Added(Index, Path),
    Removed(Index, Path),
    Moved(Path, Path),
}

/// The way down.
pub(super) struct Descent<'a, 't> {
    old: &'a Tree<'t>,
    new: &'a Tree<'t>,
    each: &'a mut dyn FnMut(Change<'t>),
    steps: Vec<Step>,
    /// What comes next stands last.
    work: Vec<Work>,
    counts: Counts,
    steps_left: u64,
}

impl<'a, 't> Descent<'a, 't> {
    pub(super) fn new(old: &'a Tree<'t>, new: &'a Tree<'t>, each: &'a mut dyn FnMut(Change<'t>)) -> Self {
        let root = Step { before: 0, depth: 0, name: Name::Place(0) };
        let (work, counts) = (Vec::new(), Counts::default());
        Self { old, new, each, steps: vec![root], work, counts, steps_left: STEPS_MAX }
    }

    /// Tells all that differs.
    pub(super) fn run(mut self) -> Counts {
        match (self.old.root(), self.new.root()) {
            (Some(old), Some(new)) => self.pair(old, new, 0),
            (None, Some(new)) => self.work.push(Work::Added(new, 0)),
            (Some(old), None) => self.work.push(Work::Removed(old, 0)),
            (None, None) => {}
        }
        while let Some(work) = self.work.pop() {
            match work {
                Work::Differing(old, new, path) => self.differing(old, new, path),
                Work::Added(value, path) => self.added(value, path),
                Work::Removed(value, path) => self.removed(value, path),
                Work::Moved(from, to) => self.moved(from, to),
            }
        }
        self.counts
    }

    fn pair(&mut self, old: Index, new: Index, path: Path) {
        if self.old.hash(old) != self.new.hash(new) {
            self.work.push(Work::Differing(old, new, path));
        }
    }

    fn differing(&mut self, old: Index, new: Index, path: Path) {
        let planned = self.work.len();
        match (self.old.shape(old), self.new.shape(new)) {
            _ if self.step(path).depth >= DEPTH_MAX => return self.changed(old, new, path, true),
            (Shape::Object, Shape::Object) => self.members(old, new, path),
            (Shape::Array, Shape::Array) => self.entries(old, new, path),
            _ => return self.changed(old, new, path, false),
        }
        // What was planned first is told first.
        self.work[planned..].reverse();
    }

    fn members(&mut self, old: Index, new: Index, path: Path) {
        let (old_members, new_members) = (self.old.members(old), self.new.members(new));
        let places: ByHash<Index> = new_members.iter().map(|member| (member.key_hash, member.value)).collect();
        let known: ByHash<Index> = old_members.iter().map(|member| (member.key_hash, member.value)).collect();
        for Member { key_hash, value } in old_members {
            match places.get(&key_hash) {
                Some(other) if self.old.hash(value) == self.new.hash(*other) => {}
                Some(other) => {
                    let below = self.below(path, Name::NewKey(*other));
                    self.pair(value, *other, below);
                }
                None => {
                    let below = self.below(path, Name::OldKey(value));
                    self.work.push(Work::Removed(value, below));
                }
            }
        }
        for Member { value, .. } in new_members.into_iter().filter(|member| !known.contains_key(&member.key_hash)) {
            let below = self.below(path, Name::NewKey(value));
            self.work.push(Work::Added(value, below));
        }
    }

    fn entries(&mut self, old: Index, new: Index, path: Path) {
        let (old_entries, new_entries): (Vec<Index>, Vec<Index>) =
            (self.old.children(old).collect(), self.new.children(new).collect());
        let (old, new) =
            (Array { tree: self.old, entries: &old_entries }, Array { tree: self.new, entries: &new_entries });
        for entry in align(old, new, &mut self.steps_left) {
            match entry {
                Entry::Removed(i) => {
                    let below = self.below(path, place(i));
                    self.work.push(Work::Removed(old_entries[i], below));
                }
                Entry::Added(j) => {
                    let below = self.below(path, place(j));
                    self.work.push(Work::Added(new_entries[j], below));
                }
                Entry::Kept(i, j) if self.old.hash(old_entries[i]) == self.new.hash(new_entries[j]) => {}
                Entry::Kept(i, j) => {
                    let below = self.below(path, place(j));
                    self.pair(old_entries[i], new_entries[j], below);
                }
                Entry::Moved(i, j) => {
                    let (from, to) = (self.below(path, place(i)), self.below(path, place(j)));
                    self.work.push(Work::Moved(from, to));
                    self.pair(old_entries[i], new_entries[j], to);
                }
            }
        }
    }

    fn below(&mut self, before: Path, name: Name) -> Path {
        let depth = self.step(before).depth.saturating_add(1);
        let path = small(self.steps.len());
        self.steps.push(Step { before, depth, name });
        path
    }

    fn step(&self, path: Path) -> Step {
        const ROOT: Step = Step { before: 0, depth: 0, name: Name::Place(0) };
        self.steps.get(path as usize).copied().unwrap_or(ROOT)
    }

    fn added(&mut self, value: Index, path: Path) {
        let new = self.new.value(value);
        self.counts.added += new.values;
        self.tell(Change { how: How::Added, path: self.pointer(path), from: None, old: None, new: Some(new) });
    }

    fn removed(&mut self, value: Index, path: Path) {
        let old = self.old.value(value);
        self.counts.removed += old.values;
        self.tell(Change { how: How::Removed, path: self.pointer(path), from: None, old: Some(old), new: None });
    }

    fn moved(&mut self, from: Path, to: Path) {
        self.counts.moved += 1;
        let (path, from) = (self.pointer(to), Some(self.pointer(from)));
        self.tell(Change { how: How::Moved, path, from, old: None, new: None });
    }

    /// Another value stands there: the paths inside the one are gone, those inside the other are new, unless they are too
    /// deep to be looked at.
    fn changed(&mut self, old: Index, new: Index, path: Path, is_too_deep: bool) {
        let (was, is) = (self.old.value(old), self.new.value(new));
        self.counts.changed += 1;
        if !is_too_deep && !self.old.is_empty(old) {
            self.counts.removed += was.values;
        }
        if !is_too_deep && !self.new.is_empty(new) {
            self.counts.added += is.values;
        }
        self.tell(Change { how: How::Changed, path: self.pointer(path), from: None, old: Some(was), new: Some(is) });
    }

    fn tell(&mut self, change: Change<'t>) {
        (self.each)(change);
    }

    /// A path as a JSON Pointer (RFC 6901).
    fn pointer(&self, path: Path) -> String {
        let mut way = Vec::with_capacity(usize::from(self.step(path).depth));
        let mut at = path;
        while self.step(at).depth > 0 {
            way.push(at);
            at = self.step(at).before;
        }
        let mut pointer = String::with_capacity(16 * way.len());
        for at in way.iter().rev() {
            pointer.push('/');
            // Writing to a String cannot fail.
            let _ = match self.step(*at).name {
                Name::OldKey(value) => pointer.write_str(&escaped(&unquote(self.old.key(value)))),
                Name::NewKey(value) => pointer.write_str(&escaped(&unquote(self.new.key(value)))),
                Name::Place(place) => write!(pointer, "{place}"),
            };
        }
        pointer
    }
}

fn place(place: usize) -> Name {
    Name::Place(small(place))
}

/// There are fewer values than that, and a step or two for each ([`super::VALUES_MAX`]).
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
