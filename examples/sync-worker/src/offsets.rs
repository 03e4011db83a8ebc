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
    /// The last offset that was read.
    last: i64,
    /// How many updates are being worked on, and not merely read.
    started: usize,
    /// The partition is about to be another worker's: nothing more of it is started.
    is_leaving: bool,
    /// The last offset before the first update that is under way, if it has moved since it was asked for.
    done: Option<i64>,
}

/// What the read of an update begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Reading a partition, in this assignment of it.
    Partition(u64),
    /// Nothing new: it is another update of this assignment.
    Update(u64),
}

/// An offset that is not above this one, which was read before it in the same assignment.
#[derive(Debug, PartialEq, Eq)]
pub struct MovedBack(pub i64);

impl Offsets {
    /// Notes an update that was read. Where offsets move back, the partition is not what it was: it
    /// has been made anew, or has lost its end.
    pub fn begin(&mut self, partition: i32, offset: i64) -> Result<Begun, MovedBack> {
        if let Some(progress) = self.partitions.get_mut(&partition) {
            if offset <= progress.last {
                return Err(MovedBack(progress.last));
            }
            progress.last = offset;
            progress.under_way.push_back((offset, false));
            return Ok(Begun::Update(progress.assignment));
        }
        self.assignments += 1;
        let progress = Progress {
            assignment: self.assignments,
            under_way: [(offset, false)].into(),
            last: offset,
            started: 0,
            is_leaving: false,
            done: None,
        };
        self.partitions.insert(partition, progress);
        Ok(Begun::Partition(self.assignments))
    }

    /// Notes that an update is worked on from now on; false if it is another worker's.
    pub fn start(&mut self, partition: i32, assignment: u64) -> bool {
        match self.partitions.get_mut(&partition) {
            Some(progress) if progress.assignment == assignment && !progress.is_leaving => {
                progress.started += 1;
                true
            }
            _ => false,
        }
    }

    /// Whether the assignment still holds.
    pub fn is_current(&self, partition: i32, assignment: u64) -> bool {
        self.partitions.get(&partition).is_some_and(|progress| progress.assignment == assignment)
    }

    /// Notes that all that came of an update is acknowledged.
    pub fn finish(&mut self, partition: i32, assignment: u64, offset: i64) {
        let Some(progress) = self.partitions.get_mut(&partition) else { return };
        if progress.assignment != assignment {
            return;
        }
        progress.started = progress.started.saturating_sub(1);
        let position = progress.under_way.binary_search_by_key(&offset, |(offset, _)| *offset);
        let Ok(position) = position else { return };
        progress.under_way[position].1 = true;
        while let Some((offset, true)) = progress.under_way.front() {
            progress.done = Some(*offset);
            progress.under_way.pop_front();
        }
    }

    /// Of each partition the last offset before the first update that is still under way, if it has moved since
    /// this was asked before.
    pub fn take_done(&mut self) -> impl Iterator<Item = (i32, i64)> {
        self.partitions
            .iter_mut()
            .filter_map(|(partition, progress)| progress.done.take().map(|done| (*partition, done)))
    }

    /// Starts nothing more of these partitions.
    pub fn leave(&mut self, partitions: impl Iterator<Item = i32>) {
        for partition in partitions {
            if let Some(progress) = self.partitions.get_mut(&partition) {
                progress.is_leaving = true;
            }
        }
    }

    /// Whether something of these partitions is being worked on.
    pub fn is_working_on(&self, mut partitions: impl Iterator<Item = i32>) -> bool {
        partitions
            .any(|partition| self.partitions.get(&partition).is_some_and(|progress| progress.started > 0))
    }

    /// Forgets partitions that now are another worker's.
    pub fn revoke(&mut self, partitions: impl Iterator<Item = i32>) {
        for partition in partitions {
            self.partitions.remove(&partition);
        }
    }

    /// Forgets everything: the run has ended.
    pub fn close(&mut self) {
        self.partitions.clear();
    }

    /// How many updates are under way.
    pub fn under_way(&self) -> usize {
        self.partitions.values().map(|progress| progress.under_way.len()).sum()
    }

