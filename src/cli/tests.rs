//! The commands, in process: what they print and what they end with.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use tempfile::TempDir;

mod loss;

use super::*;
use crate::backup::{Backups, New};
use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, DocumentId, Mark};

struct World {
    root: TempDir,
}

/// What a command came to: its exit status, what it printed, and what it said.
struct Done {
    status: u8,
    printed: String,
    said: String,
}

impl World {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs a command in this folder, with the state directory `state` and nothing else set.
    fn run(&self, arguments: &[&str]) -> Done {
        let all = ["jsonwarden", "--state-dir", "state"].iter().chain(arguments).map(OsStr::new);
        let arguments = Arguments::try_parse_from(all).unwrap();
        let surroundings = Surroundings {
            variables: BTreeMap::new(),
            current_dir: self.root.path().into(),
            ..Surroundings::default()
        };
        let (mut out, mut raw) = (Vec::new(), Vec::new());
        let ended = execute(arguments, surroundings, &mut out, &mut raw);
        out.extend(raw);
        let printed = anstream::adapter::strip_bytes(&out).into_vec();
        let said = ended.as_ref().err().and_then(Failure::message).unwrap_or_default();
        let status = ended.unwrap_or_else(|failure| failure.exit_status());
        Done { status, printed: String::from_utf8(printed).unwrap(), said }
    }

    /// Stores versions of a file as the daemon would.
    fn store(&self, file: &Path, versions: &[(&[u8], Mark)]) {
        let disk = Disk::default();
        std::fs::create_dir_all(self.path("state")).unwrap();
        let state = disk.open_directory(&disk.canonical(&self.path("state")).unwrap()).unwrap();
        let real = disk.canonical(file.parent().unwrap()).unwrap();
        let folder = Backups::new(disk, state).make(&DocumentId::new(&real, file.file_name().unwrap())).unwrap();
        for &(bytes, mark) in versions {
            let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: vec![] };
            let new =
                New { bytes, digest: Digest::of(bytes), mark, dialect: Dialect::Json, origin: "file", attributes };
            folder.take(&new).unwrap();
        }
    }
}

#[test]
fn the_command_line_is_well_formed() {
    use clap::CommandFactory;
    Arguments::command().debug_assert();
}

#[test]
fn check_says_where_and_what_is_wrong_and_ends_with_1() {
    let world = World::new();
    world.write("good.json", b"{}");
    world.write("bad.json", b"{\n  \"a\": 1");
    let done = world.run(&["check", "good.json"]);
    assert_eq!((done.status, done.printed.as_str()), (0, ""));
    let done = world.run(&["check", "good.json", "bad.json"]);
    assert_eq!(done.status, 1);
    assert!(done.printed.starts_with("bad.json:2:9: truncated: "), "{}", done.printed);
    assert_eq!(done.printed.lines().count(), 1);
}

#[test]
fn check_as_json_prints_a_line_a_bad_file() {
    let world = World::new();
    world.write("bad.json", b"[1,");
    let done = world.run(&["check", "--json", "bad.json", "none.json"]);
    let lines: Vec<serde_json::Value> = done.printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((done.status, lines.len()), (1, 2));
    assert_eq!(
        (&lines[0]["path"], &lines[0]["kind"], &lines[0]["line"]),
        (&"bad.json".into(), &"truncated".into(), &1.into())
    );
    assert_eq!((&lines[1]["kind"], &lines[1]["line"]), (&"missing".into(), &serde_json::Value::Null));
}

#[test]
fn check_walks_a_folder_as_a_watch_would() {
    let world = World::new();
    for name in ["x/b.json", "x/a/z.jsonc", "x/.git/c.json", "x/node_modules/c.json", "x/c.txt", "x/c.json.tmp"] {
        world.write(name, b"[");
    }
    world.write("x/pid.json", b"42");
    std::os::unix::fs::symlink(world.path("x/b.json"), world.path("x/link.json")).unwrap();
    let done = world.run(&["check", "x"]);
    let files: Vec<&str> = done.printed.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(files, ["x/a/z.jsonc", "x/b.json"]);
    assert_eq!(world.run(&["check", "x/link.json", "x/pid.json"]).printed.lines().count(), 1);
}

#[test]
fn check_judges_by_the_rules_of_the_watch_that_has_the_file() {
    let world = World::new();
    world.write("a.json", b"// no comment\n{}");
    assert_eq!(world.run(&["check", "a.json"]).status, 0);
    world.write("w.toml", b"[[watch]]\nname = \"w\"\npaths = [\"*.json\"]\ndialect = \"json\"");
    let done = world.run(&["check", "-c", "w.toml", "a.json"]);
    assert_eq!(done.status, 1);
    assert!(done.printed.starts_with("a.json:1:1: dialect: "), "{}", done.printed);
    world.write("w.toml", b"[[watch]]\nname = \"w\"\npaths = [\"*.json\"]\nmax_size = 1");
    assert!(world.run(&["check", "-c", "w.toml", "a.json"]).printed.starts_with("a.json: too_large: "));
}

