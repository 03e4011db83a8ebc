//! The destinations of an event.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use serde::{Serialize, Serializer};

use crate::input::destination::Destination;
use crate::invariant;

/// The destinations of an event, by id: at least one.
#[derive(Clone)]
pub struct SentTo<'a> {
    all: &'a [Destination],
    /// Ascending. Borrowed where all destinations have one setting: nothing to copy. `None` for
    /// every destination.
    positions: Option<Cow<'a, [usize]>>,
}

const POSITIONS_ARE_OF_DESTINATIONS: &str = "a member of a setting is a destination";

/// The destinations of a [`SentTo`], by id.
#[derive(Clone)]
pub struct SentToIter<'s, 'a> {
    all: &'a [Destination],
    positions: Option<&'s [usize]>,
}

impl<'a> SentTo<'a> {
    pub(crate) fn all(destinations: &'a [Destination]) -> Self {
        debug_assert!(!destinations.is_empty(), "an event has destinations");
        Self { all: destinations, positions: None }
    }

    pub(crate) fn one_setting(destinations: &'a [Destination], members: &'a [usize]) -> Self {
        debug_assert!(!members.is_empty(), "a setting has members");
        Self { all: destinations, positions: Some(Cow::Borrowed(members)) }
    }

    /// Costs a merge of the ascending runs in `members`, of which there are `count` in all.
    #[allow(clippy::stable_sort_primitive, reason = "the stable sort finds the runs and merges them")]
    pub(crate) fn merged<'m>(
        destinations: &'a [Destination],
        count: usize,
        members: impl Iterator<Item = &'m [usize]>,
    ) -> Self {
        let mut positions = Vec::with_capacity(count);
        members.for_each(|run| match run {
            // Without a call to copy it: where settings are many, most have one member.
            [only] => positions.push(*only),
            _ => positions.extend_from_slice(run),
        });
        positions.sort();
        debug_assert!(!positions.is_empty(), "a setting has members");
        debug_assert_eq!(positions.len(), count, "each member is counted once");
        Self { all: destinations, positions: Some(Cow::Owned(positions)) }
    }

    /// How many destinations there are: at least one.
    #[allow(clippy::len_without_is_empty, reason = "an event without destinations is not made")]
    pub fn len(&self) -> usize {
        self.positions.as_ref().map_or(self.all.len(), |positions| positions.len())
    }

    /// The destination at `position`.
    pub fn get(&self, position: usize) -> Option<&'a Destination> {
        match &self.positions {
            Some(positions) => {
                invariant::at(self.all, *positions.get(position)?, POSITIONS_ARE_OF_DESTINATIONS)
            }
            None => self.all.get(position),
        }
    }

    /// The destinations, by id.
    pub fn iter(&self) -> SentToIter<'_, 'a> {
        SentToIter { all: self.all, positions: self.positions.as_deref() }
    }
}

impl<'a> Iterator for SentToIter<'_, 'a> {
    type Item = &'a Destination;

    fn next(&mut self) -> Option<&'a Destination> {
        if let Some(positions) = &mut self.positions {
            let (first, others) = positions.split_first()?;
            *positions = others;
            return invariant::at(self.all, *first, POSITIONS_ARE_OF_DESTINATIONS);
        }
        let (first, others) = self.all.split_first()?;
        self.all = others;
        Some(first)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.positions.map_or(self.all.len(), <[usize]>::len);
        (left, Some(left))
    }
}

impl ExactSizeIterator for SentToIter<'_, '_> {}

impl FusedIterator for SentToIter<'_, '_> {}

impl<'s, 'a> IntoIterator for &'s SentTo<'a> {
    type Item = &'a Destination;
    type IntoIter = SentToIter<'s, 'a>;

    fn into_iter(self) -> SentToIter<'s, 'a> {
        self.iter()
    }
}

impl PartialEq for SentTo<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SentTo<'_> {}

impl fmt::Debug for SentTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for SentToIter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Serialize for SentTo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Destination::id))
    }
}
