//! Amplification: how many outbound messages a decision turns into, known before one is made.

use core::iter::Sum;

use crate::event::IdGroupEvent;
use crate::event::owned::OwnedIdGroupEvent;
use crate::event::selected_ids::combinations;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The amplification of these events. The cost grows with the number of their external IDs,
    /// whatever the number of messages.
    pub fn of(events: &[IdGroupEvent<'_>]) -> Self {
        events.iter().map(IdGroupEvent::amplification).sum()
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

impl IdGroupEvent<'_> {
    /// How much this event multiplies, on its own.
    pub fn amplification(&self) -> Amplification {
        let outbound_messages = self.id_group().external_ids().combinations();
        Amplification { groups: 1, outbound_messages }
    }
}

impl OwnedIdGroupEvent {
    /// How much this event multiplies, on its own.
    pub fn amplification(&self) -> Amplification {
        let outbound_messages = combinations(self.id_group().external_ids().iter());
        Amplification { groups: 1, outbound_messages }
    }
}

/// Counts saturate.
impl Sum for Amplification {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| Self {
            groups: sum.groups.saturating_add(one.groups),
            outbound_messages: sum.outbound_messages.saturating_add(one.outbound_messages),
        })
    }
}

labels!(Lane { Fast => "fast", Slow => "slow" });
