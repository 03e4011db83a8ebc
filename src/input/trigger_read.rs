//! How trigger reasons are read, with what they carry.

use core::mem;

use crate::input::error::InputError;
use crate::input::external_id::ExternalIdKey;
use crate::input::membership::Membership;
use crate::input::read::field::Field;
use crate::input::read::object::{IgnoringUnknown, object};
use crate::input::read::shape::{List, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::input::trigger::{MergedProfile, Trigger, TriggerReason, sorted};

object! {
    RawTrigger<'de>: IgnoringUnknown {
        "reason" => reason: Text<'de>,
        "added" => added: List<ExternalIdKey>,
        "profiles" => profiles: List<MergedProfile>,
        "removed" => removed: List<ExternalIdKey>,
    }
}

object! {
    RawMergedProfile<'de>: IgnoringUnknown {
        "profile_id" => profile_id: Text<'de>,
        "membership" => membership: Text<'de>,
        "external_ids" => external_ids: List<ExternalIdKey>,
    }
}

impl<'de> Read<'de> for Trigger {
    type Raw = Field<RawTrigger<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        let Text(reason) = raw.reason.as_required("reason")?;
        match TriggerReason::ALL.into_iter().find(|known| known.as_str() == *reason) {
            Some(TriggerReason::ValueChanged) => Ok(Self::ValueChanged),
            Some(TriggerReason::NewExternalId) => {
                Self::new_external_id(mem::take(&mut raw.added).required_list("added")?)
            }
            Some(TriggerReason::ProfileMerge) => {
                Self::profile_merge(mem::take(&mut raw.profiles).required_list("profiles")?)
            }
            Some(TriggerReason::ExternalIdRemoved) => {
                Self::external_id_removed(mem::take(&mut raw.removed).required_list("removed")?)
            }
            None => Err(InputError::unknown(
                "reason",
                reason,
                &["value_changed", "new_external_id", "profile_merge", "external_id_removed"],
            )),
        }
    }
}

impl<'de> Read<'de> for MergedProfile {
    type Raw = Field<RawMergedProfile<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        Ok(Self {
            profile_id: raw.profile_id.name("profile_id")?,
            membership: Membership::from_name("membership", &raw.membership.as_required("membership")?.0)?,
            external_ids: mem::take(&mut raw.external_ids).list("external_ids")?.map(sorted),
        })
    }
}

deserialize_by_read!(Trigger, MergedProfile);
