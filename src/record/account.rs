//! What is told of one fact: its line in the log, its metrics, its place in `incidents.jsonl`, its mark on the health
//! board. One exhaustive match, so that nobody adds a fact without saying here what it means to people.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tracing::Level;

use super::Recorder;
use super::steered::{reload_refused, reloaded, steered};
use super::{lost, words};
use crate::config::WatchName;
use crate::document::{Digest, DocumentId, Mark, Version};
use crate::event::{Event, Fact, IncidentId, Subject};
use crate::health::Level::Unhealthy;
use crate::verdict::Fault;

/// What is told of one fact.
pub(super) struct Account<'a> {
    pub(super) level: Level,
    /// Its name, in the log and in `incidents.jsonl`.
    pub(super) name: &'static str,
    /// One sentence for a person.
    pub(super) sentence: String,
    pub(super) document: Option<&'a DocumentId>,
    pub(super) watch: Option<&'a WatchName>,
    /// The kind of damage, or the reason of a hold.
    pub(super) kind: Option<&'static str>,
    pub(super) version: Option<Version>,
    pub(super) incident: Option<IncidentId>,
    /// What `incidents.jsonl` has beside the names; `None`: the fact is routine and not in it.
    pub(super) kept: Option<Map<String, Value>>,
    /// Somebody asked for it: it is told every time.
    pub(super) is_asked: bool,
}

impl<'a> Account<'a> {
    pub(super) fn new(level: Level, name: &'static str, sentence: String) -> Self {
        Self {
            level,
            name,
            sentence,
            document: None,
            watch: None,
            kind: None,
            version: None,
            incident: None,
            kept: None,
            is_asked: false,
        }
    }

    fn of(self, subject: &'a Subject) -> Self {
        Self { document: Some(&subject.document), watch: Some(&subject.watch), ..self }
    }

    fn in_watch(self, watch: &'a WatchName) -> Self {
        Self { watch: Some(watch), ..self }
    }

    fn kind(self, label: &'static str) -> Self {
        Self { kind: Some(label), ..self }
    }

    fn version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    fn incident(self, incident: impl Into<Option<IncidentId>>) -> Self {
        Self { incident: incident.into(), ..self }
    }

    pub(super) fn kept(self, fields: Value) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { kept: Some(fields), ..self }
    }
}

