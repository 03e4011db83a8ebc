//! Outbound messages: what an event turns into, one message per combination of its external IDs.

use alloc::boxed::Box;
use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::event::IdGroupEvent;
use crate::event::delivery_key::DeliveryKey;
use crate::event::id_group::MessageId;
use crate::event::selected_ids::{IdList, lengths_by_type};
use crate::event::sent_to::SentToIter;
use crate::event::wire::Outbound;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;

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
#[derive(Clone)]
pub struct OutboundMessages<'e> {
    message_id: MessageId,
    ids: IdList<'e, 'e>,
    destinations: DestinationIds<'e>,
    types: SmallVec<[OneType; 6]>,
    count: u64,
}

/// Where the IDs of one type lie in an event, and how fast they take turns.
#[derive(Clone, Copy)]
struct OneType {
    first: usize,
    /// How many messages in a row have the same ID of this type: at least 1. Saturates, which is
    /// harmless: no position is that high.
    stride: u64,
}

const POSITIONS_ARE_BELOW_THE_COUNT: &str = "a message's position is less than the number of messages";

/// One outbound message of an event: one ID of each type.
#[derive(Clone, Copy)]
pub struct OutboundMessage<'m> {
    of: &'m OutboundMessages<'m>,
    /// Less than the number of messages.
    position: u64,
}

/// The outbound messages of an event, in order.
#[derive(Clone)]
pub struct OutboundMessagesIter<'m> {
    of: &'m OutboundMessages<'m>,
    next: u64,
}

/// The ids of an event's destinations, in order.
#[derive(Clone)]
pub struct DestinationIds<'e>(Ids<'e>);

#[derive(Clone)]
enum Ids<'e> {
    Borrowed(SentToIter<'e, 'e>),
    Owned(slice::Iter<'e, Box<str>>),
}

impl IdGroupEvent<'_> {
    /// The messages that this event stands for. Costs a look at each of the event's IDs, whatever the
    /// number of messages.
    pub fn outbound_messages(&self) -> OutboundMessages<'_> {
        let destinations = DestinationIds(Ids::Borrowed(self.destinations().iter()));
        OutboundMessages::new(self.message_id(), self.id_group().external_ids().list(), destinations)
    }
}

impl<'e> OutboundMessages<'e> {
    /// `ids` are listed by type.
    pub(crate) fn new(message_id: MessageId, ids: IdList<'e, 'e>, destinations: DestinationIds<'e>) -> Self {
        let mut first: usize = 0;
        let mut types: SmallVec<[OneType; 6]> = SmallVec::new();
        let mut lengths: SmallVec<[usize; 6]> = SmallVec::new();
        for length in lengths_by_type(ids.iter()) {
            types.push(OneType { first, stride: 1 });
            lengths.push(length);
            first = first.saturating_add(length);
        }
        // Without IDs there is no message, and not the one of no types.
        let all = u64::from(!types.is_empty());
        let count = types.iter_mut().zip(&lengths).rev().fold(all, |stride: u64, (one_type, length)| {
            one_type.stride = stride;
            stride.saturating_mul(*length as u64)
        });
        Self { message_id, ids, destinations, types, count }
    }

    /// The idempotency key of the event.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// The ids of the destinations that every message goes to, in order.
    pub fn destination_ids(&self) -> DestinationIds<'e> {
        self.destinations.clone()
    }

    /// How many IDs there are of each type, by type.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let first_of_next = self.types.iter().skip(1).map(|one_type| one_type.first).chain([self.ids.len()]);
        self.types.iter().zip(first_of_next).map(|(one_type, next)| next.saturating_sub(one_type.first))
    }

    /// How many messages there are; [`u64::MAX`] if there are that many or more.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The message at `position`, in constant time.
    #[inline]
    pub fn get(&self, position: u64) -> Option<OutboundMessage<'_>> {
        (position < self.count).then_some(OutboundMessage { of: self, position })
    }

    /// The messages in order: the IDs of the last type take turns fastest. Allocates nothing.
    #[inline]
    pub fn iter(&self) -> OutboundMessagesIter<'_> {
        OutboundMessagesIter { of: self, next: 0 }
    }
}

