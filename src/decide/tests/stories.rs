//! Lives of documents, told in order.

use super::*;

/// A document under the machine, and the time.
struct Life {
    machine: Machine,
    now: Instant,
    policy: Policy,
}

impl Life {
    fn new(policy: Policy) -> Self {
        Self { machine: Machine::new(true), now: Instant::now(), policy }
    }

    /// After `wait_ms`, this happens; what the machine does and says.
    fn then(&mut self, wait_ms: u64, input: Input) -> (Next, Vec<String>) {
        self.now += Duration::from_millis(wait_ms);
        let (machine, next, notes) = step(self.machine.clone(), input, self.now, &self.policy);
        self.machine = machine;
        (next, notes.iter().map(said).collect())
    }

    /// Damage is seen, and again when it is due; the repair that follows puts `good` back.
    fn damaged_and_repaired(&mut self) -> bool {
        self.then(0, corrupt("bad", Certainty::Certified));
        let (next, _) = self.then(1000, corrupt("bad", Certainty::Certified));
        if next == Next::Repair {
            self.then(1, Input::Ended(Ended::Restored(digest("good"))));
            self.then(0, valid("good", Certainty::Certified, true));
        }
        next == Next::Repair
    }
}

const REST: Next = Next::Rest;

const MISSING: Input = Input::Looked(Seen::Missing { may_return: true });

fn notes(expected: &[&str]) -> Vec<String> {
    expected.iter().map(|&note| note.to_owned()).collect()
}

