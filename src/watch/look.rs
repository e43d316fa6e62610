//! Looking at one folder: does its path still lead to it, what is new in it, what has changed.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::folder::{Contents, Entry, Folder, Leftover, Listing, Manner, Seen, Step, judge};
use super::resolve::is_absence;
use super::sweeper::Sweeper;
use super::territory::{RootIndex, is_leftover, locked_by};
use super::{Observation, Sight};
use crate::config::OnMissing;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::error::{Error, Result};

/// What a folder's path leads to.
enum Arrival {
    /// The folder. `is_other`: it was not this one before.
    Here { directory: Arc<Directory>, folder: Signature, is_other: bool },
    /// Nothing.
    Away,
    /// A folder that cannot be looked into, and why.
    Closed(String),
}

/// Before Linux 6.13 two changes within a tick (4 ms, 10 ms on some) bear the same time, so a folder that was listed within
/// two ticks of its change may have changed again unseen.
const RACY: Duration = Duration::from_millis(20);

impl Sweeper {
    /// Looks at a folder and all documents in it.
    pub(super) fn look_at_folder(&mut self, folder: &Arc<Folder>, manner: Manner) {
        self.reclaim(folder);
        let arrival = if folder.read().reaching.is_empty() { Arrival::Away } else { self.arrive(folder, manner) };
        match arrival {
            Arrival::Here { directory, folder: found, is_other } => {
                let manner = Manner { insists: manner.insists || is_other, ..manner };
                if let Err(error) = self.list_if_changed(folder, &directory, found) {
                    let why = error.to_string();
                    return self.pass(folder, Some(&directory), None, manner, |_| Sight::Unreadable(why.clone()));
                }
                self.look_at_entries(folder, &directory, None, manner);
                self.look_at_leftovers(folder, &directory, manner);
            }
            Arrival::Away => {
                self.pass(folder, None, None, manner, |_| Sight::DirectoryMissing);
                if folder.read().entries.is_empty() {
                    self.forget_folder(folder);
                }
            }
            Arrival::Closed(why) => self.pass(folder, None, None, manner, |_| Sight::Unreadable(why.clone())),
        }
    }

    /// Looks at some names of a folder that the kernel spoke of.
    pub(super) fn look_at_names(&mut self, folder: &Arc<Folder>, names: &[OsString]) {
        self.reclaim(folder);
        let kept = folder.read().handle.clone();
        let opened = kept.map_or_else(|| self.shared.disk.open_directory(&folder.path).map(Arc::new), Ok);
        // What is wrong with the folder is for the sweep to find out.
        let Ok(directory) = opened else { return };
        let unknown: Vec<&OsString> = {
            let contents = folder.read();
            names.iter().filter(|name| contents.find(name).is_err()).collect()
        };
        let mut new = Vec::new();
        for name in unknown {
            new.extend(self.claim(folder, name).map(|root| (name.clone(), root)));
            self.meet_folder(folder, &directory, name);
        }
        self.add(folder, new);
        let mut indexes: Vec<usize> = {
            let contents = folder.read();
            names.iter().filter_map(|name| contents.find(name).ok()).collect()
        };
        indexes.sort_unstable();
        indexes.dedup();
        self.look_at_entries(folder, &directory, Some(&indexes), Manner { insists: true, sweeps: false });
    }

    fn claim(&self, folder: &Folder, name: &OsStr) -> Option<RootIndex> {
        self.territory.claim(&folder.read().reaching, &folder.path, name)
    }

    /// If this name is a folder that is to be watched, it will be.
    fn meet_folder(&mut self, folder: &Folder, directory: &Directory, name: &OsStr) {
        let path = folder.path.join(name);
        if self.territory.reaching(&path).is_empty() {
            return;
        }
        if self.shared.disk.look(directory, name).is_ok_and(|found| found.is_some_and(|found| found.is_directory())) {
            self.fresh.push_back(path);
        }
    }

