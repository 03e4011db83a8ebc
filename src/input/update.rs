//! Updates: what the compute engine says about one profile in one computation.

use alloc::borrow::Cow;
use core::mem;

use serde::Serialize;

use crate::input::error::{InputError, Problem, excerpt};
use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::name::Name;
use crate::input::profile_ids::ExternalIds;
use crate::input::read::field::{Field, non_empty};
use crate::input::read::object::{IgnoringUnknown, object};
use crate::input::read::shape::{List, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::input::timestamp::Timestamp;
use crate::input::trigger::Trigger;
use crate::input::trigger_read::RawTrigger;

/// One change of a profile's standing in a computation, with the profile's external IDs.
///
/// Comes from JSON with serde, or from code with [`ProfileUpdate::builder`]; either way it is
/// checked once, here, and a decision about it cannot fail. Unknown fields are ignored, because
/// what emits updates evolves. The cost of reading grows with the length of the input, whose IDs are sorted.
///
/// # Formats
///
/// This type, and all others that come in, are read from any format that describes itself, with the
/// names of fields: JSON, CBOR, or what `rmp_serde::to_vec_named` writes. Objects written
/// as arrays are refused as such. Formats that don't describe themselves can't be read, and nothing is ever
/// misread: they refuse before these types are asked, and so in words of their own, which name
/// `deserialize_any` or, from postcard, read `This is a feature that PostCard will never implement`. Only a
/// [`Memory`](crate::Memory) is read from them, too.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Computation, ExternalId, Membership, ProfileUpdate, Trigger};
///
/// let from_code = ProfileUpdate::builder()
///     .id("upd_1")
///     .space_id("spa_1")
///     .profile_id("use_1")
///     .computation(Computation::new("aud_1")?.with_class("audience"))
///     .membership(Membership::In)
///     .computed_at("2026-01-05T10:00:00Z".parse()?)
///     .trigger(Trigger::ValueChanged)
///     .external_id(ExternalId::new("email", "a@example.com")?)
///     .build()?;
/// let from_json: ProfileUpdate = serde_json::from_str(
///     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1",
///         "computation":{"class":"audience","id":"aud_1"},
///         "membership":"in","computed_at":"2026-01-05T10:00:00Z",
///         "trigger":{"reason":"value_changed"},
///         "external_ids":[{"type":"email","id":"a@example.com"}]}"#,
/// )?;
/// assert_eq!(from_code, from_json);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ProfileUpdate {
    pub(super) id: Name,
    pub(super) space_id: Name,
    pub(super) profile_id: Name,
    pub(super) computation: Computation,
    pub(super) membership: Membership,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) computed_at: Option<Timestamp>,
    pub(super) trigger: Trigger,
    pub(super) external_ids: ExternalIds,
}

/// The audience, trait or journey step that an update is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Computation {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Name>,
    id: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Name>,
}

impl ProfileUpdate {
    /// The update's id: the same on every redelivery of the same update.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tenant.
    pub fn space_id(&self) -> &str {
        &self.space_id
    }

    /// The canonical profile.
    pub fn profile_id(&self) -> &str {
        &self.profile_id
    }

    /// The computation.
    pub fn computation(&self) -> &Computation {
        &self.computation
    }

    /// The profile's standing after the change.
    pub fn membership(&self) -> Membership {
        self.membership
    }

    /// When the update was computed, if that is known. Deduping decisions see the profile as it was then.
    pub fn computed_at(&self) -> Option<Timestamp> {
        self.computed_at
    }

    /// Why the update was emitted.
    pub fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    /// The profile's external IDs, each once: by type and, within a type, from latest to earliest.
    pub fn external_ids(&self) -> &[ExternalId] {
        self.external_ids.as_slice()
    }

