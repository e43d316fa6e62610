//! What holds in every life, however strange: random inputs, times and rules.

use proptest::prelude::*;

use super::*;

/// What an observer remembers, to judge the machine by.
#[derive(Default)]
struct Observer {
    /// The certified or paired look at damage that began the present undisturbed run of equal ones.
    run: Option<(Digest, Instant)>,
    missing_since: Option<Instant>,
    repairs: Vec<Instant>,
    restored: Option<Digest>,
    has_incident: bool,
    is_suspicion: bool,
    told: Vec<Reason>,
    is_repairing: bool,
}

const MISSING_FOR: Duration = Duration::from_secs(10);

fn certainty() -> impl Strategy<Value = Certainty> {
    prop_oneof![3 => Just(Certainty::Certified), 1 => Just(Certainty::Unleased), 1 => Just(Certainty::OpenWriter)]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("a"), 1 => Just("b"), 1 => Just("c")]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (name(), certainty()).prop_map(|(name, certainty)| corrupt(name, certainty)),
        2 => (name(), certainty(), any::<bool>()).prop_map(|(name, certainty, stored)| valid(name, certainty, stored)),
        2 => Just(Input::Looked(Seen::Busy)),
        1 => any::<bool>().prop_map(|may_return| Input::Looked(Seen::Missing { may_return })),
        1 => Just(Input::Looked(Seen::DirectoryMissing)),
        1 => Just(odd()),
        1 => Just(unreadable()),
        3 => Just(Input::Ended(Ended::Restored(digest("good")))),
        1 => Just(Input::Ended(Ended::Changed)),
        1 => Just(Input::Ended(Ended::Busy)),
        2 => prop_oneof![Just(Reason::Editing), Just(Reason::Failed), Just(Reason::NoVersion)].prop_map(held),
    ]
}

fn wait() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        // Until the machine wants to look again.
        6 => Just(None),
        3 => (0..3000u64).prop_map(|ms| Some(Duration::from_millis(ms))),
        1 => (0..1500u64).prop_map(|seconds| Some(Duration::from_secs(seconds))),
    ]
}

fn rules() -> impl Strategy<Value = Policy> {
    let settle = prop_oneof![Just(0), Just(1000), 0..30_000u64, Just(u64::MAX)];
    let within = prop_oneof![Just(0), Just(600), 0..100_000u64, Just(u64::MAX)];
    let is_paused = prop::bool::weighted(0.1);
    let on_missing = prop_oneof![Just(OnMissing::Alert), Just(OnMissing::Restore), Just(OnMissing::Ignore)];
    (any::<bool>(), settle, 0..4u32, within, on_missing, is_paused, prop::bool::weighted(0.3)).prop_map(
        |(observes, settle, max, within, on_missing, is_paused, repairs_over_writers)| Policy {
            is_paused,
            observes: observes && settle % 2 == 1,
            settle: Duration::from_millis(settle),
            max_repairs: max,
            max_repairs_within: Duration::from_secs(within),
            on_missing,
            missing_for: MISSING_FOR,
            repairs_over_writers,
        },
    )
}

impl Observer {
    /// Judges one step.
    fn judges(&mut self, input: &Input, step: (&Machine, Next, &[Note]), now: Instant, policy: &Policy) {
        let (machine, next, notes) = step;
        let before = self.run;
        self.follow(input, now);
        if next == Next::Repair {
            self.may_repair(input, before, now, policy);
            assert!(machine.is_proven && !policy.observes && !policy.is_paused);
        }
        self.is_repairing = next == Next::Repair || (self.is_repairing && machine.state().0 == State::Repairing);
        self.hears(notes, machine);
        assert_eq!(machine.has_incident, self.has_incident);
        if matches!(input, Input::Looked(Seen::Valid { .. })) {
            assert!(!machine.has_incident, "a valid document has no incident");
        }
        waits_for_something(machine, next, input, now, policy);
    }

    fn may_repair(&self, input: &Input, before: Option<(Digest, Instant)>, now: Instant, policy: &Policy) {
        match input {
            Input::Looked(Seen::Corrupt { certainty: Certainty::OpenWriter, .. }) => {
                assert!(policy.repairs_over_writers, "nobody allowed that");
            }
            Input::Looked(Seen::Corrupt { digest, certainty, .. }) => {
                let (same, since) = self.run.expect("damage was seen");
                assert_eq!(same, *digest);
                assert!(now - since >= policy.settle, "{:?} is no settling", now - since);
                assert!(*certainty == Certainty::Certified || before.is_some_and(|_| now - since >= PAIR_GAP));
            }
            Input::Looked(Seen::Missing { may_return: true }) => {
                assert_eq!(policy.on_missing, OnMissing::Restore);
                assert!(self.missing_since.is_some_and(|since| now - since >= MISSING_FOR));
            }
            _ => panic!("a repair follows a look at damage, or at nothing, not {input:?}"),
        }
    }