    /// When the territory has changed, finds out anew whose the documents of the folder are.
    fn reclaim(&mut self, folder: &Arc<Folder>) {
        let territory = self.territory.clone();
        if folder.read().generation == territory.generation {
            return;
        }
        let reaching = territory.reaching(&folder.path);
        let claim = |name: &OsStr| territory.claim(&reaching, &folder.path, name);
        let lost: Vec<(usize, Step)> = {
            let contents = folder.read();
            let unclaimed = contents.entries.iter().enumerate().filter(|(_, entry)| claim(&entry.name).is_none());
            unclaimed.map(|(index, entry)| (index, lose(entry))).collect()
        };
        self.act(folder, None, lost);
        let mut contents = folder.write();
        for entry in &mut contents.entries {
            if let Some(root) = claim(&entry.name).filter(|root| *root != entry.root) {
                let is_same_watch = |one: RootIndex, other: RootIndex| {
                    Arc::ptr_eq(&territory.roots()[one as usize].watch, &territory.roots()[other as usize].watch)
                };
                if !is_same_watch(root, entry.root) || territory.is_literal(root) != territory.is_literal(entry.root) {
                    entry.seen = Seen::Never;
                }
                entry.root = root;
            }
        }
        contents.listed = None;
        contents.reaching = reaching;
        contents.generation = territory.generation;
        drop(contents);
        self.add_literals(folder);
    }

    fn add_literals(&mut self, folder: &Arc<Folder>) {
        let territory = self.territory.clone();
        let mut new = Vec::new();
        for (name, root) in territory.literals_in(&folder.path) {
            match self.claim(folder, name) {
                Some(claimed) => new.push((name.clone(), claimed)),
                None => self.shared.complain(&self.mount.pulse, &territory, *root, "it is left out".to_owned()),
            }
        }
        self.add(folder, new);
    }

    /// Finds the folder that the path leads to, and asks the kernel to tell of it.
    fn arrive(&mut self, folder: &Arc<Folder>, manner: Manner) -> Arrival {
        let found = match self.shared.disk.look_at_path(&folder.path) {
            Ok(Some(found)) if found.is_directory() => found,
            Ok(_) => return self.leave(folder, Arrival::Away),
            Err(error) => return self.leave(folder, Arrival::Closed(error.to_string())),
        };
        let (kept, identity, is_placed) = {
            let contents = folder.read();
            (contents.handle.clone(), contents.identity, matches!(contents.placed, Some(Ok(()))))
        };
        let is_other = identity.is_none_or(|identity| !identity.is_same_file(&found));
        let directory = match kept.filter(|_| !is_other) {
            Some(directory) => directory,
            None => match self.shared.disk.open_directory(&folder.path).map(Arc::new) {
                Ok(directory) => directory,
                Err(error) if is_absence(&error) || is_link(&error) => return self.leave(folder, Arrival::Away),
                Err(error) => return self.leave(folder, Arrival::Closed(error.to_string())),
            },
        };
        if is_other {
            self.leave(folder, Arrival::Away);
        }
        let opened = match directory.signature() {
            Ok(opened) => opened,
            Err(error) => return self.leave(folder, Arrival::Closed(error.to_string())),
        };
        if is_other || !is_placed {
            self.place(folder, manner);
        }
        self.keep(folder, &directory, opened);
        Arrival::Here { directory, folder: if is_other { opened } else { found }, is_other }
    }

    /// Lets go of a folder that its path no longer leads to.
    fn leave(&mut self, folder: &Folder, arrival: Arrival) -> Arrival {
        let mut contents = folder.write();
        if contents.handle.take().is_some() {
            self.shared.closed();
        }
        contents.identity = None;
        contents.listed = None;
        contents.placed = None;
        contents.leftovers.clear();
        arrival
    }

    fn keep(&self, folder: &Folder, directory: &Arc<Directory>, identity: Signature) {
        let mut contents = folder.write();
        contents.identity = Some(identity);
        if contents.handle.is_none() && self.shared.may_keep_open() {
            contents.handle = Some(directory.clone());
        }
    }

    fn list_if_changed(&mut self, folder: &Arc<Folder>, directory: &Directory, found: Signature) -> Result<()> {
        let is_known = folder.read().listed.is_some_and(|listing| !listing.was_fresh && listing.folder == found);
        if is_known { Ok(()) } else { self.list(folder, directory, found) }
    }

