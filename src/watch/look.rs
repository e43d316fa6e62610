//! Looking at one folder: does its path still lead to it, what is new in it, what has changed.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::arrive::Arrival;
use super::folder::{Contents, Entry, Folder, Leftover, Listing, Manner, Seen, Step};
use super::pass::lose;
use super::sweeper::Sweeper;
use super::territory::{RootIndex, is_leftover};
use super::{Observation, Sight};
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::error::Result;
use crate::verdict::Reason;

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
                let is_shaken = self.has_new_footing(folder, &directory, &found);
                let manner = Manner { insists: manner.insists || is_other || is_shaken, ..manner };
                if let Err(error) = self.list_if_changed(folder, &directory, found) {
                    let (reason, why) = (Reason::of(&error), error.to_string());
                    let unreadable = |_: &Entry| Sight::Unreadable(reason, why.clone());
                    self.pass(folder, Some(&directory), None, manner, unreadable);
                    return self.tell_closed(folder, reason, &why, manner);
                }
                self.tell_open(folder, Sight::Open);
                self.look_at_entries(folder, &directory, None, manner);
                self.look_at_leftovers(folder, &directory, manner);
            }
            Arrival::Away => {
                self.pass(folder, None, None, manner, |_| Sight::DirectoryMissing);
                self.tell_open(folder, Sight::Gone);
                if folder.read().entries.is_empty() {
                    self.forget_folder(folder);
                }
            }
            Arrival::Closed(reason, why) => {
                self.pass(folder, None, None, manner, |_| Sight::Unreadable(reason, why.clone()));
                self.tell_closed(folder, reason, &why, manner);
            }
        }
    }

    /// Has it changed, since the last look, whether files could be repaired here (a mount that is read-only now)? Then all
    /// of them are looked at again.
    fn has_new_footing(&self, folder: &Folder, directory: &Directory, found: &Signature) -> bool {
        let footing = self.shared.disk.footing(directory, found);
        let before = folder.write().footing.replace(footing.clone());
        before.is_some_and(|before| before != footing)
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
        folder.write().add(new);
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
        folder.write().add(new);
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
        folder.write().add(new);
        let mut contents = folder.write();
        contents.leftovers = leftovers.into_iter().filter_map(|name| owned(&contents, name)).collect();
        contents.listed = Some(Listing { folder: found, was_fresh });
        Ok(())
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

    /// How many documents there are on this mount, for whoever asks.
    pub(super) fn count(&self) {
        let documents = self.known_folders().iter().map(|folder| folder.read().entries.len()).sum();
        self.mount.documents.store(documents, Ordering::Relaxed);
    }
}

/// A leftover is told with a watch that reaches into the folder; whose it is, its name says.
fn owned(contents: &Contents, name: OsString) -> Option<Leftover> {
    if let Some(known) = contents.leftovers.iter().find(|known| known.name == name) {
        return Some(known.clone());
    }
    let root = contents.reaching.first().copied()?;
    Some(Leftover { name, root, is_said: false })
}
