use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::clock;
use crate::config::WatchName;
use crate::disk::Step;
use crate::document::{Digest, Mark, Version};
use crate::event::{Event, Fact, IncidentId, Subject};
use crate::record::metrics::Metrics;
use crate::record::recent::Recent;
use crate::record::{Recorder, run};
use crate::stage::Heartbeat;
use crate::verdict::{Fault, Kind, Place, Reason};

fn subject(name: &OsStr) -> Subject {
    Subject { document: DocumentId::new(Path::new("/srv"), name), watch: WatchName::new("w") }
}

fn corrupted(name: &OsStr, incident: u64) -> Fact {
    Fact::Corrupted {
        subject: subject(name),
        incident: IncidentId(incident),
        fault: Fault { kind: Kind::NulFilled, place: Place { line: 1, column: 1, offset: 0 }, cause: "NULs".into() },
        digest: Digest::of(b"\0"),
        bytes: 1,
        detection: Duration::from_secs(1),
    }
}

fn repaired(name: &OsStr, incident: u64) -> Fact {
    Fact::Repaired {
        subject: subject(name),
        incident: IncidentId(incident),
        version: Version(42),
        taken: clock::now(),
        mark: Mark::Good,
        quarantine: Some("/state/quarantine/x.bad".into()),
        bytes: 1,
        restore: Duration::from_millis(1),
        repair: Duration::from_millis(1_001),
    }
}

fn held(name: &OsStr, reason: Reason) -> Fact {
    Fact::Held { subject: subject(name), incident: None, reason, detail: "why".to_owned() }
}

/// A state directory, with a disk that may be hooked.
struct State {
    folder: tempfile::TempDir,
    disk: Disk,
    health: Arc<Health>,
}

impl State {
    fn new(disk: Disk) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), disk, health: Arc::new(Health::new()) }
    }

    fn open(&self) -> (Incidents, Recall) {
        let path = self.disk.canonical(self.folder.path()).unwrap();
        let directory = self.disk.open_directory(&path).unwrap();
        Incidents::open(self.disk.clone(), directory, self.health.clone()).unwrap()
    }

    fn recorder(&self) -> Recorder {
        let metrics = Arc::new(Metrics::new(&[], "0", "0").unwrap());
        Recorder::new(metrics, self.open().0, Arc::new(Recent::default()), Arc::default(), self.health.clone())
    }

    /// Tells these facts, as the daemon does from its start to its drain.
    fn tell(&self, facts: Vec<Fact>) {
        let recorder = self.recorder();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (sender, receiver) = tokio::sync::mpsc::channel(64);
            let running = tokio::spawn(run(receiver, recorder, Heartbeat::new("record")));
            for fact in facts {
                sender.send(Event { at: clock::now(), fact }).await.unwrap();
            }
            drop(sender);
            running.await.unwrap();
        });
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(FILE_NAME)).unwrap_or_default()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join(FILE_NAME), text).unwrap();
    }
}

#[test]
fn what_was_told_is_recalled_and_the_numbers_go_on() {
    let state = State::new(Disk::default());
    let (a, b, c) = (OsStr::new("a.json"), OsStr::new("b.json"), OsStr::new("c.json"));
    state.tell(vec![
        corrupted(a, 1),
        repaired(a, 1),
        corrupted(b, 2),
        held(c, Reason::Breaker),
        held(b, Reason::Paused),
        Fact::Released { subject: subject(b), reason: Reason::Paused },
        Fact::EventsOverflowed,
    ]);
    let recall = state.open().1;
    assert_eq!((recall.next_seq, recall.next_incident, recall.rotten_lines), (7, IncidentId(3), 0));
    assert_eq!(recall.open.into_iter().collect::<Vec<_>>(), [(subject(b).document, IncidentId(2))]);
    assert_eq!(recall.held.len(), 1);
    assert_eq!(recall.held[&subject(c).document].reason, Reason::Breaker);
    assert_eq!(recall.repairs[&subject(a).document].len(), 1);
    assert_eq!(recall.recent.len(), 2);
    assert_eq!(recall.recent[0].ended.map(|(_, outcome)| outcome), Some("repaired"));
}

