//! What the watch stage saw, and what follows from it.

use std::sync::Arc;

use super::Recover;
use super::tracked::Tracked;
use crate::config::{OnMissing, Watch};
use crate::decide::{Input, Seen};
use crate::disk::directory::Directory;
use crate::document::DocumentId;
use crate::event::Fact;
use crate::verdict::Reason;
use crate::watch::{Observation, Sight};

impl Recover {
    pub(super) async fn observed(&mut self, observation: Observation) {
        match observation {
            Observation::Document { document, watch, literal, directory, sight } => {
                self.seen(document, watch, literal, directory, sight).await;
            }
            Observation::Leftover { directory, name, signature, watch } => {
                if !self.leftover(&directory, &name, signature) {
                    self.ask_whose(&directory, &name, signature, &watch);
                }
            }
            Observation::Swept { first, .. } => {
                self.is_swept |= first;
                if first {
                    self.forget_the_unseen().await;
                }
                if first {
                    self.stale.add_progress();
                }
                self.ask_for_room();
                self.ready().await;
            }
        }
    }

    async fn seen(
        &mut self,
        document: DocumentId,
        watch: Arc<Watch>,
        literal: bool,
        directory: Arc<Directory>,
        sight: Sight,
    ) {
        if matches!(sight, Sight::Gone | Sight::Open) {
            return self.left(&document, &sight).await;
        }
        if !self.documents.contains_key(&document) {
            self.unlooked += 1;
            self.enrol(&document, &watch, literal, &directory);
        }
        let Some(tracked) = self.documents.get_mut(&document) else { return };
        if tracked.watch.name != watch.name {
            self.stale.add(&document);
        }
        let is_guarded_anew = tracked.belongs(watch, literal, directory, &self.standing);
        let was_seen = std::mem::replace(&mut tracked.generation, self.generation) == self.generation;
        let seen = match sight {
            Sight::Present(signature) => {
                // Another watch stage tells of all that it finds: what is as it was need not be read for that.
                let is_news = was_seen || is_guarded_anew || !tracked.is_as_it_was(signature);
                tracked.signature = Some(signature);
                tracked.is_leaving = false;
                if !is_news {
                    return;
                }
                return self.look(&document);
            }
            // Whether its folder is the one that it was in is found out first.
            Sight::Missing if tracked.watch.rules.on_missing == Some(OnMissing::Restore) => {
                return self.look(&document);
            }
            Sight::Missing => Seen::Missing { may_return: false },
            Sight::DirectoryMissing => Seen::DirectoryMissing,
            Sight::Unreadable(reason, why) => {
                tracked.prospects.unrepairable = Some(why.as_str().into());
                Seen::Unreadable(reason, why)
            }
            Sight::Gone | Sight::Open => return,
        };
        let is_stalled = matches!(seen, Seen::Unreadable(Reason::Stalled, _));
        if tracked.is_in_flight && !is_stalled {
            // What runs will see it too, unless it hangs.
            tracked.again = true;
            return;
        }
        self.step(&document, Input::Looked(seen)).await;
        self.looked_at(&document).await;
    }

    /// The document is no longer there, or no longer one of ours.
    async fn left(&mut self, document: &DocumentId, sight: &Sight) {
        if *sight == Sight::Gone && self.stays_for_leftovers(document).await {
            return;
        }
        if let Some(tracked) = self.documents.get(document).filter(|_| *sight == Sight::Open) {
            self.say(Fact::Returned { subject: tracked.subject() }).await;
        }
        self.forget(document).await;
    }

    /// Takes a document in that is not known yet.
    pub(super) fn enrol(
        &mut self,
        document: &DocumentId,
        watch: &Arc<Watch>,
        literal: bool,
        directory: &Arc<Directory>,
    ) {
        self.owners.add(document);
        let mut new = Tracked::new(document.clone(), Arc::clone(watch), literal, Arc::clone(directory));
        new.steer(&self.standing);
        new.generation = self.generation;
        if let Some(remembered) = self.remembered.remove(document) {
            new.remember(&remembered);
        }
        self.stale.add(document);
        self.documents.insert(document.clone(), Box::new(new));
    }

    pub(super) async fn forget(&mut self, document: &DocumentId) {
        let Some(tracked) = self.documents.remove(document) else { return };
        self.owners.remove(document);
        self.spares.is_stale = true;
        self.stale.add(document);
        if !tracked.is_looked_at {
            self.unlooked = self.unlooked.saturating_sub(1);
        }
        let subject = tracked.subject();
        if let Some(incident) = &tracked.incident {
            self.say(Fact::Gone { subject: subject.clone(), incident: incident.id }).await;
        }
        self.say(Fact::Forgotten { subject }).await;
        self.ready().await;
    }
}
