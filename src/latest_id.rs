//! Latest-ID selection: of each type the one external ID that a messaging destination sends to.

use alloc::vec;
use alloc::vec::Vec;

use crate::destinations::TypeTable;
use crate::{ExternalId, ProfileUpdate};

/// For each type of a [`TypeTable`], the latest ID that the profile had when the update was computed.
#[derive(Clone, Debug)]
pub(crate) struct LatestIds<'a>(Vec<Option<&'a ExternalId>>);

impl<'a> LatestIds<'a> {
    /// Costs a name comparison per type of the profile times the logarithm of the table, and a
    /// look at the IDs that came after the update was computed.
    pub(crate) fn select(update: &'a ProfileUpdate, types: &TypeTable) -> Self {
        let mut latest = vec![None; types.len()];
        for ids in update.id_set().by_type() {
            let Some(id_type) = ids.first().map(ExternalId::id_type) else { continue };
            let slot = types.position(id_type).and_then(|position| latest.get_mut(position));
            if let Some(slot) = slot {
                *slot = ids.iter().find(|id| id.is_visible_at(update.computed_at()));
            }
        }
        Self(latest)
    }

    /// No ID of any type: for an update that is dropped whatever its IDs are.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The latest IDs of these types, where there is one, in the order of the types.
    pub(crate) fn of_types<'s>(
        &'s self,
        types: &'s [usize],
    ) -> impl Iterator<Item = &'a ExternalId> + Clone + 's {
        self.present(types).filter_map(|position| self.0.get(position).copied().flatten())
    }

    /// Those of these types of which the profile has an ID. Since every type has one latest ID, two
    /// settings select the same IDs if and only if this is the same for both.
    pub(crate) fn present<'s>(&'s self, types: &'s [usize]) -> impl Iterator<Item = usize> + Clone + 's {
        types.iter().copied().filter(|&position| matches!(self.0.get(position), Some(Some(_))))
    }
}
