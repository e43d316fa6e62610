//! Following: from what stands in the document and in the archive, the events that come next.

use super::envelope::{Numbered, without_repeats};
use crate::error::Result;
use crate::patch::{self, Pointer};
use crate::validate::Content;

/// So many events are taken from the archive at once. There may be more in it than memory holds.
const AT_ONCE: u64 = 10_000;

/// Who reads the events of a document in the order of their numbers, each once.
#[derive(Clone, Debug)]
pub struct Follower {
    pointer: Pointer,
    /// The number that is wanted next; `None`: whatever the document begins with.
    next: Option<u64>,
}

/// What a look at the document has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The events that come next, in their order.
    pub events: Vec<Numbered>,
    /// Numbers that should have come, and are neither in the document nor in the archive: first and last.
    pub missing: Vec<(u64, u64)>,
    /// The document's newest event, where that is not even the one before the next that is wanted: either it went back to an
    /// older version, or what comes next will have numbers that nobody waits for.
    pub falls_short: Option<u64>,
}

impl Follower {
    /// Who wants the events from number `next` on; `None`: from the first on that the document still has.
    #[must_use]
    pub fn new(pointer: Pointer, next: Option<u64>) -> Self {
        Self { pointer, next }
    }

    /// The number that is wanted next.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.next
    }

    /// What is new in a valid text of the document. `archived` is asked, after the document was read, for events from one
    /// number up to another: what left the document meanwhile is in the archive by then.
    ///
    /// # Errors
    /// What `archived` says.
    pub fn fresh(
        &mut self,
        content: Content,
        archived: impl FnOnce(u64, u64) -> Result<Vec<Numbered>>,
    ) -> Result<Fresh> {
        let texts = patch::elements_at(content, &self.pointer).unwrap_or_default();
        let mut events: Vec<Numbered> = texts.into_iter().filter_map(Numbered::read).collect();
        let next = self.next.or_else(|| events.iter().map(|event| event.id).min()).unwrap_or(1);
        let last = events.iter().map(|event| event.id).max();
        if last.unwrap_or(0).saturating_add(1) < next {
            return Ok(Fresh { falls_short: Some(last.unwrap_or(0)), ..Fresh::default() });
        }
        let Some(last) = last else { return Ok(Fresh::default()) };
        let first_here = events.iter().map(|event| event.id).filter(|id| *id >= next).min().unwrap_or(last + 1);
        if next < first_here && last >= next {
            let to = (first_here - 1).min(next.saturating_add(AT_ONCE - 1));
            let old = archived(next, to)?;
            if to < first_here - 1 {
                events.clear();
            }
            events.extend(old);
            if events.is_empty() {
                // Nothing of all these: the next look goes on behind them.
                self.next = Some(to + 1);
                return Ok(Fresh { missing: vec![(next, to)], ..Fresh::default() });
            }
        }
        Ok(self.taken(next, events))
    }

    /// What is new in the archive, where the document went back to before it was archived.
    pub fn beyond(&mut self, archived: Vec<Numbered>) -> Fresh {
        self.taken(self.next.unwrap_or(1), archived)
    }

    fn taken(&mut self, next: u64, mut events: Vec<Numbered>) -> Fresh {
        events.retain(|event| event.id >= next);
        events.sort_by_key(|event| event.id);
        let events = without_repeats(events);
        let missing = gaps(next, &events);
        self.next = events.last().map(|event| event.id.saturating_add(1)).or(self.next);
        Fresh { events, missing, falls_short: None }
    }
}

fn gaps(next: u64, events: &[Numbered]) -> Vec<(u64, u64)> {
    let before = [next].into_iter().chain(events.iter().map(|event| event.id.saturating_add(1)));
    let pairs = before.zip(events.iter().map(|event| event.id));
    pairs.filter(|(wanted, found)| wanted < found).map(|(wanted, found)| (wanted, found - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Dialect;

    fn document(ids: std::ops::RangeInclusive<u64>) -> String {
        let events: Vec<String> = ids.map(|id| format!("{{\"id\":{id},\"type\":\"t\"}}")).collect();
        format!("{{\"events\":[{}]}}", events.join(","))
    }

    fn ids(follower: &mut Follower, text: &str, archive: std::ops::RangeInclusive<u64>) -> (Vec<u64>, Vec<(u64, u64)>) {
        let content = Content { bytes: text.as_bytes(), dialect: Dialect::Json };
        let archived = |from: u64, to: u64| {
            let lines = archive.filter(|id| (from..=to).contains(id));
            Ok(lines.filter_map(|id| Numbered::read(format!("{{\"id\":{id}}}").as_bytes())).collect())
        };
        let fresh = follower.fresh(content, archived).unwrap();
        (fresh.events.iter().map(|event| event.id).collect(), fresh.missing)
    }

    fn follower(next: Option<u64>) -> Follower {
        Follower::new("/events".parse().unwrap(), next)
    }

    #[test]
    fn each_event_comes_once() {
        let mut follower = follower(None);
        assert_eq!(ids(&mut follower, &document(3..=5), 1..=2), (vec![3, 4, 5], vec![]));
        assert_eq!(ids(&mut follower, &document(3..=5), 1..=2), (vec![], vec![]));
        assert_eq!(ids(&mut follower, &document(4..=7), 1..=3), (vec![6, 7], vec![]));
    }

    #[test]
    fn what_left_the_document_meanwhile_comes_from_the_archive() {
        let mut follower = follower(Some(1));
        assert_eq!(ids(&mut follower, &document(3..=4), 1..=2), (vec![1, 2, 3, 4], vec![]));
        assert_eq!(ids(&mut follower, &document(9..=9), 1..=8), (vec![5, 6, 7, 8, 9], vec![]));
        assert_eq!(ids(&mut follower, &document(10..=12), 1..=10), (vec![10, 11, 12], vec![]));
    }

    #[test]
    fn what_is_nowhere_is_told_once() {
        let mut follower = follower(Some(1));
        assert_eq!(ids(&mut follower, &document(5..=6), 1..=2), (vec![1, 2, 5, 6], vec![(3, 4)]));
        assert_eq!(ids(&mut follower, &document(5..=7), 1..=2), (vec![7], vec![]));
    }

    #[test]
    fn what_is_wanted_and_lies_beyond_all_that_is_there_is_told() {
        let short = |next, text: &str| {
            let content = Content { bytes: text.as_bytes(), dialect: Dialect::Json };
            follower(Some(next)).fresh(content, |_, _| Ok(Vec::new())).unwrap().falls_short
        };
        assert_eq!((short(8, &document(5..=6)), short(7, &document(5..=6))), (Some(6), None));
        assert_eq!((short(2, "{\"events\":[]}"), short(1, "{}")), (Some(0), None));
    }

    #[test]
    fn an_older_version_of_the_document_brings_nothing_twice() {
        let mut follower = follower(Some(1));
        assert_eq!(ids(&mut follower, &document(1..=6), 0..=0).0.len(), 6);
        assert_eq!(ids(&mut follower, &document(1..=4), 0..=0), (vec![], vec![]));
        assert_eq!(ids(&mut follower, "{\"events\":[]}", 0..=0), (vec![], vec![]));
        assert_eq!(ids(&mut follower, &document(1..=7), 0..=0), (vec![7], vec![]));
    }
}
