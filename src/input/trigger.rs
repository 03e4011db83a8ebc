//! Trigger reasons: why an update was emitted.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::input::error::{InputError, Problem, refuse_repeats};
use crate::input::external_id::ExternalIdKey;
use crate::input::listed::listed;
use crate::input::membership::Membership;
use crate::input::name::Name;
use crate::input::read::field::non_empty;
use crate::label::labels;

/// Why an update was emitted. It decides whether a messaging destination is sent anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The profile entered or exited the computation, or got or lost its trait value.
    ValueChanged,
    /// External IDs were attached to the profile.
    NewExternalId(AddedIds),
    /// Profiles were merged into this one.
    ProfileMerge(MergedProfiles),
    /// External IDs were removed from the profile.
    ExternalIdRemoved(RemovedIds),
}

/// The name of a [`Trigger`], without what it carries: a label for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TriggerReason {
    /// `value_changed`
    ValueChanged,
    /// `new_external_id`
    NewExternalId,
    /// `profile_merge`
    ProfileMerge,
    /// `external_id_removed`
    ExternalIdRemoved,
}

/// The IDs that an update of reason [`NewExternalId`](TriggerReason::NewExternalId) says were
/// attached: at least one, each once, by identity. Made by [`Trigger::new_external_id`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddedIds(Box<[ExternalIdKey]>);

/// The IDs that an update of reason [`ExternalIdRemoved`](TriggerReason::ExternalIdRemoved) says
/// were removed: at least one, each once, by identity. Made by [`Trigger::external_id_removed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemovedIds(Box<[ExternalIdKey]>);

/// The profiles as they were before a merge: at least one, each once, by id. Made by
/// [`Trigger::profile_merge`].
///
/// In a [`ProfileUpdate`](crate::ProfileUpdate) the update's own profile is among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MergedProfiles(Box<[MergedProfile]>);

/// A profile as it was before a merge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MergedProfile {
    pub(super) profile_id: Name,
    pub(super) membership: Membership,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_ids: Option<Box<[ExternalIdKey]>>,
}

impl Trigger {
    /// The reason without what it carries.
    pub fn reason(&self) -> TriggerReason {
        match self {
            Self::ValueChanged => TriggerReason::ValueChanged,
            Self::NewExternalId(_) => TriggerReason::NewExternalId,
            Self::ProfileMerge(_) => TriggerReason::ProfileMerge,
            Self::ExternalIdRemoved(_) => TriggerReason::ExternalIdRemoved,
        }
    }

    /// IDs were attached to the profile.
    ///
    /// # Errors
    ///
    /// No ID in `added`.
    pub fn new_external_id(added: impl IntoIterator<Item = ExternalIdKey>) -> Result<Self, InputError> {
        keys_of("added", added.into_iter().collect()).map(|keys| Self::NewExternalId(AddedIds(keys)))
    }

    /// Profiles were merged. State all of them as they were before, the one that survives included; one
    /// that did not exist before is stated as out, and holding no IDs.
    ///
    /// # Errors
    ///
    /// No profile in `profiles`; one that is stated twice. That the update's own profile is among them is
    /// checked where its id is known: in [`build`](crate::ProfileUpdateBuilder::build).
    pub fn profile_merge(profiles: impl IntoIterator<Item = MergedProfile>) -> Result<Self, InputError> {
        let mut profiles: Vec<_> = profiles.into_iter().collect();
        if profiles.is_empty() {
            return Err(InputError::new("profiles", Problem::Empty));
        }
        refuse_repeats("profile_id", profiles.iter().map(MergedProfile::profile_id))
            .map_err(|error| error.within("profiles"))?;
        profiles.sort_unstable_by(|a, b| a.profile_id.cmp(&b.profile_id));
        Ok(Self::ProfileMerge(MergedProfiles(profiles.into())))
    }

    /// IDs were removed from the profile.
    ///
    /// # Errors
    ///
    /// No ID in `removed`.
    pub fn external_id_removed(removed: impl IntoIterator<Item = ExternalIdKey>) -> Result<Self, InputError> {
        keys_of("removed", removed.into_iter().collect())
            .map(|keys| Self::ExternalIdRemoved(RemovedIds(keys)))
    }
}

fn keys_of(field: &str, keys: Vec<ExternalIdKey>) -> Result<Box<[ExternalIdKey]>, InputError> {
    match keys.is_empty() {
        true => Err(InputError::new(field, Problem::Empty)),
        false => Ok(sorted(keys)),
    }
}