    /// The invariant of merges, checked where an update comes to be: what a decision about a merge makes
    /// of the profiles is right only if its own is among them.
    pub(super) fn must_state_its_own_profile(trigger: &Trigger, profile_id: &str) -> Result<(), InputError> {
        match trigger {
            Trigger::ProfileMerge(profiles) if profiles.get(profile_id).is_none() => {
                let profile_id = excerpt(profile_id);
                Err(InputError::new("trigger.profiles", Problem::WithoutOwnProfile { profile_id }))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn id_set(&self) -> &ExternalIds {
        &self.external_ids
    }
}

impl Computation {
    /// A computation of which only the id is known. No decision needs more.
    ///
    /// # Errors
    ///
    /// An empty `id`.
    pub fn new<'a>(id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        Ok(Self { id: non_empty("id", id)?, class: None, key: None })
    }

    /// The same computation with its class, such as `audience` or `computed_trait`.
    pub fn with_class<'a>(self, class: impl Into<Cow<'a, str>>) -> Self {
        Self { class: Some(class.into().into()), ..self }
    }

    /// The same computation with its key, the name that the customer gave it.
    pub fn with_key<'a>(self, key: impl Into<Cow<'a, str>>) -> Self {
        Self { key: Some(key.into().into()), ..self }
    }

    /// The same computation with its class, or without one.
    pub fn maybe_class<'a>(self, class: Option<impl Into<Cow<'a, str>>>) -> Self {
        Self { class: class.map(|class| class.into().into()), ..self }
    }

    /// The same computation with its key, or without one.
    pub fn maybe_key<'a>(self, key: Option<impl Into<Cow<'a, str>>>) -> Self {
        Self { key: key.map(|key| key.into().into()), ..self }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The class, if it was given.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// The key, if it was given.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

object! {
    RawUpdate<'de>: IgnoringUnknown {
        "id" => id: Text<'de>,
        "space_id" => space_id: Text<'de>,
        "profile_id" => profile_id: Text<'de>,
        "computation" => computation: RawComputation<'de>,
        "membership" => membership: Text<'de>,
        "computed_at" => computed_at: Text<'de>,
        "trigger" => trigger: RawTrigger<'de>,
        "external_ids" => external_ids: List<ExternalId>,
    }
}

object! {
    RawComputation<'de>: IgnoringUnknown {
        "id" => id: Text<'de>,
        "class" => class: Text<'de>,
        "key" => key: Text<'de>,
    }
}

impl<'de> Read<'de> for ProfileUpdate {
    type Raw = Field<RawUpdate<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        let (id, space_id) = (raw.id.non_empty("id")?, raw.space_id.non_empty("space_id")?);
        let profile_id = raw.profile_id.non_empty("profile_id")?;
        let computation = raw.computation.take_required("computation")?;
        let membership = Membership::from_name("membership", &raw.membership.as_required("membership")?.0)?;
        let computed_at = raw.computed_at.timestamp("computed_at")?;
        let trigger = raw.trigger.take_required("trigger")?;
        let external_ids = mem::take(&mut raw.external_ids).required_list("external_ids")?;
        Self::must_state_its_own_profile(&trigger, profile_id)?;
        Ok(Self {
            id: id.into(),
            space_id: space_id.into(),
            profile_id: profile_id.into(),
            computation,
            membership,
            computed_at,
            trigger,
            external_ids: ExternalIds::new(external_ids),
        })
    }
}

impl<'de> Read<'de> for Computation {
    type Raw = Field<RawComputation<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        Ok(Self {
            id: raw.id.name("id")?,
            class: raw.class.as_optional("class")?.map(|Text(class)| (**class).into()),
            key: raw.key.as_optional("key")?.map(|Text(key)| (**key).into()),
        })
    }
}

deserialize_by_read!(ProfileUpdate, Computation);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computation_keeps_what_it_was_given() {
        let computation = Computation::new("aud_1").unwrap();
        assert_eq!((computation.id(), computation.class(), computation.key()), ("aud_1", None, None));
        let computation = computation.with_class("audience").with_key("vip");
        assert_eq!((computation.class(), computation.key()), (Some("audience"), Some("vip")));
        let known = Computation::new("aud_1").unwrap().maybe_class(Some("audience")).maybe_key(Some("vip"));
        assert_eq!(known, computation);
        let unknown = known.maybe_class(None::<&str>).maybe_key(None::<&str>);
        assert_eq!(unknown, Computation::new("aud_1").unwrap());
    }
}
