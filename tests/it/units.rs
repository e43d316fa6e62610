//! The systemd units: right, tight, and kept by a real systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{World, command, is_root, skip};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// The units, copied to a folder of their own, with the built binary in them: `verify` wants it to be there.
fn copies(world: &World) -> [PathBuf; 3] {
    let copy = |from: &str, to: &str| {
        let text = fs::read_to_string(folder().join(from)).unwrap();
        let path = world.root.join(to);
        fs::write(&path, text.replace("/usr/bin/jsonwarden", env!("CARGO_BIN_EXE_jsonwarden"))).unwrap();
        path
    };
    copy("jsonwarden@.service", "jsonwarden@.service");
    [
        copy("jsonwarden.service", "jsonwarden.service"),
        copy("jsonwarden@.service", "jsonwarden@daemon.service"),
        copy("user/jsonwarden.service", "user-jsonwarden.service"),
    ]
}

/// `systemd-analyze`; `None`: it is not installed.
fn analyze(what: &str, arguments: &[&str], unit: &Path) -> Option<Output> {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output().ok();
    if output.is_none() {
        skip(what, "no systemd-analyze");
    }
    output
}

#[track_caller]
fn assert_success(output: &Output) {
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{said}");
}

#[test]
fn config_check_says_which_path_finds_nothing_and_how_to_name_files_without_an_extension() {
    let world = World::new();
    for folder in ["bare", "full/deep"] {
        fs::create_dir_all(world.files.join(folder)).unwrap();
    }
    world.write("bare/core.config", b"{}");
    world.write("full/deep/a.json", b"{}");
    let files = world.files.display();
    let paths = ["bare", "full", "later", "none/*"].map(|name| format!("\"{files}/{name}\"")).join(", ");
    let config = world.root.join("c.toml");
    fs::write(&config, format!("[[watch]]\nname = \"w\"\npaths = [{paths}]\n")).unwrap();
    let output = command().args(["config", "check", "--config"]).arg(&config).output().unwrap();
    assert_success(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    for (path, why) in [("bare", "`/*` at its end"), ("later", "not there yet"), ("none", "not there yet")] {
        let line = said.lines().find(|line| line.contains(&format!("{files}/{path}:")));
        assert!(line.is_some_and(|line| line.contains(why)), "{path}: {said}");
    }
    assert!(!said.contains("/full"), "{said}");
}

#[test]
fn the_units_say_nothing_that_systemd_does_not_understand() {
    let world = World::new();
    for unit in copies(&world) {
        let Some(output) = analyze("units", &["verify", "--man=no"], &unit) else { return };
        assert_success(&output);
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_units_expose_little() {
    let world = World::new();
    let [root, own, _] = copies(&world);
    for (unit, threshold) in [(root, "--threshold=28"), (own, "--threshold=15")] {
        let arguments = ["security", "--offline=true", "--no-pager", threshold];
        let Some(output) = analyze("the sandbox", &arguments, &unit) else { return };
        assert_success(&output);
        println!("{}", String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default());
    }
}

#[test]
fn the_drop_in_opens_the_watched_folders_and_no_more() {
    let world = World::new();
    let files = world.files.display();
    for folder in ["a b", "deep/er", "50%"] {
        fs::create_dir_all(world.files.join(folder)).unwrap();
    }
    world.write("50%/x.json", "{}");
    let config = world.root.join("jsonwarden.toml");
    let text = format!(
        "http.listen = \"0.0.0.0:14871\"\n[[watch]]\nname = \"w\"\n\
         paths = [\"{files}/a b\", \"{files}/deep\", \"{files}/deep/er/*.json\", \"{files}/50%/x.json\", \"/srv/gone/y.json\"]\n"
    );
    fs::write(&config, text).unwrap();
    let output = command().args(["config", "unit", "--config"]).arg(&config).stdout(Stdio::piped()).output().unwrap();
    assert_success(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut opened: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("ReadWritePaths=")).collect();
    opened.sort_unstable();
    let mut wanted = ["a b", "deep", "50%%"].map(|folder| format!("\"-{files}/{folder}\"")).to_vec();
    wanted.push("\"-/srv/gone\"".to_owned());
    wanted.sort_unstable();
    assert_eq!(opened, wanted);
    assert!(
        printed.contains("# Not there yet: restart the service once it is.\nReadWritePaths=\"-/srv/gone\"\n"),
        "{printed}"
    );
    assert_eq!(printed.matches("Not there yet").count(), 1);
    assert!(printed.contains("IPAddressAllow=any") && printed.contains("PrivateTmp=no"), "{printed}");
}

#[test]
fn a_real_systemd_starts_watches_reloads_sandboxes_and_stops_it() {
    if !is_root() {
        return skip("the service under systemd", "not root");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/booted/run");
    let output = Command::new(script).arg(env!("CARGO_BIN_EXE_jsonwarden")).stdin(Stdio::null()).output().unwrap();
    if output.status.code() == Some(77) {
        return skip("the service under systemd", "no systemd-nspawn, or no overlay");
    }
    assert_success(&output);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.ends_with("all kept\n"), "{printed}");
    println!("{printed}");
}