#[test]
fn check_cannot_be_fooled_by_a_name() {
    let world = World::new();
    world.write("a\n\x1b[31m.json", b"[");
    let done = world.run(&["check", "."]);
    assert!(done.printed.starts_with("./a\\x0a\\x1b[31m.json:1:2: "), "{}", done.printed);
}

#[test]
fn history_lists_the_newest_first_and_show_prints_a_version_byte_for_byte() {
    let world = World::new();
    let file = world.write("data/a.json", b"{}");
    let colourful = b"{\"c\": \"\x1b[31m\"}";
    world.store(&file, &[(b"[1]", Mark::Good), (b"[2]", Mark::Suspicious), (colourful, Mark::Uncertified)]);
    let done = world.run(&["history", "data/a.json"]);
    let rows: Vec<Vec<&str>> = done.printed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["VERSION", "TIME", "SIZE", "DIGEST", "MARK", "CHANGED"]);
    let told: Vec<(&str, &str)> = rows[1..].iter().map(|row| (row[0], row[4])).collect();
    assert_eq!(told, [("3", "uncertified"), ("2", "suspicious"), ("1", "good")]);
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&["history", "--json", "data/a.json"]).printed).unwrap();
    assert_eq!((&json[2]["version"], &json[2]["bytes"]), (&1.into(), &3.into()));
    assert_eq!(world.run(&["show", "data/a.json", "1"]).printed, "[1]");
    assert_eq!(world.run(&["show", "data/a.json", "latest~1"]).printed, "[2]");
    assert_eq!(world.run(&["show", "data/a.json", "--at", "0s"]).status, 0);
    assert_eq!(world.run(&["show", "data/a.json", "--at", "1h"]).status, 1);
    assert_eq!(world.run(&["show", "data/a.json", "9"]).status, 1);
}

#[test]
fn show_takes_nothing_out_of_a_document() {
    let world = World::new();
    let file = world.write("a.json", b"{}");
    let bytes = b"\xff\x00\x1b[31m";
    world.store(&file, &[(bytes, Mark::Good)]);
    let arguments = Arguments::try_parse_from(["jsonwarden", "--state-dir", "state", "show", "a.json"]).unwrap();
    let surroundings = Surroundings { current_dir: world.root.path().into(), ..Surroundings::default() };
    let mut raw = Vec::new();
    execute(arguments, surroundings, &mut io::sink(), &mut raw).unwrap();
    assert_eq!(raw, bytes);
}

#[test]
fn the_history_of_a_file_that_is_gone_with_its_folder_is_still_there() {
    let world = World::new();
    let file = world.write("data/a.json", b"{}");
    world.store(&file, &[(b"[1]", Mark::Good)]);
    std::fs::remove_dir_all(world.path("data")).unwrap();
    assert_eq!(world.run(&["show", "data/../data/a.json"]).printed, "[1]");
}

#[test]
fn where_nothing_is_stored_the_answer_is_no() {
    let world = World::new();
    world.write("a.json", b"{}");
    let done = world.run(&["history", "a.json"]);
    assert_eq!(done.status, 1);
    assert!(
        done.said.contains("there is no such state directory; name the daemon's with --state-dir"),
        "{}",
        done.said
    );
    world.store(&world.path("b.json"), &[(b"[1]", Mark::Good)]);
    let done = world.run(&["history", "a.json"]);
    assert_eq!(done.status, 1);
    assert!(done.said.contains("no version of it is stored"), "{}", done.said);
}

#[test]
fn config_check_prints_every_mistake_and_ends_with_2() {
    let world = World::new();
    world.write("a.toml", b"sweep_interval = 5\nnonsense = 1\n");
    world.write("conf.d/b.toml", b"nonsense = 1\n");
    let done = world.run(&["config", "check", "-c", "a.toml"]);
    let places: Vec<bool> =
        ["a.toml:1:18: ", "a.toml:2:1: ", "b.toml:1:1: "].iter().map(|place| done.printed.contains(place)).collect();
    assert_eq!((done.status, places), (2, vec![true; 3]), "{}", done.printed);
    assert_eq!(world.run(&["status", "-c", "a.toml"]).status, 2);
    world.write("a.toml", b"");
    let done = world.run(&["config", "check", "-c", "a.toml"]);
    assert_eq!((done.status, done.printed.lines().count()), (2, 1));
    std::fs::remove_dir_all(world.path("conf.d")).unwrap();
    let done = world.run(&["config", "check", "-c", "a.toml"]);
    assert_eq!(done.status, 0);
    assert!(done.printed.ends_with("a.toml: no mistakes; 0 watches\n"));
    let done = world.run(&["config", "check"]);
    assert_eq!(done.status, 0);
    assert!(done.printed.contains("the defaults hold; 0 watches\n"), "{}", done.printed);
}

