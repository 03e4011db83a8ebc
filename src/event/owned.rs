//! Events that own their data: to be kept, sent to another thread, or read back.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};

use crate::event::IdGroupEvent;
use crate::event::id_group::{IdGroupHash, MessageId, MessageIds, hash_of_ids};
use crate::event::outbound::{DestinationIds, OutboundMessages};
use crate::event::selected_ids::IdList;
use crate::event::wire::{EventFields, serialize_outbound};
use crate::input::error::{InputError, Problem};
use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::name::Name;
use crate::input::read::field::Field;
use crate::input::read::object::{IgnoringUnknown, object};
use crate::input::read::shape::{List, NonEmptyText, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::input::timestamp::Timestamp;
use crate::input::trigger::TriggerReason;
use crate::input::update::{Computation, RawComputation};

/// An [`IdGroupEvent`] that owns its data and can be sent to another thread, kept, or read back from
/// what was written.
///
/// Reading checks what a decision ensures: that there are IDs and destinations, and that the hash and
/// the message id are those of the event. Unknown fields are ignored, because what emits events
/// evolves. Destinations are their ids.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use idgroup::{Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, Trigger, decide};
/// # let update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_1")
/// #     .computation(Computation::new("aud_1")?).membership(Membership::In).trigger(Trigger::ValueChanged)
/// #     .external_id(ExternalId::new("email", "a@example.com")?).build()?;
/// # let destinations = Destinations::new([Destination::new("dst_1")?])?;
/// use idgroup::OwnedIdGroupEvent;
///
/// let events = decide(&update, &destinations);
/// let json = serde_json::to_string(&events[0])?;
/// let read_back: OwnedIdGroupEvent = serde_json::from_str(&json)?;
/// assert_eq!(serde_json::to_string(&read_back)?, json);
/// assert_eq!(read_back.outbound_messages().count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedIdGroupEvent {
    message_id: MessageId,
    update_id: Name,
    space_id: Name,
    profile_id: Name,
    computation: Computation,
    membership: Membership,
    reason: TriggerReason,
    computed_at: Option<Timestamp>,
    id_group: OwnedIdGroup,
    destinations: Box<[Box<str>]>,
}

/// An [`IdGroup`](crate::IdGroup) that owns its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedIdGroup {
    hash: IdGroupHash,
    #[serde(serialize_with = "serialize_outbound")]
    external_ids: Box<[ExternalId]>,
}

impl IdGroupEvent<'_> {
    /// The same event with its own copy of all data: costs an allocation for each string.
    pub fn into_owned(self) -> OwnedIdGroupEvent {
        OwnedIdGroupEvent {
            message_id: self.message_id(),
            update_id: self.update_id().into(),
            space_id: self.space_id().into(),
            profile_id: self.profile_id().into(),
            computation: self.computation().clone(),
            membership: self.membership(),
            reason: self.reason(),
            computed_at: self.computed_at(),
            id_group: OwnedIdGroup {
                hash: self.id_group().hash(),
                external_ids: self.id_group().external_ids().iter().map(ExternalId::without_times).collect(),
            },
            destinations: self.destinations().iter().map(|destination| destination.id().into()).collect(),
        }
    }
}

impl OwnedIdGroupEvent {
    /// The idempotency key, by which whatever receives the event can drop repeats.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// The id of the update.
    pub fn update_id(&self) -> &str {
        &self.update_id
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

    /// Why the update was emitted.
    pub fn reason(&self) -> TriggerReason {
        self.reason
    }

    /// When the update was computed, if that is known.
    pub fn computed_at(&self) -> Option<Timestamp> {
        self.computed_at
    }

    /// The external IDs and their hash.
    pub fn id_group(&self) -> &OwnedIdGroup {
        &self.id_group
    }

    /// The ids of the destinations, in order: at least one.
    pub fn destination_ids(&self) -> DestinationIds<'_> {
        DestinationIds::owned(&self.destinations)
    }