    fn follow(&mut self, input: &Input, now: Instant) {
        self.missing_since = match input {
            Input::Looked(Seen::Missing { .. } | Seen::Busy) | Input::Ended(_) => {
                let is_missing = matches!(input, Input::Looked(Seen::Missing { .. }));
                self.missing_since.or(is_missing.then_some(now))
            }
            Input::Looked(_) => None,
        };
        self.run = match input {
            Input::Looked(Seen::Corrupt { certainty: Certainty::OpenWriter, .. }) => None,
            Input::Looked(Seen::Corrupt { digest, .. }) => match self.run {
                Some(run) if run.0 == *digest => Some(run),
                _ => Some((*digest, now)),
            },
            // A repair that was held touched nothing, and nobody was seen at the document.
            Input::Ended(Ended::Held(..)) => self.run,
            Input::Ended(_) if !self.is_repairing => self.run,
            _ => None,
        };
    }

    /// The last repairs within the span, as long as nobody else wrote a valid version.
    fn counts(&mut self, input: &Input, was_repairing: bool, now: Instant, policy: &Policy) {
        match input {
            Input::Looked(Seen::Valid { digest, .. }) if self.restored != Some(*digest) => self.repairs.clear(),
            Input::Ended(Ended::Restored(digest)) if was_repairing => {
                self.restored = Some(*digest);
                self.repairs.push(now);
                let within = self.repairs.iter().filter(|at| now - **at < policy.max_repairs_within).count();
                assert!(policy.max_repairs == 0 || within <= policy.max_repairs as usize, "{within} repairs");
            }
            _ => {}
        }
    }

    fn hears(&mut self, notes: &[Note], machine: &Machine) {
        for note in notes {
            match note {
                Note::Suspected(..) => {
                    assert!(!self.has_incident, "an incident begins once");
                    (self.has_incident, self.is_suspicion) = (true, true);
                }
                Note::Corrupted(_) => {
                    assert!(!self.has_incident || self.is_suspicion, "an incident begins once");
                    (self.has_incident, self.is_suspicion) = (true, false);
                }
                Note::Recovered | Note::Gone => {
                    assert!(self.has_incident, "what ends has begun");
                    self.has_incident = false;
                }
                Note::Held(reason, _) => {
                    assert!(!self.told.contains(reason), "{reason} was told already");
                    self.told.push(*reason);
                }
                Note::Released(reason) => {
                    assert!(self.told.contains(reason), "{reason} was never told");
                    self.told.clear();
                }
                _ => {}
            }
        }
        if machine.state().0 == State::Healthy {
            self.has_incident &= machine.has_incident;
            assert!(self.told.is_empty(), "{:?} would be held for ever", self.told);
        }
    }
}

/// Nothing waits for ever: whoever waits knows for what, or until when; and no wait is without bounds, or none at all.
fn waits_for_something(machine: &Machine, next: Next, input: &Input, now: Instant, policy: &Policy) {
    if let Some(due) = machine.due {
        let wait = due.saturating_duration_since(now);
        assert!(wait <= LONGEST_WAIT);
        assert!(!wait.is_zero() || policy.settle.is_zero(), "a look at once would be a busy loop");
    }
    if next != Next::Rest {
        return;
    }
    let waits = match machine.state() {
        (State::Held, Some(Reason::Observe | Reason::Paused | Reason::Suspicious | Reason::ConflictMarkers)) => false,
        (State::Settling | State::Held, _) | (State::Unreadable, Some(Reason::Permission)) => true,
        _ => false,
    };
    let is_busy = matches!(input, Input::Looked(Seen::Busy));
    assert!(machine.due.is_some() || !(waits || is_busy), "{:?} waits for ever", machine.phase);
    assert_ne!(machine.state().0, State::Repairing, "nothing repairs");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_keeps_the_promises(
        is_proven in any::<bool>(),
        policy in rules(),
        inputs in prop::collection::vec((wait(), input()), 1..60),
    ) {
        let mut now = Instant::now();
        let mut machine = Machine::new(is_proven);
        let mut observer = Observer::default();
        for (wait, input) in inputs {
            // What the repair came to is only heard while there is one, and until then nothing is looked at.
            if matches!(input, Input::Ended(_)) != observer.is_repairing {
                continue;
            }
            let until_due = machine.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
            now += wait.unwrap_or(until_due);
            let was_repairing = observer.is_repairing;
            let (stepped, next, notes) = step(machine.clone(), input.clone(), now, &policy);
            let forgetful = step(Machine { due: None, ..machine }, input.clone(), now, &policy);
            prop_assert_eq!(&forgetful, &(stepped.clone(), next, notes.clone()), "every step sets its own due time");
            observer.counts(&input, was_repairing, now, &policy);
            observer.judges(&input, (&stepped, next, &notes), now, &policy);
            machine = stepped;
        }
    }

    #[test]
    fn inputs_out_of_turn_never_panic_and_never_repair_what_is_not_damaged(
        policy in rules(),
        inputs in prop::collection::vec((wait(), input()), 1..60),
    ) {
        let mut now = Instant::now();
        let mut machine = Machine::new(true);
        for (wait, input) in inputs {
            now += wait.unwrap_or_default();
            let is_damage = matches!(input, Input::Looked(Seen::Corrupt { .. } | Seen::Missing { may_return: true }));
            let (stepped, next, _) = step(machine, input, now, &policy);
            prop_assert!(next != Next::Repair || is_damage);
            machine = stepped;
        }
    }
}
