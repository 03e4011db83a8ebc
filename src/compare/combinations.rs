//! The hashes of all combinations of an event's IDs, each made from the one before.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::slice;

/// The sum of the hashes of one ID of each type, for each way to take them.
///
/// Types with one ID have the same in every combination and are added up once. For the others there
/// is the sum of all types before, so that a combination costs one addition, whatever the number of types.
pub(super) struct Combinations {
    constant: u128,
    /// By type, the hashes of its IDs: at least two. There are at most 63 such types where the
    /// number of combinations can be counted.
    varying: Vec<Box<[u128]>>,
}

impl Combinations {
    /// `hashes` are those of the IDs, by type, of which each has as many as `lengths` say. `constant` is
    /// added to each sum.
    pub(super) fn new(
        constant: u128,
        mut hashes: impl Iterator<Item = u128>,
        lengths: impl Iterator<Item = usize>,
    ) -> Self {
        let mut combinations = Self { constant, varying: Vec::new() };
        for length in lengths {
            debug_assert!(length > 0, "a type has IDs");
            let of_type = hashes.by_ref().take(length);
            match length {
                1 => combinations.constant = of_type.fold(combinations.constant, u128::wrapping_add),
                _ => combinations.varying.push(of_type.collect()),
            }
        }
        debug_assert!(hashes.next().is_none(), "an ID is of one of the types");
        combinations
    }

    /// In the order of [`OutboundMessages`](crate::OutboundMessages): the last type takes turns fastest.
    pub(super) fn sums(&self) -> Sums<'_> {
        let (mut fastest, mut slower) = match self.varying.split_last() {
            Some((last, before)) => (Cow::Borrowed(&**last), before),
            None => (Cow::Borrowed([0].as_slice()), [].as_slice()),
        };
        while let Some((last, before)) = slower.split_last()
            && fastest.len().saturating_mul(last.len()) <= MOST_AT_ONCE
        {
            fastest =
                last.iter().flat_map(|hash| fastest.iter().map(|sum| hash.wrapping_add(*sum))).collect();
            slower = before;
        }
        let mut slower: Vec<Turn<'_>> =
            slower.iter().map(|hashes| Turn { hashes, next: hashes.iter(), before: 0 }).collect();
        let before = Turn::start_all(&mut slower, self.constant);
        Sums { slower, before, fastest, next: 0 }
    }
}

/// The fastest types are multiplied out up to so many sums, so that a combination costs the same whether
/// its types have two IDs or a hundred.
const MOST_AT_ONCE: usize = 256;

/// The sums of [`Combinations`], in order.
pub(super) struct Sums<'h> {
    slower: Vec<Turn<'h>>,
    /// The sum of the slower types.
    before: u128,
    /// The sums of the fastest types, in order; at least one.
    fastest: Cow<'h, [u128]>,
    next: usize,
}

/// Whose turn it is of a type.
struct Turn<'h> {
    hashes: &'h [u128],
    next: slice::Iter<'h, u128>,
    /// The sum of all types before.
    before: u128,
}

impl Turn<'_> {
    /// The sum up to this type with its next ID; `None` if all have had their turn.
    fn step(&mut self) -> Option<u128> {
        self.next.next().map(|hash| self.before.wrapping_add(*hash))
    }

    /// Gives each type's first ID its turn, after types with the sum `before`. Says the sum of all.
    fn start_all(turns: &mut [Self], before: u128) -> u128 {
        turns.iter_mut().fold(before, |before, turn| {
            turn.before = before;
            turn.next = turn.hashes.iter();
            let sum = turn.step();
            debug_assert!(sum.is_some(), "a varying type has IDs");
            sum.unwrap_or(before)
        })
    }
}

impl Sums<'_> {
    /// The fastest of the slower types that can gives the turn to its next ID, and those after it start
    /// anew. `None` if all have had their turn.
    fn step_slower(&mut self) -> Option<u128> {
        let mut turns = self.slower.iter_mut().enumerate().rev();
        let (position, sum) = turns.find_map(|(position, turn)| Some((position, turn.step()?)))?;
        let (_, after) = self.slower.split_at_mut_checked(position.saturating_add(1))?;
        Some(Turn::start_all(after, sum))
    }
}

impl Iterator for Sums<'_> {
    type Item = u128;

    #[inline]
    fn next(&mut self) -> Option<u128> {
        if self.next == self.fastest.len() {
            self.before = self.step_slower()?;
            self.next = 0;
        }
        let sum = self.fastest.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(self.before.wrapping_add(*sum))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Types of so many IDs, the hash of an ID being the power of two of its position.
    fn sums(lengths: &[usize]) -> Vec<u128> {
        let ids: usize = lengths.iter().sum();
        let combinations =
            Combinations::new(1 << 100, (0..ids).map(|position| 1 << position), lengths.iter().copied());
        combinations.sums().collect()
    }

    #[test]
    fn each_combination_comes_once_and_in_order() {
        let constant = 1 << 100;
        assert_eq!(sums(&[]), [constant]);
        assert_eq!(sums(&[1, 1]), [constant + 3]);
        assert_eq!(sums(&[3]), [1, 2, 4].map(|sum| constant + sum));
        assert_eq!(sums(&[1, 2, 1]), [1 + 2 + 8, 1 + 4 + 8].map(|sum| constant + sum));
        let in_order = [[1, 4], [1, 8], [1, 16], [2, 4], [2, 8], [2, 16]].map(|[a, b]| a + b + 32);
        assert_eq!(sums(&[2, 3, 1]), in_order.map(|sum| constant + sum));
    }

    /// Of so many types that the fastest are multiplied out and others are not, one type at a time.
    #[test]
    fn what_is_multiplied_out_and_what_is_not_are_one_sequence() {
        for lengths in [
            &[2; 8][..],
            &[2; 9],
            &[2; 10],
            &[3, 16, 16],
            &[3, 16, 17],
            &[17, 1, 16, 3],
            &[2, 300],
            &[300, 2],
            &[300, 1, 256],
            &[4, 4, 257],
        ] {
            let mut first = 0;
            let mut expected = vec![1_u128 << 100];
            for &length in lengths {
                let hashes = first..first + length as u128;
                first += length as u128;
                expected = expected
                    .iter()
                    .flat_map(|before| hashes.clone().map(move |hash| before + hash * hash))
                    .collect();
            }
            let hashes = (0..first).map(|hash| hash * hash);
            let combinations = Combinations::new(1 << 100, hashes, lengths.iter().copied());
            assert_eq!(combinations.sums().collect::<Vec<_>>(), expected, "{lengths:?}");
            let mut sums = combinations.sums();
            assert_eq!(sums.by_ref().count(), expected.len());
            assert_eq!(sums.next(), None, "it has ended");
            assert!(sums.fastest.len() <= MOST_AT_ONCE.max(*lengths.iter().max().unwrap()));
        }
    }

    #[test]
    fn sums_wrap() {
        let combinations = Combinations::new(u128::MAX, [1, 2, 3].into_iter(), [1, 2].into_iter());
        assert_eq!(combinations.sums().collect::<Vec<_>>(), vec![2, 3]);
    }
}
