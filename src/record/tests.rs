use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::config::{Rules, Watch, WatchName};
use crate::disk::Disk;
use crate::document::{Digest, DocumentId, Mark, Version};
use crate::event::{Fact, IncidentId, Status, Subject};
use crate::health::{Check, Level as HealthLevel};
use crate::verdict::{Fault, Kind, Place, Reason};

fn subject() -> Subject {
    Subject { document: DocumentId::new(Path::new("/srv"), OsStr::new("settings.json")), watch: WatchName::new("app") }
}

fn fault() -> Fault {
    let place = Place { line: 1, column: 1, offset: 0 };
    Fault { kind: Kind::NulFilled, place, cause: "NUL bytes stand where text should be".to_owned() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_320_000 + second).unwrap()
}

fn corrupted() -> Fact {
    Fact::Corrupted {
        subject: subject(),
        incident: IncidentId(7),
        fault: fault(),
        digest: Digest::of(b"\0"),
        bytes: 512,
        detection: Duration::from_secs(1),
    }
}

fn repaired(mark: Mark, quarantine: Option<PathBuf>) -> Fact {
    Fact::Repaired {
        subject: subject(),
        incident: IncidentId(7),
        version: Version(42),
        taken: at(-180),
        mark,
        quarantine,
        bytes: 512,
        restore: Duration::from_millis(2),
        repair: Duration::from_millis(1_002),
    }
}

struct Desk {
    recorder: Recorder,
    metrics: Arc<Metrics>,
    recent: Arc<Recent>,
    health: Arc<Health>,
    _folder: tempfile::TempDir,
}

fn desk() -> Desk {
    let watch = Watch {
        name: WatchName::new("app"),
        paths: vec![],
        exclude: globset::GlobSet::empty(),
        rules: Rules::default(),
    };
    let metrics = Arc::new(Metrics::new(&[Arc::new(watch)], "0", "0").unwrap());
    let (recent, health) = (Arc::new(Recent::default()), Arc::new(Health::new()));
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let directory = disk.open_directory(&disk.canonical(folder.path()).unwrap()).unwrap();
    let journal = Incidents::open(disk, directory, health.clone()).unwrap().0;
    let recorder = Recorder::new(metrics.clone(), journal, recent.clone(), Arc::default(), health.clone());
    Desk { recorder, metrics, recent, health, _folder: folder }
}

impl Desk {
    fn sentence(&mut self, fact: Fact) -> String {
        let event = Event { at: at(0), fact };
        self.recorder.account(&event).unwrap().sentence
    }

    fn scrape(&self) -> String {
        String::from_utf8(self.metrics.encode(&Status::default(), &[])).unwrap()
    }
}

#[test]
fn the_log_tells_the_story_of_a_repair() {
    let mut desk = desk();
    assert_eq!(
        desk.sentence(corrupted()),
        "/srv/settings.json is damaged: NUL bytes stand where text should be (nul_filled at 1:1)"
    );
    assert_eq!(
        desk.sentence(repaired(Mark::Good, Some("/state/quarantine/settings.bad".into()))),
        "/srv/settings.json repaired from version 42 taken 3 minutes ago; the damaged 512 bytes are kept in \
         /state/quarantine/settings.bad"
    );
    assert_eq!(
        desk.sentence(repaired(Mark::Uncertified, None)),
        "/srv/settings.json repaired from version 42 taken 3 minutes ago, read while a writer may have been at it; the \
         damaged 512 bytes could not be put in quarantine and stay beside the file"
    );
}

#[test]
fn one_fact_counts_once_and_is_remembered() {
    let mut desk = desk();
    for fact in [corrupted(), repaired(Mark::Good, None)] {
        desk.recorder.tell(&Event { at: at(0), fact });
    }
    let text = desk.scrape();
    for line in [
        "jsonwarden_corruptions_total{kind=\"nul_filled\",watch=\"app\"} 1\n",
        "jsonwarden_restores_total{outcome=\"repaired\",watch=\"app\"} 1\n",
        "jsonwarden_repair_duration_seconds_bucket{le=\"2\"} 1\n",
        "jsonwarden_repair_duration_seconds_bucket{le=\"1\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}");
    }
    let incidents = desk.recent.all();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].ended, Some((at(0), "repaired")));
}

