//! A watched folder and the documents in it: 40 bytes a document, and its name.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Sight;
use super::territory::RootIndex;
use crate::disk::directory::Directory;
use crate::disk::prospects::Footing;
use crate::disk::signature::{Fingerprint, Signature};

/// A watched folder.
///
/// *Invariant:* only the sweep thread of its mount writes, and it never holds the write lock during a call that may hang;
/// so whoever else reads is never kept.
#[derive(Debug)]
pub(super) struct Folder {
    /// Its canonical path.
    pub(super) path: Arc<Path>,
    contents: RwLock<Contents>,
}

/// What is known of a folder.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// An open handle, while the descriptor limit allows it.
    pub(super) handle: Option<Arc<Directory>>,
    /// The folder that the path led to when it was last opened.
    pub(super) identity: Option<Signature>,
    /// The last time its names were read.
    pub(super) listed: Option<Listing>,
    /// The generation of the territory that the entries were claimed in.
    pub(super) generation: u64,
    /// The roots that reach into it.
    pub(super) reaching: Vec<RootIndex>,
    /// Its documents, in order of their names.
    pub(super) entries: Vec<Entry>,
    /// Our temporaries in it.
    pub(super) leftovers: Vec<Leftover>,
    /// Can it be changed without this kernel noticing?
    pub(super) is_remote: bool,
    /// Was it said of it, for want of documents to say it of, that it cannot be looked into? By a root of this watch.
    pub(super) told_closed: Option<RootIndex>,
    /// What repairs in it stand on.
    pub(super) footing: Option<Footing>,
    /// Does the kernel tell of it? `Some(Err)`: no, and why; `None`: it is to be asked.
    pub(super) placed: Option<Result<(), String>>,
}

/// When a folder was listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    /// The folder just before.
    pub(super) folder: Signature,
    /// Had it changed so shortly before that a later change may bear the same time?
    pub(super) was_fresh: bool,
}

/// A temporary of ours.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    /// Its name.
    pub(super) name: OsString,
    /// A root of the watch that it belongs to.
    pub(super) root: RootIndex,
    /// Was it said that it is there?
    pub(super) is_said: bool,
}

/// A document.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: Box<OsStr>,
    /// The root that took it.
    pub(super) root: RootIndex,
    /// At how many sweeps running it was absent.
    pub(super) absences: u8,
    /// What was last seen of it.
    pub(super) seen: Seen,
}

/// What was last seen of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing yet.
    Never,
    /// This stood at its name.
    Present(Fingerprint),
    /// Its folder was there, it was not.
    Missing,
    /// Its folder was not there.
    DirectoryMissing,
    /// It could not be looked at.
    Unreadable,
    /// A link, where a file had been; where that leads was to be found out.
    Link,
}

/// How a look is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Say what is seen even when it is nothing new.
    pub(super) insists: bool,
    /// Count absences: this is a sweep.
    pub(super) sweeps: bool,
}

/// What follows from a look at a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing new.
    Keep,
    /// Remember this; `tells`: and say it.
    Remember { seen: Seen, absences: u8, tells: bool },
    /// Forget it, without a word: it never was a document.
    Drop,
    /// Forget it, and say that it is gone.
    Lose,
    /// A link stands where a file was: where does the path lead now?
    Resolve,
}

impl Folder {
    /// A folder of which nothing is known.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), contents: RwLock::default() }
    }

    /// What is known of it.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of it, to be changed.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Where in the entries a name is, or would be.
    pub(super) fn find(&self, name: &OsStr) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name))
    }

    /// Adds documents that are not known yet.
    pub(super) fn add(&mut self, names: impl IntoIterator<Item = (OsString, RootIndex)>) {
        let entry = |(name, root): (OsString, RootIndex)| Entry {
            name: name.into_boxed_os_str(),
            root,
            absences: 0,
            seen: Seen::Never,
        };
        self.entries.extend(names.into_iter().map(entry));
        self.entries.sort_by(|one, other| one.name.cmp(&other.name));
        self.entries.dedup_by(|later, kept| later.name == kept.name);
        self.entries.shrink_to_fit();
    }
}

impl Seen {
    fn of(sight: &Sight) -> Self {
        match sight {
            Sight::Present(signature) => Self::Present(signature.fingerprint()),
            Sight::Missing | Sight::Gone | Sight::Open => Self::Missing,
            Sight::DirectoryMissing => Self::DirectoryMissing,
            Sight::Unreadable(..) => Self::Unreadable,
        }
    }
}

/// After this many sweeps running without it, a document that no one named literally has left the watch.
const SWEEPS_UNTIL_GONE: u8 = 2;

