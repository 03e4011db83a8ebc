//! The form in which events go out, whoever owns their data.

use core::fmt;

use serde::Serialize;

use crate::event::id_group::MessageId;
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
