//! Amplification: how many outbound messages a decision turns into, known before one is made.

use crate::event::IdGroupEvent;
use crate::label::labels;

/// How much the events of one update multiply.
///
/// One update of a profile with a thousand external IDs can stand for hundreds of thousands of
/// messages. Ask first:
///
/// ```
/// # use idgroup::{Amplification, IdGroupEvent, Lane};
/// # fn send(_: &[IdGroupEvent<'_>]) {}
/// # fn set_aside(_: &[IdGroupEvent<'_>]) {}
/// # let events = [];
/// match Amplification::of(&events).lane(10_000) {
///     Lane::Fast => send(&events),
///     Lane::Slow => set_aside(&events),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amplification {
    groups: usize,
    outbound_messages: u64,
}

/// Where an update goes, so that a monster does not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Few enough messages to be sent at once.
    Fast,
    /// More than that.
    Slow,
}

impl Amplification {
    /// The amplification of these events. Costs in the number of their external IDs, whatever the
    /// number of messages.
    pub fn of(events: &[IdGroupEvent<'_>]) -> Self {
        let messages = events.iter().map(|event| event.id_group().external_ids().combinations());
        Self { groups: events.len(), outbound_messages: messages.fold(0, u64::saturating_add) }
    }

    /// How many events there are, one for each distinct set of external IDs.
    pub fn groups(self) -> usize {
        self.groups
    }

    /// How many outbound messages the events stand for; [`u64::MAX`] if there are that many or more.
    pub fn outbound_messages(self) -> u64 {
        self.outbound_messages
    }

    /// [`Lane::Fast`] for up to `most_messages` outbound messages, [`Lane::Slow`] for more.
    pub fn lane(self, most_messages: u64) -> Lane {
        match self.outbound_messages <= most_messages {
            true => Lane::Fast,
            false => Lane::Slow,
        }
    }
}

labels!(Lane { Fast => "fast", Slow => "slow" });
