//! JSON Schemas, on the real binary: a version that breaks its schema is told, kept, never put back, and never reverted.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, wait_until};

/// A daemon that guards `a.json` by the keys given; schemas lie beside the configuration.
fn guarding(world: &World, keys: &str) -> Daemon {
    Launch::new(world).config(world, &settings(world, keys)).start()
}

fn settings(world: &World, keys: &str) -> String {
    let files = world.files.display();
    format!("[[watch]]\nname = \"w\"\npaths = [\"{files}\"]\nbackup.min_interval = \"0s\"\n{keys}\n")
}

fn schema(world: &World, name: &str, text: &str) {
    fs::write(world.root.join(name), text).unwrap();
}

fn first(daemon: &Daemon, key: &str) -> String {
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    files[0][key].as_str().unwrap_or_default().to_owned()
}

fn run(world: &World, arguments: &[&str]) -> Output {
    let config = world.root.join("jsonwarden.toml");
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).arg("--config").arg(config).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const PORT: &str = r#"{"type":"object","required":["port"],"properties":{"port":{"type":"integer","maximum":65535}}}"#;

#[test]
fn what_breaks_its_schema_is_held_with_pointer_rule_and_type_and_is_not_what_a_repair_puts_back() {
    let world = World::new();
    schema(&world, "s.json", PORT);
    let (good, bad) = (br#"{"port": 8123, "name": "ha"}"#, br#"{"port": "s3cret", "name": "ha"}"#);
    let path = world.write("a.json", good);
    let daemon = guarding(&world, "schema = \"s.json\"");
    daemon.wait_stored(&path, good);
    fs::write(&path, bad).unwrap();
    wait_until(LIMIT, "it is held", || first(&daemon, "reason") == "suspicious");
    assert_eq!(first(&daemon, "kind"), "schema");
    wait_until(LIMIT, "the rule is told", || daemon.log_text().contains("/properties/port/type"));
    assert!(!daemon.log_text().contains("s3cret"), "{}", daemon.log_text());
    daemon.wait_stored(&path, bad);
    assert_eq!(fs::read(&path).unwrap(), bad);
    fs::write(&path, good).unwrap();
    wait_until(LIMIT, "it is healthy", || first(&daemon, "state") == "healthy");
    // The marked version is not the newest any more, and no choice for a repair.
    fs::write(&path, b"{\"port\": 81").unwrap();
    wait_until(LIMIT, "the good version is back", || fs::read(&path).is_ok_and(|bytes| bytes == good));
}

#[test]
fn a_document_follows_the_schema_of_its_own_version_and_an_unknown_version_is_suspicious() {
    let world = World::new();
    schema(&world, "v1.json", r#"{"required":["name"]}"#);
    schema(&world, "v2.json", r#"{"required":["title"]}"#);
    let path = world.write("a.json", br#"{"version": 1, "name": "x"}"#);
    let keys = r#"schemas = { by = "/version", versions = { "1" = "v1.json", "2" = "v2.json" } }"#;
    let daemon = guarding(&world, keys);
    daemon.wait_stored(&path, br#"{"version": 1, "name": "x"}"#);
    let check = run(&world, &["config", "check"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    let told = text(&check.stdout);
    assert!(told.contains("v2.json rejects version 1 of") && told.contains("which v1.json accepts"), "{told}");
    fs::write(&path, br#"{"version": 2, "title": "x"}"#).unwrap();
    daemon.wait_stored(&path, br#"{"version": 2, "title": "x"}"#);
    assert_eq!(first(&daemon, "state"), "healthy");
    fs::write(&path, br#"{"version": 3, "title": "x"}"#).unwrap();
    wait_until(LIMIT, "it is held", || first(&daemon, "reason") == "suspicious");
    assert_eq!(first(&daemon, "kind"), "schema");
}

#[test]
fn a_schema_that_is_missing_or_none_ends_the_program_with_2_and_its_place() {
    let world = World::new();
    let config = world.root.join("jsonwarden.toml");
    for (named, what) in [("none.json", "there is no schema file"), ("s.json", "is no JSON Schema: at \"/type\"")] {
        schema(&world, "s.json", r#"{"type": 5}"#);
        fs::write(&config, settings(&world, &format!("schema = \"{named}\""))).unwrap();
        for arguments in [vec!["config", "check"], vec!["run"], vec!["check", "x.json"]] {
            let done = run(&world, &arguments);
            let said = text(&done.stdout) + &text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(&format!("{}:5:1: ", config.display())) && said.contains(what), "{said}");
        }
    }
}

#[test]
fn check_holds_files_against_a_schema_and_a_dialect_that_are_named() {
    let world = World::new();
    schema(&world, "s.json", PORT);
    let (schema, config) = (world.root.join("s.json"), world.root.join("jsonwarden.toml"));
    fs::write(config, "").unwrap();
    let check = |arguments: &[&str], path: &Path| {
        let mut all = vec!["check", "--schema", schema.to_str().unwrap()];
        all.extend(arguments.iter().copied().chain([path.to_str().unwrap()]));
        let done = run(&world, &all);
        (done.status.code(), text(&done.stdout))
    };
    assert_eq!(check(&[], &world.write("good.json", br#"{"port": 1}"#)), (Some(0), String::new()));
    let bad = world.write("bad.json", b"{\n  \"port\": 99999\n}");
    let (status, told) = check(&[], &bad);
    assert_eq!(status, Some(1));
    assert!(told.starts_with(&format!("{}:2:11: schema: \"/port\", an integer, breaks", bad.display())), "{told}");
    assert!(!told.contains("99999"), "{told}");
    let lines = world.write("log.jsonl", b"{\"port\":1}\n{\"port\":null}\n");
    assert!(check(&[], &lines).1.contains("log.jsonl:2:9: schema: in value 2, \"/port\", a null"));
    let commented = world.write("c.json", b"// x\n{\"port\": 1}");
    assert_eq!(check(&[], &commented).0, Some(0));
    assert!(check(&["--dialect", "json"], &commented).1.contains(":1:1: dialect: "));
    assert_eq!(run(&world, &["check", "--dialect", "yaml", "x"]).status.code(), Some(2));
    assert_eq!(run(&world, &["check", "--schema", "/none.json", "x"]).status.code(), Some(2));
}

#[test]
fn a_document_too_deep_for_its_schema_is_told_and_crashes_nothing() {
    let world = World::new();
    schema(&world, "s.json", r##"{"properties":{"c":{"$ref":"#"}},"additionalProperties":{"type":"integer"}}"##);
    let path = world.write("a.json", br#"{"c":{"c":{"v":1}}}"#);
    let daemon = guarding(&world, "schema = \"s.json\"");
    daemon.wait_stored(&path, br#"{"c":{"c":{"v":1}}}"#);
    fs::write(&path, "{\"c\":".repeat(100_000) + "{}" + &"}".repeat(100_000)).unwrap();
    wait_until(LIMIT, "it is held", || first(&daemon, "kind") == "schema");
    wait_until(LIMIT, "it is told why", || daemon.log_text().contains("levels deep"));
    assert_eq!(daemon.get("/livez").status, 200);
}
