//! Where every document stands, so that a change to one of a hundred thousand costs little: in pieces, and those without a
//! change are shared with what was said before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::FileStatus;
use crate::document::DocumentId;

/// The status of every document, in order of their names. Cheap to clone.
///
/// *Invariant:* no piece is empty or has more than twice `PIECE` documents.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pieces: Arc<[Arc<[FileStatus]>]>,
    count: usize,
}

/// So many documents share a piece, more or less: one that changes has the others copied.
const PIECE: usize = 128;

impl Files {
    /// All of them, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &FileStatus> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pieces that they are kept in, in order: whoever does something with each may rest in between.
    #[must_use]
    pub fn pieces(&self) -> &[Arc<[FileStatus]>] {
        &self.pieces
    }

    /// Where a document stands, if it is one of them.
    #[must_use]
    pub fn find(&self, document: &DocumentId) -> Option<&FileStatus> {
        let piece = &self.pieces[self.place(document)?];
        piece.binary_search_by(|file| file.subject.document.cmp(document)).ok().map(|index| &piece[index])
    }

    /// The piece that a document is in, or would be; `None`: there are no pieces.
    fn place(&self, document: &DocumentId) -> Option<usize> {
        let before = self.pieces.partition_point(|piece| piece[0].subject.document <= *document);
        (!self.pieces.is_empty()).then(|| before.saturating_sub(1))
    }

    /// The same with these changes; `None`: the document is gone.
    #[must_use]
    pub fn with(&self, changes: BTreeMap<DocumentId, Option<FileStatus>>) -> Self {
        let mut by_piece: BTreeMap<usize, BTreeMap<DocumentId, Option<FileStatus>>> = BTreeMap::new();
        for (document, status) in changes {
            by_piece.entry(self.place(&document).unwrap_or(0)).or_default().insert(document, status);
        }
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for place in 0..self.pieces.len().max(1) {
            let piece = self.pieces.get(place);
            match by_piece.remove(&place) {
                Some(changes) => pieces.extend(cut(&merged(piece.map_or(&[], |piece| piece), changes))),
                None => pieces.extend(piece.cloned()),
            }
        }
        let count = pieces.iter().map(|piece| piece.len()).sum();
        Self { pieces: pieces.into(), count }
    }
}

/// Both are in order.
fn merged(before: &[FileStatus], changes: BTreeMap<DocumentId, Option<FileStatus>>) -> Vec<FileStatus> {
    let mut after = Vec::with_capacity(before.len() + changes.len());
    let mut rest = before;
    for (document, status) in changes {
        let (place, is_there) = match rest.binary_search_by(|file| file.subject.document.cmp(&document)) {
            Ok(place) => (place, true),
            Err(place) => (place, false),
        };
        after.extend_from_slice(&rest[..place]);
        after.extend(status);
        rest = &rest[place + usize::from(is_there)..];
    }
    after.extend_from_slice(rest);
    after
}

fn cut(files: &[FileStatus]) -> impl Iterator<Item = Arc<[FileStatus]>> {
    let length = if files.len() > 2 * PIECE { PIECE } else { 2 * PIECE };
    files.chunks(length).map(Arc::from)
}

/// Are they the very same? What was made anew is not, whatever it says.
impl PartialEq for Files {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces)
    }
}

impl FromIterator<FileStatus> for Files {
    fn from_iter<I: IntoIterator<Item = FileStatus>>(files: I) -> Self {
        let named = |file: FileStatus| (file.subject.document.clone(), Some(file));
        Self::default().with(files.into_iter().map(named).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::WatchName;
    use crate::event::Subject;

    fn document(number: u16) -> DocumentId {
        DocumentId::new(Path::new("/srv"), OsStr::new(&number.to_string()))
    }

    fn status(number: u16, versions: u64) -> FileStatus {
        let mut status = FileStatus::unproven(Subject { document: document(number), watch: WatchName::new("w") });
        status.stock.versions = versions;
        status
    }

    proptest! {
        #[test]
        fn they_are_what_a_map_with_the_same_changes_is(
            rounds in prop::collection::vec(prop::collection::vec((0_u16..2_000, any::<bool>(), 0_u64..9), 0..700), 1..6)
        ) {
            let (mut files, mut map) = (Files::default(), BTreeMap::new());
            for round in rounds {
                let change = |(number, stays, versions): (u16, bool, u64)| {
                    (document(number), stays.then(|| status(number, versions)))
                };
                let changes: BTreeMap<_, _> = round.into_iter().map(change).collect();
                for (document, status) in changes.clone() {
                    match status {
                        Some(status) => drop(map.insert(document, status)),
                        None => drop(map.remove(&document)),
                    }
                }
                files = files.with(changes);
                prop_assert!(files.iter().eq(map.values()));
                prop_assert_eq!(files.len(), map.len());
                prop_assert!(files.pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 2 * PIECE));
            }
            for number in (0..2_000).step_by(7) {
                prop_assert_eq!(files.find(&document(number)), map.get(&document(number)));
            }
        }
    }

    #[test]
    fn a_change_to_one_leaves_the_pieces_of_the_others_shared() {
        let before: Files = (0..10_000).map(|number| status(number, 1)).collect();
        let after = before.with(BTreeMap::from([(document(5_000), Some(status(5_000, 2)))]));
        let is_shared = |piece: &&Arc<[FileStatus]>| before.pieces.iter().any(|other| Arc::ptr_eq(other, piece));
        assert_eq!(after.pieces.iter().filter(|piece| !is_shared(piece)).count(), 1);
        assert_eq!((after.len(), after.find(&document(5_000)).unwrap().stock.versions), (10_000, 2));
    }
}
