//! This program as one of the writers: a process of its own that embeds the library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jsonwarden::{Guarded, Options};
use serde_json::Value;

/// The variable that says that this process is such a one.
pub(crate) const ROLE: &str = "JSONWARDEN_BENCH_CHILD";

/// Does what the arguments say; as the scripts of the rivals do.
pub(crate) fn run() {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let [deed, path, rest @ ..] = arguments.as_slice() else { panic!("too few arguments") };
    let path = Path::new(path);
    match (deed.as_str(), rest) {
        ("contend", [name, count]) => contend(path, name, count.parse().unwrap()),
        ("alone", [_, count]) => println!("{}", alone(path, count.parse().unwrap())),
        ("once", [text]) => replace(path, text).map(|_| ()).unwrap(),
        ("forever", texts) => {
            for number in 0.. {
                replace(path, &texts[number % texts.len()]).unwrap();
            }
        }
        _ => panic!("no such deed: {deed}"),
    }
}

/// Versions are kept beside the folder of the file.
fn options(path: &Path) -> Options {
    Options::new().state_dir(state_dir(path)).lock_timeout(Duration::from_mins(5))
}

pub(crate) fn state_dir(path: &Path) -> PathBuf {
    path.parent().unwrap().join(".state")
}

fn contend(path: &Path, name: &str, count: usize) {
    let guarded = Guarded::<BTreeMap<String, Vec<u32>>>::open_with(path, &options(path)).unwrap();
    for _ in 0..count {
        guarded.update(|all| all.entry(name.to_owned()).or_default().push(1)).unwrap();
    }
}

/// Seconds.
fn alone(path: &Path, count: usize) -> f64 {
    let guarded = Guarded::<Value>::open_with(path, &options(path)).unwrap();
    let update = |number: usize| guarded.update(|all| all["version"] = number.into()).unwrap();
    update(0);
    let begun = Instant::now();
    (1..=count).for_each(update);
    begun.elapsed().as_secs_f64()
}

fn replace(path: &Path, text: &str) -> Result<jsonwarden::Written, jsonwarden::WriteError> {
    jsonwarden::write(path, &std::fs::read(text).unwrap(), &options(path))
}
