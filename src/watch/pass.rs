//! Looking at the documents of one folder: what is new is said, and remembered.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use super::folder::{Contents, Entry, Folder, Manner, Seen, Step, judge};
use super::mount::{Mount, Shared, lock};
use super::sweeper::Sweeper;
use super::{Observation, Sight};
use crate::config::OnMissing;
use crate::disk::directory::Directory;
use crate::disk::follow::Resolved;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::verdict::Reason;

impl Sweeper {
    /// Looks at documents of a folder by its handle; `None`: at all of them.
    pub(super) fn look_at_entries(
        &mut self,
        folder: &Arc<Folder>,
        directory: &Arc<Directory>,
        indexes: Option<&[usize]>,
        manner: Manner,
    ) {
        let (disk, shared, mount) = (self.shared.disk.clone(), self.shared.clone(), self.mount.clone());
        let territory = self.territory.clone();
        let has_failed = Cell::new(false);
        let refused = |entry: &Entry, found: &Signature| {
            let was_followed = territory.is_literal(entry.root) && !matches!(entry.seen, Seen::Present(_));
            let path = || folder.path.join(Path::new(&*entry.name));
            (found.is_link() && was_followed).then(|| refused_link(&shared, &mount, &path())).flatten()
        };
        self.pass(folder, Some(directory), indexes, manner, |entry| match disk.look(directory, &entry.name) {
            Ok(Some(signature)) => refused(entry, &signature).unwrap_or(Sight::Present(signature)),
            Ok(None) => Sight::Missing,
            Err(error) => {
                has_failed.set(true);
                Sight::Unreadable(Reason::of(&error), error.to_string())
            }
        });
        if has_failed.get() {
            // The handle may be what is bad: one on NFS can become stale.
            self.close(folder);
        }
    }

    /// Looks at the documents of a folder (`None`: at all of them), says what is new, and remembers it.
    pub(super) fn pass(
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
                    if !self.tell(folder, &contents, entry, directory, sight) {
                        return;
                    }
                }
                steps.push((index, step));
            }
        }
        self.act(folder, directory, steps);
    }

    fn forgets(&self, entry: &Entry) -> bool {
        self.territory.roots()[entry.root as usize]
            .watch
            .rules
            .on_missing
            .is_none_or(|missing| missing == OnMissing::Ignore)
    }

    /// Does what a look led to; `steps` in order of their places.
    pub(super) fn act(&mut self, folder: &Arc<Folder>, directory: Option<&Arc<Directory>>, steps: Vec<(usize, Step)>) {
        let mut leaving = Vec::new();
        for (index, step) in &steps {
            match step {
                Step::Lose => {
                    let contents = folder.read();
                    self.tell(folder, &contents, &contents.entries[*index], directory, Sight::Gone);
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

    fn tell(
        &self,
        folder: &Folder,
        contents: &Contents,
        entry: &Entry,
        directory: Option<&Arc<Directory>>,
        sight: Sight,
    ) -> bool {
        if matches!(sight, Sight::Present(_)) {
            for root in self.territory.sharing(&contents.reaching, entry.root, &folder.path, &entry.name) {
                self.shared.found(root);
            }
        }
        let observation = Observation::Document {
            document: DocumentId::new(&folder.path, &entry.name),
            watch: self.territory.roots()[entry.root as usize].watch.clone(),
            literal: self.territory.is_literal(entry.root),
            directory: directory.unwrap_or(&self.shared.nowhere).clone(),
            sight,
        };
        self.shared.observe(&self.mount.pulse, observation)
    }
}

/// Is it a link that is not to be followed, at a path whose links have all been?
fn refused_link(shared: &Shared, mount: &Mount, path: &Path) -> Option<Sight> {
    let mounts = shared.mounts();
    let may_touch = |path: &Path| lock(&mount.devices).contains(&mounts.of(path).device);
    match shared.disk.follow(path, may_touch) {
        Resolved::Unknown(_, error) => Some(Sight::Unreadable(Reason::of(&error), error.to_string())),
        _ => None,
    }
}

/// What becomes of a document that leaves the watch.
pub(super) fn lose(entry: &Entry) -> Step {
    if entry.seen == Seen::Never { Step::Drop } else { Step::Lose }
}
