//! Room for repairs: while the file system of guarded files is nearly full, each of their folders has a spare, as large as
//! the largest version that might have to be put back there.

mod scarcity;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Recover;
use super::job::Tools;
use super::lanes::Finished;
use super::sparing::Sparing;
use super::tracked::Tracked;
use crate::disk::Room;
use crate::disk::directory::Directory;
use crate::document::{Digest, DocumentId, Stored};
use crate::error::Result;
use crate::event::Fact;
use crate::repair::GRACE;
use crate::swap::spare::{self, Owner};
use scarcity::{Need, allowed, is_scarce};

/// While a file system is nearly full its spares are looked at this often; how full it is, each second.
const INTERVAL: Duration = Duration::from_secs(5);

/// What every usual file system gives a file at a time.
const BLOCK_BYTES: u64 = 4096;

/// So many good versions are compared with what stands at a spare's name and is none.
const VERSIONS_TRIED: usize = 8;

/// The file systems of the guarded files, by device number.
#[derive(Debug, Default)]
pub(super) struct Spares {
    /// Documents came or went, or something was stored of them: what repairs need is to be found out anew.
    pub is_stale: bool,
    gathering: Sparing,
    systems: HashMap<u64, FileSystem>,
}

#[derive(Debug, Default)]
struct FileSystem {
    folders: Arc<[Folder]>,
    /// Folders in which nothing is guarded any more.
    left: Vec<Arc<Directory>>,
    is_asking: bool,
    is_scarce: bool,
    /// Every folder has the spare that it is to have, or none, as of then.
    done_at: Option<Instant>,
    /// What was told of it: where, and whether some folders had no spare.
    told: Option<(PathBuf, bool)>,
}

/// A folder with guarded files.
#[derive(Clone, Debug)]
struct Folder {
    directory: Arc<Directory>,
    /// What a repair of its largest file needs.
    bytes: u64,
    owner: Owner,
    documents: Vec<DocumentId>,
}

/// One look at a file system.
struct Round {
    folders: Arc<[Folder]>,
    left: Vec<Arc<Directory>>,
    was_scarce: bool,
    is_due: bool,
}

/// What it came to.
#[derive(Debug)]
pub(super) struct Spared {
    /// `None`: it does not answer.
    room: Option<Room>,
    is_scarce: bool,
    /// The spares were seen to.
    is_done: bool,
    /// Folders that are to have a spare and have none.
    unspared: usize,
    /// Something else is at a spare's name, and may go soon.
    is_occupied: bool,
}

impl Recover {
    /// Once a second: has every file system asked that answered the last time.
    pub(super) fn keep_spares(&mut self) {
        if self.judged.is_some() {
            return;
        }
        let now = Instant::now();
        if self.spares.is_stale && self.spares.gathering.is_due(now) {
            self.spares.is_stale = false;
            self.spares.gather(self.documents.values().map(Box::as_ref));
            self.spares.gathering.took(now, now.elapsed());
        }
        for (device, system) in self.spares.systems.iter_mut().filter(|(_, system)| !system.is_asking) {
            let (device, round) = (*device, system.round(now));
            system.is_asking = self.lanes.aside(move |tools| Finished::Spared(device, round.run(tools)));
        }
    }

    pub(super) async fn spared(&mut self, device: u64, spared: Spared) {
        let Some(system) = self.spares.systems.get_mut(&device) else { return };
        system.is_asking = false;
        let Some(folder) = system.folders.first().map(|folder| folder.directory.path().to_owned()) else {
            let told = system.told.take();
            self.spares.systems.remove(&device);
            return self.room_is_back(told).await;
        };
        let Some(room) = spared.room else { return };
        system.is_scarce = spared.is_scarce;
        if spared.is_done {
            system.done_at = (!spared.is_occupied).then(Instant::now);
        }
        if !spared.is_scarce {
            let told = system.told.take();
            return self.room_is_back(told).await;
        }
        let lacks = spared.unspared > 0;
        if spared.is_done && system.told.as_ref().is_none_or(|(_, lacked)| *lacked != lacks) {
            let folder = system.told.take().map_or(folder, |(folder, _)| folder);
            system.told = Some((folder.clone(), lacks));
            let available_files = (room.all_files > 0).then_some(room.available_files);
            let (available_bytes, unspared) = (room.available_bytes, spared.unspared);
            self.say(Fact::RoomShort { folder, available_bytes, available_files, unspared }).await;
        }
    }

    async fn room_is_back(&mut self, told: Option<(PathBuf, bool)>) {
        if let Some((folder, _)) = told {
            self.say(Fact::RoomBack { folder }).await;
        }
    }
}

impl Spares {
    /// Finds out anew which folders there are, and what repairs in them need.
    fn gather<'a>(&mut self, documents: impl Iterator<Item = &'a Tracked>) {
        let mut found: HashMap<u64, HashMap<PathBuf, Folder>> = HashMap::new();
        for (tracked, folder) in documents.filter_map(|tracked| Some((tracked, Folder::of(tracked)?))) {
            let folders = found.entry(tracked.device()).or_default();
            match folders.get_mut(folder.directory.path()) {
                Some(known) => known.add(folder),
                None => drop(folders.insert(folder.directory.path().to_owned(), folder)),
            }
        }
        for device in found.keys() {
            self.systems.entry(*device).or_default();
        }
        for (device, system) in &mut self.systems {
            system.become_these(found.remove(device).unwrap_or_default());
        }
    }
}

