//! Once an hour: versions of files that nobody guards any more, and old bytes in quarantine, are removed when their time is
//! over.

use std::time::{Duration, Instant};

use super::Recover;
use super::job::Tools;
use super::lanes::Finished;
use crate::backup::{Backups, DOUBT, Folder, Keep, Shelves, User, level, remove_empty};
use crate::clock::Timestamp;
use crate::config::{Storage, WatchName};
use crate::document::DocumentId;
use crate::error::Result;
use crate::event::{Fact, Subject};

/// How often.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// What is to be kept up.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// The folders of the documents that are guarded.
    guarded: Shelves,
    /// What those use.
    users: Vec<User>,
    storage: Storage,
    /// The clock has been doubted for long enough.
    is_clock_sure: bool,
}

/// What it came to.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the versions of files that nobody guards take on disk, in bytes.
    pub unguarded_bytes: u64,
    /// Documents whose versions were removed: how many, and how many bytes.
    pub removed: Vec<(DocumentId, usize, u64)>,
    /// The clock has leapt by so much, and is not believed.
    pub leap: Option<Duration>,
}

impl Recover {
    /// Begins, once everything has been looked at and the time has come.
    pub(super) fn keep_up(&mut self) {
        let now = Instant::now();
        if self.judged.is_some() || self.upkeep_due.is_none_or(|due| due > now) {
            return;
        }
        let upkeep = Upkeep {
            guarded: Shelves::of("backups", self.documents.keys()),
            users: self.documents.values().map(|tracked| tracked.user()).collect(),
            storage: self.settings.storage,
            is_clock_sure: self.clock_doubted.is_some_and(|since| now.duration_since(since) >= DOUBT),
        };
        let begun = self.lanes.aside(move |tools| Finished::KeptUp(upkeep.run(tools)));
        // While it runs there is no next time; where no thread is to be had, it is tried again.
        self.upkeep_due = (!begun).then_some(now + INTERVAL);
    }

    pub(super) async fn kept_up(&mut self, kept: Kept) {
        self.upkeep_due = Some(Instant::now() + INTERVAL);
        self.unguarded_bytes = kept.unguarded_bytes;
        self.is_stock_changed = true;
        self.doubt_clock(kept.leap).await;
        for (document, versions, bytes) in kept.removed {
            let subject = Subject { document, watch: WatchName::new("_other") };
            self.say(Fact::Pruned { subject, versions, bytes, reason: "keep_removed" }).await;
        }
    }

    async fn doubt_clock(&mut self, leap: Option<Duration>) {
        let before = std::mem::take(&mut self.clock_doubted);
        let Some(leap) = leap else { return };
        self.clock_doubted = before.or_else(|| Some(Instant::now()));
        if before.is_none() {
            self.say(Fact::ClockDoubted { leap }).await;
        }
    }
}

/// A folder of versions that nobody guards.
struct Unguarded {
    document: DocumentId,
    user: User,
}

impl Upkeep {
    fn run(&self, tools: &Tools) -> Kept {
        // What cannot be dated stays as it was: less is removed.
        let leap = tools.backups.believe_clock(self.is_clock_sure).unwrap_or_default();
        let now = tools.backups.believed_now();
        let mut kept = Kept { leap, ..Kept::default() };
        let mut unguarded = Vec::new();
        // What fails is tried again in an hour.
        let _ = tools.backups.each(|shelf, folder| {
            if self.guarded.has(shelf) {
                let _ = folder.note_guarded();
            } else if let Ok(Some((versions, bytes))) = self.unguarded(&folder, now) {
                remove_empty(&tools.disk, &tools.state, shelf);
                kept.removed.push((folder.document().clone(), versions, bytes));
            } else if let Ok(user) = folder.user() {
                unguarded.push(Unguarded { document: folder.document().clone(), user });
            }
            true
        });
        self.bring_down(&tools.backups, &mut unguarded, now);
        kept.unguarded_bytes = unguarded.iter().map(|one| one.user.bytes).sum();
        let _ = tools.quarantine.expire(self.storage.quarantine_within, now);
        kept
    }

    fn unguarded(&self, folder: &Folder, now: Timestamp) -> Result<Option<(usize, u64)>> {
        folder.lock()?;
        folder.note_gone(self.storage.keep_removed, now)
    }

    /// Those that nobody guards give as everybody does when all together is too much.
    fn bring_down(&self, backups: &Backups, unguarded: &mut [Unguarded], now: Timestamp) {
        let users: Vec<User> = self.users.iter().copied().chain(unguarded.iter().map(|one| one.user)).collect();
        let Some(level) = level(&users, self.storage.max_bytes) else { return };
        for one in unguarded.iter_mut().filter(|one| one.user.bytes > level) {
            let keep = Keep { max_bytes: level, ..Keep::newest(u32::MAX) };
            let pruned = backups.find(&one.document).ok().flatten().map(|folder| {
                folder.lock()?;
                folder.prune_as_of(keep, now)?;
                folder.user()
            });
            if let Some(Ok(user)) = pruned {
                one.user = user;
            }
        }
    }
}
