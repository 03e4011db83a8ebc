//! Events: what is sent, one for each distinct set of external IDs.

pub(crate) mod amplification;
pub(crate) mod delivery_key;
pub(crate) mod id_group;
pub(crate) mod outbound;
pub(crate) mod owned;
pub(crate) mod selected_ids;
pub(crate) mod sent_to;
pub(crate) mod wire;

use core::fmt;

use serde::{Serialize, Serializer};

use crate::event::id_group::{IdGroup, MessageId, MessageIds};
use crate::event::sent_to::SentTo;
use crate::event::wire::EventFields;
use crate::input::membership::Membership;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::TriggerReason;
use crate::input::update::{Computation, ProfileUpdate};

/// External IDs, the destinations that an update is sent to with just these IDs, and what happened.
///
/// Enough for who receives it: it says who, what and why. Borrows from the update and the destinations
/// that were decided about, and copies neither; [`into_owned`](Self::into_owned) makes it independent
/// of them. Serialises to the JSON that goes out, in which destinations are their ids.
#[derive(Clone, PartialEq, Eq)]
pub struct IdGroupEvent<'a> {
    update: &'a ProfileUpdate,
    message_id: MessageId,
    id_group: IdGroup<'a>,
    destinations: SentTo<'a>,
}

impl<'a> IdGroupEvent<'a> {
    pub(crate) fn new(
        update: &'a ProfileUpdate,
        message_ids: &MessageIds,
        id_group: IdGroup<'a>,
        destinations: SentTo<'a>,
    ) -> Self {
        debug_assert!(!id_group.external_ids().is_empty(), "an event has external IDs");
        Self { update, message_id: message_ids.for_group(id_group.hash()), id_group, destinations }
    }

    /// The idempotency key, by which whatever receives the event can drop repeats.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// The update that the event is of.
    pub fn update(&self) -> &'a ProfileUpdate {
        self.update
    }

    /// The id of the update.
    pub fn update_id(&self) -> &'a str {
        self.update.id()
    }

    /// The tenant.
    pub fn space_id(&self) -> &'a str {
        self.update.space_id()
    }

    /// The canonical profile.
    pub fn profile_id(&self) -> &'a str {
        self.update.profile_id()
    }

    /// The computation.
    pub fn computation(&self) -> &'a Computation {
        self.update.computation()
    }

    /// The profile's standing after the change: by this, a plain destination learns of an exit.
    pub fn membership(&self) -> Membership {
        self.update.membership()
    }

    /// Why the update was emitted.
    pub fn reason(&self) -> TriggerReason {
        self.update.trigger().reason()
    }

    /// When the update was computed, if that is known. Of two events of a profile in a computation the
    /// one that was computed later says how it stands.
    pub fn computed_at(&self) -> Option<Timestamp> {
        self.update.computed_at()
    }

    /// The external IDs and their hash.
    pub fn id_group(&self) -> &IdGroup<'a> {
        &self.id_group
    }

    /// The destinations, by id.
    pub fn destinations(&self) -> &SentTo<'a> {
        &self.destinations
    }

    fn fields(&self) -> EventFields<'_, IdGroup<'a>, SentTo<'a>> {
        EventFields {
            message_id: self.message_id,
            update_id: self.update_id(),
            space_id: self.space_id(),
            profile_id: self.profile_id(),
            computation: self.computation(),
            membership: self.membership(),
            reason: self.reason(),
            computed_at: self.computed_at(),
            id_group: &self.id_group,
            destinations: &self.destinations,
        }
    }
}

impl fmt::Debug for IdGroupEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().debug("IdGroupEvent", f)
    }
}

impl Serialize for IdGroupEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields().serialize(serializer)
    }
}
