//! What is in force of all that was asked: a pure fold over the orders, so that a restart comes to the same by reading the
//! log again.

use std::path::Path;

use super::Steering;
use crate::clock::Timestamp;
use crate::config::WatchName;

/// More orders than this are never in force at once: the eldest ones go.
const IN_FORCE_MAX: usize = 1_000;

/// Something that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What: never `Resume`.
    pub steering: Steering,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub since: Timestamp,
}

/// All that is in force, the eldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing(Vec<InForce>);

impl Standing {
    /// What is in force.
    #[must_use]
    pub fn all(&self) -> &[InForce] {
        &self.0
    }

    /// Takes an order in. An order of the same scope, or of one that it contains, is replaced.
    pub fn take(&mut self, steering: Steering, by: String, at: Timestamp) {
        let is_over = |one: &Steering| match &steering {
            Steering::Pause { scope, .. } | Steering::Resume { scope } => {
                matches!(one, Steering::Pause { .. }) && scope.contains(one.scope())
            }
            Steering::Observe { scope } | Steering::Guard { scope } => {
                !matches!(one, Steering::Pause { .. }) && scope.contains(one.scope())
            }
        };
        self.0.retain(|one| !is_over(&one.steering));
        if !matches!(steering, Steering::Resume { .. }) {
            if self.0.len() >= IN_FORCE_MAX {
                self.0.remove(0);
            }
            self.0.push(InForce { steering, by, since: at });
        }
    }

    /// Ends the pauses whose time is over; returns them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<InForce> {
        let is_over =
            |one: &mut InForce| matches!(&one.steering, Steering::Pause { until: Some(until), .. } if *until <= now);
        self.0.extract_if(.., is_over).collect()
    }

    /// Is this document paused, and by what?
    #[must_use]
    pub fn pause_of(&self, document: &Path, watch: &WatchName) -> Option<&InForce> {
        let is_it = |one: &&InForce| {
            matches!(one.steering, Steering::Pause { .. }) && one.steering.scope().covers(document, watch)
        };
        self.0.iter().find(is_it)
    }

    /// Was it said that this document is only to be observed, or that it is to be guarded? The newest word counts.
    #[must_use]
    pub fn observes(&self, document: &Path, watch: &WatchName) -> Option<bool> {
        let mut said = self.0.iter().rev().filter(|one| one.steering.scope().covers(document, watch));
        said.find_map(|one| match one.steering {
            Steering::Observe { .. } => Some(true),
            Steering::Guard { .. } => Some(false),
            Steering::Pause { .. } | Steering::Resume { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::Scope;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn path(path: &str) -> Scope {
        Scope::Path(path.into())
    }

    fn pause(scope: Scope, until: Option<i64>) -> Steering {
        Steering::Pause { scope, span: None, until: until.map(at) }
    }

    fn after(orders: &[Steering]) -> Standing {
        let mut standing = Standing::default();
        for (second, order) in (0..).zip(orders) {
            standing.take(order.clone(), "root".to_owned(), at(second));
        }
        standing
    }

    #[test]
    fn a_pause_covers_what_it_names_until_it_is_taken_back_or_over() {
        let watch = WatchName::new("w");
        let paused = |standing: &Standing, document: &str| standing.pause_of(Path::new(document), &watch).is_some();
        let mut standing = after(&[pause(path("/srv/a"), Some(100)), pause(Scope::Watch(WatchName::new("x")), None)]);
        assert!(paused(&standing, "/srv/a/b.json") && paused(&standing, "/srv/a") && !paused(&standing, "/srv/ab"));
        assert_eq!(standing.expire(at(99)), []);
        assert_eq!(standing.expire(at(100)).len(), 1);
        assert!(!paused(&standing, "/srv/a"));
        let all = after(&[pause(path("/srv/a"), None), pause(Scope::All, None)]);
        assert_eq!(all.all().len(), 1, "the wider one replaces the narrower");
        let narrow = after(&[pause(Scope::All, None), Steering::Resume { scope: path("/srv/a") }]);
        assert!(paused(&narrow, "/srv/a"), "a part of a pause cannot be taken back");
        assert_eq!(after(&[pause(path("/srv/a"), None), Steering::Resume { scope: Scope::All }]).all(), []);
    }

    #[test]
    fn of_observing_and_guarding_the_newest_word_counts() {
        let watch = WatchName::new("w");
        let observes = |orders: &[Steering]| after(orders).observes(Path::new("/srv/a"), &watch);
        let (observe, guard) = (Steering::Observe { scope: Scope::All }, Steering::Guard { scope: path("/srv") });
        assert_eq!(observes(&[]), None);
        assert_eq!(observes(&[observe.clone(), guard.clone()]), Some(false));
        assert_eq!(observes(&[guard, observe]), Some(true));
        assert_eq!(observes(&[Steering::Observe { scope: path("/other") }]), None);
    }
}