/// What follows when `sight` is met at the name of `entry`. `forgets`: an absent document leaves the watch after a while.
pub(super) fn judge(entry: &Entry, is_literal: bool, forgets: bool, sight: &Sight, manner: Manner) -> Step {
    let seen = match sight {
        // The path of a literal root has had all its links resolved: this one is new, or leads nowhere.
        Sight::Present(found) if is_literal && found.is_link() => match entry.seen {
            Seen::Present(_) => return Step::Resolve,
            _ => Seen::Missing,
        },
        // Links and folders are no documents of a glob or a folder, unless they take the place of one.
        Sight::Present(found) if entry.seen == Seen::Never && !is_literal && !is_document(found) => return Step::Drop,
        sight => Seen::of(sight),
    };
    let is_absent = matches!(seen, Seen::Missing | Seen::DirectoryMissing);
    if is_absent && entry.seen == Seen::Never && !is_literal {
        return Step::Drop;
    }
    let absences = if is_absent { entry.absences.saturating_add(u8::from(manner.sweeps)) } else { 0 };
    if absences >= SWEEPS_UNTIL_GONE && forgets && !is_literal {
        return Step::Lose;
    }
    let tells = manner.insists || seen != entry.seen;
    let is_kept = seen == entry.seen && absences.min(SWEEPS_UNTIL_GONE) == entry.absences;
    if is_kept && !tells {
        return Step::Keep;
    }
    Step::Remember { seen, absences: absences.min(SWEEPS_UNTIL_GONE), tells }
}

fn is_document(found: &Signature) -> bool {
    !found.is_link() && !found.is_directory()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    const SWEEP: Manner = Manner { insists: false, sweeps: true };
    const HINT: Manner = Manner { insists: true, sweeps: false };

    fn entry(seen: Seen) -> Entry {
        Entry { name: OsString::from("a.json").into_boxed_os_str(), root: 0, absences: 0, seen }
    }

    fn present(found: Signature) -> Seen {
        Seen::Present(found.fingerprint())
    }

    /// A file, a link to it and a folder.
    fn signatures() -> (Signature, Signature, Signature) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "{}").unwrap();
        std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
        let look = |name| Disk::default().look_at_path(&folder.path().join(name)).unwrap().unwrap();
        (look("file"), look("link"), Disk::default().look_at_path(folder.path()).unwrap().unwrap())
    }

    fn remembered(step: Step) -> (Seen, bool) {
        let Step::Remember { seen, tells, .. } = step else { panic!("{step:?}") };
        (seen, tells)
    }

    #[test]
    fn an_unchanged_file_is_news_only_when_hinted_at() {
        let (file, ..) = signatures();
        let known = entry(present(file));
        assert_eq!(judge(&known, false, true, &Sight::Present(file), SWEEP), Step::Keep);
        assert_eq!(remembered(judge(&known, false, true, &Sight::Present(file), HINT)), (present(file), true));
        let new = entry(Seen::Never);
        assert_eq!(remembered(judge(&new, false, true, &Sight::Present(file), SWEEP)), (present(file), true));
    }

    #[test]
    fn links_and_folders_are_no_documents_unless_they_replace_one() {
        let (file, link, folder) = signatures();
        for other in [link, folder] {
            assert_eq!(judge(&entry(Seen::Never), false, true, &Sight::Present(other), SWEEP), Step::Drop);
            let replaced = judge(&entry(present(file)), false, true, &Sight::Present(other), SWEEP);
            assert_eq!(remembered(replaced), (present(other), true));
        }
    }

    #[test]
    fn a_link_at_a_literal_path_is_resolved_and_else_counts_as_missing() {
        let (file, link, _) = signatures();
        assert_eq!(judge(&entry(present(file)), true, false, &Sight::Present(link), SWEEP), Step::Resolve);
        let circular = judge(&entry(Seen::Never), true, false, &Sight::Present(link), SWEEP);
        assert_eq!(remembered(circular), (Seen::Missing, true));
    }

    #[test]
    fn a_matched_file_is_missing_once_and_gone_after_two_sweeps() {
        let (file, ..) = signatures();
        let mut matched = entry(present(file));
        assert_eq!(remembered(judge(&matched, false, true, &Sight::Missing, HINT)), (Seen::Missing, true));
        matched.seen = Seen::Missing;
        let step = judge(&matched, false, true, &Sight::Missing, SWEEP);
        assert_eq!(step, Step::Remember { seen: Seen::Missing, absences: 1, tells: false });
        matched.absences = 1;
        assert_eq!(judge(&matched, false, true, &Sight::Missing, SWEEP), Step::Lose);
        // One that must be told stays, and says nothing more.
        assert_eq!(
            judge(&matched, false, false, &Sight::Missing, SWEEP),
            Step::Remember { seen: Seen::Missing, absences: 2, tells: false }
        );
        matched.absences = 2;
        assert_eq!(judge(&matched, true, true, &Sight::Missing, SWEEP), Step::Keep);
    }

    #[test]
    fn a_literal_path_that_is_not_there_is_said_once() {
        let step = judge(&entry(Seen::Never), true, false, &Sight::DirectoryMissing, SWEEP);
        assert_eq!(remembered(step), (Seen::DirectoryMissing, true));
        let changed = judge(&entry(Seen::DirectoryMissing), true, false, &Sight::Missing, SWEEP);
        assert_eq!(remembered(changed), (Seen::Missing, true));
    }

    #[test]
    fn a_document_takes_little_room() {
        assert!(size_of::<Entry>() <= 40, "{}", size_of::<Entry>());
    }
}
