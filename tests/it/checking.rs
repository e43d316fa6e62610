//! `check`, as people know it from compilers.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{World, command, skip};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = command.spawn().unwrap();
    check.stdin.take().unwrap().write_all(input).unwrap();
    check.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn thousands_of_files_are_judged_and_told_of_in_their_order() {
    let world = World::new();
    let mut bad = Vec::new();
    for number in 0..3_000 {
        let is_bad = number % 700 == 99;
        let path = world.write(format!("{number:04}.json"), if is_bad { "{\"a\": [1,\n 2" } else { "{\"a\": [1, 2]}" });
        if is_bad {
            bad.push(format!("{}:2:3: truncated: ", path.display()));
        }
    }
    let output = run(&["check", world.files.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert_eq!(told.lines().count(), bad.len(), "{told}");
    assert!(told.lines().zip(&bad).all(|(line, start)| line.starts_with(start)), "{told}");
    assert_eq!(text(&output.stderr), "", "no bar where nobody looks");
}

#[test]
fn a_terminal_is_shown_the_line_with_a_caret_and_a_hint_and_nobody_else_is() {
    let world = World::new();
    let path = world.write("a.json", "{\n  \"name\": \"\u{1b}[31mred\",\n  \"port\": x\n}\n");
    let plain = text(&run(&["check", path.to_str().unwrap()], b"").stdout);
    assert_eq!(plain.lines().count(), 1, "{plain}");
    let path = world.write("b.json", "{\n  \"name\": \"s3cret\",\n  \"port\": x\n}\n");
    let binary = env!("CARGO_BIN_EXE_jsonwarden");
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("{binary} check {}", path.display()), "/dev/null"]).env("NO_COLOR", "1");
    script.env("XDG_CONFIG_HOME", &world.root).env("JSONWARDEN_STATE_DIR", &world.state).stdin(Stdio::null());
    let Ok(output) = script.output() else { return skip("check on a terminal", "there is no script(1)") };
    let shown = text(&output.stdout).replace('\r', "");
    let expected = format!(
        "{0}:3:11: syntax: a value should stand here\n3 |   \"port\": x\n  |           ^\nhint: `jsonwarden repair {0}` puts",
        path.display()
    );
    assert!(shown.starts_with(&expected), "{shown:?}");
    assert!(!shown.contains("s3cret"), "no more than the line: {shown}");
    assert!(shown.ends_with("1 judged, 1 bad\n"), "{shown:?}");
}

#[test]
fn standard_input_is_judged_in_the_dialect_that_is_named() {
    for (dialect, input, status) in [
        ("json", "{\"a\": NaN}", 1),
        ("python", "{\"a\": NaN}", 0),
        ("jsonl", "{\"a\": 1}\n{\"a\": 2}\n", 0),
        ("jsonl", "{\"a\": 1}\n{\"a\": ", 1),
        ("jsonc", "// x\n[1,]", 0),
        ("json5", "{a: 'x'}", 0),
        ("auto", "{a: 'x'}", 0),
        ("json", "{a: 'x'}", 1),
    ] {
        let output = run(&["check", "--dialect", dialect, "-"], input.as_bytes());
        assert_eq!(output.status.code(), Some(status), "{dialect} {input:?}: {}", text(&output.stdout));
    }
    let told = text(&run(&["check", "--findings", "--json", "-"], b"{\"a\": 1, \"a\": \"\\ud800\"}").stdout);
    let kinds: Vec<Value> =
        told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert_eq!(kinds, ["duplicate_key", "lone_surrogate"]);
}

#[test]
fn the_rules_of_a_watch_count_where_its_files_are_checked() {
    let world = World::new();
    let path = world.write("a.json", "{\n  \"name\": 1\n}\n");
    let config = world.root.join("jsonwarden.toml");
    let watch = format!("[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nrequired = [\"/port\"]\n", world.files.display());
    fs::write(&config, watch).unwrap();
    let output = run(&["check", "--config", config.to_str().unwrap(), path.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(":1:1: required: it has no \"/port\""), "{}", text(&output.stdout));
}
