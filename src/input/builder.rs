//! Updates made by code, field by field.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::input::error::{InputError, Problem};
use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::profile_ids::ExternalIds;
use crate::input::read::field::non_empty;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::Trigger;
use crate::input::update::{Computation, ProfileUpdate};

/// Collects the fields of a [`ProfileUpdate`]; [`build`](Self::build) checks them.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is made before `build` is called"]
pub struct ProfileUpdateBuilder {
    id: Option<String>,
    space_id: Option<String>,
    profile_id: Option<String>,
    computation: Option<Computation>,
    membership: Option<Membership>,
    computed_at: Option<Timestamp>,
    trigger: Option<Trigger>,
    external_ids: Vec<ExternalId>,
}

impl ProfileUpdate {
    /// An update without any field yet.
    pub fn builder() -> ProfileUpdateBuilder {
        ProfileUpdateBuilder::default()
    }
}

impl ProfileUpdateBuilder {
    /// Required: the same on every redelivery of the same update.
    pub fn id<'a>(self, id: impl Into<Cow<'a, str>>) -> Self {
        Self { id: Some(id.into().into_owned()), ..self }
    }

    /// Required: the tenant.
    pub fn space_id<'a>(self, space_id: impl Into<Cow<'a, str>>) -> Self {
        Self { space_id: Some(space_id.into().into_owned()), ..self }
    }

    /// Required: the canonical profile.
    pub fn profile_id<'a>(self, profile_id: impl Into<Cow<'a, str>>) -> Self {
        Self { profile_id: Some(profile_id.into().into_owned()), ..self }
    }

    /// Required: the computation.
    pub fn computation(self, computation: Computation) -> Self {
        Self { computation: Some(computation), ..self }
    }

    /// Required: the standing after the change.
    pub fn membership(self, membership: Membership) -> Self {
        Self { membership: Some(membership), ..self }
    }

    /// When the update was computed; unknown without this call.
    pub fn computed_at(self, computed_at: Timestamp) -> Self {
        Self { computed_at: Some(computed_at), ..self }
    }

    /// When the update was computed, or that it is unknown.
    pub fn maybe_computed_at(self, computed_at: Option<Timestamp>) -> Self {
        Self { computed_at, ..self }
    }

    /// Required: why the update was emitted.
    pub fn trigger(self, trigger: Trigger) -> Self {
        Self { trigger: Some(trigger), ..self }
    }

    /// One more external ID of the profile.
    pub fn external_id(mut self, external_id: ExternalId) -> Self {
        self.external_ids.push(external_id);
        self
    }

    /// More external IDs of the profile.
    pub fn external_ids(mut self, external_ids: impl IntoIterator<Item = ExternalId>) -> Self {
        self.external_ids.extend(external_ids);
        self
    }

    /// The update. Costs a sort of the external IDs.
    ///
    /// # Errors
    ///
    /// A required field that was not given; an empty id; a merge that does not state the update's own
    /// profile.
    pub fn build(self) -> Result<ProfileUpdate, InputError> {
        let update = ProfileUpdate {
            id: non_empty("id", given("id", self.id)?)?,
            space_id: non_empty("space_id", given("space_id", self.space_id)?)?,
            profile_id: non_empty("profile_id", given("profile_id", self.profile_id)?)?,
            computation: given("computation", self.computation)?,
            membership: given("membership", self.membership)?,
            computed_at: self.computed_at,
            trigger: given("trigger", self.trigger)?,
            external_ids: ExternalIds::new(self.external_ids),
        };
        ProfileUpdate::must_state_its_own_profile(&update.trigger, &update.profile_id)?;
        Ok(update)
    }
}

fn given<T>(name: &str, value: Option<T>) -> Result<T, InputError> {
    value.ok_or_else(|| InputError::new(name, Problem::Missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::entry;
    use crate::input::trigger::MergedProfile;

    #[test]
    fn the_time_may_be_given_as_an_option() {
        let known = entry().computed_at(Timestamp::MAX);
        assert_eq!(entry().maybe_computed_at(Some(Timestamp::MAX)).build(), known.clone().build());
        assert_eq!(known.maybe_computed_at(None).build(), entry().build());
    }

    #[test]
    fn a_merge_states_the_own_profile() {
        let merge_of = |ids: &[&str]| {
            let profiles = ids.iter().map(|id| MergedProfile::new(*id, Membership::Out).unwrap());
            entry().trigger(Trigger::profile_merge(profiles).unwrap()).build()
        };
        merge_of(&["use_1"]).unwrap();
        merge_of(&["use_0", "use_1", "use_2"]).unwrap();
        for others in [&["use_2"][..], &["use_0", "use_2"], &["use_10"], &["Use_1"]] {
            let refused = merge_of(others).unwrap_err();
            assert_eq!(refused.field(), "trigger.profiles");
            assert_eq!(*refused.problem(), Problem::WithoutOwnProfile { profile_id: "use_1".into() });
        }
    }
}