impl FileSystem {
    fn become_these(&mut self, found: HashMap<PathBuf, Folder>) {
        let gone = self.folders.iter().filter(|folder| !found.contains_key(folder.directory.path()));
        self.left.extend(gone.map(|folder| Arc::clone(&folder.directory)));
        let mut folders: Vec<Folder> = found.into_values().collect();
        // The smallest first: where there is not room for all, the most have one.
        folders.sort_by(|one, other| (one.bytes, one.directory.path()).cmp(&(other.bytes, other.directory.path())));
        self.folders = folders.into();
        self.done_at = None;
    }

    fn round(&mut self, now: Instant) -> Round {
        let is_over = |done: Instant| self.is_scarce && now.saturating_duration_since(done) >= INTERVAL;
        Round {
            folders: Arc::clone(&self.folders),
            left: std::mem::take(&mut self.left),
            was_scarce: self.is_scarce,
            is_due: self.done_at.is_none_or(is_over),
        }
    }
}

impl Folder {
    /// The folder of a document, and what a repair of that needs; `None`: it will not be swapped, or not be repaired.
    fn of(tracked: &Tracked) -> Option<Self> {
        if tracked.observes {
            return None;
        }
        let signature = tracked.signature.filter(|signature| !signature.is_mount_root)?;
        let last_good = tracked.known.as_ref()?.last_good.as_ref().filter(|_| tracked.is_reachable())?;
        Some(Self {
            directory: Arc::clone(&tracked.directory),
            bytes: last_good.bytes.max(1).next_multiple_of(BLOCK_BYTES),
            owner: Owner { user: signature.owner, group: signature.group },
            documents: vec![tracked.document.clone()],
        })
    }

    fn add(&mut self, mut other: Self) {
        if other.bytes > self.bytes {
            (self.bytes, self.owner) = (other.bytes, other.owner);
        }
        self.documents.append(&mut other.documents);
    }

    /// Ends with what a repair on a full disk left at the spare's name; `true`: it is to be looked at again.
    fn settle(&self, tools: &Tools) -> bool {
        let is_kept = |bytes: &[u8]| {
            let (count, digest) = (bytes.len() as u64, Digest::of(bytes));
            self.documents.iter().any(|document| {
                let is_version = || tools.backups.find(document)?.map_or(Ok(false), |folder| folder.keeps(digest));
                tools.quarantine.holds(document, count, digest).unwrap_or(false)
                    || is_version().unwrap_or(false)
                    || is_half_filled(tools, document, bytes).unwrap_or(false)
            })
        };
        spare::settle(&tools.disk, &self.directory, GRACE, is_kept).unwrap_or(false)
    }
}

/// Are these bytes what somebody leaves of a spare who dies while a repair is written into it?
fn is_half_filled(tools: &Tools, document: &DocumentId, bytes: &[u8]) -> Result<bool> {
    let Some(folder) = tools.backups.find(document)? else { return Ok(false) };
    let versions = folder.versions()?;
    let is_it =
        |stored: &Stored| folder.bytes(stored.version).is_ok_and(|version| spare::is_half_filled_with(bytes, &version));
    // A repair takes the newest that is good, or, where that is rotten, one before.
    Ok(versions.iter().filter(|stored| stored.mark.is_last_good()).take(VERSIONS_TRIED).any(is_it))
}

impl Round {
    fn run(self, tools: &Tools) -> Spared {
        for directory in &self.left {
            // What cannot be removed now has a name that says what it is.
            let _ = spare::discard(&tools.disk, directory);
        }
        let mut spared =
            Spared { room: None, is_scarce: self.was_scarce, is_done: false, unspared: 0, is_occupied: false };
        let Some(room) = self.folders.first().and_then(|any| tools.disk.room(&any.directory).ok()) else {
            return spared;
        };
        let bytes = self.folders.iter().map(|folder| folder.bytes).sum();
        let need = Need { bytes, files: self.folders.len() as u64 };
        spared.room = Some(room);
        spared.is_scarce = is_scarce(&room, need, self.was_scarce);
        spared.is_done = self.is_due || spared.is_scarce != self.was_scarce;
        if spared.is_done {
            spared.is_occupied = self.folders.iter().filter(|folder| folder.settle(tools)).count() > 0;
            spared.unspared = if spared.is_scarce { self.prepare(tools, &room) } else { self.discard(tools) };
        }
        spared
    }

    /// Gives the folders their spares; says how many have none.
    fn prepare(&self, tools: &Tools, room: &Room) -> usize {
        let taken = |folder: &Folder| spare::bytes(&tools.disk, &folder.directory).ok().flatten();
        let there: Vec<_> = self.folders.iter().map(|folder| (folder.bytes, taken(folder))).collect();
        let allowed = allowed(room, &there);
        let prepare =
            |folder: &&Folder| spare::prepare(&tools.disk, &folder.directory, folder.bytes, folder.owner).is_ok();
        self.folders.len() - self.folders[..allowed].iter().filter(prepare).count()
    }

    fn discard(&self, tools: &Tools) -> usize {
        for folder in self.folders.iter() {
            // Tried again when the file system has been nearly full the next time.
            let _ = spare::discard(&tools.disk, &folder.directory);
        }
        0
    }
}