    /// The messages that this event stands for. Costs a look at each of the event's IDs, whatever the
    /// number of messages.
    pub fn outbound_messages(&self) -> OutboundMessages<'_> {
        OutboundMessages::new(
            self.message_id,
            IdList::all(&self.id_group.external_ids),
            self.destination_ids(),
        )
    }

    fn fields(&self) -> EventFields<'_, OwnedIdGroup, [Box<str>]> {
        EventFields {
            message_id: self.message_id,
            update_id: &self.update_id,
            space_id: &self.space_id,
            profile_id: &self.profile_id,
            computation: &self.computation,
            membership: self.membership,
            reason: self.reason,
            computed_at: self.computed_at,
            id_group: &self.id_group,
            destinations: &self.destinations,
        }
    }
}

impl OwnedIdGroup {
    /// The hash of the IDs.
    pub fn hash(&self) -> IdGroupHash {
        self.hash
    }

    /// The IDs, by type and, within a type, from latest to earliest. Without times, which events
    /// don't carry.
    pub fn external_ids(&self) -> &[ExternalId] {
        &self.external_ids
    }
}

object! {
    RawEvent<'de>: IgnoringUnknown {
        "message_id" => message_id: Text<'de>,
        "update_id" => update_id: Text<'de>,
        "space_id" => space_id: Text<'de>,
        "profile_id" => profile_id: Text<'de>,
        "computation" => computation: RawComputation<'de>,
        "membership" => membership: Text<'de>,
        "reason" => reason: Text<'de>,
        "computed_at" => computed_at: Text<'de>,
        "id_group" => id_group: RawIdGroup<'de>,
        "destinations" => destinations: List<NonEmptyText>,
    }
}

object! {
    RawIdGroup<'de>: IgnoringUnknown {
        "hash" => hash: Text<'de>,
        "external_ids" => external_ids: List<ExternalId>,
    }
}

impl<'de> Read<'de> for OwnedIdGroupEvent {
    type Raw = Field<RawEvent<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        let event = Self {
            message_id: raw.message_id.parsed("message_id")?,
            update_id: raw.update_id.name("update_id")?,
            space_id: raw.space_id.name("space_id")?,
            profile_id: raw.profile_id.name("profile_id")?,
            computation: raw.computation.read_required("computation")?,
            membership: raw.membership.parsed("membership")?,
            reason: raw.reason.parsed("reason")?,
            computed_at: raw.computed_at.timestamp("computed_at")?,
            id_group: raw.id_group.read_required("id_group")?,
            destinations: not_empty("destinations", raw.destinations.required_list("destinations")?)?
                .into_iter()
                .map(|NonEmptyText(id)| id)
                .collect(),
        };
        let whose = [&event.space_id, event.computation.id(), &event.profile_id, &event.update_id];
        agree("message_id", &event.message_id, &MessageIds::new(whose).for_group(event.id_group.hash))?;
        Ok(event)
    }
}

impl<'de> Read<'de> for OwnedIdGroup {
    type Raw = Field<RawIdGroup<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        let hash = raw.hash.parsed("hash")?;
        let mut external_ids = not_empty("external_ids", raw.external_ids.required_list("external_ids")?)?;
        // Keeps the order from latest to earliest within a type.
        external_ids.sort_by(|a, b| a.id_type().cmp(b.id_type()));
        agree("hash", &hash, &hash_of_ids(&external_ids))?;
        Ok(Self { hash, external_ids: external_ids.iter().map(ExternalId::without_times).collect() })
    }
}

deserialize_by_read!(OwnedIdGroupEvent, OwnedIdGroup);

fn not_empty<T>(field: &str, list: Vec<T>) -> Result<Vec<T>, InputError> {
    match list.is_empty() {
        true => Err(InputError::new(field, Problem::Empty)),
        false => Ok(list),
    }
}

fn agree<T: PartialEq + fmt::Display>(field: &str, given: &T, computed: &T) -> Result<(), InputError> {
    if given == computed {
        return Ok(());
    }
    let (value, expected) = (given.to_string().into(), computed.to_string().into());
    Err(InputError::new(field, Problem::Inconsistent { value, expected }))
}

impl fmt::Debug for OwnedIdGroupEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().debug("OwnedIdGroupEvent", f)
    }
}

impl Serialize for OwnedIdGroupEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields().serialize(serializer)
    }
}
