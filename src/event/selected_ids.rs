//! A set of an update's external IDs, as positions among them.

use core::fmt;
use core::iter::{self, FusedIterator};

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::event::wire::Outbound;
use crate::input::external_id::ExternalId;
use crate::invariant;

/// A set of an update's external IDs: by type and, within a type, from latest to earliest.
///
/// Borrows the IDs from the update. Two are equal if they hold equal IDs.
#[derive(Clone)]
pub struct SelectedIds<'a> {
    ids: &'a [ExternalId],
    positions: Positions,
}

/// Which of an update's IDs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Positions {
    #[default]
    All,
    /// Ascending, and each of an ID.
    Some(PositionList),
}

/// Up to so many need no allocation: nearly every destination dedupes on fewer types, and events that hold
/// room for more take longer to make.
pub(crate) type PositionList = SmallVec<[usize; 3]>;

const POSITIONS_ARE_OF_IDS: &str = "a selected position is that of an ID";

/// The external IDs of a [`SelectedIds`], in its order.
#[derive(Clone)]
pub struct SelectedIdsIter<'s, 'a>(IdList<'s, 'a>);

/// A list of IDs by type, wherever it lies.
#[derive(Clone, Copy)]
pub(crate) struct IdList<'s, 'a> {
    ids: &'a [ExternalId],
    /// Each of an ID; `None` for all IDs.
    positions: Option<&'s [usize]>,
}

impl Positions {
    /// As many as there are IDs are all of them.
    pub(crate) fn of(ascending: impl Iterator<Item = usize>, ids: &[ExternalId]) -> Self {
        // The iterator goes through its own loops, which it cannot where it is asked for one by one.
        let mut positions = PositionList::new();
        ascending.for_each(|position| positions.push(position));
        debug_assert!(positions.is_sorted_by(|a, b| a < b), "selected positions ascend: {positions:?}");
        debug_assert!(positions.last().is_none_or(|&last| last < ids.len()), "{POSITIONS_ARE_OF_IDS}");
        match positions.len() == ids.len() {
            true => Self::All,
            false => Self::Some(positions),
        }
    }

    /// The only one, if there is only one.
    pub(crate) fn only(&self, ids: &[ExternalId]) -> Option<usize> {
        match (self, ids) {
            (Self::All, [_]) => Some(0),
            (Self::Some(positions), _) if positions.len() == 1 => positions.first().copied(),
            _ => None,
        }
    }
}

impl<'a> SelectedIds<'a> {
    pub(crate) fn new(ids: &'a [ExternalId], positions: Positions) -> Self {
        Self { ids, positions }
    }

    pub(crate) fn none() -> Self {
        Self { ids: &[], positions: Positions::All }
    }

    /// How many IDs there are.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ID at `position`.
    pub fn get(&self, position: usize) -> Option<&'a ExternalId> {
        self.list().get(position)
    }

    /// The IDs, by type and, within a type, from latest to earliest.
    pub fn iter(&self) -> SelectedIdsIter<'_, 'a> {
        SelectedIdsIter(self.list())
    }

    /// Where the only ID stands among the update's, if there is only one.
    pub(crate) fn only_position(&self) -> Option<usize> {
        self.positions.only(self.ids)
    }

    pub(crate) fn list(&self) -> IdList<'_, 'a> {
        let positions = match &self.positions {
            Positions::All => None,
            Positions::Some(positions) => Some(positions.as_slice()),
        };
        IdList { ids: self.ids, positions }
    }

    /// How many ways there are to take one ID of each type: 0 without IDs; [`u64::MAX`] if there are
    /// that many or more. Costs a look at each ID.
    pub fn combinations(&self) -> u64 {
        combinations(self.iter())
    }
}

impl<'s, 'a> IdList<'s, 'a> {
    pub(crate) fn all(ids: &'a [ExternalId]) -> Self {
        Self { ids, positions: None }
    }

    pub(crate) fn len(self) -> usize {
        self.positions.map_or(self.ids.len(), <[usize]>::len)
    }

    #[inline]
    pub(crate) fn get(self, position: usize) -> Option<&'a ExternalId> {
        match self.positions {
            None => self.ids.get(position),
            Some(positions) => invariant::at(self.ids, *positions.get(position)?, POSITIONS_ARE_OF_IDS),
        }
    }

    pub(crate) fn iter(self) -> SelectedIdsIter<'s, 'a> {
        SelectedIdsIter(self)
    }
}

/// How many ways there are to take one ID of each type, of IDs that are listed by type.
pub(crate) fn combinations<'i>(by_type: impl Iterator<Item = &'i ExternalId>) -> u64 {
    lengths_by_type(by_type)
        .fold(None, |count: Option<u64>, length| Some(count.unwrap_or(1).saturating_mul(length as u64)))
        .unwrap_or_default()
}

/// How many IDs there are of each type, of IDs that are listed by type.
pub(crate) fn lengths_by_type<'i>(
    by_type: impl Iterator<Item = &'i ExternalId>,
) -> impl Iterator<Item = usize> {
    let mut ids = by_type.peekable();
    iter::from_fn(move || {
        let id_type = ids.next()?.id_type();
        let others = iter::from_fn(|| ids.next_if(|id| id.id_type() == id_type)).count();
        Some(others.saturating_add(1))
    })
}

impl<'a> Iterator for SelectedIdsIter<'_, 'a> {
    type Item = &'a ExternalId;

    fn next(&mut self) -> Option<&'a ExternalId> {
        match &mut self.0 {
            IdList { ids, positions: Some(positions) } => {
                let (first, others) = positions.split_first()?;
                *positions = others;
                invariant::at(ids, *first, POSITIONS_ARE_OF_IDS)
            }
            IdList { ids, positions: None } => {
                let (first, others) = ids.split_first()?;
                *ids = others;
                Some(first)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for SelectedIdsIter<'_, '_> {}

impl FusedIterator for SelectedIdsIter<'_, '_> {}

impl<'s, 'a> IntoIterator for &'s SelectedIds<'a> {
    type Item = &'a ExternalId;
    type IntoIter = SelectedIdsIter<'s, 'a>;

    fn into_iter(self) -> SelectedIdsIter<'s, 'a> {
        self.iter()
    }
}

impl PartialEq for SelectedIds<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SelectedIds<'_> {}

impl fmt::Debug for SelectedIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for SelectedIdsIter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Serialize for SelectedIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Outbound))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::input::profile_ids::ExternalIds;

    #[test]
    fn positions_are_looked_up_and_counted() {
        let id = |id_type, id| ExternalId::new(id_type, id).unwrap();
        let ids = ExternalIds::new(Vec::from([id("email", "a"), id("email", "b"), id("phone", "1")]));
        let some = SelectedIds::new(ids.as_slice(), Positions::of([0, 2].into_iter(), ids.as_slice()));
        let all = SelectedIds::new(ids.as_slice(), Positions::All);
        assert_eq!((some.len(), some.is_empty(), some.combinations()), (2, false, 1));
        assert_eq!((all.len(), all.is_empty(), all.combinations()), (3, false, 2));
        assert_eq!(some.get(1).map(ExternalId::id), Some("1"));
        assert_eq!((some.get(2), all.get(3)), (None, None));
        let listed: Vec<&str> = some.into_iter().map(ExternalId::id).collect();
        assert_eq!(listed, ["b", "1"]);
        assert_eq!((some.iter().len(), all.iter().len()), (2, 3));
        assert_ne!(some, all);
        let none = SelectedIds::none();
        assert_eq!(
            (none.len(), none.is_empty(), none.combinations(), none.iter().next()),
            (0, true, 0, None)
        );
    }
}
