//! Finding a folder: does its path still lead to it, and does the kernel tell of it?

use std::sync::Arc;

use super::folder::{Folder, Manner};
use super::mount::lock;
use super::sweeper::Sweeper;
use super::territory::RootIndex;
use super::{Observation, Sight};
use crate::disk::directory::Directory;
use crate::disk::follow::is_absence;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::error::Error;
use crate::verdict::Reason;

/// What a folder's path leads to.
pub(super) enum Arrival {
    /// The folder. `is_other`: it was not this one before.
    Here { directory: Arc<Directory>, folder: Signature, is_other: bool },
    /// Nothing.
    Away,
    /// A folder that cannot be looked into, and why.
    Closed(Reason, String),
}

impl Sweeper {
    /// Finds the folder that the path leads to, and asks the kernel to tell of it.
    pub(super) fn arrive(&mut self, folder: &Folder, manner: Manner) -> Arrival {
        let arrival = self.find(folder);
        if let Arrival::Here { directory, folder: found, is_other } = &arrival {
            if *is_other {
                self.let_go(folder);
            }
            // Asked before it is listed, so that nothing happens between the two unseen.
            if !matches!(folder.read().placed, Some(Ok(()))) {
                self.place(folder, manner);
            }
            self.keep(folder, directory, *found);
        } else {
            self.let_go(folder);
        }
        arrival
    }

    fn find(&self, folder: &Folder) -> Arrival {
        let found = match self.shared.disk.look_at_path(&folder.path) {
            Ok(Some(found)) if found.is_directory() => found,
            Ok(_) => return Arrival::Away,
            Err(error) => return Arrival::Closed(Reason::of(&error), error.to_string()),
        };
        let (kept, identity) = {
            let contents = folder.read();
            (contents.handle.clone(), contents.identity)
        };
        let is_other = |found: &Signature| identity.is_none_or(|identity| !identity.is_same_file(found));
        if let Some(directory) = kept.filter(|_| !is_other(&found)) {
            return Arrival::Here { directory, folder: found, is_other: false };
        }
        let opened = self.shared.disk.open_directory(&folder.path);
        match opened.and_then(|directory| directory.signature().map(|found| (directory, found))) {
            Ok((directory, found)) => {
                Arrival::Here { directory: Arc::new(directory), folder: found, is_other: is_other(&found) }
            }
            Err(error) if is_absence(&error) || is_link(&error) => Arrival::Away,
            Err(error) => Arrival::Closed(Reason::of(&error), error.to_string()),
        }
    }

    /// Lets go of a folder that its path no longer leads to.
    fn let_go(&self, folder: &Folder) {
        self.close(folder);
        let mut contents = folder.write();
        contents.identity = None;
        contents.listed = None;
        contents.placed = None;
        contents.leftovers.clear();
    }

    /// Keeps the folder open no longer.
    pub(super) fn close(&self, folder: &Folder) {
        if folder.write().handle.take().is_some() {
            self.shared.closed();
        }
    }

    fn keep(&self, folder: &Folder, directory: &Arc<Directory>, identity: Signature) {
        let mut contents = folder.write();
        contents.identity = Some(identity);
        if contents.handle.is_none() && self.shared.may_keep_open() {
            contents.handle = Some(directory.clone());
        }
    }

    /// Asks the kernel to tell of a folder.
    fn place(&mut self, folder: &Folder, manner: Manner) {
        let has_failed = matches!(folder.read().placed, Some(Err(_)));
        if has_failed && !manner.sweeps {
            return;
        }
        let placed = match &self.refused {
            Some(why) => Err(why.clone()),
            None => self.source.place(&folder.path).map_err(|refusal| {
                if refusal.is_general {
                    self.refused = Some(refusal.why.clone());
                }
                refusal.why
            }),
        };
        folder.write().placed = Some(placed);
    }

    /// Says of a folder that cannot be looked into, and of which no document is known that would say so, that it cannot.
    pub(super) fn tell_closed(&self, folder: &Folder, reason: Reason, why: &str, manner: Manner) {
        let root = {
            let contents = folder.read();
            let is_news = manner.insists || contents.told_closed.is_none();
            contents.reaching.first().copied().filter(|_| is_news && contents.entries.is_empty())
        };
        let Some(root) = root else { return };
        if self.tell_folder(folder, root, Sight::Unreadable(reason, why.to_owned())) {
            folder.write().told_closed = Some(root);
        }
    }

    /// Takes back what was said of a folder that could not be looked into.
    pub(super) fn tell_open(&self, folder: &Folder, sight: Sight) {
        if folder.read().told_closed.is_none() {
            return;
        }
        let root = folder.write().told_closed.take();
        if let Some(root) = root {
            self.tell_folder(folder, root, sight);
        }
    }

    fn tell_folder(&self, folder: &Folder, root: RootIndex, sight: Sight) -> bool {
        let (Some(parent), Some(name)) = (folder.path.parent(), folder.path.file_name()) else { return true };
        self.shared.found(root);
        let observation = Observation::Document {
            document: DocumentId::new(parent, name),
            watch: self.territory.roots()[root as usize].watch.clone(),
            literal: false,
            directory: self.shared.nowhere.clone(),
            sight,
        };
        self.shared.observe(&self.mount.pulse, observation)
    }

    /// Nothing in it is guarded any more.
    pub(super) fn forget_folder(&mut self, folder: &Folder) {
        self.source.remove(&folder.path);
        self.let_go(folder);
        lock(&self.mount.folders).remove(&folder.path);
    }
}

fn is_link(error: &Error) -> bool {
    error.io_kind().is_some_and(|kind| kind == std::io::Error::from(rustix::io::Errno::LOOP).kind())
}