#[test]
fn config_show_and_example_print_toml_and_json() {
    let world = World::new();
    assert_eq!(world.run(&["config", "example"]).printed, crate::config::EXAMPLE);
    let toml = world.run(&["config", "show"]).printed;
    assert!(toml.starts_with("state_dir = ") && toml.contains("  # from option --state-dir\n"), "{toml}");
    let json: serde_json::Value = serde_json::from_str(&world.run(&["config", "show", "--json"]).printed).unwrap();
    assert_eq!(json["settings"]["sweep_interval"]["from"], "default");
}

#[test]
fn run_with_nothing_to_guard_is_a_usage_error_that_says_how_to_mend_it() {
    let done = World::new().run(&["run"]);
    assert_eq!(done.status, 2);
    assert!(done.said.contains("nothing to guard; name files or folders (jsonwarden run PATH…)"), "{}", done.said);
}

/// A daemon that gives one answer.
fn daemon(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 1024]).unwrap();
        assert!(read > 0);
        write!(stream, "HTTP/1.0 200 OK\r\n\r\n{answer}").unwrap();
    });
    address
}

#[test]
fn status_shows_what_the_daemon_says_and_3_when_there_is_none() {
    const ANSWER: &str = r#"[{"path": "/srv/a.json", "watch": "w", "state": "held", "reason": "breaker", "kind": "truncated",
        "last_good": {"version": 7, "time": "2026-11-22T04:00:05Z", "bytes": 2, "digest": "x", "mark": "good"},
        "incident": 1, "backed_up": true, "unrepairable": "a hard link"},
        {"path": "\u001b[31m", "watch": "w", "state": "unproven", "reason": null, "kind": null, "last_good": null}]"#;
    let world = World::new();
    let listen = |address: SocketAddr| world.write("s.toml", format!("http.listen = \"{address}\"").as_bytes());
    listen(daemon(ANSWER));
    let done = world.run(&["status", "-c", "s.toml"]);
    let lines: Vec<&str> = done.printed.lines().collect();
    assert_eq!((done.status, lines.len()), (0, 3), "{}", done.said);
    for cell in ["/srv/a.json", "held", "breaker, truncated", "7", "no: a hard link"] {
        assert!(lines[1].contains(cell), "{cell} is not in {}", lines[1]);
    }
    assert!(lines[2].starts_with("\\x1b[31m") && lines[2].ends_with("no: no good version yet"), "{}", lines[2]);
    listen(daemon(ANSWER));
    assert_eq!(world.run(&["status", "--json", "-c", "s.toml"]).printed, ANSWER);
    assert_eq!(world.run(&["status", "-c", "s.toml"]).status, 3);
    listen(daemon("{\"not\": \"ours\"}"));
    assert_eq!(world.run(&["status", "-c", "s.toml"]).status, 3);
}

#[test]
fn accept_marks_the_version_that_stands_there_and_no_other() {
    let world = World::new();
    let file = world.write("a.json", b"{}");
    world.store(&file, &[(b"[1]", Mark::Good), (b"{}", Mark::Suspicious)]);
    let marks = || {
        let listed: serde_json::Value =
            serde_json::from_str(&world.run(&["history", "--json", "a.json"]).printed).unwrap();
        listed.as_array().unwrap().iter().map(|one| one["mark"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    world.write("a.json", b"{ }");
    let other = world.run(&["accept", "a.json"]);
    assert_eq!((other.status, marks()), (1, vec!["suspicious".into(), "good".into()]), "{}", other.said);
    world.write("a.json", b"{}");
    assert_eq!(world.run(&["accept", "--digest", "0123", "a.json"]).status, 1);
    let done = world.run(&["accept", "--digest", &Digest::of(b"{}").to_string()[..8], "a.json"]);
    assert!(done.status == 0 && done.printed.contains("version 2 (2B, "), "{} {}", done.printed, done.said);
    assert_eq!(marks(), ["accepted", "good"]);
    let again = world.run(&["accept", "a.json"]);
    assert!(again.status == 1 && again.said.contains("nothing to accept"), "{}", again.said);
    assert_eq!(world.run(&["accept", "none.json"]).status, 1);
}

#[test]
fn check_tells_findings_when_asked_and_they_are_no_fault() {
    let world = World::new();
    world.write("a.json", b"\xef\xbb\xbf{\"a\": {\"b\": 1, \"b\": 9007199254740993}}");
    assert_eq!(world.run(&["check", "a.json"]).printed, "");
    let done = world.run(&["check", "--findings", "a.json"]);
    let lines: Vec<&str> = done.printed.lines().collect();
    assert_eq!((done.status, lines.len()), (0, 3), "{lines:?}");
    assert!(lines[0].starts_with("a.json:1:1: bom: "), "{lines:?}");
    assert!(lines[1].starts_with("a.json:1:16: duplicate_key: ") && lines[1].ends_with("(/a/b)"), "{lines:?}");
    let json = world.run(&["check", "--findings", "--json", "a.json"]).printed;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["finding"]), (&"number_range".into(), &true.into()));
}
