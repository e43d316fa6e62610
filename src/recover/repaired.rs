//! What a repair came to: the machine is stepped, and what became of the damage is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::Recover;
use super::beside::Beside;
use super::job::Known;
use super::tracked::Incident;
use crate::decide::{Ended, Input};
use crate::document::{DocumentId, Stored};
use crate::error::Result;
use crate::event::{Fact, Subject};
use crate::repair::{Missing, Outcome, Report, Restored};
use crate::swap::spare;
use crate::verdict::Reason;

impl Recover {
    pub(super) async fn repaired(&mut self, document: &DocumentId, report: Result<Report>, known: Result<Arc<Known>>) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        tracked.known = known.ok();
        let subject = tracked.subject();
        let incident = tracked.incident.as_ref().map(|incident| incident.id);
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                if let Some(incident) = incident {
                    let (label, error) = (error.label(), error.to_string());
                    self.say(Fact::RepairFailed { subject, incident, label, error }).await;
                }
                let why = "the repair failed; it is tried again".to_owned();
                return Box::pin(self.step(document, Input::Ended(Ended::Held(Reason::Failed, why)))).await;
            }
        };
        self.tell_rotten(document, &report).await;
        let ended = match report.outcome {
            Outcome::Restored(restored) => {
                let digest = restored.version.digest;
                self.restored(document, restored).await;
                Ended::Restored(digest)
            }
            Outcome::Yielded => {
                if let Some(incident) = incident {
                    self.say(Fact::RepairYielded { subject, incident }).await;
                }
                Ended::Changed
            }
            Outcome::Changed => Ended::Changed,
            Outcome::Busy => Ended::Busy,
            Outcome::BeingRead(why) => Ended::BeingRead(why),
            Outcome::NothingGood => {
                Ended::Held(Reason::NoVersion, "no version is left that may be put back".to_owned())
            }
            Outcome::Held(reason, why) => Ended::Held(reason, why),
        };
        Box::pin(self.step(document, Input::Ended(ended))).await;
    }

    async fn tell_rotten(&mut self, document: &DocumentId, report: &Report) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let new = |version| !tracked.told_rotten.contains(version);
        let rotten: Vec<_> = report.rotten.iter().filter(|(version, _)| new(version)).cloned().collect();
        tracked.told_rotten.extend(rotten.iter().map(|(version, _)| *version));
        let subject = tracked.subject();
        for (version, path) in rotten {
            self.say(Fact::Rotten { subject: subject.clone(), version, path }).await;
        }
    }

    async fn restored(&mut self, document: &DocumentId, restored: Restored) {
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let subject = tracked.subject();
        let damaged = tracked.machine.damage().map(|damage| damage.digest);
        // What is at the spare's name is met with the spares.
        if let Some(leftover) = restored.leftover.as_ref().filter(|name| *name != spare::NAME) {
            let beside = Beside { put_aside: damaged, ..Beside::default() };
            tracked.leftovers.get_or_insert_default().known.insert(leftover.clone(), beside);
        }
        tracked.kind = None;
        tracked.is_backed_up = true;
        let incident = tracked.incident.take();
        let Restored { version, kept, bytes, visible, leftover, in_one_step } = restored;
        tracked.lacks_exchange |= !in_one_step;
        let quarantine = match kept {
            Ok(path) => {
                self.say(Fact::Quarantined { subject: subject.clone(), path: path.clone(), bytes }).await;
                Some(path)
            }
            Err(error) => {
                let path = leftover.as_ref().map_or_else(PathBuf::new, |name| document.directory().join(name));
                if let Some(leftover) = leftover.as_ref().filter(|name| *name != spare::NAME) {
                    tracked.cannot_keep(leftover);
                }
                self.say(Fact::LeftBeside { subject: subject.clone(), path, error: error.to_string() }).await;
                None
            }
        };
        if let Some(incident) = incident {
            if let Some(name) = quarantine.as_deref().and_then(Path::file_name) {
                self.compare_damaged(document, incident.id, version.version, name.to_owned());
            }
            self.say(incident.repaired(subject, &version, visible, quarantine, bytes)).await;
        }
    }

    pub(super) async fn brought_back(
        &mut self,
        document: &DocumentId,
        missing: Result<Missing>,
        known: Result<Arc<Known>>,
    ) {
        let (version, visible) = match missing {
            Ok(Missing::Back(version, visible)) => (version, visible),
            Ok(Missing::Left(report)) => return self.repaired(document, Ok(report), known).await,
            Err(error) => return self.repaired(document, Err(error), known).await,
        };
        let Some(tracked) = self.documents.get_mut(document) else { return };
        let (subject, digest) = (tracked.subject(), version.digest);
        tracked.known = known.ok();
        (tracked.kind, tracked.is_backed_up) = (None, true);
        if let Some(incident) = tracked.incident.take() {
            self.say(incident.repaired(subject, &version, visible, None, 0)).await;
        }
        Box::pin(self.step(document, Input::Ended(Ended::Restored(digest)))).await;
    }
}

impl Incident {
    /// It ended with a repair.
    fn repaired(
        self,
        subject: Subject,
        version: &Stored,
        visible: Instant,
        quarantine: Option<PathBuf>,
        bytes: u64,
    ) -> Fact {
        let Self { id: incident, believed, detection } = self;
        let restore = visible.saturating_duration_since(believed);
        let &Stored { mark, taken, version, .. } = version;
        let repair = detection + restore;
        Fact::Repaired { subject, incident, version, taken, mark, quarantine, bytes, restore, repair }
    }
}