impl<'m> OutboundMessage<'m> {
    /// The idempotency key of the event, which all its messages share: drop repeats of a single one by
    /// [`delivery_key`](Self::delivery_key).
    pub fn message_id(self) -> MessageId {
        self.of.message_id
    }

    /// Where the message stands among those of its event.
    pub fn position(self) -> u64 {
        self.position
    }

    /// The external IDs: one of each type of the event, by type.
    #[inline]
    pub fn external_ids(self) -> impl Iterator<Item = &'m ExternalId> + Clone + use<'m> {
        let ids = self.of.ids;
        let mut rest = self.position;
        self.of.types.iter().filter_map(move |one_type| {
            // The first type's turn is less than the number of its IDs, and so is that of each other.
            let turn = rest.checked_div(one_type.stride)?;
            rest = rest.wrapping_sub(turn.wrapping_mul(one_type.stride));
            let id = ids.get(one_type.first.saturating_add(usize::try_from(turn).ok()?));
            debug_assert!(id.is_some(), "{POSITIONS_ARE_BELOW_THE_COUNT}");
            id
        })
    }

    /// The ids of the destinations that the message goes to, in order.
    pub fn destination_ids(self) -> DestinationIds<'m> {
        self.of.destination_ids()
    }

    /// The idempotency key of this message to one of its destinations: what a receiver remembers, or
    /// hands to a vendor that takes such keys. Costs a hash of the message's IDs.
    pub fn delivery_key(self, destination_id: &str) -> DeliveryKey {
        DeliveryKey::new(self.of.message_id, destination_id, &self.external_ids())
    }
}

impl<'e> DestinationIds<'e> {
    pub(crate) fn owned(ids: &'e [Box<str>]) -> Self {
        Self(Ids::Owned(ids.iter()))
    }
}

impl<'m> Iterator for OutboundMessagesIter<'m> {
    type Item = OutboundMessage<'m>;

    #[inline]
    fn next(&mut self) -> Option<OutboundMessage<'m>> {
        let message = self.of.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(message)
    }

    fn nth(&mut self, skipped: usize) -> Option<OutboundMessage<'m>> {
        self.next = self.next.saturating_add(skipped as u64).min(self.of.count);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.of.count.saturating_sub(self.next)).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}

impl FusedIterator for OutboundMessagesIter<'_> {}

impl<'m> IntoIterator for &'m OutboundMessages<'m> {
    type Item = OutboundMessage<'m>;
    type IntoIter = OutboundMessagesIter<'m>;

    fn into_iter(self) -> OutboundMessagesIter<'m> {
        self.iter()
    }
}

impl<'e> Iterator for DestinationIds<'e> {
    type Item = &'e str;

    fn next(&mut self) -> Option<&'e str> {
        match &mut self.0 {
            Ids::Borrowed(destinations) => destinations.next().map(Destination::id),
            Ids::Owned(ids) => ids.next().map(|id| &**id),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Ids::Borrowed(destinations) => destinations.size_hint(),
            Ids::Owned(ids) => ids.size_hint(),
        }
    }
}

impl ExactSizeIterator for DestinationIds<'_> {}

impl FusedIterator for DestinationIds<'_> {}

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

impl fmt::Debug for OutboundMessagesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundMessagesIter").field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for DestinationIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The external IDs and the destinations, as events have them. The event's message id is not among
/// them: it is the key of the whole event, and whoever sends messages one by one must not use it to
/// drop repeats of a single one.
impl Serialize for OutboundMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("OutboundMessage", 2)?;
        object.serialize_field("external_ids", &CombinationIds(*self))?;
        object.serialize_field("destinations", &self.of.destinations)?;
        object.end()
    }
}

struct CombinationIds<'m>(OutboundMessage<'m>);

impl Serialize for CombinationIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.of.types.len()))?;
        self.0.external_ids().try_for_each(|id| list.serialize_element(&Outbound(id)))?;
        list.end()
    }
}

impl Serialize for DestinationIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.clone())
    }
}