#[test]
fn damage_that_stays_the_same_for_settle_is_repaired_and_told_once() {
    let mut life = Life::new(policy());
    assert_eq!(life.then(0, corrupt("bad", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.machine.due, Some(life.now + SETTLE));
    assert_eq!(life.then(999, corrupt("bad", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.then(1, corrupt("bad", Certainty::Certified)), (Next::Repair, notes(&["corrupted"])));
    assert_eq!(life.then(1, Input::Ended(Ended::Changed)), (REST, notes(&[])));
    assert_eq!(life.then(10, corrupt("bad", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.then(1000, corrupt("bad", Certainty::Certified)), (Next::Repair, notes(&[])));
    assert_eq!(life.then(1, Input::Ended(Ended::Restored(digest("good")))), (Next::Look, notes(&[])));
    assert_eq!(life.then(1, valid("good", Certainty::Certified, true)), (REST, notes(&[])));
}

#[test]
fn a_writer_between_two_looks_starts_the_settling_anew() {
    let mut life = Life::new(policy());
    life.then(0, corrupt("bad", Certainty::Certified));
    life.then(990, Input::Looked(Seen::Busy));
    assert_eq!(life.then(500, corrupt("bad", Certainty::Certified)).0, REST);
    assert_eq!(life.then(999, corrupt("bad", Certainty::Certified)).0, REST);
    assert_eq!(life.then(1, corrupt("bad", Certainty::Certified)).0, Next::Repair);
}

#[test]
fn without_a_settle_one_certified_look_suffices_and_an_uncertain_one_does_not() {
    let mut life = Life::new(Policy { settle: Duration::ZERO, ..policy() });
    assert_eq!(life.then(0, corrupt("bad", Certainty::Unleased)).0, REST);
    assert_eq!(life.machine.due, Some(life.now + Duration::from_secs(1)));
    assert_eq!(life.then(1, corrupt("bad", Certainty::Certified)).0, Next::Repair);
}

#[test]
fn damage_that_keeps_changing_is_held_after_20_s_and_repaired_once_it_settles() {
    let mut life = Life::new(policy());
    for second in 0..40 {
        let (next, said) = life.then(500, corrupt(&format!("{second}"), Certainty::Certified));
        assert_eq!((next, said), (REST, notes(&[])), "after {second} half seconds");
    }
    assert_eq!(life.then(500, corrupt("x", Certainty::Certified)), (REST, notes(&["held changing"])));
    assert_eq!(life.then(500, corrupt("y", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.then(1000, corrupt("y", Certainty::Certified)), (Next::Repair, notes(&["corrupted"])));
}

#[test]
fn an_open_writer_on_damage_is_told_after_5_s_an_incident_after_20_s_and_repaired_once_it_is_gone() {
    let mut life = Life::new(policy());
    life.then(0, Input::Looked(Seen::Busy));
    while !life.machine.reads_anyway(life.now) {
        assert_eq!(life.then(100, Input::Looked(Seen::Busy)), (REST, notes(&[])));
    }
    assert_eq!(life.then(0, corrupt("bad", Certainty::OpenWriter)), (REST, notes(&["held open_writer"])));
    for _ in 6..20 {
        assert_eq!(life.then(1000, corrupt("bad", Certainty::OpenWriter)), (REST, notes(&[])));
    }
    assert_eq!(life.then(1000, corrupt("bad", Certainty::OpenWriter)), (REST, notes(&["corrupted"])));
    assert_eq!(life.then(1000, corrupt("bad", Certainty::OpenWriter)), (REST, notes(&[])));
    assert_eq!(life.then(1000, corrupt("bad", Certainty::Certified)), (REST, notes(&[])), "the writer has just gone");
    assert_eq!(life.then(1000, corrupt("bad", Certainty::Certified)).0, Next::Repair);
    assert_eq!(life.then(1, Input::Ended(Ended::Restored(digest("good")))).1, notes(&["released open_writer"]));
}

#[test]
fn a_held_document_is_tried_again_although_its_due_time_was_taken_away() {
    let mut life = Life::new(policy());
    life.then(0, corrupt("bad", Certainty::Certified));
    life.then(1000, corrupt("bad", Certainty::Certified));
    assert_eq!(life.then(1, held(Reason::Failed)).1, notes(&["held failed"]));
    let due = life.machine.due.take().unwrap();
    assert_eq!(life.then(1, corrupt("bad", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.machine.due.take(), Some(due), "a look before its time puts nothing off");
    life.now = due;
    assert_eq!(life.then(0, corrupt("bad", Certainty::Certified)), (Next::Repair, notes(&[])));
    assert_eq!(life.then(1, held(Reason::Failed)).1, notes(&[]), "it is told once");
}

#[test]
fn a_repair_that_fails_again_and_again_is_tried_ever_more_seldom_but_always_again() {
    let mut life = Life::new(policy());
    life.then(0, corrupt("bad", Certainty::Certified));
    life.then(1000, corrupt("bad", Certainty::Certified));
    let mut waits = Vec::new();
    for _ in 0..12 {
        life.then(0, held(Reason::Failed));
        waits.push((life.machine.due.unwrap() - life.now).as_secs());
        life.now = life.machine.due.unwrap();
        assert_eq!(life.then(0, corrupt("bad", Certainty::Certified)).0, Next::Repair);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
}

#[test]
fn the_breaker_opens_after_max_repairs_and_doubles_to_a_day() {
    let mut life = Life::new(policy());
    assert!((0..3).all(|_| life.damaged_and_repaired()));
    assert!(!life.damaged_and_repaired());
    assert_eq!(life.machine.state(), (State::Held, Some(Reason::Breaker)));
    let mut minutes = Vec::new();
    for _ in 0..10 {
        let before = life.now;
        life.now = life.machine.due.unwrap();
        assert_eq!(life.then(0, corrupt("bad", Certainty::Certified)).0, Next::Repair, "one try a span");
        minutes.push((life.now - before).as_secs() / 60);
        life.then(1, Input::Ended(Ended::Restored(digest("good"))));
        life.then(0, valid("good", Certainty::Certified, true));
        assert!(!life.damaged_and_repaired());
    }
    assert_eq!(minutes, [9, 19, 39, 79, 159, 319, 639, 1279, 1439, 1439]);
}

#[test]
fn only_a_version_that_somebody_else_wrote_closes_the_breaker() {
    let mut life = Life::new(policy());
    assert!((0..3).all(|_| life.damaged_and_repaired()));
    life.then(0, valid("good", Certainty::Certified, true));
    assert!(!life.damaged_and_repaired());
    assert!(life.machine.is_breaker_open());
    life.then(0, valid("new", Certainty::Certified, true));
    assert!(!life.machine.is_breaker_open());
    assert!((0..3).all(|_| life.damaged_and_repaired()));
}

#[test]
fn an_observed_document_is_told_once_and_repaired_as_soon_as_it_is_guarded() {
    let mut life = Life::new(Policy { observes: true, ..policy() });
    life.then(0, corrupt("bad", Certainty::Certified));
    let said = life.then(1000, corrupt("bad", Certainty::Certified));
    assert_eq!(said, (REST, notes(&["corrupted", "held observe"])));
    assert_eq!(life.then(5000, corrupt("bad", Certainty::Certified)), (REST, notes(&[])));
    life.policy.observes = false;
    assert_eq!(life.then(5000, corrupt("bad", Certainty::Certified)), (Next::Repair, notes(&[])));
}

#[test]
fn uncertain_bytes_are_confirmed_by_a_second_read_and_never_read_in_a_busy_loop() {
    let mut life = Life::new(policy());
    life.then(0, valid("new", Certainty::Unleased, false));
    assert_eq!(life.machine.due, Some(life.now + SETTLE));
    assert_eq!(life.machine.confirmed(life.now, &life.policy), None);
    life.now += SETTLE;
    assert_eq!(life.machine.confirmed(life.now, &life.policy), Some(digest("new")));
    life.then(0, valid("new", Certainty::Unleased, false));
    assert_eq!(life.machine.due, Some(life.now + RETRY), "confirmed, but it could not be stored");
    life.then(0, Input::Looked(Seen::Busy));
    assert_eq!(life.machine.confirmed(life.now, &life.policy), None, "somebody was at it");
}

#[test]
fn a_hold_that_ends_is_told_however_it_ends() {
    for (input, expected) in [
        (valid("good", Certainty::Certified, true), notes(&["released failed", "recovered"])),
        (MISSING, notes(&["released failed", "gone", "told missing"])),
        (Input::Looked(Seen::DirectoryMissing), notes(&["released failed", "told missing"])),
        (odd(), notes(&["released failed", "held conflict_markers"])),
        (unreadable(), notes(&["released failed", "told unreadable"])),
    ] {
        let mut life = Life::new(policy());
        life.then(0, corrupt("bad", Certainty::Certified));
        life.then(1000, corrupt("bad", Certainty::Certified));
        life.then(0, held(Reason::Failed));
        assert_eq!(life.then(0, input), (REST, expected));
    }
}

#[test]
fn what_was_never_valid_is_told_once_whatever_it_changes_to() {
    let mut life = Life { machine: Machine::new(false), ..Life::new(policy()) };
    assert_eq!(life.then(0, corrupt("a log", Certainty::Certified)), (REST, notes(&["unproven"])));
    assert_eq!(life.then(9, corrupt("a longer log", Certainty::Certified)), (REST, notes(&[])));
    assert_eq!(life.then(9, valid("{}", Certainty::Certified, true)).0, REST);
    assert_eq!(life.machine.phase, Phase::Healthy);
}

#[test]
fn what_is_suspicious_is_told_once_however_it_goes_on_and_looked_at_again_for_it_may_be_accepted() {
    let suspicious =
        |name| Input::Looked(Seen::Odd { reason: Reason::Suspicious, digest: digest(name), fault: fault() });
    let mut life = Life::new(policy());
    life.then(0, valid("good", Certainty::Certified, true));
    assert_eq!(life.then(0, suspicious("reset")), (REST, notes(&["suspected", "held suspicious"])));
    assert_eq!(life.machine.due, Some(life.now + RETRY));
    assert_eq!(life.then(1000, suspicious("grown")), (REST, notes(&[])));
    assert_eq!(life.then(5000, suspicious("grown")), (REST, notes(&[])));
    assert_eq!(life.machine.confirmed(life.now, &life.policy), Some(digest("grown")), "read twice, it may be stored");
    let over = life.then(5000, valid("grown", Certainty::Certified, true));
    assert_eq!(over, (REST, notes(&["released suspicious", "recovered"])));
}

#[test]
fn a_missing_file_is_put_back_after_its_time_where_the_rules_say_so() {
    let mut life = Life::new(Policy { on_missing: OnMissing::Restore, ..policy() });
    assert_eq!(life.then(0, MISSING), (REST, notes(&["told missing"])));
    assert_eq!(life.machine.due, Some(life.now + SETTLE * 10));
    assert_eq!(life.then(9_999, MISSING), (REST, notes(&[])));
    assert_eq!(life.then(1, MISSING), (Next::Repair, notes(&["corrupted"])));
    assert_eq!(life.then(1, held(Reason::NoRoom)), (REST, notes(&["held no_room"])));
    assert_eq!(life.then(1, MISSING), (REST, notes(&[])));
    assert_eq!(life.then(5_000, MISSING), (Next::Repair, notes(&[])));
    let restored = Input::Ended(Ended::Restored(digest("good")));
    assert_eq!(life.then(1, restored), (Next::Look, notes(&["released no_room"])));
}

#[test]
fn an_empty_file_where_nothing_was_settles_before_it_is_taken_for_damage() {
    let mut life = Life::new(Policy { on_missing: OnMissing::Restore, ..policy() });
    life.then(0, MISSING);
    assert_eq!(life.then(10_000, MISSING).0, Next::Repair);
    life.then(1, held(Reason::NoRoom));
    assert_eq!(life.then(5_000, corrupt("", Certainty::Certified)).0, REST, "somebody may be about to fill it");
    assert_eq!(life.then(1000, corrupt("", Certainty::Certified)).0, Next::Repair);
}

#[test]
fn an_unmount_is_no_deletion_and_its_time_does_not_count() {
    let away = || Input::Looked(Seen::DirectoryMissing);
    let mut life = Life::new(Policy { on_missing: OnMissing::Restore, ..policy() });
    life.then(0, corrupt("bad", Certainty::Certified));
    life.then(1000, corrupt("bad", Certainty::Certified));
    life.then(1, held(Reason::Failed));
    assert_eq!(life.then(1, away()), (REST, notes(&["released failed", "told missing"])), "the incident goes on");
    assert_eq!(life.machine.due, None);
    assert_eq!(life.then(60_000, away()), (REST, notes(&[])));
    assert_eq!(life.then(0, MISSING), (REST, notes(&["gone", "told missing"])));
    assert_eq!(life.then(9_999, MISSING).0, REST);
}

#[test]
fn where_the_rules_allow_it_damage_is_repaired_under_a_writer_but_never_before_20_s() {
    let mut life = Life::new(Policy { repairs_over_writers: true, ..policy() });
    life.then(0, Input::Looked(Seen::Busy));
    for _ in 0..5 {
        life.then(1000, Input::Looked(Seen::Busy));
    }
    for _ in 5..20 {
        assert_eq!(life.then(950, corrupt("bad", Certainty::OpenWriter)).0, REST);
    }
    assert_eq!(life.then(1000, corrupt("bad", Certainty::OpenWriter)), (Next::Repair, notes(&["corrupted"])));
    assert_eq!(life.then(1, held(Reason::Failed)), (REST, notes(&["held failed"])));
    assert_eq!(life.then(1, corrupt("bad", Certainty::OpenWriter)), (REST, notes(&[])), "in a while");
}