#[test]
fn a_line_has_its_members_in_the_order_of_the_contract_and_nobody_else_may_read_the_file() {
    let state = State::new(Disk::default());
    state.tell(vec![corrupted(OsStr::new("a.json"), 1)]);
    let text = state.text();
    let line: Map<String, Value> = serde_json::from_str(text.trim_end()).unwrap();
    let names: Vec<&str> = line.keys().map(String::as_str).collect();
    assert_eq!(names[..6], ["v", "seq", "time", "event", "path", "incident"]);
    assert_eq!(names.last(), Some(&"crc"));
    let mode = std::fs::metadata(state.folder.path().join(FILE_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_torn_last_line_costs_itself_and_no_other() {
    let state = State::new(Disk::default());
    let name = OsStr::new("a.json");
    state.tell(vec![corrupted(name, 1), corrupted(name, 2)]);
    let text = state.text();
    state.write(&text[..text.len() - 10]);
    state.tell(vec![repaired(name, 1)]);
    let recall = state.open().1;
    assert_eq!((recall.rotten_lines, recall.is_torn), (1, false));
    assert_eq!(recall.repairs.len(), 1);
    assert_eq!(recall.next_seq, 3);
}

#[test]
fn a_rotten_line_is_skipped_and_counted() {
    let state = State::new(Disk::default());
    state.tell((1..=3).map(|number| corrupted(OsStr::new(&format!("{number}.json")), number)).collect());
    state.write(&state.text().replacen("2.json", "9.json", 1));
    let recall = state.open().1;
    assert_eq!((recall.rotten_lines, recall.next_seq, recall.open.len()), (1, 4, 2));
}

#[test]
fn a_line_without_an_end_is_read_in_bounded_memory() {
    let state = State::new(Disk::default());
    state.write(&"x".repeat(3 << 20));
    let recall = state.open().1;
    assert_eq!((recall.rotten_lines, recall.is_torn, recall.next_seq), (1, true, 1));
}

#[test]
fn a_name_that_is_not_utf8_is_read_back() {
    use std::os::unix::ffi::OsStrExt;
    let state = State::new(Disk::default());
    for name in [OsStr::from_bytes(b"\xff\n.json"), OsStr::new("line\nbreak.json"), OsStr::new("back\\x0a.json")] {
        state.tell(vec![held(name, Reason::Failed)]);
        assert!(state.open().1.held.contains_key(&subject(name).document), "{name:?}");
    }
    assert!(state.text().contains("/srv/\\\\xff\\\\x0a.json"));
}

/// Waits for a condition; a test never waits for time.
fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain");
}

/// A disk that asks `answers` before each write; when they are used up, all is well.
fn moody(answers: Receiver<io::Result<()>>) -> Disk {
    let answers = Mutex::new(answers);
    Disk::with_hook(move |step| match step {
        Step::Append => answers.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap_or(Ok(())),
        _ => Ok(()),
    })
}

#[test]
fn a_full_disk_is_told_and_tried_again_until_every_line_is_there() {
    let (answer, answers) = channel();
    let state = State::new(moody(answers));
    let mut recorder = state.recorder();
    let name = OsStr::new("a.json");
    recorder.tell(&Event { at: clock::now(), fact: corrupted(name, 1) });
    answer.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    until(|| state.health.of(Check::Record).level == Level::Degraded);
    recorder.tell(&Event { at: clock::now(), fact: repaired(name, 1) });
    drop(answer);
    until(|| state.health.of(Check::Record).level == Level::Healthy && state.text().lines().count() >= 2);
    let recall = state.open().1;
    assert_eq!((recall.rotten_lines, recall.next_seq, recall.repairs.len()), (0, 3, 1));
}

#[test]
fn a_line_that_was_written_twice_counts_once() {
    let fails = std::sync::atomic::AtomicBool::new(true);
    let disk = Disk::with_hook(move |step| {
        let is_first = step == Step::SyncDirectory && fails.swap(false, std::sync::atomic::Ordering::Relaxed);
        if is_first { Err(io::Error::other("no sync")) } else { Ok(()) }
    });
    let state = State::new(disk);
    let mut recorder = state.recorder();
    recorder.tell(&Event { at: clock::now(), fact: repaired(OsStr::new("a.json"), 1) });
    until(|| state.text().lines().filter(|line| !line.is_empty()).count() == 2);
    let recall = state.open().1;
    assert_eq!((recall.rotten_lines, recall.next_seq), (0, 2));
    assert_eq!(recall.repairs[&subject(OsStr::new("a.json")).document].len(), 1);
}

#[test]
fn the_room_of_the_state_directory_is_known_from_the_start() {
    let incidents = State::new(Disk::default()).open().0;
    until(|| incidents.room_bytes().is_some_and(|bytes| bytes > 0));
}

#[test]
fn a_hung_disk_neither_stops_the_telling_nor_the_drain() {
    let (answer, answers) = channel();
    let state = State::new(moody(answers));
    state.tell((1..=50).map(|number| corrupted(OsStr::new("a.json"), number)).collect());
    assert!(!state.folder.path().join(FILE_NAME).exists());
    drop(answer);
}