#[test]
fn lasting_trouble_stands_on_the_health_board_until_it_ends() {
    let mut desk = desk();
    let watch = WatchName::new("app");
    let lost = Fact::EventSourceLost { watch: watch.clone(), why: "too many watches".to_owned() };
    desk.recorder.tell(&Event { at: at(0), fact: lost });
    desk.recorder.tell(&Event { at: at(0), fact: Fact::StorageLow { available: 1 << 20 } });
    assert_eq!(desk.health.of(Check::EventSource).level, HealthLevel::Degraded);
    assert!(desk.health.of(Check::StateDir).detail.contains("1.0 MiB"));
    assert!(desk.scrape().contains("jsonwarden_event_source_up{watch=\"app\"} 0\n"));
    desk.recorder.tell(&Event { at: at(1), fact: Fact::EventSourceBack { watch } });
    desk.recorder.tell(&Event { at: at(1), fact: Fact::StorageBack });
    assert_eq!(desk.health.of(Check::EventSource).level, HealthLevel::Healthy);
    assert_eq!(desk.health.of(Check::StateDir).level, HealthLevel::Healthy);
}

#[test]
fn a_line_that_repeats_is_printed_once_a_minute_and_counted() {
    let mut desk = desk();
    let held = |reason| Event {
        at: at(0),
        fact: Fact::Held { subject: subject(), incident: None, reason, detail: "why".to_owned() },
    };
    let mut repeats = Repeats::default();
    let start = Instant::now();
    for number in 0..10 {
        let event = held(Reason::OpenWriter);
        assert_eq!(repeats.is_new(&desk.recorder.account(&event).unwrap(), start), number == 0);
    }
    let other = held(Reason::Breaker);
    assert!(repeats.is_new(&desk.recorder.account(&other).unwrap(), start));
    assert!(repeats.take_expired(start + Duration::from_secs(59)).is_empty());
    let repeated = repeats.take_expired(start + Duration::from_secs(60));
    assert_eq!(repeated.iter().map(|line| (line.name, line.repeats)).collect::<Vec<_>>(), [("held", 9)]);
    let event = held(Reason::OpenWriter);
    assert!(repeats.is_new(&desk.recorder.account(&event).unwrap(), start + Duration::from_secs(60)));
}

#[test]
fn the_same_damage_in_a_new_incident_is_another_line() {
    let mut desk = desk();
    let mut repeats = Repeats::default();
    for incident in [1, 2] {
        let mut fact = corrupted();
        if let Fact::Corrupted { incident: id, .. } = &mut fact {
            *id = IncidentId(incident);
        }
        let event = Event { at: at(0), fact };
        assert!(repeats.is_new(&desk.recorder.account(&event).unwrap(), Instant::now()));
    }
}

#[test]
fn routine_facts_are_not_in_the_incident_log() {
    let mut desk = desk();
    let is_kept = |desk: &mut Desk, fact| {
        let event = Event { at: at(0), fact };
        desk.recorder.account(&event).is_some_and(|account| account.kept.is_some())
    };
    assert!(is_kept(&mut desk, corrupted()));
    assert!(is_kept(&mut desk, Fact::Unproven { subject: subject(), fault: fault() }));
    assert!(!is_kept(&mut desk, Fact::Judged { subject: subject(), result: "valid", took: Duration::ZERO }));
    assert!(!is_kept(&mut desk, Fact::Pruned { subject: subject(), versions: 1, bytes: 1, reason: "keep_last" }));
    assert!(!is_kept(&mut desk, Fact::Swept { took: Duration::ZERO, documents: 1 }));
}
