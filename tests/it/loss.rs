//! What was lost: counted after the damage, told in the incident, and printed by hand.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

fn by_hand(world: &World, arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments).arg("--state-dir").arg(&world.state).stdout(Stdio::piped()).current_dir(&world.files);
    command.output().unwrap()
}

#[track_caller]
fn prints(output: &Output, status: i32) -> String {
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{printed}{said}");
    printed.into_owned()
}

#[track_caller]
fn json(output: &Output, status: i32) -> Value {
    serde_json::from_str(&prints(output, status)).unwrap()
}

/// The line that says what was lost of a file.
#[track_caller]
fn compared(daemon: &Daemon, file: &Path) -> Value {
    wait_until(LIMIT, "it is compared", || !daemon.state.incidents_of(file, "compared").is_empty());
    daemon.state.incidents_of(file, "compared").remove(0)
}

const GOOD: &str = r#"{"level": 7, "lamps": {"desk": "on", "hall": "off"}, "name": "home"}"#;
const TORN: &str = r#"{"level": 8, "lamps": {"desk": "on", "attic": "secret"}, "na"#;

#[test]
fn an_incident_tells_how_much_of_the_damaged_bytes_the_good_version_does_not_have() {
    let world = World::new();
    let file = world.write("a.json", GOOD);
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&file, GOOD.as_bytes());
    fs::write(&file, TORN).unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read_to_string(&file).is_ok_and(|text| text == GOOD));
    let line = compared(&daemon, &file);
    assert_eq!((&line["incident"], &line["version"], &line["piece"]), (&1.into(), &1.into(), &"beginning".into()));
    assert_eq!((&line["added"], &line["changed"]), (&1.into(), &1.into()), "{line}");
    assert_eq!(line["paths"], serde_json::json!(["/level", "/lamps/attic"]));
    assert!(!line.to_string().contains("secret"), "values are nobody's business: {line}");
    wait_until(LIMIT, "it is shown", || daemon.get("/api/v1/incidents").body.contains("/lamps/attic"));
    let said = daemon.logged("compared").remove(0).to_string();
    assert!(said.contains("against version 1 1 added, 1 changed (first: /level, /lamps/attic)"), "{said}");
    let shown: Value = serde_json::from_str(&daemon.get("/api/v1/incidents").body).unwrap();
    assert_eq!(shown[0]["lost"]["added"], 1);

    daemon.terminate();
    let daemon = Launch::new(&world).arg(&world.files).start();
    let shown: Value = serde_json::from_str(&daemon.get("/api/v1/incidents").body).unwrap();
    assert_eq!(shown[0]["lost"]["paths"][0], "/level", "a restart forgets nothing");

    let kept = shown_path(&json(&by_hand(&world, &["incidents", "--json"]), 0)[0]["quarantine"]);
    let salvaged = prints(&by_hand(&world, &["salvage", &kept]), 0);
    assert_eq!(salvaged, "{\"level\": 8, \"lamps\": {\"desk\": \"on\", \"attic\": \"secret\"}}\n");
}

fn shown_path(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn a_reset_is_compared_with_the_last_good_version() {
    let world = World::new();
    let good = document(1, 4_000);
    let file = world.write("a.json", &good);
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&file, &good);
    fs::write(&file, "{}").unwrap();
    let line = compared(&daemon, &file);
    let leaves = 2 + 3 * serde_json::from_slice::<Value>(&good).unwrap()["entities"].as_array().unwrap().len();
    assert_eq!((&line["removed"], &line["is_suspicious"]), (&leaves.into(), &true.into()), "{line}");
    assert_eq!(line["paths"], serde_json::json!(["/version", "/key", "/entities"]));
    let told = prints(&by_hand(&world, &["diff", "a.json", "1"]), 1);
    assert!(told.starts_with("- /version: 1\n- /key: \"core.entities\"\n- /entities: [{\"id\":"), "{told}");
}

#[test]
fn bytes_of_which_nothing_survives_are_told_so() {
    let world = World::new();
    let file = world.write("a.json", GOOD);
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&file, GOOD.as_bytes());
    fs::write(&file, [0; 64]).unwrap();
    let line = compared(&daemon, &file);
    assert_eq!((&line["piece"], &line["bytes"]), (&Value::Null, &64.into()));
}

#[test]
fn incidents_are_listed_shown_acknowledged_and_summed_up() {
    let world = World::new();
    let file = world.write("a.json", GOOD);
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&file, GOOD.as_bytes());
    assert_eq!(prints(&by_hand(&world, &["incidents"]), 0), "");
    for (number, torn) in [TORN, "{\"level"].into_iter().enumerate() {
        fs::write(&file, torn).unwrap();
        wait_until(LIMIT, "it is repaired", || daemon.state.incidents_of(&file, "repaired").len() > number);
    }
    let listed = json(&by_hand(&world, &["incidents", "--json", "--since", "1h"]), 0);
    let first: Vec<(u64, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["incident"].as_u64().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(first, [(2, "repaired"), (1, "repaired")]);
    assert!(listed[0]["repair_seconds"].as_f64().unwrap() > 0.0);
    let table = prints(&by_hand(&world, &["incidents"]), 0);
    assert!(table.lines().next().unwrap().starts_with("ID "), "{table}");
    assert!(table.lines().count() == 3 && table.contains("truncated"), "{table}");

    let one = json(&by_hand(&world, &["incidents", "show", "1", "--json"]), 0);
    assert_eq!((&one["facts"][0]["event"], &one["facts"][1]["event"]), (&"corrupted".into(), &"repaired".into()));
    assert!(prints(&by_hand(&world, &["incidents", "show", "1"]), 0).contains("repaired"));
    prints(&by_hand(&world, &["incidents", "show", "99"]), 1);

    prints(&by_hand(&world, &["incidents", "ack", "1", "99"]), 1);
    assert_eq!(prints(&by_hand(&world, &["incidents", "ack", "1"]), 0), "incident 1 acknowledged\n");
    assert!(prints(&by_hand(&world, &["incidents", "ack", "1"]), 0).contains("was acknowledged"));
    let listed = json(&by_hand(&world, &["incidents", "--json"]), 0);
    assert!(listed[0]["acknowledged"].is_null() && listed[1]["acknowledged"]["time"].is_string());

    let report = json(&by_hand(&world, &["report", "--json"]), 0);
    let counts = ["incidents", "repaired", "open", "unacknowledged"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [2, 2, 0, 1]);
    assert_eq!(
        (&report["kinds"]["truncated"], &report["recurrences"][0]["incidents"]),
        (&2.into(), &serde_json::json!([1, 2]))
    );
    assert!(report["mttr_seconds"].as_f64().unwrap() > 0.0);
    assert!(prints(&by_hand(&world, &["report"]), 0).contains("MTTR"));
    prints(&by_hand(&world, &["incidents", "--since", "yesterday"]), 2);
    prints(&by_hand(&world, &["incidents", "ack"]), 2);
}