    fn list(&mut self, folder: &Arc<Folder>, directory: &Directory, found: Signature) -> Result<()> {
        let was_fresh = found.age() < RACY;
        let (mut new, mut below, mut leftovers) = (Vec::new(), Vec::new(), Vec::new());
        {
            let contents = folder.read();
            self.shared.disk.list(directory, |listed| {
                self.mount.pulse.beat();
                if listed.is_directory {
                    below.push(listed.name);
                } else if is_leftover(&listed.name) {
                    leftovers.push(listed.name);
                } else if contents.find(&listed.name).is_err() {
                    let root = self.territory.claim(&contents.reaching, &folder.path, &listed.name);
                    new.extend(root.map(|root| (listed.name, root)));
                }
                !self.shared.ends()
            })?;
        }
        let unknown = below.iter().map(|name| folder.path.join(name)).filter(|path| !self.knows(path));
        let fresh: Vec<_> = unknown.filter(|path| !self.territory.reaching(path).is_empty()).collect();
        self.fresh.extend(fresh);
        self.add(folder, new);
        let mut contents = folder.write();
        contents.leftovers = leftovers.into_iter().filter_map(|name| owned(folder, &contents, name)).collect();
        contents.listed = Some(Listing { folder: found, was_fresh });
        Ok(())
    }

    /// Adds documents, lock files of documents left out.
    fn add(&mut self, folder: &Arc<Folder>, new: Vec<(OsString, RootIndex)>) {
        if new.is_empty() {
            return;
        }
        let added: Vec<OsString> = new.iter().map(|(name, _)| name.clone()).collect();
        folder.write().add(new);
        let locks: Vec<(usize, Step)> = {
            let contents = folder.read();
            let lock_of = |name: &OsString| {
                let mut lock = name.clone();
                lock.push(".lock");
                contents.find(&lock).ok()
            };
            let is_lock = |name: &OsString| locked_by(name).is_some_and(|stem| contents.find(stem).is_ok());
            let own = added.iter().filter(|name| is_lock(name)).filter_map(|name| contents.find(name).ok());
            let mut indexes: Vec<usize> = added.iter().filter_map(lock_of).chain(own).collect();
            indexes.sort_unstable();
            indexes.dedup();
            indexes.retain(|index| !self.territory.is_literal(contents.entries[*index].root));
            indexes.into_iter().map(|index| (index, lose(&contents.entries[index]))).collect()
        };
        self.act(folder, None, locks);
    }

    fn look_at_entries(
        &mut self,
        folder: &Arc<Folder>,
        directory: &Arc<Directory>,
        indexes: Option<&[usize]>,
        manner: Manner,
    ) {
        let disk = self.shared.disk.clone();
        self.pass(folder, Some(directory), indexes, manner, |entry| match disk.look(directory, &entry.name) {
            Ok(Some(signature)) => Sight::Present(signature),
            Ok(None) => Sight::Missing,
            Err(error) => Sight::Unreadable(error.to_string()),
        });
    }

    /// Looks at the documents of a folder (`None`: at all of them), says what is new, and remembers it.
    fn pass(
        &mut self,
        folder: &Arc<Folder>,
        directory: Option<&Arc<Directory>>,
        indexes: Option<&[usize]>,
        manner: Manner,
        look: impl Fn(&Entry) -> Sight,
    ) {
        let mut steps = Vec::new();
        {
            let contents = folder.read();
            let count = indexes.map_or(contents.entries.len(), <[usize]>::len);
            for index in (0..count).map(|place| indexes.map_or(place, |indexes| indexes[place])) {
                let entry = &contents.entries[index];
                self.mount.pulse.beat();
                let sight = look(entry);
                let step = judge(entry, self.territory.is_literal(entry.root), self.forgets(entry), &sight, manner);
                if step == Step::Keep {
                    continue;
                }
                if let Step::Remember { seen, tells: true, .. } = step {
                    let sight = if seen == Seen::Missing { Sight::Missing } else { sight };
                    if !self.tell(folder, entry, directory, sight) {
                        return;
                    }
                }
                steps.push((index, step));
            }
        }
        self.act(folder, directory, steps);
    }

    fn forgets(&self, entry: &Entry) -> bool {
        self.territory.roots()[entry.root as usize].watch.rules.on_missing != Some(OnMissing::Alert)
    }

