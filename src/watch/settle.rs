//! Finding out, again and again, where the roots lead: links are pointed elsewhere, folders come and go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder::Seen;
use super::mount::lock;
use super::resolve::{complaint, next_reach};
use super::sweeper::Sweeper;
use super::territory::{Reach, RootIndex};
use crate::disk::follow::Resolved;

impl Sweeper {
    /// Finds out where roots lead now: those that the sweep looks at, or that came to us, or that were never resolved.
    pub(super) fn settle_roots(&mut self, is_wanted: impl Fn(RootIndex) -> bool) {
        let due: Vec<(RootIndex, Vec<u64>)> = {
            let roots = lock(&self.mount.roots);
            let is_due = |root: RootIndex| {
                *self.territory.reach(root) == Reach::Nothing || is_wanted(root) && !self.is_settled(root)
            };
            roots.iter().filter(|(root, _)| is_due(**root)).map(|(root, trail)| (*root, trail.clone())).collect()
        };
        let changes: Vec<_> = due.into_iter().filter_map(|(root, trail)| self.settle_root(root, trail)).collect();
        if !changes.is_empty() {
            let before = self.territory.clone();
            let moved: Vec<RootIndex> = changes.iter().map(|(root, _)| *root).collect();
            self.territory = self.shared.change_territory(|territory| territory.with(changes));
            let folders = moved.iter().flat_map(|root| [before.reach(*root), self.territory.reach(*root)]);
            let folders: BTreeSet<PathBuf> = folders.filter_map(start_of).map(Path::to_owned).collect();
            self.fresh.extend(folders);
        }
    }

    /// Is the root a file without links on its way, where it was at the last look?
    fn is_settled(&self, root: RootIndex) -> bool {
        let Reach::Literal { path, found: true } = self.territory.reach(root) else { return false };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        if self.territory.roots()[root as usize].start() != path {
            return false;
        }
        let Some(folder) = lock(&self.mount.folders).get(folder).cloned() else { return false };
        let contents = folder.read();
        contents.find(name).is_ok_and(|index| matches!(contents.entries[index].seen, Seen::Present(_)))
    }

    fn settle_root(&mut self, index: RootIndex, mut trail: Vec<u64>) -> Option<(RootIndex, Reach)> {
        let territory = self.territory.clone();
        let root = &territory.roots()[index as usize];
        let before = territory.reach(index);
        self.mount.pulse.beat();
        let mounts = self.shared.mounts();
        let on_its_way: Vec<u64> = root.start().ancestors().map(|above| mounts.of(above).device).collect();
        let may_touch = |path: &Path| {
            let device = mounts.of(path).device;
            self.owns(device) || on_its_way.contains(&device) || trail.contains(&device)
        };
        let resolved = self.shared.disk.follow(root.start(), may_touch);
        if let Resolved::Elsewhere(path) = &resolved {
            let device = mounts.of(path).device;
            trail.push(device);
            lock(&self.mount.roots).remove(&index);
            self.hand_over(device, |work| work.roots.push((index, trail)));
            return None;
        }
        if let Some(why) = complaint(&root.target, before, &resolved) {
            self.shared.complain(&self.mount.pulse, &territory, index, why);
        }
        let after = next_reach(&root.target, before, &resolved);
        if after != *before {
            return Some((index, after));
        }
        // A folder that was given up as missing may be back.
        self.fresh.extend(start_of(&after).filter(|folder| !self.knows(folder)).map(Path::to_owned));
        None
    }
}

/// The folder to look at first.
fn start_of(reach: &Reach) -> Option<&Path> {
    match reach {
        Reach::Nothing => None,
        Reach::Literal { path, .. } => path.parent(),
        Reach::Folder(base) | Reach::Glob(base) => Some(base),
    }
}