pub(super) fn sorted(mut keys: Vec<ExternalIdKey>) -> Box<[ExternalIdKey]> {
    keys.sort_unstable();
    keys.dedup();
    keys.into()
}

labels!(TriggerReason {
    ValueChanged => "value_changed",
    NewExternalId => "new_external_id",
    ProfileMerge => "profile_merge",
    ExternalIdRemoved => "external_id_removed",
});

impl AddedIds {
    /// Whether the ID is among them. Costs a binary search.
    pub fn contains(&self, key: &ExternalIdKey) -> bool {
        self.0.binary_search(key).is_ok()
    }
}

listed!(AddedIds(0) of ExternalIdKey, "by identity, at least one");

impl RemovedIds {
    /// Whether the ID is among them. Costs a binary search.
    pub fn contains(&self, key: &ExternalIdKey) -> bool {
        self.0.binary_search(key).is_ok()
    }
}

listed!(RemovedIds(0) of ExternalIdKey, "by identity, at least one");

impl MergedProfiles {
    /// The profile with this id, if the merge states it. Costs a binary search.
    pub fn get(&self, profile_id: &str) -> Option<&MergedProfile> {
        debug_assert!(self.0.is_sorted_by(|a, b| a.profile_id < b.profile_id), "{EACH_PROFILE_ONCE}");
        let position = self.0.binary_search_by(|profile| (*profile.profile_id).cmp(profile_id)).ok()?;
        self.0.get(position)
    }
}

listed!(MergedProfiles(0) of MergedProfile, "by id, at least one");

/// What a look-up among the profiles of a merge relies on.
const EACH_PROFILE_ONCE: &str = "the profiles of a merge are sorted by id, each once";

impl MergedProfile {
    /// A profile of which it is not known what IDs it held.
    ///
    /// # Errors
    ///
    /// An empty `profile_id`.
    pub fn new<'a>(profile_id: impl Into<Cow<'a, str>>, membership: Membership) -> Result<Self, InputError> {
        Ok(Self { profile_id: non_empty("profile_id", profile_id)?, membership, external_ids: None })
    }

    /// The same profile, known to have held these IDs, or none.
    pub fn holding(self, external_ids: impl IntoIterator<Item = ExternalIdKey>) -> Self {
        Self { external_ids: Some(sorted(external_ids.into_iter().collect())), ..self }
    }

    /// The same profile, known to have held these IDs, or none; or not known to have, if `None`.
    pub fn maybe_holding(self, external_ids: Option<impl IntoIterator<Item = ExternalIdKey>>) -> Self {
        match external_ids {
            Some(external_ids) => self.holding(external_ids),
            None => Self { external_ids: None, ..self },
        }
    }

    /// The profile's id before the merge.
    pub fn profile_id(&self) -> &str {
        &self.profile_id
    }

    /// Whether the profile was in the computation before the merge.
    pub fn membership(&self) -> Membership {
        self.membership
    }

    /// The IDs that the profile held, by identity, if they are known.
    pub fn external_ids(&self) -> Option<&[ExternalIdKey]> {
        self.external_ids.as_deref()
    }
}