    /// Does what a look led to; `steps` in order of their places.
    fn act(&mut self, folder: &Arc<Folder>, directory: Option<&Arc<Directory>>, steps: Vec<(usize, Step)>) {
        let mut leaving = Vec::new();
        for (index, step) in &steps {
            match step {
                Step::Lose => {
                    let contents = folder.read();
                    self.tell(folder, &contents.entries[*index], directory, Sight::Gone);
                    leaving.push(*index);
                }
                Step::Drop => leaving.push(*index),
                Step::Resolve => {
                    let root = folder.read().entries[*index].root;
                    self.unsettled.insert(root);
                }
                Step::Keep | Step::Remember { .. } => {}
            }
        }
        if steps.is_empty() {
            return;
        }
        let mut contents = folder.write();
        for (index, step) in steps {
            let entry = &mut contents.entries[index];
            match step {
                Step::Remember { seen, absences, .. } => (entry.seen, entry.absences) = (seen, absences),
                Step::Resolve => entry.seen = Seen::Link,
                Step::Keep | Step::Drop | Step::Lose => {}
            }
        }
        let mut index = 0;
        contents.entries.retain(|_| {
            index += 1;
            leaving.binary_search(&(index - 1)).is_err()
        });
    }

    fn tell(&self, folder: &Folder, entry: &Entry, directory: Option<&Arc<Directory>>, sight: Sight) -> bool {
        if matches!(sight, Sight::Present(_)) {
            self.shared.found(entry.root);
        }
        let observation = Observation::Document {
            document: DocumentId::new(&folder.path, &entry.name),
            watch: self.territory.roots()[entry.root as usize].watch.clone(),
            literal: self.territory.is_literal(entry.root),
            directory: directory.unwrap_or(&self.shared.top).clone(),
            sight,
        };
        self.shared.observe(&self.mount.pulse, observation)
    }

    fn look_at_leftovers(&mut self, folder: &Arc<Folder>, directory: &Arc<Directory>, manner: Manner) {
        if folder.read().leftovers.is_empty() {
            return;
        }
        let mut leftovers = std::mem::take(&mut folder.write().leftovers);
        leftovers.retain_mut(|Leftover { name, root, is_said }| {
            let Ok(Some(signature)) = self.shared.disk.look(directory, name) else { return false };
            if std::mem::replace(is_said, true) && !manner.sweeps {
                return true;
            }
            let watch = self.territory.roots()[*root as usize].watch.clone();
            let leftover = Observation::Leftover { directory: directory.clone(), name: name.clone(), signature, watch };
            self.shared.observe(&self.mount.pulse, leftover)
        });
        folder.write().leftovers = leftovers;
    }

    fn forget_folder(&mut self, folder: &Folder) {
        self.source.remove(&folder.path);
        self.leave(folder, Arrival::Away);
        super::mount::lock(&self.mount.folders).remove(&folder.path);
    }

    /// How many documents there are on this mount, for whoever asks.
    pub(super) fn count(&self) {
        let documents = self.known_folders().iter().map(|folder| folder.read().entries.len()).sum();
        self.mount.documents.store(documents, Ordering::Relaxed);
    }
}

fn lose(entry: &Entry) -> Step {
    if entry.seen == Seen::Never { Step::Drop } else { Step::Lose }
}

fn is_link(error: &Error) -> bool {
    error.io_kind().is_some_and(|kind| kind == std::io::Error::from(rustix::io::Errno::LOOP).kind())
}

/// A leftover belongs to the watch of its document; if that is not known, to any that reaches into the folder.
fn owned(folder: &Folder, contents: &Contents, name: OsString) -> Option<Leftover> {
    if let Some(known) = contents.leftovers.iter().find(|known| known.name == name) {
        return Some(known.clone());
    }
    let is_of = |entry: &&Entry| {
        let prefix = DocumentId::new(&folder.path, &entry.name).staged_prefix();
        name.as_encoded_bytes().starts_with(prefix.as_bytes())
    };
    let root = contents.entries.iter().find(is_of).map(|entry| entry.root);
    let root = root.or_else(|| contents.reaching.first().copied())?;
    Some(Leftover { name, root, is_said: false })
}
