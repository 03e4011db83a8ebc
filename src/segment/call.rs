//! One call, and what it says about itself.

use core::fmt;

use serde::Serialize;

use crate::event::outbound::OutboundMessage;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::segment::calls::{Calls, ESCAPED, MAX_CALL_SIZE, Receivers};
use crate::segment::json_size::json_size;
use crate::segment::message_id::CallId;
use crate::segment::person::Person;
use crate::segment::settings::CallType;

/// One call, an `identify` or a `track`, which serialises as it is sent.
///
/// Borrows everything, and allocates nothing when it is written.
pub struct Call<'m, V: ?Sized = (), P = ()> {
    pub(super) calls: &'m Calls<'m, V, P>,
    pub(super) receivers: &'m Receivers<'m>,
    pub(super) message: OutboundMessage<'m>,
    pub(super) person: Person<'m>,
    pub(super) id: CallId,
}

impl<'m, V: ?Sized, P> Call<'m, V, P> {
    /// What receivers drop repeats by.
    pub fn message_id(&self) -> CallId {
        self.id
    }

    /// The kind of call.
    pub fn call_type(&self) -> CallType {
        self.receivers.route.call()
    }

    /// The destinations that the call goes to, by id: several only where plain destinations share it.
    pub fn destinations(&self) -> &'m [&'m Destination] {
        self.calls.members(self.receivers)
    }

    /// The combination of external IDs that the call is about, by type. For an Engage sender, which
    /// is given all IDs of the event, the latest of each type.
    pub fn external_ids(&self) -> impl Iterator<Item = &'m ExternalId> + Clone {
        self.message.external_ids()
    }

    /// Whether the call is an Engage sender's, with all IDs of the event.
    pub fn is_engage(&self) -> bool {
        self.receivers.route.settings.is_engage()
    }
}

impl<V: Serialize + ?Sized, P: Serialize> Call<'_, V, P> {
    /// How many bytes the call has as compact JSON, counted without writing it.
    pub fn json_size(&self) -> usize {
        // What the caller gave has been counted before, and everything else can be written.
        json_size(self).unwrap_or(usize::MAX)
    }

    /// Whether the call is below the limit; `size` is how many bytes everything but the person and the
    /// IDs can have. Counts only where that can make a difference, which is nearly never.
    pub(super) fn is_small_enough(&self, size: usize) -> bool {
        let person = self.person.bytes().saturating_mul(ESCAPED);
        let ids =
            self.external_ids().map(most_bytes).fold(size.saturating_add(person), usize::saturating_add);
        let most = match self.is_engage() {
            true => self.calls.addresses().map(most_bytes).fold(ids, usize::saturating_add),
            false => ids,
        };
        is_below_limit(most) || is_below_limit(self.json_size())
    }
}

fn is_below_limit(bytes: usize) -> bool {
    bytes < MAX_CALL_SIZE
}

/// How many bytes an external ID has in a call, at most.
fn most_bytes(id: &ExternalId) -> usize {
    /// The names of its fields, its collection, and what stands between them: 76 bytes, and room.
    const AROUND_AN_ID: usize = 96;
    let texts =
        [id.id(), id.id_type(), id.encoding()].map(str::len).into_iter().fold(0, usize::saturating_add);
    texts.saturating_mul(ESCAPED).saturating_add(AROUND_AN_ID)
}

/// Without the external IDs.
impl<V: ?Sized, P> fmt::Debug for Call<'_, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("message_id", &self.id)
            .field("call_type", &self.call_type())
            .field("destinations", &self.destinations())
            .finish_non_exhaustive()
    }
}
