//! SIGKILL before every file-system call of the commands that change something.

use std::time::Instant;

use crate::bench::{Bench, DAMAGED, GOOD, places_with_leases};
use crate::strace::{self, Call, Strike, struck};
use crate::support::is_long;
use crate::trial::{TRIALS, Trial, root};

/// The calls that are worth a death: before each that changes something, and, where none did in between, before one other;
/// in the long mode before every one.
fn points(calls: Vec<Call>) -> Vec<Call> {
    let mut is_new = true;
    let is_worth_it = |call: &Call| {
        let changes = call.changes();
        let worth = is_long() || changes || is_new;
        is_new = changes;
        worth
    };
    calls.into_iter().filter(is_worth_it).collect()
}

fn killed_everywhere(trial: &Trial) {
    let place = places_with_leases().remove(0);
    let begun = Instant::now();
    let bench = trial.prepare(&place);
    let (calls, output) = strace::calls(root(&bench), &trial.command(&bench));
    assert!(output.status.success(), "{}: {}", trial.name, String::from_utf8_lossy(&output.stderr));
    trial.recovers(&bench, "without a fault");
    let all = calls.len();
    let points = points(calls);
    for call in &points {
        let bench = trial.prepare(&place);
        let struck = struck(root(&bench), &trial.command(&bench), call, Strike::Kill);
        let when = format!("killed before {} number {}: {}", call.name, call.nth, call.line);
        assert!(struck.was_hit(), "{}: not {when}", trial.name);
        trial.nothing_is_lost(&bench, &when);
        trial.keeps_its_word(&bench, &struck.output, &when);
        trial.recovers(&bench, &when);
    }
    println!("{}: killed before {} of {all} calls, 0 violations, {:.1?}", trial.name, points.len(), begun.elapsed());
}

#[test]
fn a_command_that_is_killed_before_any_call_loses_nothing_and_the_next_start_ends_it() {
    if !strace::is_there() {
        return;
    }
    for trial in TRIALS.iter().filter(|trial| trial.is_a_command()) {
        killed_everywhere(trial);
    }
}

#[test]
fn to_forget_may_be_killed_anywhere_and_is_done_when_it_is_asked_again() {
    if !strace::is_there() {
        return;
    }
    let place = places_with_leases().remove(0);
    let prepare = || {
        let bench = TRIALS[0].prepare(&place);
        bench.hands().outcome(DAMAGED);
        bench.hands().settle_all(&bench);
        bench
    };
    let command = |bench: &Bench| {
        let mut command = TRIALS[0].command(bench);
        command.splice(1..3, ["forget".into(), bench.path().into_os_string()]);
        command
    };
    let begun = Instant::now();
    let bench = prepare();
    let (calls, output) = strace::calls(root(&bench), &command(&bench));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let points = points(calls);
    for call in &points {
        let bench = prepare();
        let struck = struck(root(&bench), &command(&bench), call, Strike::Kill);
        assert!(struck.was_hit(), "{call:?}");
        assert_eq!(bench.read(), GOOD, "the document is nobody's business here");
        for bytes in bench.hands().versions() {
            assert_eq!(bytes, GOOD, "{call:?}");
        }
        let binary = command(&bench);
        let again = std::process::Command::new(&binary[0]).args(&binary[1..]).output().unwrap();
        assert!(matches!(again.status.code(), Some(0 | 1)), "{call:?}: {}", String::from_utf8_lossy(&again.stderr));
        assert!(bench.hands().versions().is_empty() && bench.quarantined().is_empty(), "{call:?}");
        assert_eq!(bench.read(), GOOD);
    }
    println!("forget: killed before {} calls, 0 violations, {:.1?}", points.len(), begun.elapsed());
}
