//! The outbound messages of a flow as they are compared: each ID is hashed once, and a message costs
//! the same however many and however long its IDs are.

use alloc::vec::Vec;
use core::ptr;

use siphasher::sip128::SipHasher24;

use crate::compare::combinations::Combinations;
use crate::compare::message::{ComparisonKey, Encoder};
use crate::compare::sample::OutboundSample;
use crate::event::IdGroupEvent;
use crate::event::outbound::OutboundMessages;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;

/// The events of a flow that go to destinations that do not dedupe, not hashed yet.
pub(super) struct PlainEvents<'e>(Vec<PlainEvent<'e>>);

struct PlainEvent<'e> {
    event: &'e IdGroupEvent<'e>,
    messages: OutboundMessages<'e>,
}

/// The messages of such events: of an event the sums of the hashes of a message's parts, which are
/// each of its IDs and the list of its destinations that do not dedupe.
pub(super) struct FlowMessages<'p> {
    events: Vec<(&'p PlainEvent<'p>, Combinations)>,
    hasher: SipHasher24,
}

/// By what IDs are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// By where an ID is among those of its update. Enough where all events are of one update, which
    /// lists each ID once; and no ID is read, however long.
    Position,
    /// By all that a message says of it.
    Content,
}

/// What is hashed comes first in what is hashed, so that nothing is taken for something else.
#[derive(Clone, Copy)]
enum Hashed {
    Message = 0,
    Destinations = 1,
    Position = 2,
    Content = 3,
}

impl Hashed {
    fn begin(self, encoder: &mut Encoder) -> &mut Encoder {
        encoder.number(self as u64)
    }

    /// The same for what is a number, without an encoder.
    #[inline]
    fn hash(self, hasher: &SipHasher24, number: u128) -> u128 {
        let mut bytes = [0; 24];
        let (kind, rest) = bytes.split_at_mut(8);
        kind.copy_from_slice(&(self as u64).to_le_bytes());
        rest.copy_from_slice(&number.to_le_bytes());
        hasher.hash(&bytes).as_u128()
    }
}

impl Identity {
    pub(super) fn for_events<'e>(mut events: impl Iterator<Item = &'e IdGroupEvent<'e>>) -> Self {
        let first = events.next();
        match events.all(|event| first.is_some_and(|first| ptr::eq(first.update(), event.update()))) {
            true => Self::Position,
            false => Self::Content,
        }
    }

    fn hash(self, key: &ComparisonKey, position: usize, id: &ExternalId) -> u128 {
        match self {
            Self::Position => Hashed::Position.hash(&key.hasher(), position as u128),
            Self::Content => key.hash_encoded(|encoder| {
                let parts = [id.collection().as_str(), id.id_type(), id.id(), id.encoding()];
                let encoder = Hashed::Content.begin(encoder);
                for part in parts {
                    encoder.part(part);
                }
            }),
        }
    }
}

impl<'e> PlainEvents<'e> {
    pub(super) fn of(events: &'e [IdGroupEvent<'e>]) -> Self {
        let plain = events.iter().filter(|event| plain_destinations(event).next().is_some());
        Self(plain.map(|event| PlainEvent { event, messages: event.outbound_messages() }).collect())
    }

    /// How many messages there are; [`u64::MAX`] if there are that many or more.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|event| event.messages.count()).fold(0, u64::saturating_add)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'e IdGroupEvent<'e>> {
        self.0.iter().map(|event| event.event)
    }

    /// Costs a hash of each ID, and of the list of each event's destinations.
    pub(super) fn messages(&self, identity: Identity, key: &ComparisonKey) -> FlowMessages<'_> {
        let events = self.0.iter().map(|event| (event, event.combinations(identity, key))).collect();
        FlowMessages { events, hasher: key.hasher() }
    }
}

impl PlainEvent<'_> {
    fn combinations(&self, identity: Identity, key: &ComparisonKey) -> Combinations {
        let destinations = key.hash_encoded(|encoder| {
            let number = plain_destinations(self.event).count();
            let encoder = Hashed::Destinations.begin(encoder).number(number as u64);
            plain_destinations(self.event).for_each(|destination| {
                encoder.part(destination.id());
            });
        });
        let ids = self.event.id_group().external_ids().iter();
        let mut of_update = self.event.update().external_ids().iter().enumerate();
        let hashes = ids.map(|id| {
            // Both are in one order, and whatever an event has is among its update's.
            let position = of_update.find(|(_, of_update)| ptr::eq(*of_update, id));
            debug_assert!(position.is_some(), "an event's ID is one of its update");
            identity.hash(key, position.map_or(usize::MAX, |(position, _)| position), id)
        });
        Combinations::new(destinations, hashes, self.messages.lengths())
    }
}

impl FlowMessages<'_> {
    /// The hash of each message, and how to make a sample of at most so many bytes of it.
    pub(super) fn hashed(&self) -> impl Iterator<Item = (u128, impl FnOnce(usize) -> OutboundSample)> {
        self.events.iter().flat_map(move |(event, combinations)| {
            event.messages.iter().zip(combinations.sums()).map(move |(message, sum)| {
                let sample = move |most| OutboundSample::new(message, plain_destinations(event.event), most);
                (Hashed::Message.hash(&self.hasher, sum), sample)
            })
        })
    }
}

fn plain_destinations<'e>(event: &'e IdGroupEvent<'e>) -> impl Iterator<Item = &'e Destination> {
    event.destinations().iter().filter(|destination| destination.takes_all())
}