impl Serialize for Trigger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = match self {
            Self::ValueChanged => 1,
            Self::NewExternalId(_) | Self::ProfileMerge(_) | Self::ExternalIdRemoved(_) => 2,
        };
        let mut object = serializer.serialize_struct("Trigger", fields)?;
        object.serialize_field("reason", &self.reason())?;
        match self {
            Self::ValueChanged => {}
            Self::NewExternalId(AddedIds(added)) => object.serialize_field("added", added)?,
            Self::ProfileMerge(MergedProfiles(profiles)) => object.serialize_field("profiles", profiles)?,
            Self::ExternalIdRemoved(RemovedIds(removed)) => object.serialize_field("removed", removed)?,
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn key(id: &str) -> ExternalIdKey {
        ExternalIdKey::new("email", id).unwrap()
    }

    #[test]
    fn what_a_trigger_carries_is_gone_through_and_looked_up() {
        let Trigger::NewExternalId(added) = Trigger::new_external_id([key("b"), key("a")]).unwrap() else {
            panic!()
        };
        let Trigger::ExternalIdRemoved(removed) = Trigger::external_id_removed([key("b"), key("a")]).unwrap()
        else {
            panic!()
        };
        assert_eq!((added.len(), added.iter().len()), (2, 2));
        assert_eq!((removed.len(), removed.iter().len()), (2, 2));
        assert!(added.contains(&key("a")) && added.contains(&key("b")) && !added.contains(&key("c")));
        assert!(removed.contains(&key("a")) && removed.contains(&key("b")) && !removed.contains(&key("c")));
        let mut seen = Vec::new();
        for id in &added {
            seen.push(id.clone());
        }
        assert_eq!(seen, [key("a"), key("b")]);
        assert!(added.into_iter().eq(seen.clone()) && removed.into_iter().eq(seen));

        let profiles = ["use_2", "use_1"].map(|id| MergedProfile::new(id, Membership::In).unwrap());
        let Trigger::ProfileMerge(merged) = Trigger::profile_merge(profiles.clone()).unwrap() else {
            panic!()
        };
        assert_eq!((merged.len(), merged.iter().len()), (2, 2));
        assert!((&merged).into_iter().eq(profiles.iter().rev()));
        assert!(merged.into_iter().eq(profiles.into_iter().rev()));
    }

    #[test]
    fn what_a_profile_held_may_be_unknown() {
        let profile = MergedProfile::new("use_1", Membership::In).unwrap();
        let held = profile.clone().maybe_holding(Some([key("b"), key("a")]));
        assert_eq!(held.external_ids(), Some(&[key("a"), key("b")][..]));
        assert_eq!(profile.clone().maybe_holding(Some([])).external_ids(), Some(&[][..]));
        assert_eq!(held.maybe_holding(None::<[ExternalIdKey; 0]>), profile);
    }

    #[test]
    fn a_merged_profile_is_found_by_its_id() {
        let stated =
            |id: &str, held: &str| MergedProfile::new(id, Membership::In).unwrap().holding([key(held)]);
        let given = [stated("use_3", "c"), stated("use_1", "a"), stated("use_10", "x"), stated("use_2", "b")];
        let Trigger::ProfileMerge(profiles) = Trigger::profile_merge(given).unwrap() else { panic!() };
        let ids: Vec<_> = profiles.as_slice().iter().map(MergedProfile::profile_id).collect();
        assert_eq!(ids, ["use_1", "use_10", "use_2", "use_3"]);
        for (id, held) in [("use_1", "a"), ("use_10", "x"), ("use_2", "b"), ("use_3", "c")] {
            assert_eq!(profiles.get(id).unwrap().external_ids(), Some(&[key(held)][..]), "{id}");
        }
        assert_eq!(profiles.get("use_4"), None);
        assert_eq!(profiles.get(""), None);
    }

    #[test]
    fn a_profile_is_stated_once_and_the_first_repeat_is_named() {
        let stated = |id: &str| MergedProfile::new(id, Membership::Out).unwrap();
        let twice = |ids: &[&str]| {
            let error = Trigger::profile_merge(ids.iter().map(|id| stated(id))).unwrap_err();
            (String::from(error.field()), error.problem().clone())
        };
        let repeat = |id: &str| Problem::Duplicate { value: id.into() };
        assert_eq!(twice(&["b", "a", "b"]), ("profiles[2].profile_id".into(), repeat("b")));
        assert_eq!(twice(&["b", "a", "c", "b", "a"]), ("profiles[3].profile_id".into(), repeat("b")));
        assert_eq!(twice(&["a", "a"]), ("profiles[1].profile_id".into(), repeat("a")));
    }

    #[test]
    fn what_a_trigger_carries_is_each_once_and_sorted() {
        let given = [key("b"), key("a"), key("b")];
        let Trigger::NewExternalId(added) = Trigger::new_external_id(given.clone()).unwrap() else {
            panic!()
        };
        assert_eq!(added.as_slice(), [key("a"), key("b")]);
        let Trigger::ExternalIdRemoved(removed) = Trigger::external_id_removed(given.clone()).unwrap() else {
            panic!()
        };
        assert_eq!(removed.as_slice(), [key("a"), key("b")]);
        let profile = MergedProfile::new("use_1", Membership::Out).unwrap().holding(given);
        let Trigger::ProfileMerge(profiles) = Trigger::profile_merge([profile]).unwrap() else { panic!() };
        let [profile] = profiles.as_slice() else { panic!() };
        assert_eq!((profile.profile_id(), profile.membership()), ("use_1", Membership::Out));
        assert_eq!(profile.external_ids(), Some(&[key("a"), key("b")][..]));
    }
}
