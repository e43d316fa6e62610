//! What is said of a mount that does not answer. Its thread cannot say it, and nothing here touches the mount.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::folder::Folder;
use super::mount::{Mount, Pulse, Shared, lock};
use super::territory::Reach;
use super::{Observation, Sight};
use crate::document::DocumentId;
use crate::verdict::Reason;

const WHY: &str = "its mount does not answer";

/// Says of all documents on the mount that they cannot be looked at, unless it answers meanwhile.
pub(super) fn give_up(shared: &Arc<Shared>, mount: &Arc<Mount>) -> std::io::Result<()> {
    mount.is_given_up.store(true, Ordering::Release);
    let (shared, mount) = (shared.clone(), mount.clone());
    let tell = move || {
        let telling = lock(&mount.telling);
        let folders: Vec<Arc<Folder>> = lock(&mount.folders).values().cloned().collect();
        for folder in folders {
            if !tell_folder(&shared, &mount, &folder) {
                break;
            }
        }
        drop(telling);
        tell_roots(&shared, &mount);
    };
    std::thread::Builder::new().name("stalled".to_owned()).stack_size(512 << 10).spawn(tell).map(drop)
}

fn tell_folder(shared: &Shared, mount: &Mount, folder: &Folder) -> bool {
    let territory = shared.territory();
    // Collected first: the lock must not be held while we wait for the next stage.
    let observations: Vec<Observation> = {
        let contents = folder.read();
        let directory = contents.handle.as_ref().unwrap_or(&shared.nowhere);
        let unreadable = |entry: &super::folder::Entry| Observation::Document {
            document: DocumentId::new(&folder.path, &entry.name),
            watch: territory.roots()[entry.root as usize].watch.clone(),
            literal: territory.is_literal(entry.root),
            directory: directory.clone(),
            sight: Sight::Unreadable(Reason::Stalled, WHY.to_owned()),
        };
        contents.entries.iter().map(unreadable).collect()
    };
    let pulse = Pulse::default();
    observations
        .into_iter()
        .all(|observation| mount.is_given_up.load(Ordering::Acquire) && shared.observe(&pulse, observation))
}

/// Roots of which it was never learnt where they lead have no documents yet.
fn tell_roots(shared: &Shared, mount: &Mount) {
    let territory = shared.territory();
    let roots: Vec<u32> = lock(&mount.roots).keys().copied().collect();
    for root in roots.into_iter().filter(|root| *territory.reach(*root) == Reach::Nothing) {
        shared.complain(&Pulse::default(), &territory, root, WHY.to_owned());
    }
}
