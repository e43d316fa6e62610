//! All the documents' folders below `backups/` or `quarantine/`, whether or not anybody still guards the document.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::components;
use super::names::folder_of;
use crate::disk::Disk;
use crate::disk::directory::Directory;
use crate::disk::follow::is_absence;
use crate::document::{Digest, DocumentId};
use crate::error::Result;

/// One document's folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shelf {
    /// The folders that lead to it from the state directory, as [`components`] makes them.
    pub names: Vec<OsString>,
}

/// Documents' folders, by where they lie: a document whose name had to be cut is found too. Kept in short.
#[derive(Clone, Debug, Default)]
pub struct Shelves(HashSet<Digest>);

impl Shelves {
    /// The folders of these documents; of one kind, `backups` or `quarantine`.
    #[must_use]
    pub fn of<'a>(kind: &str, documents: impl IntoIterator<Item = &'a DocumentId>) -> Self {
        Self(documents.into_iter().map(|document| in_short(&components(kind, document))).collect())
    }

    /// Is it one of them?
    #[must_use]
    pub fn has(&self, one: &Shelf) -> bool {
        self.0.contains(&in_short(&one.names))
    }
}

fn in_short(names: &[OsString]) -> Digest {
    Digest::of(names.iter().collect::<PathBuf>().as_os_str().as_bytes())
}

impl Shelf {
    /// The document whose folder it is; `None`: its name was cut, and cannot be told.
    #[must_use]
    pub fn document(&self) -> Option<DocumentId> {
        let document = self.document_or_cut();
        let kind = self.names.first()?.to_str()?;
        (components(kind, &document) == self.names).then_some(document)
    }

    /// The document, or one that has the cut name.
    pub(super) fn document_or_cut(&self) -> DocumentId {
        let (last, folders) = self.names.split_last().map_or((OsStr::new(""), &[][..]), |(last, rest)| (last, rest));
        let name = last.as_bytes().strip_suffix(b"@").unwrap_or(last.as_bytes());
        let below = folders.iter().skip(1).map(|name| folder_of(name));
        let directory: PathBuf = std::iter::once(OsStr::new("/")).chain(below).collect();
        DocumentId::new(&directory, OsStr::from_bytes(name))
    }
}

/// Calls `each` for every folder of a kind, with a handle on it, until it says `false`. Folders that cannot be read are
/// passed over.
///
/// # Errors
/// The state directory itself cannot be read.
pub fn each_shelf(
    disk: &Disk,
    state: &Directory,
    kind: &str,
    mut each: impl FnMut(&Shelf, Directory) -> bool,
) -> Result<()> {
    let mut ahead = vec![vec![OsString::from(kind)]];
    while let Some(names) = ahead.pop() {
        let path: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        let Ok(directory) = disk.open_below(state, &path) else { continue };
        let mut folders = Vec::new();
        let _ = disk.list(&directory, |entry| {
            if entry.is_directory {
                folders.push(entry.name);
            }
            true
        });
        folders.sort_unstable_by(|one, other| other.cmp(one));
        ahead.extend(folders.into_iter().map(|name| names.iter().cloned().chain([name]).collect()));
        let is_shelf = names.len() > 1 && names.last().is_some_and(|name| name.as_encoded_bytes().ends_with(b"@"));
        if is_shelf && !each(&Shelf { names }, directory) {
            break;
        }
    }
    Ok(())
}

/// The documents of one folder of which the state directory keeps something of a kind.
///
/// # Errors
/// The disk failed.
pub fn documents_in(disk: &Disk, state: &Directory, kind: &str, folder: &Path) -> Result<Vec<DocumentId>> {
    let mut names = components(kind, &DocumentId::new(folder, OsStr::new("any")));
    names.pop();
    let path: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
    let shelves = match disk.open_below(state, &path) {
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut documents = Vec::new();
    disk.list(&shelves, |entry| {
        if entry.is_directory && entry.name.as_bytes().ends_with(b"@") {
            documents.extend(Shelf { names: names.iter().cloned().chain([entry.name]).collect() }.document());
        }
        true
    })?;
    Ok(documents)
}

/// Removes a document's folder and those above it, as far as they are empty: what is not empty stays.
pub fn remove_empty(disk: &Disk, state: &Directory, shelf: &Shelf) {
    let mut names = shelf.names.as_slice();
    while let [parents @ .., last] = names
        && !parents.is_empty()
    {
        let path: Vec<&OsStr> = parents.iter().map(OsString::as_os_str).collect();
        let Ok(parent) = disk.open_below(state, &path) else { return };
        if disk.remove_directory(&parent, last).is_err() {
            return;
        }
        names = parents;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shelf_is_found_and_names_its_document_unless_that_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let state = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
        let long = "n".repeat(255);
        // A folder may itself be called like a shelf.
        let documents = ["a.json", "b@/c.json", "b", &long]
            .map(|name| Path::new("/srv").join(name))
            .map(|path| DocumentId::new(path.parent().unwrap(), path.file_name().unwrap()));
        for document in &documents {
            let names = components("backups", document);
            disk.make_below(&state, &names.iter().map(AsRef::as_ref).collect::<Vec<_>>(), crate::disk::Durable::Later)
                .unwrap();
        }
        let mut found = Vec::new();
        each_shelf(&disk, &state, "backups", |shelf, _| {
            found.push(shelf.clone());
            true
        })
        .unwrap();
        let in_one = |folder: &str| documents_in(&disk, &state, "backups", Path::new(folder)).unwrap();
        assert_eq!(
            (in_one("/srv").len(), in_one("/srv/b@"), in_one("/other")),
            (2, vec![documents[1].clone()], vec![])
        );
        let known = Shelves::of("backups", &documents);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|shelf| known.has(shelf)));
        let named: Vec<_> = found.iter().filter_map(Shelf::document).collect();
        assert_eq!(named.len(), 3);
        assert!(named.iter().all(|document| documents.contains(document)));
        remove_empty(&disk, &state, &found[0]);
        assert!(found.iter().all(|shelf| {
            let path = folder.path().join(shelf.names.iter().collect::<PathBuf>());
            path.exists() == (shelf != &found[0])
        }));
    }
}
