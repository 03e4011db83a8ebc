//! Latest-ID selection: of each type the one external ID that a messaging destination sends to.

use alloc::vec;
use alloc::vec::Vec;

use crate::input::destinations::TypeTable;
use crate::input::external_id::ExternalId;
use crate::input::update::ProfileUpdate;

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

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::input::destination::Destination;
    use crate::input::destinations::Destinations;
    use crate::input::timestamp::Timestamp;
    use crate::input::trigger::Trigger;
    use crate::input::update::{Computation, Membership};

    /// The latest IDs of `email` and `phone`, of a profile whose emails came at 1, 2 and 3 seconds.
    fn latest_at(computed_at: Option<i128>) -> String {
        let at = |second: i128| Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap();
        let email = |second| {
            let id = ExternalId::new("email", alloc::format!("seen {second}")).unwrap();
            id.with_created_at(at(second))
        };
        let update = ProfileUpdate::builder()
            .id("upd_1")
            .space_id("spa_1")
            .profile_id("use_1")
            .computation(Computation::new("aud_1").unwrap())
            .membership(Membership::In)
            .trigger(Trigger::ValueChanged)
            .external_ids([email(2), email(3), email(1), ExternalId::new("phone", "backfilled").unwrap()]);
        let update = match computed_at {
            Some(second) => update.computed_at(at(second)),
            None => update,
        };
        let update = update.build().unwrap();
        let deduping = Destination::new("dst_1").unwrap().deduping_on(["phone", "fax", "email"]).unwrap();
        let destinations = Destinations::new([deduping]).unwrap();
        let latest = LatestIds::select(&update, destinations.types());
        let ids: Vec<&str> = latest.of_types(&[0, 1, 2]).map(ExternalId::id).collect();
        assert_eq!(latest.present(&[0, 1, 2]).count(), ids.len());
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
