//! Every error at file-system calls of the commands that change something, and writes that are truly short.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::time::Instant;

use crate::bench::{Bench, DAMAGED, GOOD, places_with_leases};
use crate::strace::{self, Call, Strike, Struck, struck};
use crate::support::is_long;
use crate::trial::{INPUT, TRIALS, Trial, root};

const ERRORS: [&str; 8] = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR", "EACCES", "EMFILE", "ENOMEM"];

/// What a command may end with (contract, "Exit status").
const STATUSES: [i32; 7] = [0, 1, 2, 4, 5, 74, 77];

/// Which errors at which calls: in the long mode all at all; else one each, by turns, at those that change something and at
/// some of the others.
fn points(calls: Vec<Call>) -> Vec<(Call, &'static str)> {
    if is_long() {
        return calls.into_iter().flat_map(|call| ERRORS.map(|error| (call.clone(), error))).collect();
    }
    let others = calls.iter().filter(|call| !call.changes()).count();
    let every = (others / 24).max(1);
    let mut other = 0;
    let chosen = calls.into_iter().filter(|call| {
        other += usize::from(!call.changes());
        call.changes() || other % every == 0
    });
    chosen.enumerate().map(|(turn, call)| (call, ERRORS[turn % ERRORS.len()])).collect()
}

/// The damage, or what a rewrite that was interrupted made of it.
fn is_damage(bytes: &[u8]) -> bool {
    bytes == DAMAGED || (GOOD.starts_with(bytes) && bytes.len() < GOOD.len())
}

fn ends_as_promised(trial: &Trial, bench: &Bench, output: &Output, when: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code();
    assert!(status.is_some_and(|code| STATUSES.contains(&code)), "{}: {when}: {:?}: {said}", trial.name, output.status);
    assert!(!said.contains("panicked"), "{}: {when}: {said}", trial.name);
    trial.nothing_is_lost(bench, when);
    // Nothing but damage is ever taken for damage, however hard it was to read.
    assert!(bench.quarantined().iter().all(|bytes| is_damage(bytes)), "{}: {when}: quarantined", trial.name);
    trial.keeps_its_word(bench, output, when);
}

/// A file whose sync failed is garbage: it is neither synced again nor given a name.
fn is_given_up(trial: &Trial, call: &Call, struck: &Struck, when: &str) {
    let failed = struck.calls.iter().position(|later| later.line.contains("(INJECTED)"));
    // An interrupted call has not failed.
    let Some(failed) = failed.filter(|_| call.name == "fsync" && !when.starts_with("EINTR")) else { return };
    let line = &struck.calls[failed].line;
    let path =
        line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned()).unwrap();
    if std::path::Path::new(&path).is_dir() || path.ends_with('@') || path.ends_with("/folder") {
        return;
    }
    let name = path.rsplit('/').next().unwrap();
    let names_it = |line: &str| line.contains(&format!("/{name}>")) || line.contains(&format!("\"{name}\""));
    // A log of remarks is appended to: the lines before the failed one are durable.
    let again =
        struck.calls[failed + 1..].iter().find(|later| names_it(&later.line) && !path.ends_with("record.jsonl"));
    assert!(again.is_none(), "{}: {when}: {again:?}", trial.name);
}

fn fails_everywhere(trial: &Trial) {
    let place = places_with_leases().remove(0);
    let begun = Instant::now();
    let bench = trial.prepare(&place);
    let (calls, _) = strace::calls(root(&bench), &trial.command(&bench));
    let all = calls.len();
    let points = points(calls);
    let mut failed = 0;
    for (call, error) in &points {
        let bench = trial.prepare(&place);
        let struck = struck(root(&bench), &trial.command(&bench), call, Strike::Fail(error));
        let when = format!("{error} from {} number {}: {}", call.name, call.nth, call.line);
        ends_as_promised(trial, &bench, &struck.output, &when);
        is_given_up(trial, call, &struck, &when);
        failed += usize::from(!struck.output.status.success());
        trial.recovers(&bench, &when);
    }
    let took = begun.elapsed();
    println!("{}: {} errors at {all} calls, {failed} told, 0 violations, {took:.1?}", trial.name, points.len());
}

#[test]
fn a_command_that_meets_an_error_anywhere_loses_nothing_and_says_so() {
    if !strace::is_there() {
        return;
    }
    for trial in TRIALS.iter().filter(|trial| trial.is_a_command()) {
        fails_everywhere(trial);
    }
}

#[test]
fn a_write_that_is_cut_short_anywhere_loses_nothing() {
    let place = places_with_leases().remove(0);
    let (begun, mut limits) = (Instant::now(), 0);
    for trial in TRIALS.iter().filter(|trial| trial.is_a_command() && trial.is_a_repair()) {
        for limit in (0..700).step_by(if is_long() { 1 } else { 23 }) {
            let bench = trial.prepare(&place);
            let command = trial.command(&bench);
            let output = Command::new("prlimit")
                .arg(format!("--fsize={limit}"))
                .args(&command)
                .stdin(File::open(root(&bench).join(INPUT)).unwrap())
                .output()
                .unwrap();
            let when = format!("no file longer than {limit} bytes");
            assert_eq!(output.status.signal(), None, "{}: {when}", trial.name);
            ends_as_promised(trial, &bench, &output, &when);
            trial.recovers(&bench, &when);
            limits += 1;
        }
    }
    println!("{limits} limits to a file's length, 0 violations, {:.1?}", begun.elapsed());
}
