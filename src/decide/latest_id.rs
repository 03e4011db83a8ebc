//! Latest-ID selection: of each type the one external ID that a messaging destination sends to.

use smallvec::{SmallVec, smallvec};

use crate::input::destinations::TypeTable;
use crate::input::external_id::ExternalId;
use crate::input::update::ProfileUpdate;

/// For each type of a [`TypeTable`], where the latest ID that the profile had when the update was
/// computed stands among the update's.
#[derive(Clone, Debug)]
pub(crate) struct LatestIds(SmallVec<[Option<usize>; 8]>);

impl LatestIds {
    /// Costs a name comparison per type of the profile times the logarithm of the table, and a
    /// look at the IDs that came after the update was computed.
    pub(crate) fn select(update: &ProfileUpdate, types: &TypeTable) -> Self {
        let mut latest = smallvec![None; types.len()];
        let mut first_of_type: usize = 0;
        for ids in update.id_set().by_type() {
            let slot = ids.first().and_then(|id| types.position(id.id_type()));
            if let Some(slot) = slot.and_then(|position| latest.get_mut(position)) {
                let is_visible = |id: &ExternalId| id.is_visible_at(update.computed_at());
                *slot = ids.iter().position(is_visible).map(|offset| first_of_type.saturating_add(offset));
            }
            first_of_type = first_of_type.saturating_add(ids.len());
        }
        Self(latest)
    }

    /// No ID of any type: for an update that is dropped whatever its IDs are.
    pub(crate) fn none() -> Self {
        Self(SmallVec::new())
    }

    /// Where the latest IDs of these types stand among the update's, where there is one; ascending,
    /// because both types and IDs are in the order of the types.
    pub(crate) fn of_types<'s>(&'s self, types: &'s [usize]) -> impl Iterator<Item = usize> + Clone + 's {
        types.iter().filter_map(|&position| self.0.get(position).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;
    use crate::build::{destinations, entry, id};
    use crate::input::timestamp::Timestamp;

    /// The latest IDs of `email` and `phone`, of a profile whose emails came at 1, 2 and 3 seconds.
    fn latest_at(computed_at: Option<i128>) -> String {
        let at = |second: i128| Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap();
        let email = |second| id("email", &alloc::format!("seen {second}")).with_created_at(at(second));
        let update = entry().external_ids([email(2), email(3), email(1), id("phone", "backfilled")]);
        let update = match computed_at {
            Some(second) => update.computed_at(at(second)),
            None => update,
        };
        let update = update.build().unwrap();
        let destinations = destinations([["phone", "fax", "email"]]);
        let latest = LatestIds::select(&update, destinations.types());
        let ids: Vec<&str> =
            latest.of_types(&[0, 1, 2]).map(|position| update.external_ids()[position].id()).collect();
        ids.join(", ")
    }

    #[test]
    fn the_latest_id_is_of_the_time_of_the_update() {
        assert_eq!(latest_at(None), "seen 3, backfilled");
        assert_eq!(latest_at(Some(3)), "seen 3, backfilled");
        assert_eq!(latest_at(Some(2)), "seen 2, backfilled");
        assert_eq!(latest_at(Some(1)), "seen 1, backfilled");
        assert_eq!(latest_at(Some(0)), "backfilled");
    }

    #[test]
    fn none_has_no_id_of_any_type() {
        assert_eq!(LatestIds::none().of_types(&[0, 1]).count(), 0);
    }
}
