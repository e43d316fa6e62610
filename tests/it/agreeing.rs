//! `check` and the daemon say one thing of one file: over the whole corpus and what random damage makes of it, for files that
//! nobody has seen before and for files with versions.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, wait_until};

/// What is said of each file: its kind; of those that are good, nothing.
type Said = BTreeMap<String, String>;

fn said(entries: impl Iterator<Item = Value>) -> Said {
    let pair = |entry: Value| Some((entry["path"].as_str()?.to_owned(), entry["kind"].as_str()?.to_owned()));
    entries.filter_map(pair).collect()
}

fn by_daemon(daemon: &Daemon) -> Said {
    let files: Vec<Value> = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    said(files.into_iter())
}

fn by_check(world: &World) -> Said {
    let mut check = command();
    check.args(["check", "--json", "--config"]).arg(world.root.join("jsonwarden.toml"));
    let output = check.arg("--state-dir").arg(&world.state).arg(&world.files).stdout(Stdio::piped()).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    said(String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()))
}

fn differing(one: &Said, other: &Said) -> Vec<String> {
    let paths = one.keys().chain(other.keys().filter(|path| !one.contains_key(*path)));
    let line = |path: &String| format!("{path}: the daemon says {:?}, check {:?}", one.get(path), other.get(path));
    paths.filter(|path| one.get(*path) != other.get(*path)).map(line).collect()
}

#[track_caller]
fn wait_for_one_word(daemon: &Daemon, world: &World) -> Said {
    let checked = by_check(world);
    let (begun, mut last) = (Instant::now(), Vec::new());
    // It ends a little before the limit, so that what differs can be told.
    wait_until(LIMIT, "they say one thing", || {
        last = differing(&by_daemon(daemon), &checked);
        last.is_empty() || begun.elapsed() > LIMIT * 9 / 10
    });
    assert!(last.is_empty(), "{}", last.join("\n"));
    checked
}

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The kinds that the corpus has a folder for.
fn kinds() -> Vec<String> {
    let folders = folder("").into_iter().filter(|path| path.is_dir());
    let names = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name != "valid" && name != "JSONTestSuite").collect()
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// The ending that the file would have where it was found.
fn ending(path: &Path) -> &str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("python") | None => "json",
        Some(extension) => extension,
    }
}

fn guarding(world: &World, watches: &str) -> Daemon {
    let text =
        format!("sweep_interval = \"1s\"\n[defaults]\nmode = \"observe\"\nbackup.min_interval = \"0s\"\n{watches}");
    Launch::new(world).config(world, &text).start()
}

fn watch(world: &World) -> String {
    format!("[[watch]]\nname = \"all\"\npaths = [\"{}\"]\n", world.files.display())
}

/// A valid document with random damage, the same in every run.
fn damaged(document: &[u8], mut seed: usize) -> Vec<u8> {
    let mut roll = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below.max(1)
    };
    let at = roll(document.len());
    let (before, after) = document.split_at(at);
    match roll(9) {
        0 => before.to_vec(),
        1 => [before, &after[1..]].concat(),
        2 => [before, &[after[0] ^ (1 << roll(8))], &after[1..]].concat(),
        3 => document.repeat(2),
        4 => [document, before].concat(),
        5 => [before, &vec![0; after.len()]].concat(),
        6 => [before, b"\xef\xbb\xbf", after].concat(),
        7 => [document.trim_ascii_end(), b"\n", document.trim_ascii_end(), b"\n"].concat(),
        _ => [b"INFO saved\n".as_slice(), document].concat(),
    }
}

#[test]
fn of_files_that_nobody_has_seen_before() {
    let world = World::new();
    let corpus = kinds().into_iter().chain(["valid".to_owned(), "JSONTestSuite".to_owned()]);
    for (number, path) in corpus.flat_map(|kind| folder(&kind)).enumerate() {
        world.write(format!("{number:04}.{}", ending(&path)), fs::read(&path).unwrap());
    }
    for (number, path) in folder("valid").iter().enumerate() {
        let document = fs::read(path).unwrap();
        for seed in 0..12 {
            world.write(format!("x{number}-{seed}.{}", ending(path)), damaged(&document, number * 100 + seed));
        }
    }
    world.write("twice.json", "{\"a\":1}\n{\"a\":1}\n");
    let daemon = guarding(&world, &watch(&world));
    let said = wait_for_one_word(&daemon, &world);
    assert!(said.len() > 300, "{}", said.len());
    assert_eq!(said[world.file("twice.json").to_str().unwrap()], "trailing_data");
}

/// The document that a damaged one was.
fn original(path: &Path) -> Option<PathBuf> {
    let what = stem(path).rsplit_once('@')?.0;
    let extension = path.extension()?.to_str()?;
    let before = path.with_file_name(format!("{what}.before.{extension}"));
    if before.is_file() {
        return Some(before);
    }
    let is_it = |valid: &PathBuf| what.starts_with(stem(valid)) && ending(valid) == ending(path);
    folder("valid").into_iter().filter(is_it).max_by_key(|valid| stem(valid).len())
}

#[test]
fn of_files_that_have_versions_and_it_is_what_the_corpus_says() {
    let world = World::new();
    let mut watches = String::new();
    let mut files = Vec::new();
    for kind in kinds() {
        for (number, path) in folder(&kind).into_iter().enumerate() {
            // What Python wrote is enrolled as Python's, not as the JSON that this one was.
            let Some(original) = original(&path).filter(|_| !stem(&path).starts_with("trainer-state")) else {
                continue;
            };
            let name = format!("{kind}-{number}");
            fs::create_dir(world.file(&name)).unwrap();
            let file = world.write(format!("{name}/a.{}", ending(&path)), fs::read(original).unwrap());
            let rules = path.with_file_name(format!("{}.rules.toml", stem(&path).rsplit_once('@').unwrap().0));
            if let Ok(rules) = fs::read_to_string(rules) {
                let place = format!("[\"{}\"]", world.file(&name).display());
                let _ = writeln!(
                    watches,
                    "{}",
                    rules.replace("\"corpus\"", &format!("{name:?}")).replace("[\"/srv\"]", &place)
                );
            }
            files.push((file, path, kind.clone()));
        }
    }
    for schema in folder("schema").iter().filter(|path| stem(path).ends_with(".schema")) {
        fs::copy(schema, world.root.join(schema.file_name().unwrap())).unwrap();
    }
    let daemon = guarding(&world, &(watches + &watch(&world)));
    wait_until(LIMIT, "all are enrolled", || {
        daemon.get("/api/v1/files").body.matches("\"state\":\"healthy\"").count() == files.len()
    });
    for (file, damaged, _) in &files {
        fs::copy(damaged, file).unwrap();
    }
    let said = wait_for_one_word(&daemon, &world);
    let mut wrong = Vec::new();
    for (file, path, kind) in &files {
        let found = said.get(file.to_str().unwrap());
        if found != Some(kind) {
            wrong.push(format!("{}: {found:?}", path.display()));
        }
    }
    assert!(files.len() > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}