    /// The first update of a partition that is under way.
    pub fn oldest(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition)?.under_way.front().map(|(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(offsets: &mut Offsets, partition: i32, offset: i64) -> u64 {
        match offsets.begin(partition, offset).unwrap() {
            Begun::Partition(assignment) | Begun::Update(assignment) => assignment,
        }
    }

    /// What is done of a partition after an update of it is finished.
    fn finish(offsets: &mut Offsets, partition: i32, assignment: u64, offset: i64) -> Option<i64> {
        offsets.finish(partition, assignment, offset);
        let mut done = offsets.take_done();
        let first = done.next();
        assert_eq!(done.next(), None, "nothing else has moved");
        first.map(|(of, done)| {
            assert_eq!(of, partition);
            done
        })
    }

    #[test]
    fn nothing_behind_a_gap_is_committed() {
        let mut offsets = Offsets::default();
        let assignment = begin(&mut offsets, 0, 10);
        begin(&mut offsets, 0, 11);
        begin(&mut offsets, 0, 15); // offsets have gaps where transactions ended
        assert_eq!(finish(&mut offsets, 0, assignment, 15), None);
        assert_eq!(offsets.oldest(0), Some(10));
        assert_eq!(finish(&mut offsets, 0, assignment, 10), Some(10));
        assert_eq!(finish(&mut offsets, 0, assignment, 11), Some(15));
        assert_eq!((offsets.under_way(), offsets.oldest(0)), (0, None));
    }

    #[test]
    fn an_update_of_an_earlier_assignment_does_not_count() {
        let mut offsets = Offsets::default();
        let before = begin(&mut offsets, 0, 10);
        offsets.revoke([0].into_iter());
        assert!(!offsets.is_current(0, before));
        assert!(!offsets.start(0, before));
        assert_eq!(finish(&mut offsets, 0, before, 10), None);
        assert_eq!(offsets.begin(0, 10), Ok(Begun::Partition(2)));
        assert_eq!(offsets.begin(0, 11), Ok(Begun::Update(2)));
        assert_eq!(finish(&mut offsets, 0, before, 11), None);
        assert_eq!(finish(&mut offsets, 0, 2, 10), Some(10));
    }

    #[test]
    fn partitions_move_apart() {
        let mut offsets = Offsets::default();
        let first = begin(&mut offsets, 0, 1);
        let second = begin(&mut offsets, 1, 1);
        assert_eq!(finish(&mut offsets, 1, second, 1), Some(1));
        assert_eq!(offsets.under_way(), 1);
        assert_eq!(finish(&mut offsets, 0, first, 1), Some(1));
    }

    #[test]
    fn what_is_done_is_told_once_and_of_all_partitions() {
        let mut offsets = Offsets::default();
        let first = begin(&mut offsets, 0, 1);
        begin(&mut offsets, 0, 2);
        let second = begin(&mut offsets, 1, 7);
        offsets.finish(0, first, 1);
        offsets.finish(0, first, 2);
        offsets.finish(1, second, 7);
        let mut done: Vec<_> = offsets.take_done().collect();
        done.sort_unstable();
        assert_eq!(done, [(0, 2), (1, 7)]);
        assert_eq!(offsets.take_done().count(), 0);
    }

    #[test]
    fn offsets_that_move_back_are_an_error() {
        let mut offsets = Offsets::default();
        begin(&mut offsets, 0, 10);
        assert_eq!(offsets.begin(0, 10), Err(MovedBack(10)));
        assert_eq!(offsets.begin(0, 3), Err(MovedBack(10)));
        assert_eq!(offsets.begin(1, 3), Ok(Begun::Partition(2)));
    }

    #[test]
    fn a_partition_that_leaves_is_done_once_what_was_started_is() {
        let mut offsets = Offsets::default();
        let assignment = begin(&mut offsets, 0, 10);
        begin(&mut offsets, 0, 11);
        assert!(offsets.start(0, assignment));
        assert!(offsets.is_working_on([1, 0].into_iter()));
        offsets.leave([0].into_iter());
        assert!(!offsets.start(0, assignment), "it would be worked on by two");
        assert_eq!(finish(&mut offsets, 0, assignment, 10), Some(10));
        assert!(!offsets.is_working_on([0].into_iter()));
        assert!(offsets.is_current(0, assignment));
    }
}
