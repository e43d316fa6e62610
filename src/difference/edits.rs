//! The shortest way from one sequence to another (E. Myers, "An O(ND) Difference Algorithm", 1986), given up early where
//! that would be long: two unrelated arrays must not cost the square of their length.

/// More edits than this are not looked for. Memory: the square of it, 4 bytes each.
const EDITS_MAX: usize = 512;

/// The pairs of equal entries that a shortest way keeps, in order; `None`: it would be too long, or `steps`, of which
/// every one is counted, are used up.
pub(super) fn kept_pairs(old: &[u64], new: &[u64], steps: &mut u64) -> Option<Vec<(usize, usize)>> {
    let furthest = ways(old, new, steps)?;
    Some(walk_back(&furthest, old.len(), new.len()))
}

/// For each number of edits, how far along `old` one gets on each diagonal.
fn ways(old: &[u64], new: &[u64], steps: &mut u64) -> Option<Vec<Vec<usize>>> {
    let longest = EDITS_MAX.min(old.len() + new.len());
    let mut ways: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=longest {
        let mut way = Vec::with_capacity(edits + 1);
        for lane in 0..=edits {
            let mut at = ways.last().map_or(0, |before| begin(before, lane));
            // The diagonal, `at` minus the place in `new`, is twice the lane minus the edits.
            let mut other = (at + edits).checked_sub(2 * lane)?;
            let begun = at;
            while at < old.len() && other < new.len() && old[at] == new[other] {
                (at, other) = (at + 1, other + 1);
            }
            *steps = steps.checked_sub((at - begun) as u64 + 1)?;
            way.push(at);
            if at >= old.len() && other >= new.len() {
                ways.push(way);
                return Some(ways);
            }
        }
        ways.push(way);
    }
    None
}

/// How far one edit more gets on a lane, from the lanes with one edit less: down (an insertion) or right (a removal).
fn begin(before: &[usize], lane: usize) -> usize {
    let inserted = before.get(lane).copied();
    let removed = lane.checked_sub(1).and_then(|left| before.get(left)).map(|at| at + 1);
    inserted.max(removed).unwrap_or(0)
}

fn walk_back(ways: &[Vec<usize>], old: usize, new: usize) -> Vec<(usize, usize)> {
    let (mut at, mut other) = (old, new);
    let mut pairs = Vec::new();
    for edits in (0..ways.len()).rev() {
        let lane = (at + edits).saturating_sub(other) / 2;
        let before = edits.checked_sub(1).and_then(|less| ways.get(less));
        let begun = before.map_or(0, |before| begin(before, lane));
        while at > begun && other > 0 {
            (at, other) = (at - 1, other - 1);
            pairs.push((at, other));
        }
        let Some(before) = before else { break };
        let left = lane.checked_sub(1).and_then(|left| before.get(left));
        let is_removal = left.is_some_and(|left| left + 1 == at) && before.get(lane).is_none_or(|above| *above < at);
        if is_removal {
            at -= 1;
        } else {
            other = other.saturating_sub(1);
        }
    }
    pairs.reverse();
    pairs
}

/// The places in `sequence` of a longest run of growing numbers.
pub(super) fn longest_growing(sequence: &[usize]) -> Vec<usize> {
    if sequence.is_sorted_by(|one, other| one < other) {
        return (0..sequence.len()).collect();
    }
    // The place of the least number that ends a run of each length.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(sequence.len());
    for (place, number) in sequence.iter().enumerate() {
        let length = ends.partition_point(|end| sequence[*end] < *number);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        if length < ends.len() {
            ends[length] = place;
        } else {
            ends.push(place);
        }
    }
    let mut run: Vec<usize> = std::iter::successors(ends.last().copied(), |place| before[*place]).collect();
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the table that everybody knows.
    fn longest_common(old: &[u64], new: &[u64]) -> usize {
        let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
        for (i, one) in old.iter().enumerate() {
            for (j, other) in new.iter().enumerate() {
                table[i + 1][j + 1] = if one == other { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
            }
        }
        table[old.len()][new.len()]
    }

    proptest! {
        #[test]
        fn what_is_kept_is_equal_in_order_and_as_long_as_can_be(
            old in prop::collection::vec(0..4_u64, 0..30), new in prop::collection::vec(0..4_u64, 0..30),
        ) {
            let pairs = kept_pairs(&old, &new, &mut 1_000_000).unwrap();
            prop_assert!(pairs.iter().all(|(i, j)| old[*i] == new[*j]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(pairs.len(), longest_common(&old, &new));
        }

        #[test]
        fn a_growing_run_grows_and_is_no_shorter_than_one_found_by_trying(
            sequence in prop::collection::vec(0..20_usize, 0..12),
        ) {
            let run = longest_growing(&sequence);
            prop_assert!(run.windows(2).all(|two| two[0] < two[1] && sequence[two[0]] < sequence[two[1]]));
            let mut longest = vec![1_usize; sequence.len()];
            for place in 0..sequence.len() {
                let before = (0..place).filter(|one| sequence[*one] < sequence[place]).map(|one| longest[one] + 1);
                longest[place] = before.max().unwrap_or(1);
            }
            prop_assert_eq!(run.len(), longest.into_iter().max().unwrap_or(0));
        }
    }

    #[test]
    fn two_unrelated_sequences_are_given_up_on_early() {
        let (old, new): (Vec<u64>, Vec<u64>) = ((0..200_000).collect(), (200_000..400_000).collect());
        let mut steps = 10_000_000;
        assert_eq!(kept_pairs(&old, &new, &mut steps), None);
        assert!(steps > 9_000_000, "{steps}");
        let same = vec![7; 100_000];
        assert_eq!(kept_pairs(&same, &same, &mut 1_000), None, "the steps are used up");
    }
}
