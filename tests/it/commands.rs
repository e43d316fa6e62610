//! The command line as scripts use it: exit statuses, what goes where, and what it says of the corpus.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jsonwarden::verdict::Kind;
use serde_json::Value;

use crate::support::{Launch, World, command, document};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).stdout(Stdio::piped()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn check_names_every_damaged_document_with_place_and_kind_and_passes_every_good_one() {
    for kind in Kind::CORRUPT.into_iter().chain([Kind::ConflictMarkers]) {
        let examples = entries(&corpus().join(kind.label()));
        for path in examples.iter().filter(|path| is_judged_by_name(path)) {
            let output = run(&["check", path.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(1), "{}", path.display());
            assert_is_a_place_and_the_kind(&text(&output.stdout), path, kind.label());
        }
    }
    for path in entries(&corpus().join("valid")).iter().filter(|path| is_judged_by_name(path)) {
        let output = run(&["check", path.to_str().unwrap()]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""), "{}", path.display());
    }
}

/// Documents of other dialects are judged as what they were enrolled as, which `check` cannot know.
fn is_judged_by_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// `PATH:LINE:COL: KIND: what is wrong`, once.
fn assert_is_a_place_and_the_kind(said: &str, path: &Path, kind: &str) {
    let rest = said.strip_prefix(&format!("{}:", path.display())).unwrap_or_else(|| panic!("{said:?}"));
    let (place, rest) = rest.split_once(": ").unwrap();
    let numbers: Vec<u64> = place.split(':').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|number| *number >= 1), "{said:?}");
    assert!(rest.starts_with(&format!("{kind}: ")), "not {kind}: {said:?}");
    assert_eq!(said.lines().count(), 1, "{said:?}");
}

#[test]
fn check_reads_standard_input_and_prints_json_lines_on_request() {
    let mut check =
        command().args(["check", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(b"{\"a\": \n").unwrap();
    let output = check.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((line["kind"].as_str(), line["line"].as_u64()), (Some("truncated"), Some(2)));
}

#[test]
fn the_exit_status_tells_usage_from_absence() {
    let world = World::new();
    let never_seen = world.file("never.json");
    assert_eq!(run(&["check"]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
    let state = world.state.to_str().unwrap();
    let history = run(&["--state-dir", state, "history", never_seen.to_str().unwrap()]);
    assert_eq!(history.status.code(), Some(1));
    assert!(history.stdout.is_empty() && !history.stderr.is_empty(), "results on stdout, the rest on stderr");
    assert_eq!(run(&["--config", "/no/such/file.toml", "config", "check"]).status.code(), Some(2));
}

#[test]
fn the_example_configuration_is_the_shipped_one_and_has_no_mistakes() {
    let example = run(&["config", "example"]);
    assert_eq!(example.status.code(), Some(0));
    let shipped = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/jsonwarden.toml")).unwrap();
    assert!(example.stdout == shipped, "config example is not config/jsonwarden.toml");
    let world = World::new();
    let path = world.root.join("jsonwarden.toml");
    fs::write(&path, &example.stdout).unwrap();
    let check = run(&["--config", path.to_str().unwrap(), "config", "check"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
}

#[test]
fn history_and_show_tell_what_is_stored_with_and_without_a_daemon() {
    let world = World::new();
    let path = world.write("a.json", document(1, 700));
    let daemon = Launch::new(&world).arg(&world.files).start();
    daemon.wait_stored(&path, &document(1, 700));
    world.write("a.json", document(2, 700));
    daemon.wait_stored(&path, &document(2, 700));
    let (state, file) = (world.state.to_str().unwrap(), path.to_str().unwrap());
    let ask = || {
        let history: Value =
            serde_json::from_slice(&run(&["--state-dir", state, "history", "--json", file]).stdout).unwrap();
        let versions: Vec<u64> =
            history.as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
        let show = |version: &str| run(&["--state-dir", state, "show", file, version]).stdout;
        (versions, show("latest"), show("latest~1"))
    };
    let expected = (vec![2, 1], document(2, 700), document(1, 700));
    assert_eq!(ask(), expected);
    daemon.terminate();
    assert_eq!(ask(), expected);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let script = format!(
        "{:?} config example | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_jsonwarden")
    );
    let status = Command::new("bash").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn no_colour_goes_where_nobody_sees_it() {
    let world = World::new();
    world.write("a.json", "{");
    let output = run(&["check", world.files.to_str().unwrap()]);
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}
