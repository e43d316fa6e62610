//! Sixteen threads that update one document: many updates share a commit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use jsonwarden::{Guarded, Options};

use super::bare::one_pair;
use crate::numbers::{Effort, Rounds, passed};
use crate::table::Table;

type Numbers = BTreeMap<String, Vec<u32>>;

const THREADS: usize = 16;

/// Seconds until all threads are done.
fn with_threads(each: u32, update: impl Fn(usize, u32) + Sync) -> f64 {
    let all = || {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let update = &update;
                scope.spawn(move || (0..each).for_each(|number| update(thread, number)));
            }
        });
    };
    passed(all).as_secs_f64()
}

/// Two copies, judged; in each round a document of its own, which grows.
fn ours(root: &Path, each: u32, round: usize) -> f64 {
    let options = Options::new().state_dir(root.join("state"));
    let path = root.join(format!("group-{round}.json"));
    let guarded = Guarded::<Numbers>::open_or_default(path, &options).unwrap();
    with_threads(each, |thread, number| {
        guarded.update(|all| all.entry(thread.to_string()).or_default().push(number)).unwrap();
    })
}

/// One copy, a pair of fsyncs for each update.
fn one_by_one(root: &Path, each: u32, round: usize) -> f64 {
    let path = root.join(format!("alone-{round}.json"));
    let state = Mutex::new(Numbers::new());
    with_threads(each, |thread, number| {
        let mut all = state.lock().unwrap();
        all.entry(thread.to_string()).or_default().push(number);
        one_pair(&path, &serde_json::to_vec_pretty(&*all).unwrap());
    })
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    let each = u32::try_from(effort.rounds(100, 40)).unwrap();
    let rounds = Rounds::of(effort.rounds(5, 3), 2, |candidate, round| {
        if candidate == 0 { ours(&root, each, round) } else { one_by_one(&root, each, round) }
    });
    let updates = THREADS as f64 * f64::from(each);
    let what = format!("group commit: {THREADS} threads x {each} updates of one document");
    let others = ["a pair of fsyncs for each, one copy"];
    table.rounds(what, &rounds, &others, |seconds| format!("{:.0} a second", updates / seconds));
}
