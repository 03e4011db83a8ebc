//! The form in which events go out, whoever owns their data.

use core::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::event::id_group::MessageId;
use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::TriggerReason;
use crate::input::update::Computation;

/// The fields of an event, in the order in which they are written.
#[derive(Serialize)]
pub(super) struct EventFields<'e, G, D: ?Sized> {
    pub(super) message_id: MessageId,
    pub(super) update_id: &'e str,
    pub(super) space_id: &'e str,
    pub(super) profile_id: &'e str,
    pub(super) computation: &'e Computation,
    pub(super) membership: Membership,
    pub(super) reason: TriggerReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) computed_at: Option<Timestamp>,
    pub(super) id_group: &'e G,
    pub(super) destinations: &'e D,
}

impl<G: fmt::Debug, D: fmt::Debug + ?Sized> EventFields<'_, G, D> {
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("message_id", &self.message_id)
            .field("update_id", &self.update_id)
            .field("space_id", &self.space_id)
            .field("profile_id", &self.profile_id)
            .field("computation", &self.computation)
            .field("membership", &self.membership)
            .field("reason", &self.reason)
            .field("computed_at", &self.computed_at)
            .field("id_group", &self.id_group)
            .field("destinations", &self.destinations)
            .finish()
    }
}

/// An external ID as an event carries it: without times.
pub(crate) struct Outbound<'a>(pub(crate) &'a ExternalId);

impl Serialize for Outbound<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ExternalId", 4)?;
        object.serialize_field("type", self.0.id_type())?;
        object.serialize_field("id", self.0.id())?;
        object.serialize_field("collection", &self.0.collection())?;
        object.serialize_field("encoding", self.0.encoding())?;
        object.end()
    }
}

/// External IDs as events carry them, in types that own theirs.
pub(crate) fn serialize_outbound<S: Serializer>(
    ids: &[ExternalId],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(Outbound))
}
