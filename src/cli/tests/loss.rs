//! What was lost: `diff`, `salvage`, and what `history` says of each version.

use serde_json::Value as Json;

use super::*;

const FIRST: &[u8] = br#"{"lamps": [{"id": "a", "on": true}, {"id": "b", "on": true}], "level": 7}"#;
const SECOND: &[u8] = br#"{"lamps": [{"id": "b", "on": false}, {"id": "c", "on": true}], "level": 7.0}"#;

fn json(done: &Done) -> Json {
    serde_json::from_str(&done.printed).unwrap_or_else(|error| panic!("{error}: {}{}", done.printed, done.said))
}

#[test]
fn diff_tells_a_line_a_path_and_ends_with_1_where_something_differs() {
    let world = World::new();
    let file = world.write("a.json", SECOND);
    world.store(&file, &[(FIRST, Mark::Good), (SECOND, Mark::Good)]);
    let lines = "- /lamps/0: {\"id\":\"a\",\"on\":true} (2 values)\n~ /lamps/0/on: true -> false\n\
                 + /lamps/1: {\"id\":\"c\",\"on\":true} (2 values)\n";
    for arguments in [&["1", "2"][..], &["1"], &["latest~1", "latest"], &["latest~1"]] {
        let done = world.run(&[&["diff", "a.json"], arguments].concat());
        assert_eq!((done.status, done.printed.as_str()), (1, lines), "{arguments:?}: {}", done.said);
    }
    for arguments in [&[][..], &["2"], &["2", "2"], &["--at", "0s"], &["--at", "0s", "latest"]] {
        let done = world.run(&[&["diff", "a.json"], arguments].concat());
        assert_eq!((done.status, done.printed.as_str()), (0, ""), "{arguments:?}: {}", done.said);
    }
    let told = json(&world.run(&["diff", "a.json", "1", "--json"]));
    assert_eq!((&told["added"], &told["removed"], &told["changed"]), (&2.into(), &2.into(), &1.into()));
    assert_eq!(
        told["changes"][1],
        serde_json::json!({"how": "changed", "path": "/lamps/0/on", "old": true, "new": false})
    );
    assert_eq!(
        (&told["old"]["version"], &told["new"]["live"], &told["same"]),
        (&1.into(), &true.into(), &false.into())
    );
}

#[test]
fn formatting_alone_is_no_difference() {
    let world = World::new();
    let file = world.write("a.json", b"{\n  \"level\": 7,\n  \"name\": \"x\"\n}\n");
    world.store(&file, &[(b"{\"name\":\"x\",\"level\":7}", Mark::Good)]);
    assert_eq!(world.run(&["diff", "a.json"]).status, 0);
    let told = json(&world.run(&["diff", "a.json", "--json"]));
    assert_eq!((&told["same"], &told["formatting_only"]), (&true.into(), &true.into()));
}

#[test]
fn without_a_version_the_last_good_one_is_compared_not_a_suspicious_one() {
    let world = World::new();
    let file = world.write("a.json", b"{}");
    world.store(&file, &[(FIRST, Mark::Good), (b"{}", Mark::Suspicious)]);
    let told = json(&world.run(&["diff", "a.json", "--json"]));
    assert_eq!((&told["old"]["version"], &told["removed"]), (&1.into(), &5.into()));
}

