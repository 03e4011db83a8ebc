//! Outbound messages: what an event turns into, one message per combination of its external IDs.

use alloc::vec::Vec;
use core::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::event::{IdGroupEvent, SentTo};
use crate::input::external_id::ExternalId;
use crate::input::external_id::Outbound;

/// The outbound messages of an event: all combinations of its external IDs, one ID of each type.
///
/// 2 IDs of type `user_id` and 3 of type `email` make 6 messages. Nothing is multiplied out: this
/// holds a few words per type, a message is two words, and its IDs are looked up when they are asked for.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use idgroup::{Computation, ExternalId, Membership, ProfileUpdate, Trigger};
/// # use idgroup::{decide, Destination, Destinations};
/// # let mut update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_1")
/// #     .computation(Computation::new("aud_1")?).membership(Membership::In).trigger(Trigger::ValueChanged);
/// for user_id in ["1", "2"] {
///     update = update.external_id(ExternalId::new("user_id", user_id)?);
/// }
/// for email in ["a@example.com", "b@example.com", "c@example.com"] {
///     update = update.external_id(ExternalId::new("email", email)?);
/// }
/// let update = update.build()?;
/// let destinations = Destinations::new([Destination::new("dst_1")?])?;
///
/// let events = decide(&update, &destinations);
/// let messages = events[0].outbound_messages();
/// assert_eq!(messages.count(), 6);
/// assert_eq!(messages.iter().count(), 6);
/// let last: Vec<_> = messages.get(5).unwrap().external_ids().map(|id| id.id()).collect();
/// assert_eq!(last, ["a@example.com", "1"]);
/// # Ok(())
/// # }
/// ```
pub struct OutboundMessages<'e> {
    event: &'e IdGroupEvent<'e>,
    types: Vec<OneType>,
    count: u64,
}

/// Where the IDs of one type lie in an event, and how fast they take turns.
struct OneType {
    first: usize,
    /// How many messages in a row have the same ID of this type. Saturates, which is harmless:
    /// no position is that high.
    stride: u64,
}

/// One outbound message of an event: one ID of each type.
#[derive(Clone, Copy)]
pub struct OutboundMessage<'m> {
    of: &'m OutboundMessages<'m>,
    position: u64,
}

impl IdGroupEvent<'_> {
    /// The messages that this event stands for. Costs in the number of the event's IDs, whatever the
    /// number of messages.
    pub fn outbound_messages(&self) -> OutboundMessages<'_> {
        OutboundMessages::new(self)
    }
}

impl<'e> OutboundMessages<'e> {
    fn new(event: &'e IdGroupEvent<'e>) -> Self {
        let mut first: usize = 0;
        let lengths = event.id_group().external_ids().lengths_by_type();
        let mut types: Vec<(OneType, usize)> = lengths
            .map(|length| {
                let one_type = OneType { first, stride: 1 };
                first = first.saturating_add(length);
                (one_type, length)
            })
            .collect();
        let count = types.iter_mut().rev().fold(1, |stride: u64, (one_type, length)| {
            one_type.stride = stride;
            stride.saturating_mul(*length as u64)
        });
        Self { event, types: types.into_iter().map(|(one_type, _)| one_type).collect(), count }
    }

    /// The event.
    pub fn event(&self) -> &'e IdGroupEvent<'e> {
        self.event
    }

    /// How many messages there are; [`u64::MAX`] if there are that many or more.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The message at `position`, in constant time.
    pub fn get(&self, position: u64) -> Option<OutboundMessage<'_>> {
        (position < self.count).then_some(OutboundMessage { of: self, position })
    }

    /// The messages in order: the IDs of the last type take turns fastest. Allocates nothing.
    pub fn iter(&self) -> impl Iterator<Item = OutboundMessage<'_>> + Clone + '_ {
        (0..self.count).map(|position| OutboundMessage { of: self, position })
    }
}

impl<'m> OutboundMessage<'m> {
    /// The event.
    pub fn event(&self) -> &'m IdGroupEvent<'m> {
        self.of.event
    }

    /// Where the message stands among those of its event.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The external IDs: one of each type of the event, by type.
    pub fn external_ids(&self) -> impl Iterator<Item = &'m ExternalId> + Clone + use<'m> {
        let ids = self.event().id_group().external_ids();
        let mut rest = self.position;
        self.of.types.iter().filter_map(move |one_type| {
            // The stride is at least 1, and the first type's turn is less than the number of its IDs,
            // because the position is less than the count.
            let turn = rest.checked_div(one_type.stride)?;
            rest = rest.wrapping_sub(turn.wrapping_mul(one_type.stride));
            ids.get(one_type.first.saturating_add(usize::try_from(turn).ok()?))
        })
    }

    /// The destinations that the message goes to, by id.
    pub fn destinations(&self) -> &'m SentTo<'m> {
        self.event().destinations()
    }
}

/// Types and not IDs, which are personal data.
impl fmt::Debug for OutboundMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.external_ids()).finish()
    }
}

impl fmt::Debug for OutboundMessages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundMessages").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The external IDs and the destinations, as events have them. The event's message id is not among
/// them: it is the key of the whole event, and whoever sends messages one by one must not use it to
/// drop repeats of a single one.
impl Serialize for OutboundMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("OutboundMessage", 2)?;
        object.serialize_field("external_ids", &Ids(*self))?;
        object.serialize_field("destinations", self.destinations())?;
        object.end()
    }
}

struct Ids<'m>(OutboundMessage<'m>);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.external_ids().map(Outbound))
    }
}
