//! Names that are meant to do harm, through a whole life: enrolled, stored, damaged, repaired, looked at by hand, logged and
//! counted.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, document, wait_until};

fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        "line\nbreak.json",
        "jsonwarden: all is well\r\n{\"event\":\"forged\"}.json",
        "\u{1b}[31mred\u{1b}[0m\u{7}.json",
        "\u{202e}nosj.exe.json",
        "\u{2028}\u{85}.json",
        " .json",
        "-rf.json",
        "'\"\\`$(reboot);&|<>*?[a-z]{a,b}.json",
        "%s%n\\x00.json",
        "#;=,.json",
        "record.jsonl",
        "näme ☃.json",
    ]
    .map(OsString::from)
    .into();
    names.push(OsString::from_vec(b"\xff\xfe not UTF-8 \xc3.json".to_vec()));
    names.push(OsString::from(format!("{}.json", "n".repeat(250))));
    names.push(OsString::from(format!("{}.json", "ä".repeat(125))));
    names
}

fn by_hand(world: &World, arguments: &[&OsStr]) -> Output {
    let mut command = command();
    command.args(arguments).arg("--state-dir").arg(&world.state).arg("--config").arg(configuration(world));
    command.stdout(Stdio::piped()).output().unwrap()
}

fn configuration(world: &World) -> PathBuf {
    let path = world.root.join("names.toml");
    let text = format!(
        "[defaults]\nper_file_metrics = true\nmax_repairs = 0\n[[watch]]\nname = \"names\"\npaths = [\"{}\"]\n",
        world.files.display()
    );
    fs::write(&path, text).unwrap();
    path
}

/// Nothing in it steers a terminal, or begins a line of its own.
#[track_caller]
fn is_safe_to_print(bytes: &[u8], what: &str) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}: {bytes:?}"));
    let is_dangerous = |character: &char| {
        let bidirectional =
            matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (character.is_control() && !matches!(character, '\n' | '\t')) || bidirectional
    };
    assert!(!text.chars().any(|character| is_dangerous(&character)), "{what}: {text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("break.json") || line.starts_with("{\"event\":\"forged")),
        "{what}"
    );
}

fn printed(world: &World, arguments: &[&OsStr], statuses: &[i32]) -> Vec<u8> {
    let output = by_hand(world, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some_and(|code| statuses.contains(&code)),
        "{arguments:?}: {:?} {said}",
        output.status
    );
    is_safe_to_print(&output.stderr, &format!("{arguments:?}"));
    output.stdout
}

fn shows(world: &World, file: &Path, generation: u64) -> bool {
    by_hand(world, &["show".as_ref(), file.as_os_str()]).stdout == document(generation, 1_000)
}

/// One file's whole life.
fn lives(world: &World, file: &Path, generation: u64) {
    wait_until(LIMIT, &format!("file {generation} is stored"), || shows(world, file, generation));
    fs::write(file, b"{\"torn").unwrap();
    wait_until(LIMIT, &format!("file {generation} is whole again"), || {
        fs::read(file).is_ok_and(|bytes| bytes == document(generation, 1_000))
    });
    let path = file.as_os_str();
    is_safe_to_print(&printed(world, &["history".as_ref(), path], &[0]), "history");
    let history = printed(world, &["history".as_ref(), path, "--json".as_ref()], &[0]);
    serde_json::from_slice::<Value>(&history).unwrap();
    is_safe_to_print(&printed(world, &["check".as_ref(), path], &[0]), "check");
    is_safe_to_print(&printed(world, &["verify".as_ref(), path], &[0]), "verify");
    fs::write(file, document(generation + 100, 1_000)).unwrap();
    wait_until(LIMIT, &format!("file {generation} is stored again"), || shows(world, file, generation + 100));
    is_safe_to_print(&printed(world, &["restore".as_ref(), path, "1".as_ref()], &[0]), "restore");
    assert_eq!(fs::read(file).unwrap(), document(generation, 1_000), "file {generation}");
}

fn is_well_told(daemon: &Daemon, count: usize) {
    wait_until(LIMIT, "all repairs are told", || {
        daemon.state.incidents().iter().filter(|line| line["event"] == "repaired").count() == count
    });
    is_safe_to_print(&daemon.log_bytes(), "the log");
    for line in daemon.log_text().lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
    let scrape = daemon.scrape();
    assert_eq!(scrape.count("restores_total", &[("outcome", "repaired")]), count);
    assert_eq!(scrape.count("file_valid", &[]), count, "a series a file");
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let files = files.as_array().or_else(|| files["files"].as_array()).unwrap();
    assert_eq!(files.len(), count);
    is_safe_to_print(&fs::read(daemon.state.0.join("incidents.jsonl")).unwrap(), "incidents.jsonl");
}

#[test]
fn names_that_are_meant_to_do_harm_live_like_others() {
    let world = World::new();
    let files: Vec<PathBuf> = names().iter().map(|name| world.file(name)).collect();
    for (generation, file) in (1..).zip(&files) {
        assert!(file.file_name().unwrap().as_bytes().len() <= 255);
        fs::write(file, document(generation, 1_000)).unwrap();
    }
    let daemon = Launch::new(&world).arg("--config").arg(configuration(&world)).start();
    std::thread::scope(|scope| {
        for (generation, file) in (1..).zip(&files) {
            let world = &world;
            scope.spawn(move || lives(world, file, generation));
        }
    });
    is_well_told(&daemon, files.len());
    for arguments in [&["verify".as_ref()][..], &["status".as_ref(), "--orphans".as_ref()]] {
        is_safe_to_print(&printed(&world, arguments, &[0]), "a table");
    }
    let status = command()
        .args(["status", "--config"])
        .arg(configuration(&world))
        .env("JSONWARDEN_LISTEN", daemon.address().to_string())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    is_safe_to_print(&status.stdout, "status");
    for file in &files {
        printed(&world, &["forget".as_ref(), file.as_os_str()], &[0]);
    }
    println!("{} names, each through a whole life", files.len());
}
