//! What identifies the objects of an array.

use super::keyed::ByHash;
use super::tree::{Index, Shape, Tree};
use super::unquote::unquote;

/// The keys that identify, the surest first.
const IDENTIFYING: [&str; 9] = ["id", "uuid", "guid", "unique_id", "entity_id", "_id", "key", "slug", "name"];

/// Which of `new` is which of `old`, where all are objects that have one and the same identifying key, with a value that
/// no other has; `None`: they have none.
pub(crate) fn identical(old: (&Tree, &[Index]), new: (&Tree, &[Index])) -> Option<Vec<(usize, usize)>> {
    IDENTIFYING.iter().find_map(|key| {
        // The cheapest question first: most arrays have no such key.
        identity(new.0, *new.1.first()?, key)?;
        let (old, new) = (by_identity(old.0, old.1, key)?, by_identity(new.0, new.1, key)?);
        let pair = |(identity, place): (&u64, &usize)| Some((*place, *new.get(identity)?));
        let mut pairs: Vec<(usize, usize)> = old.iter().filter_map(pair).collect();
        pairs.sort_unstable();
        Some(pairs)
    })
}

/// The values of an object that would identify it among others.
pub(super) fn identifying(tree: &Tree, entry: Index) -> Vec<Index> {
    if tree.shape(entry) != Shape::Object {
        return Vec::new();
    }
    tree.children(entry).filter(|child| IDENTIFYING.contains(&&*unquote(tree.key(*child)))).collect()
}

fn by_identity(tree: &Tree, entries: &[Index], key: &str) -> Option<ByHash<usize>> {
    let mut places = ByHash::default();
    places.reserve(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        if places.insert(identity(tree, *entry, key)?, place).is_some() {
            return None;
        }
    }
    Some(places)
}

/// The hash of the value that identifies an object.
fn identity(tree: &Tree, entry: Index, key: &str) -> Option<u64> {
    if tree.shape(entry) != Shape::Object {
        return None;
    }
    let has_key = |child: &Index| unquote(tree.key(*child)) == key;
    let value = tree.children(entry).filter(has_key).last()?;
    let says_something = !matches!(tree.text(value), b"null" | b"\"\"" | b"''");
    (tree.shape(value) == Shape::Scalar && says_something).then(|| tree.hash(value))
}
