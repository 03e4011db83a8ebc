//! Which offsets may be committed: those below the first update that is still under way.

use std::collections::{HashMap, VecDeque};

/// The progress of each assigned partition.
///
/// An update that was read in one assignment of a partition says nothing about a later one, in
/// which it is read again. So each assignment has a number, and only the current one counts.
#[derive(Default)]
pub struct Offsets {
    partitions: HashMap<i32, Progress>,
    assignments: u64,
}

struct Progress {
    assignment: u64,
    /// By offset, and whether everything that came of the update is acknowledged.
    under_way: VecDeque<(i64, bool)>,
}

impl Offsets {
    /// Notes an update that was read, and returns the number of its partition's assignment.
    pub fn begin(&mut self, partition: i32, offset: i64) -> u64 {
        let assignments = &mut self.assignments;
        let progress = self.partitions.entry(partition).or_insert_with(|| {
            *assignments += 1;
            Progress { assignment: *assignments, under_way: VecDeque::new() }
        });
        progress.under_way.push_back((offset, false));
        progress.assignment
    }

    /// Whether the assignment still holds.
    pub fn is_current(&self, partition: i32, assignment: u64) -> bool {
        self.partitions.get(&partition).is_some_and(|progress| progress.assignment == assignment)
    }

    /// Notes that all that came of an update is acknowledged. Returns the last offset before the
    /// first update that is still under way, if it has moved.
    pub fn finish(&mut self, partition: i32, assignment: u64, offset: i64) -> Option<i64> {
        let progress = self.partitions.get_mut(&partition)?;
        if progress.assignment != assignment {
            return None;
        }
        let position = progress.under_way.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        progress.under_way[position].1 = true;
        let mut last = None;
        while let Some((offset, true)) = progress.under_way.front() {
            last = Some(*offset);
            progress.under_way.pop_front();
        }
        last
    }

    /// Forgets partitions that now are another worker's.
    pub fn revoke(&mut self, partitions: impl Iterator<Item = i32>) {
        for partition in partitions {
            self.partitions.remove(&partition);
        }
    }

    /// How many updates are under way.
    pub fn under_way(&self) -> usize {
        self.partitions.values().map(|progress| progress.under_way.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_behind_a_gap_is_committed() {
        let mut offsets = Offsets::default();
        let assignment = offsets.begin(0, 10);
        offsets.begin(0, 11);
        offsets.begin(0, 15); // offsets have gaps where transactions ended
        assert_eq!(offsets.finish(0, assignment, 15), None);
        assert_eq!(offsets.finish(0, assignment, 10), Some(10));
        assert_eq!(offsets.finish(0, assignment, 11), Some(15));
        assert_eq!(offsets.under_way(), 0);
    }

    #[test]
    fn an_update_of_an_earlier_assignment_does_not_count() {
        let mut offsets = Offsets::default();
        let before = offsets.begin(0, 10);
        offsets.revoke([0].into_iter());
        assert!(!offsets.is_current(0, before));
        assert_eq!(offsets.finish(0, before, 10), None);
        let after = offsets.begin(0, 10);
        offsets.begin(0, 11);
        assert_eq!(offsets.finish(0, before, 11), None);
        assert_eq!(offsets.finish(0, after, 10), Some(10));
    }

    #[test]
    fn partitions_move_apart() {
        let mut offsets = Offsets::default();
        let first = offsets.begin(0, 1);
        let second = offsets.begin(1, 1);
        assert_eq!(offsets.finish(1, second, 1), Some(1));
        assert_eq!(offsets.under_way(), 1);
        assert_eq!(offsets.finish(0, first, 1), Some(1));
    }
}
