//! What swaps left beside documents: it is met at every sweep, until it can go.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Recover;
use super::job::{Known, Work};
use super::tracked::Tracked;
use crate::decide::{Input, Seen};
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::document::{Digest, DocumentId};
use crate::error::Result;
use crate::event::Fact;
use crate::repair::{Disposal, GRACE};
use crate::verdict::Reason;

/// Which document a leftover belongs to, by its folder and the beginning of its name.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<u64, DocumentId>);

impl Owners {
    pub(super) fn add(&mut self, document: &DocumentId) {
        self.0.insert(key(document.directory(), document.staged_prefix().as_bytes()), document.clone());
    }

    pub(super) fn remove(&mut self, document: &DocumentId) {
        self.0.remove(&key(document.directory(), document.staged_prefix().as_bytes()));
    }

    fn of(&self, directory: &Path, name: &OsStr) -> Option<DocumentId> {
        let name = name.as_encoded_bytes();
        let hash = name.strip_prefix(b".jsonwarden-")?.iter().position(|byte| *byte == b'-')?;
        let prefix = name.get(..b".jsonwarden-".len() + hash + 1)?;
        // Two names may share a key; that is seen here.
        let is_owner =
            |document: &&DocumentId| document.directory() == directory && document.staged_prefix().as_bytes() == prefix;
        self.0.get(&key(directory, prefix)).filter(is_owner).cloned()
    }
}

fn key(directory: &Path, prefix: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (directory, prefix).hash(&mut hasher);
    hasher.finish()
}

/// One leftover.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// The digest that it had when it was put there, if that is known.
    pub put_aside: Option<Digest>,
    /// What it looked like when it was met last.
    pub met: Option<Signature>,
    /// Something was told of it.
    pub is_told: bool,
    /// While it stays as it is, it is not looked at before.
    pub rests_until: Option<Instant>,
}

/// All of one document.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Those that are remembered.
    pub known: BTreeMap<OsString, Beside>,
    /// Those that were met and wait to be looked at.
    met: VecDeque<OsString>,
    /// Those that could not be copied to quarantine.
    unkept: Vec<OsString>,
}

/// Where no lease is to be had, whoever may have it open is asked for so often.
const REST: Duration = Duration::from_secs(60);

/// So many of one document are remembered; the others are met all the same.
const REMEMBERED: usize = 256;

/// So many wait to be looked at; the others wait for the next sweep.
const WAITING: usize = 64;

impl Leftovers {
    /// How many of them are newer than this one?
    fn newer_than(&self, name: &OsStr) -> u32 {
        let met = |beside: &Beside| beside.met;
        let Some(age) = self.known.get(name).and_then(met).map(|this| this.age()) else { return 0 };
        let newer = self.known.values().filter_map(met).filter(|other| other.age() < age).count();
        u32::try_from(newer).unwrap_or(u32::MAX)
    }
}

impl Tracked {
    /// Is there anything to be done with a leftover that looks like this now?
    fn meets(&mut self, name: &OsStr, signature: Signature) -> bool {
        let Leftovers { known, unkept, .. } = &mut **self.leftovers.get_or_insert_default();
        if !known.contains_key(name) && known.len() >= REMEMBERED {
            return true;
        }
        let beside = known.entry(name.to_owned()).or_default();
        let is_known = beside.met.replace(signature) == Some(signature);
        // What could not be kept elsewhere is tried again: there may be room by now.
        let is_over = beside.is_told && !unkept.iter().any(|unkept| unkept == name);
        let is_resting = beside.rests_until.is_some_and(|until| Instant::now() < until);
        !(is_known && (is_over || is_resting || signature.age() < GRACE))
    }

    /// Is this the first time that something is told of a leftover?
    fn tells(&mut self, name: &OsStr) -> bool {
        let beside = self.leftovers.as_mut().and_then(|leftovers| leftovers.known.get_mut(name));
        beside.is_some_and(|beside| !std::mem::replace(&mut beside.is_told, true))
    }

    /// Notes one that is to be looked at.
    fn meet(&mut self, name: &OsStr) {
        let met = &mut self.leftovers.get_or_insert_default().met;
        if met.len() < WAITING && !met.iter().any(|met| met == name) {
            met.push_back(name.to_owned());
        }
    }

    /// It does not lie there any more.
    fn lost(&mut self, name: &OsStr) {
        if let Some(leftovers) = &mut self.leftovers {
            leftovers.known.remove(name);
            leftovers.unkept.retain(|unkept| *unkept != name);
        }
        let is_over =
            |Leftovers { known, met, unkept }: &Leftovers| known.is_empty() && met.is_empty() && unkept.is_empty();
        if self.leftovers.as_deref().is_some_and(is_over) {
            self.leftovers = None;
        }
    }