impl Recorder {
    /// Counts a fact, and says what is to be told of it; `None`: nothing but the count.
    #[expect(clippy::too_many_lines, reason = "one exhaustive match, read like a table")]
    pub(super) fn account<'a>(&mut self, event: &'a Event) -> Option<Account<'a>> {
        let (error, warn, info, debug) = (Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG);
        let account = match &event.fact {
            Fact::Started { documents } => {
                let files = words::count(*documents, "file");
                Account::new(info, "started", format!("at work: {files} known so far"))
            }
            Fact::Draining => Account::new(info, "draining", "asked to end: finishing what is in hand".to_owned()),
            Fact::Enrolled { watch, documents, unproven } => {
                let files = words::count(*documents, "file");
                let unproven = match unproven {
                    0 => String::new(),
                    some => format!(", {some} of them without a good version yet"),
                };
                Account::new(info, "enrolled", format!("watch {watch} guards {files}{unproven}")).in_watch(watch)
            }
            Fact::Unrepairable { watch, documents, why } => {
                let files = words::count(*documents, "file");
                let sentence = format!("watch {watch}: {files} could not be repaired where they are; of one: {why}");
                Account::new(warn, "unrepairable", sentence).in_watch(watch)
            }
            Fact::Repairable { watch } => {
                let sentence = format!("watch {watch}: all files can be repaired where they are again");
                Account::new(info, "repairable", sentence).in_watch(watch)
            }
            Fact::NothingFound { watch, path, why } => {
                let path = words::path(path);
                Account::new(warn, "nothing_found", format!("watch {watch}: {path}: {why}")).in_watch(watch)
            }
            Fact::Judged { subject, result, took } => {
                self.metrics.judged(&subject.watch, result, *took);
                return None;
            }
            Fact::Found { subject, found } => {
                self.metrics.found(&subject.watch, found.finding);
                let sentence = format!("{}: {} at {}: {found}", subject.document, found.finding, found.place);
                Account::new(info, "found", sentence).of(subject).kind(found.finding.label())
            }
            Fact::BackedUp { subject, stored } => {
                self.metrics.backed_up(&subject.watch, "stored");
                self.troubles.backed_up(&subject.document);
                let (version, size) = (stored.version, words::bytes(stored.bytes));
                let sentence = format!("{}: version {version} stored ({size})", subject.document);
                Account::new(debug, "backed_up", sentence).of(subject).version(version)
            }
            Fact::BackupFailed { subject, label, error: why } => {
                self.metrics.backed_up(&subject.watch, "failed");
                self.troubles.backup_failed(&subject.document, why);
                let sentence = format!("{}: its present version is not in any backup: {why}", subject.document);
                Account::new(warn, "backup_failed", sentence).of(subject).kind(label)
            }
            Fact::Pruned { subject, versions, bytes, reason } => {
                self.metrics.pruned(&subject.watch, reason, *versions);
                let (versions, size) = (words::count(*versions, "old version"), words::bytes(*bytes));
                let sentence = format!("{}: {versions} removed ({size})", subject.document);
                Account::new(debug, "pruned", sentence).of(subject)
            }
            Fact::Unproven { subject, fault } => {
                let fault_words = words::fault(fault);
                let sentence = format!(
                    "{} is damaged and has no good version to put back, so it is left alone: {fault_words}",
                    subject.document
                );
                let fields = json!({"kind": fault.kind.label(), "offset": fault.place.offset, "cause": fault.cause});
                Account::new(warn, "unproven", sentence).of(subject).kind(fault.kind.label()).kept(fields)
            }
            Fact::Suspected { subject, incident, fault, digest, bytes, detection } => {
                self.recent.began(event.at, *incident, subject, fault.kind);
                let sentence = format!("{} is suspicious: {}", subject.document, words::fault(fault));
                // The hold that follows is told louder, with what to do.
                let account = Account::new(info, "suspected", sentence).of(subject).incident(*incident);
                account.kind(fault.kind.label()).kept(found(fault, *digest, *bytes, *detection))
            }
            Fact::Corrupted { subject, incident, fault, digest, bytes, detection } => {
                self.metrics.corrupted(&subject.watch, fault.kind, *detection);
                self.recent.began(event.at, *incident, subject, fault.kind);
                let sentence = format!("{} is damaged: {}", subject.document, words::fault(fault));
                let account = Account::new(warn, "corrupted", sentence).of(subject).incident(*incident);
                account.kind(fault.kind.label()).kept(found(fault, *digest, *bytes, *detection))
            }
            Fact::Repaired { subject, incident, version, taken, mark, quarantine, bytes, restore, repair } => {
                self.metrics.repaired(&subject.watch, *restore, *repair);
                self.recent.ended(event.at, *incident, "repaired");
                let (age, kept) = (words::ago(*taken, event.at), words::kept(quarantine.as_deref(), *bytes));
                let doubt = match mark {
                    Mark::Uncertified => ", read while a writer may have been at it",
                    Mark::Good | Mark::Suspicious | Mark::Accepted => "",
                };
                let sentence =
                    format!("{} repaired from version {version} taken {age}{doubt}; {kept}", subject.document);
                let fields = json!({
                    "version": version, "mark": mark.label(), "quarantine": quarantine.as_deref().map(words::path),
                    "bytes": bytes, "restore_seconds": restore.as_secs_f64(), "repair_seconds": repair.as_secs_f64(),
                });
                let account = Account::new(warn, "repaired", sentence).of(subject).incident(*incident);
                account.version(*version).kept(fields)
            }
            Fact::RepairFailed { subject, incident, label, error: why } => {
                self.metrics.restored(&subject.watch, "failed");
                let sentence = format!("{} could not be repaired and is as it was: {why}", subject.document);
                let account = Account::new(error, "repair_failed", sentence).of(subject).incident(*incident);
                account.kind(label).kept(json!({"label": label, "error": why}))
            }
            Fact::RepairYielded { subject, incident } => {
                self.metrics.restored(&subject.watch, "yielded");
                let sentence = format!("{}: a writer was faster than the repair; its bytes stand", subject.document);
                let account = Account::new(info, "repair_yielded", sentence).of(subject).incident(*incident);
                account.kept(json!({}))
            }
            Fact::Compared { subject, incident, comparison } => {
                if let Some(incident) = incident {
                    self.recent.compared(*incident, comparison);
                }
                let account = Account::new(info, "compared", lost::sentence(subject, comparison)).of(subject);
                let account = account.incident(*incident).version(comparison.version);
                account.kept(serde_json::to_value(comparison).unwrap_or_default())
            }
            Fact::Recovered { subject, incident } => {
                self.recent.ended(event.at, *incident, "recovered");
                let sentence = format!("{} is whole again, or accepted, without a repair", subject.document);
                Account::new(info, "recovered", sentence).of(subject).incident(*incident).kept(json!({}))
            }
            Fact::Gone { subject, incident } => {
                self.recent.ended(event.at, *incident, "gone");
                let sentence = format!("{} is gone, or no longer guarded, and its damage with it", subject.document);
                Account::new(info, "gone", sentence).of(subject).incident(*incident).kept(json!({}))
            }
            Fact::Held { subject, incident, reason, detail } => {
                let sentence = format!("{} is held ({reason}): {detail}", subject.document);
                let account = Account::new(error, "held", sentence).of(subject).incident(*incident);
                account.kind(reason.label()).kept(json!({"reason": reason.label(), "detail": detail}))
            }
            Fact::Released { subject, reason } => {
                let sentence = format!("{} is no longer held ({reason})", subject.document);
                let account = Account::new(info, "released", sentence).of(subject).kind(reason.label());
                account.kept(json!({"reason": reason.label()}))
            }
            Fact::Told { subject, kind, detail } => {
                let sentence = format!("{}: {kind}: {detail}", subject.document);
                let account = Account::new(warn, "told", sentence).of(subject).kind(kind.label());
                account.kept(json!({"kind": kind.label(), "detail": detail}))
            }
            Fact::Returned { subject } => {
                let sentence = format!("{} is there and readable again", subject.document);
                Account::new(info, "returned", sentence).of(subject).kept(json!({}))
            }
            Fact::Rotten { subject, version, path } => {
                self.metrics.rotten(&subject.watch);
                let (document, path) = (&subject.document, words::path(path));
                let sentence = format!("{document}: stored version {version} is damaged and never used: {path}");
                let account = Account::new(error, "rotten", sentence).of(subject).version(*version);
                account.kept(json!({"version": version, "stored": path}))
            }
            Fact::RecordDamaged { subject, path } => {
                let (document, path) = (&subject.document, words::path(path));
                let sentence =
                    format!("{document}: {path} is damaged; the versions are taken for what their bytes say");
                Account::new(error, "record_damaged", sentence).of(subject).kept(json!({"record": path}))
            }
            Fact::Quarantined { subject, path, bytes } => {
                self.metrics.quarantined(&subject.watch);
                let (size, path) = (words::bytes(*bytes), words::path(path));
                let sentence = format!("{}: {size} kept in {path}", subject.document);
                let account = Account::new(debug, "quarantined", sentence).of(subject);
                account.kept(json!({"quarantine": path, "bytes": bytes}))
            }
            Fact::LeftBeside { subject, path, error: why } => {
                let (document, path) = (&subject.document, words::path(path));
                let sentence = format!("{document}: what was replaced stays beside it as {path}, for now: {why}");
                let account = Account::new(warn, "left_beside", sentence).of(subject);
                account.kept(json!({"left": path, "error": why}))
            }
            Fact::LateWriter { subject, kept_at } => {
                let sentence = words::late_writer(subject, kept_at.as_deref());
                let fields = json!({"kept_at": kept_at.as_deref().map(words::path)});
                Account::new(warn, "late_writer", sentence).of(subject).kept(fields)
            }
            Fact::Forgotten { subject } => {
                self.troubles.forgotten(&subject.document);
                let sentence = format!("{} is no longer guarded", subject.document);
                Account::new(debug, "forgotten", sentence).of(subject)
            }
            Fact::Panicked { subject, doing } => {
                let sentence = format!("{}: a fault in jsonwarden while {doing}: it is held", subject.document);
                Account::new(error, "panicked", sentence).of(subject).kept(json!({"doing": doing}))
            }
            Fact::EventSourceLost { watch, why } => {
                self.metrics.event_source(watch, false);
                self.troubles.event_source_lost(watch, why);
                let sentence = format!("watch {watch}: changes are seen by the sweep alone: {why}");
                Account::new(warn, "event_source_lost", sentence).in_watch(watch)
            }
            Fact::EventSourceBack { watch } => {
                self.metrics.event_source(watch, true);
                self.troubles.event_source_back(watch);
                let sentence = format!("watch {watch}: the kernel tells of changes again");
                Account::new(info, "event_source_back", sentence).in_watch(watch)
            }
            Fact::EventsOverflowed => {
                self.metrics.events_overflowed();
                let sentence = "the kernel dropped events, so everything is looked at".to_owned();
                Account::new(warn, "events_overflowed", sentence)
            }
            Fact::Swept { took, documents: _ } => {
                self.metrics.swept(event.at, *took);
                self.troubles.swept(*took);
                return None;
            }
            Fact::SweepStretched { took } => {
                self.troubles.sweep_stretched(*took);
                let took = words::span(*took);
                let sentence =
                    format!("looking at all files took {took}, longer than the interval, which is stretched");
                Account::new(warn, "sweep_stretched", sentence)
            }
            Fact::Reloaded { asker, outcome } => {
                self.troubles.watches_anew();
                reloaded(asker.as_ref(), outcome)
            }
            Fact::ReloadRefused { asker, why } => reload_refused(asker.as_ref(), why),
            Fact::Steered { steering, asker } => steered(steering, asker.as_ref()),
            Fact::StorageLow { available } => {
                self.metrics.state_dir_has(*available, Instant::now());
                let room = words::bytes(*available);
                let sentence = format!("the state directory has only {room} left: nothing new is stored");
                self.troubles.storage_low(&sentence);
                Account::new(error, "storage_low", sentence).kept(json!({"available_bytes": available}))
            }
            Fact::RoomShort { folder, available_bytes, available_files, unspared } => {
                let (place, room) = (words::path(folder), words::room(*available_bytes, *available_files));
                let kept = words::spared(*unspared);
                let sentence = format!("the file system of {place} is nearly full ({room}): {kept}");
                self.troubles.room_short(folder, &sentence);
                Account::new(warn, "room_short", sentence)
            }
            Fact::CheckFailed { check, level: how, why } => {
                self.troubles.check_failed(*check, *how, why);
                let level = if *how == Unhealthy { error } else { warn };
                let sentence = format!("{}: {why}", check.label());
                Account::new(level, "check_failed", sentence).kind(check.label())
            }
            Fact::CheckPassed { check } => {
                self.troubles.check_passed(*check);
                let sentence = format!("{}: well again", check.label());
                Account::new(info, "check_passed", sentence).kind(check.label())
            }
            Fact::MountStalled { folder } => {
                let folder_words = words::path(folder);
                let sentence = format!("the file system of {folder_words} does not answer; the others are guarded");
                self.troubles.mount_stalled(folder);
                Account::new(error, "mount_stalled", sentence).kept(json!({"folder": folder_words}))
            }
            Fact::MountBack { folder } => {
                let folder_words = words::path(folder);
                self.troubles.mount_back(folder);
                let sentence = format!("the file system of {folder_words} answers again");
                Account::new(info, "mount_back", sentence).kept(json!({"folder": folder_words}))
            }
            Fact::VersionLost { subject, version } => {
                let document = &subject.document;
                let sentence = format!("{document}: stored version {version} is gone; the file is stored anew");
                let account = Account::new(error, "version_lost", sentence).of(subject).version(*version);
                account.kept(json!({"version": version}))
            }
            Fact::RoomBack { folder } => {
                self.troubles.room_back(folder);
                Account::new(info, "room_back", format!("the file system of {} has room again", words::path(folder)))
            }
            Fact::ClockDoubted { leap } => {
                let span = words::span(*leap);
                let sentence = format!(
                    "the clock says that {span} have passed since it was last believed; if that is wrong, set it: nothing is \
                     removed for its age for a day"
                );
                Account::new(warn, "clock_doubted", sentence).kept(json!({"leap_seconds": leap.as_secs()}))
            }
            Fact::StorageBack => {
                self.troubles.storage_back();
                let sentence = "the state directory has room again".to_owned();
                Account::new(info, "storage_back", sentence).kept(json!({}))
            }
        };
        Some(account)
    }
}

/// With what an incident begins.
fn found(fault: &Fault, digest: Digest, bytes: u64, detection: Duration) -> Value {
    json!({
        "kind": fault.kind.label(), "line": fault.place.line, "column": fault.place.column,
        "offset": fault.place.offset, "cause": fault.cause, "digest": digest.to_string(), "bytes": bytes,
        "detection_seconds": detection.as_secs_f64(),
    })
}
