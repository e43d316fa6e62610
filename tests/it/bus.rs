//! The message bus as programs use it: every acknowledged event is there once, in order, and whoever follows misses none.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::patching::{run, said, status};
use crate::support::{LIMIT, World, command, wait_until};

pub(crate) fn publish(world: &World, arguments: &[&str]) -> u64 {
    let output = run(world, &[&["publish", "bus.json"], arguments].concat(), None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

pub(crate) fn archive(world: &World) -> PathBuf {
    world.state.join("backups").join(world.file("bus.json@").strip_prefix("/").unwrap()).join("events.jsonl")
}

pub(crate) fn events(world: &World) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&fs::read(world.file("bus.json")).unwrap()).unwrap();
    document["events"].as_array().unwrap().clone()
}

pub(crate) fn ids(lines: &[u8]) -> Vec<u64> {
    let lines = String::from_utf8_lossy(lines);
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap()).collect()
}

pub(crate) fn tail(world: &World, arguments: &[&str]) -> Vec<u64> {
    let output = run(world, &[&["tail", "bus.json", "--no-follow"], arguments].concat(), None);
    assert_eq!(status(&output), 0, "{}", said(&output));
    ids(&output.stdout)
}

/// A process that goes on while we talk to it.
pub(crate) struct Talking {
    pub(crate) child: Child,
    pub(crate) input: ChildStdin,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Talking {
    pub(crate) fn to(world: &World, arguments: &[&str]) -> Self {
        let mut command = command();
        command.arg("--state-dir").arg(&world.state).args(arguments).current_dir(&world.files);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    pub(crate) fn hears(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_event_makes_the_document_and_each_gets_number_and_time() {
    let world = World::new();
    assert_eq!(publish(&world, &[r#"{"type":"on","from":"lamp","data":{"level":1.50}}"#]), 1);
    assert_eq!(publish(&world, &["--type", "off", "--from", "lamp", "--data", "null"]), 2);
    let found = events(&world);
    assert_eq!((found[0]["id"].as_u64(), found[1]["id"].as_u64()), (Some(1), Some(2)));
    assert_eq!((found[1]["type"].as_str(), found[1]["from"].as_str()), (Some("off"), Some("lamp")));
    let time = found[0]["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.parse::<jsonwarden::clock::Timestamp>().is_ok(), "{time}");
    assert!(fs::read_to_string(world.file("bus.json")).unwrap().contains("1.50"), "numbers stay as they are written");
}

#[test]
fn what_is_no_event_changes_nothing() {
    let world = World::new();
    publish(&world, &[r#"{"type":"on"}"#]);
    let before = fs::read(world.file("bus.json")).unwrap();
    for wrong in ["7", "{}", r#"{"type":1}"#, r#"{"type":"a","from":1}"#, r#"{"type":"a","id":9}"#, "{\"type\":"] {
        let output = run(&world, &["publish", "bus.json", wrong], None);
        assert_eq!(status(&output), 1, "{wrong}: {}", said(&output));
    }
    assert_eq!(fs::read(world.file("bus.json")).unwrap(), before);
    let output = run(&world, &["publish", "bus.json", r#"{"type":"a"}"#, "--pointer", "/no/where"], None);
    assert_eq!(status(&output), 1, "{}", said(&output));
}

#[test]
fn a_document_with_other_contents_keeps_them() {
    let world = World::new();
    world.write("bus.json", "{\n    \"name\": \"shared\",\n    \"log\": []\n}\n");
    assert_eq!(publish(&world, &["--pointer", "/log", r#"{"type":"a"}"#]), 1);
    let text = fs::read_to_string(world.file("bus.json")).unwrap();
    assert!(text.starts_with("{\n    \"name\": \"shared\",\n    \"log\": ["), "{text}");
    assert_eq!(publish(&world, &[r#"{"type":"b"}"#]), 1);
    assert_eq!(events(&world).len(), 1, "another array has its own numbers");
}

#[test]
fn what_leaves_the_document_is_found_again_only_where_it_stood() {
    let world = World::new();
    world.write("bus.json", "{\"events\":[],\"b\":[]}");
    for data in 1..=3 {
        publish(&world, &["--pointer", "/b", &format!("{{\"type\":\"b\",\"data\":{data}}}")]);
    }
    for _ in 0..8 {
        publish(&world, &["--keep", "2", "{\"type\":\"a\"}"]);
    }
    publish(&world, &["--pointer", "/b", "--keep", "1", "{\"type\":\"b\",\"data\":4}"]);
    let all = |arguments: &[&str]| {
        let output = run(&world, &[&["tail", "bus.json", "--no-follow", "--from", "1"], arguments].concat(), None);
        assert_eq!(status(&output), 0, "{}", said(&output));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let (usual, other) = (all(&[]), all(&["--pointer", "/b"]));
    assert_eq!(
        usual.iter().map(|event| event["id"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=8).collect::<Vec<_>>()
    );
    assert!(usual.iter().all(|event| event["type"] == "a"), "{usual:?}");
    assert_eq!(other.iter().map(|event| event["data"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(other.iter().all(|event| event["type"] == "b" && event.get("@pointer").is_none()), "{other:?}");
    let archive = fs::read_to_string(archive(&world)).unwrap();
    assert_eq!(
        archive.lines().filter(|line| line.starts_with("{\"id\":")).count(),
        6,
        "the usual ones are as they were"
    );
    assert_eq!(archive.lines().filter(|line| line.starts_with("{\"@pointer\":\"/b\",")).count(), 3);
}

#[test]
fn a_document_whose_folder_is_not_there_is_no_document_to_follow() {
    let world = World::new();
    let output = run(&world, &["tail", "gone/bus.json"], None);
    assert_eq!(status(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("its folder") && said(&output).contains("is not there"), "{}", said(&output));
}

#[test]
fn what_is_no_file_is_no_document_to_follow_and_what_is_not_there_yet_is_waited_for_with_a_word() {
    let world = World::new();
    fs::create_dir(world.file("folder.json")).unwrap();
    for follow in [&[][..], &["--no-follow"]] {
        let output = run(&world, &[&["tail", "folder.json"], follow].concat(), None);
        assert_eq!(status(&output), 5, "{}", said(&output));
    }
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).args(["tail", "bus.json"]).current_dir(&world.files);
    let mut reader = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(reader.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("bus.json: it is not there; waiting"), "{told}");
    publish(&world, &["--type", "first"]);
    let mut line = String::new();
    BufReader::new(reader.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("first"), "{line}");
    reader.kill().unwrap();
    reader.wait().unwrap();
}

#[test]
fn more_than_are_to_stay_move_even_when_they_come_at_once() {
    let world = World::new();
    let output = run(&world, &["publish", "bus.json", "-", "--keep", "3"], Some(&"{\"type\":\"t\"}\n".repeat(10)));
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert_eq!(events(&world).len(), 3);
    assert_eq!(tail(&world, &["--from", "1"]), (1..=10).collect::<Vec<_>>());
}

#[test]
fn events_say_who_sends_them_though_no_variable_does() {
    let world = World::new();
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).args(["publish", "bus.json", "--type", "t"]).current_dir(&world.files);
    let output = command.env_remove("USER").env_remove("LOGNAME").output().unwrap();
    assert_eq!(status(&output), 0, "{}", said(&output));
    let own = std::process::Command::new("id").arg("-un").output().unwrap();
    assert_eq!(events(&world)[0]["from"], String::from_utf8_lossy(&own.stdout).trim());
}

#[test]
fn a_number_that_has_no_next_is_refused_and_nothing_changes() {
    let world = World::new();
    let text = format!("{{\"events\":[{{\"id\":{},\"type\":\"t\"}}]}}", u64::MAX - 1);
    let path = world.write("bus.json", &text);
    let output = run(&world, &["publish", "bus.json", "{\"type\":\"t\"}"], None);
    assert_eq!(status(&output), 5, "{}", said(&output));
    assert_eq!(fs::read_to_string(path).unwrap(), text);
}

#[test]
fn lines_are_acknowledged_one_by_one_and_a_bad_one_is_told() {
    let world = World::new();
    let mut publisher = Talking::to(&world, &["publish", "bus.json", "-", "--from", "me"]);
    for number in 1..=3 {
        writeln!(publisher.input, "{{\"type\":\"t\",\"data\":{number}}}").unwrap();
        assert_eq!(publisher.hears(), number.to_string());
        assert_eq!(events(&world).len(), number, "an acknowledged event is there");
    }
    drop(publisher);
    let output = run(&world, &["publish", "bus.json", "-"], Some("{\"type\":\"a\"}\n\nnonsense\n{\"type\":\"b\"}"));
    assert_eq!((status(&output), String::from_utf8_lossy(&output.stdout).as_ref()), (1, "4\n5\n"));
    assert!(said(&output).contains("line 3 is no event"), "{}", said(&output));
}

#[test]
fn many_lines_that_wait_are_written_in_few_steps() {
    let world = World::new();
    let lines = "{\"type\":\"t\"}\n".repeat(500);
    let output = run(&world, &["publish", "bus.json", "-", "--json"], Some(&lines));
    let versions: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(versions.len(), 500);
    let last = versions[499]["version"].as_u64().unwrap();
    assert!(last < 50, "500 events took {last} versions");
    assert_eq!(tail(&world, &[]), (1..=500).collect::<Vec<_>>());
}

#[test]
fn older_events_move_to_the_archive_and_are_still_found() {
    let world = World::new();
    for _ in 0..7 {
        publish(&world, &["--keep", "3", r#"{"type":"t"}"#]);
    }
    assert_eq!(events(&world).len(), 3);
    assert_eq!(tail(&world, &[]), [5, 6, 7]);
    assert_eq!(tail(&world, &["--from", "2"]), [2, 3, 4, 5, 6, 7]);
    // An archive that was cut in the middle of a line costs nothing: what is not whole there is still in the document.
    let archive = archive(&world);
    let mut text = fs::read(&archive).unwrap();
    text.extend_from_slice(b"{\"id\":5,\"ty");
    fs::write(&archive, text).unwrap();
    publish(&world, &["--keep", "3", r#"{"type":"t"}"#]);
    assert_eq!(tail(&world, &["--from", "1"]), (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_reader_takes_up_where_it_was_and_can_choose_types() {
    let world = World::new();
    for kind in ["a", "b", "a"] {
        publish(&world, &["--type", kind]);
    }
    assert_eq!(tail(&world, &["--cursor", "place", "--type", "a"]), [1, 3]);
    assert_eq!(tail(&world, &["--cursor", "place"]), [0_u64; 0]);
    publish(&world, &["--keep", "1", "--type", "a"]);
    publish(&world, &["--keep", "1", "--type", "b"]);
    assert_eq!(tail(&world, &["--cursor", "place"]), [4, 5]);
    world.write("place", "nonsense");
    let output = run(&world, &["tail", "bus.json", "--no-follow", "--cursor", "place"], None);
    assert_eq!(status(&output), 2, "{}", said(&output));
}

#[test]
fn whoever_follows_sees_each_event_once_across_rotation_damage_and_restart() {
    let world = World::new();
    publish(&world, &["--type", "first"]);
    let follow = ["tail", "bus.json", "--from", "1", "--cursor", "place"];
    let mut reader = Talking::to(&world, &follow);
    assert!(reader.hears().contains("first"));
    let mut heard = vec![1];
    for _ in 0..10 {
        publish(&world, &["--keep", "2", "--type", "t"]);
    }
    while heard.len() < 11 {
        heard.extend(ids(reader.hears().as_bytes()));
    }
    // A corrupt moment is waited out.
    let good = fs::read(world.file("bus.json")).unwrap();
    fs::write(world.file("bus.json"), &good[..good.len() / 2]).unwrap();
    fs::write(world.file("bus.json"), &good).unwrap();
    publish(&world, &["--type", "t"]);
    heard.extend(ids(reader.hears().as_bytes()));
    wait_until(LIMIT, "the place is kept", || fs::read(world.file("place")).unwrap() == b"12\n");
    reader.signal(Signal::TERM);
    assert_eq!(reader.child.wait().unwrap().code(), Some(0), "a signal ends it in order");
    for _ in 0..4 {
        publish(&world, &["--keep", "2", "--type", "t"]);
    }
    let mut reader = Talking::to(&world, &follow);
    while heard.len() < 16 {
        heard.extend(ids(reader.hears().as_bytes()));
    }
    assert_eq!(heard, (1..=16).collect::<Vec<_>>());
}

#[test]
fn the_configuration_says_where_events_stand_and_how_many_stay() {
    let world = World::new();
    let config = world.root.join("c.toml");
    let text = format!(
        "[[watch]]\nname = \"bus\"\npaths = [{:?}]\nevents = \"/log\"\nevents_keep = 2\n",
        world.file("bus.json").display().to_string()
    );
    fs::write(&config, text).unwrap();
    for _ in 0..4 {
        let arguments = ["-c", config.to_str().unwrap(), "publish", "bus.json", "--type", "t"];
        assert_eq!(status(&run(&world, &arguments, None)), 0);
    }
    let document: Value = serde_json::from_slice(&fs::read(world.file("bus.json")).unwrap()).unwrap();
    assert_eq!(document["log"].as_array().unwrap().len(), 2);
    let output = run(&world, &["-c", config.to_str().unwrap(), "tail", "bus.json", "--no-follow", "--from", "1"], None);
    assert_eq!(ids(&output.stdout), [1, 2, 3, 4]);
}