    /// Is there one of which nothing was told?
    fn has_untold(&self) -> bool {
        self.leftovers.as_ref().is_some_and(|leftovers| leftovers.known.values().any(|beside| !beside.is_told))
    }

    /// Those whose bytes could not be kept elsewhere.
    pub(super) fn unkept(&self) -> &[OsString] {
        self.leftovers.as_ref().map_or(&[], |leftovers| &leftovers.unkept)
    }
}

/// After so many replaced versions beside a document that could not be kept in quarantine, it is held (protocol C, step 7).
pub(super) const UNKEPT_LIMIT: usize = 3;

impl Tracked {
    /// Notes a leftover whose bytes could not be kept elsewhere.
    pub(super) fn cannot_keep(&mut self, name: &OsStr) {
        let unkept = &mut self.leftovers.get_or_insert_default().unkept;
        if unkept.len() < REMEMBERED && !unkept.iter().any(|unkept| unkept == name) {
            unkept.push(name.to_owned());
        }
    }
}

impl Recover {
    /// A file of ours was met: it is the business of the document that its name speaks of.
    /// `false`: no such document is known.
    pub(super) fn leftover(&mut self, directory: &Directory, name: &OsStr, signature: Signature) -> bool {
        let Some(document) = self.owners.of(directory.path(), name) else { return false };
        let Some(tracked) = self.documents.get_mut(&document) else { return false };
        if tracked.meets(name, signature) {
            tracked.meet(name);
            self.next_leftover(&document);
        }
        true
    }

    /// Has the next of the leftovers that were met looked at, when nothing else runs with the document.
    pub(super) fn next_leftover(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.get_mut(document).filter(|tracked| !tracked.is_in_flight) else { return };
        let Some(leftovers) = &mut tracked.leftovers else { return };
        let Some(name) = leftovers.met.pop_front() else { return };
        let put_aside = leftovers.known.get(&name).and_then(|beside| beside.put_aside);
        let newer = leftovers.newer_than(&name);
        self.start(document, Work::Leftover { name, put_aside, newer });
    }

    /// A leftover was looked at.
    pub(super) async fn disposed(
        &mut self,
        document: &DocumentId,
        name: OsString,
        disposal: Result<Disposal>,
        known: Result<Arc<Known>>,
    ) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.known = known.ok();
        let ended = matches!(
            disposal,
            Ok(Disposal::Gone
                | Disposal::Removed
                | Disposal::Quarantined(..)
                | Disposal::PutBack
                | Disposal::SwappedIn)
        );
        if ended {
            tracked.lost(&name);
        } else if disposal.is_err() {
            tracked.cannot_keep(&name);
        } else if let Some(beside) = tracked.leftovers.as_mut().and_then(|left| left.known.get_mut(&name)) {
            let is_long = matches!(disposal, Ok(Disposal::Open | Disposal::Unsure));
            beside.rests_until = is_long.then(|| Instant::now() + REST);
        }
        tracked.again |= tracked.unkept().len() < UNKEPT_LIMIT && tracked.machine.stop_waiting_for(Reason::Leftovers);
        tracked.again |= matches!(disposal, Ok(Disposal::PutBack | Disposal::SwappedIn));
        // The file is there again.
        tracked.is_leaving &= !matches!(disposal, Ok(Disposal::PutBack));
        if let Some(fact) = told(tracked, document, &name, disposal) {
            self.say(fact).await;
        }
        if self.documents.get(document).is_some_and(|tracked| tracked.is_leaving && !tracked.has_untold()) {
            self.forget(document).await;
        }
    }

    /// A document that left its watch goes when nothing lies beside it any more. `true`: it stays until then.
    pub(super) async fn stays_for_leftovers(&mut self, document: &DocumentId) -> bool {
        let Some(tracked) = self.documents.get_mut(document) else { return false };
        if !tracked.has_untold() {
            return false;
        }
        tracked.is_leaving = true;
        self.step(document, Input::Looked(Seen::Missing { may_return: false })).await;
        true
    }
}

/// What is to be told of a leftover, once.
fn told(tracked: &mut Tracked, document: &DocumentId, name: &OsStr, disposal: Result<Disposal>) -> Option<Fact> {
    let subject = tracked.subject();
    let path = document.directory().join(name);
    match disposal {
        Ok(
            Disposal::Waiting
            | Disposal::Open
            | Disposal::Unsure
            | Disposal::Gone
            | Disposal::Removed
            | Disposal::PutBack,
        ) => None,
        Ok(Disposal::Quarantined(path, bytes)) => Some(Fact::Quarantined { subject, path, bytes }),
        Ok(Disposal::SwappedIn) => Some(Fact::LateWriter { subject, kept_at: None }),
        Ok(Disposal::Kept) => tracked.tells(name).then_some(Fact::LateWriter { subject, kept_at: Some(path) }),
        Err(error) => tracked.tells(name).then_some(Fact::LeftBeside { subject, path, error: error.to_string() }),
    }
}