#[test]
fn a_damaged_file_is_told_with_its_place_and_what_survives_of_it_is_compared() {
    let world = World::new();
    let file = world.write("a.json", br#"{"lamps": [{"id": "a", "on": false}, {"id": "b""#);
    world.store(&file, &[(FIRST, Mark::Good)]);
    let done = world.run(&["diff", "a.json"]);
    assert_eq!(done.status, 1);
    assert!(done.printed.contains("~ /lamps/0/on: true -> false"), "{}", done.printed);
    let told = json(&world.run(&["diff", "a.json", "--json"]));
    assert_eq!((&told["damage"]["kind"], &told["damage"]["line"]), (&"truncated".into(), &1.into()));
    assert_eq!(told["new"]["survives"]["piece"], "beginning");
    std::fs::write(&file, "").unwrap();
    let done = world.run(&["diff", "a.json", "--json"]);
    assert_eq!((done.status, &json(&done)["new"]["survives"]), (1, &Json::Null));
    assert_eq!(json(&done)["damage"]["kind"], "empty");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let world = World::new();
    let file = world.write("a.json", FIRST);
    assert_eq!(world.run(&["diff", "a.json"]).status, 1, "nothing is stored");
    world.store(&file, &[(FIRST, Mark::Good)]);
    assert_eq!(world.run(&["diff", "a.json", "7"]).status, 1);
    assert_eq!(world.run(&["diff", "a.json", "1", "1", "--at", "1h"]).status, 2);
    std::fs::remove_file(&file).unwrap();
    let done = world.run(&["diff", "a.json"]);
    assert_eq!(done.status, 1);
    assert!(done.said.contains("no such file"), "{}", done.said);
    assert_eq!(world.run(&["diff", "a.json", "1", "1"]).status, 0, "two versions need no file");
    assert!(Arguments::try_parse_from(["jsonwarden", "diff", "a.json", "newest"]).is_err());
    assert!(Arguments::try_parse_from(["jsonwarden", "diff", "a.json", "1", "2", "3"]).is_err());
}

#[test]
fn a_value_cannot_steer_a_terminal() {
    let world = World::new();
    let file = world.write("a.json", "{\"a\u{202e}\": \"\\u001b[31m\u{9b}31m\"}".as_bytes());
    world.store(&file, &[(b"{}", Mark::Good)]);
    let done = world.run(&["diff", "a.json"]);
    assert_eq!(done.printed, "+ /a\\xe2\\x80\\xae: \"\\u001b[31m\\xc2\\x9b31m\"\n");
}

#[test]
fn history_says_what_each_version_changed() {
    let world = World::new();
    let file = world.write("a.json", SECOND);
    let spaced = [SECOND, b"\n"].concat();
    world.store(&file, &[(FIRST, Mark::Good), (SECOND, Mark::Good), (&spaced, Mark::Good)]);
    let done = world.run(&["history", "a.json"]);
    let lines: Vec<&str> = done.printed.lines().collect();
    assert!(lines[0].ends_with("CHANGED"), "{}", done.printed);
    assert!(lines[1].ends_with("only formatting"), "{}", done.printed);
    assert!(lines[2].ends_with("+2 -2 ~1 /lamps/0, /lamps/0/on"), "{}", done.printed);
    assert!(lines[3].ends_with(" -"), "{}", done.printed);
    let listed = json(&world.run(&["history", "--json", "a.json"]));
    assert_eq!(listed[1]["changed"]["since"], 1);
    assert_eq!(listed[1]["changed"]["paths"][1], "/lamps/0/on");
    assert_eq!(listed[2]["changed"], Json::Null);
}

#[test]
fn salvage_prints_what_survives_and_leaves_the_file_alone() {
    let world = World::new();
    let damaged = br#"{"lamps": [{"id": "a", "on": true}], "level": 8, "na"#;
    let file = world.write("a.json", damaged);
    let survives = "{\"lamps\": [{\"id\": \"a\", \"on\": true}], \"level\": 8}\n";
    let done = world.run(&["salvage", "a.json"]);
    assert_eq!((done.status, done.printed.as_str()), (0, survives), "{}", done.said);
    world.store(&file, &[(FIRST, Mark::Good)]);
    assert_eq!(world.run(&["salvage", "a.json"]).printed, survives);
    assert_eq!(std::fs::read(&file).unwrap(), damaged);
    world.write("a.json", survives.as_bytes());
    assert_eq!(world.run(&["check", "a.json"]).status, 0);
    assert_eq!(world.run(&["salvage", "a.json"]).printed, survives, "what is whole is printed as it is");
}

#[test]
fn salvage_ends_with_1_where_nothing_survives_and_says_what_it_cannot_read() {
    let world = World::new();
    world.write("empty.json", b"\0\0\0\0");
    let done = world.run(&["salvage", "empty.json"]);
    assert_eq!((done.status, done.printed.as_str()), (1, ""));
    assert_eq!(world.run(&["salvage", "none.json"]).status, 74);
    world.write("folder/x", b"");
    assert_eq!(world.run(&["salvage", "folder"]).status, 2);
    assert!(Arguments::try_parse_from(["jsonwarden", "salvage"]).is_err());
}

#[test]
fn a_file_in_quarantine_is_salvaged_as_the_document_it_was_of() {
    let world = World::new();
    let file = world.write("log.data", b"x");
    let lines = |bytes| New {
        bytes,
        digest: Digest::of(bytes),
        mark: Mark::Good,
        dialect: Dialect::Jsonl,
        origin: "file",
        attributes: Attributes { owner: 0, group: 0, mode: 0o600, extended: vec![] },
    };
    world.store(&file, &[]);
    let disk = Disk::default();
    let state = disk.open_directory(&disk.canonical(&world.path("state")).unwrap()).unwrap();
    let document = DocumentId::new(&disk.canonical(world.root.path()).unwrap(), OsStr::new("log.data"));
    let backups = Backups::new(disk.clone(), state.duplicate().unwrap());
    backups.make(&document).unwrap().take(&lines(b"{\"a\":1}\n")).unwrap();
    let quarantine = crate::quarantine::Quarantine::new(disk, state);
    let kept = quarantine.keep(&document, "truncated", b"{\"a\":1}\n{\"a\":2}\n{\"a\":").unwrap().path;
    let done = world.run(&["salvage", kept.to_str().unwrap()]);
    assert_eq!((done.status, done.printed.as_str()), (0, "{\"a\":1}\n{\"a\":2}\n"), "{}", done.said);
}
