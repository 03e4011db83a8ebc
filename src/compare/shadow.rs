//! The comparison of this library's two flows.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Comparison, ComparisonBudget, ComparisonKey, Encoder, Message, compare_streams};
use crate::decide::decide_with;
use crate::event::IdGroupEvent;
use crate::event::outbound::{OutboundMessage, OutboundMessages};
use crate::input::destination::Destination;
use crate::input::destinations::Destinations;
use crate::input::external_id::ExternalId;
use crate::input::external_id::serialize_outbound;
use crate::input::update::ProfileUpdate;
use crate::observe::{Observer, Step};
use crate::release::flow::Flow;
use crate::release::legacy::decide_legacy_with;

/// Compares what both flows send for an update to the destinations that do not dedupe: there, the
/// two must not differ.
pub fn compare(
    update: &ProfileUpdate,
    destinations: &Destinations,
    key: &ComparisonKey,
    budget: &ComparisonBudget,
) -> Comparison<OutboundSample> {
    compare_with(update, destinations, key, budget, &mut ())
}

/// The same as [`compare`], watched: both flows, and the comparison as a step with an outcome.
pub fn compare_with<O: Observer + ?Sized>(
    update: &ProfileUpdate,
    destinations: &Destinations,
    key: &ComparisonKey,
    budget: &ComparisonBudget,
    observer: &mut O,
) -> Comparison<OutboundSample> {
    let legacy = decide_legacy_with(update, destinations, observer);
    let dedupe = decide_with(update, destinations, observer);
    compare_events(&legacy, &dedupe, key, budget, observer)
}

/// Compares the outbound messages of two lists of events, for the destinations that do not dedupe.
///
/// A message is one combination of external IDs, with those of its destinations that do not dedupe.
/// Memory is bounded by the budget and by the number of external IDs, whatever the amplification.
/// Costs little more than making and hashing each message once, unless the flows differ.
pub fn compare_events<O: Observer + ?Sized>(
    legacy: &[IdGroupEvent<'_>],
    dedupe: &[IdGroupEvent<'_>],
    key: &ComparisonKey,
    budget: &ComparisonBudget,
    observer: &mut O,
) -> Comparison<OutboundSample> {
    observer.step_began(Step::Compare);
    let (legacy, dedupe) = (FlowMessages::of(legacy, key), FlowMessages::of(dedupe, key));
    let comparison = match [(Flow::Legacy, &legacy), (Flow::Dedupe, &dedupe)]
        .into_iter()
        .find(|(_, messages)| messages.count() > budget.messages)
    {
        Some((flow, _)) => Comparison::Refused { flow, most: budget.messages },
        None => compare_streams(key, budget, || legacy.iter(), || dedupe.iter()),
    };
    observer.step_ended(Step::Compare);
    observer.comparison_made(comparison.as_str());
    comparison
}

/// The messages of a flow's events that go to destinations that do not dedupe.
struct FlowMessages<'e>(Vec<(PlainDestinations<'e>, OutboundMessages<'e>, u128)>);

/// An outbound message as it is compared.
struct PlainMessage<'m> {
    message: OutboundMessage<'m>,
    plain: PlainDestinations<'m>,
    /// The hash of the list of plain destinations, which is the same for all messages of an event
    /// and can be long. Two different lists have the same with a probability of 2^-128.
    destinations: u128,
}

#[derive(Clone, Copy)]
struct PlainDestinations<'e>(&'e IdGroupEvent<'e>);

impl<'e> FlowMessages<'e> {
    fn of(events: &'e [IdGroupEvent<'e>], key: &ComparisonKey) -> Self {
        let with_plain = events.iter().map(PlainDestinations).filter(|plain| plain.iter().next().is_some());
        Self(with_plain.map(|plain| (plain, plain.0.outbound_messages(), key.hash(&plain))).collect())
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|(_, messages, _)| messages.count()).fold(0, u64::saturating_add)
    }

    fn iter(&self) -> impl Iterator<Item = PlainMessage<'_>> {
        self.0.iter().flat_map(|(plain, messages, destinations)| {
            messages.iter().map(|message| PlainMessage {
                message,
                plain: *plain,
                destinations: *destinations,
            })
        })
    }
}

impl<'e> PlainDestinations<'e> {
    fn iter(&self) -> impl Iterator<Item = &'e Destination> + Clone {
        self.0.destinations().iter().filter(|destination| destination.takes_all())
    }
}

impl Message for PlainDestinations<'_> {
    type Sample = ();

    fn encode(&self, encoder: &mut Encoder) {
        encoder.number(self.iter().count() as u64);
        self.iter().for_each(|destination| {
            encoder.part(destination.id());
        });
    }

    fn sample(&self, _: usize) {}
}

impl Message for PlainMessage<'_> {
    type Sample = OutboundSample;

    fn encode(&self, encoder: &mut Encoder) {
        encoder.part(self.destinations.to_le_bytes());
        encoder.number(self.message.external_ids().count() as u64);
        for id in self.message.external_ids() {
            encoder.part(id.collection().as_str()).part(id.id_type()).part(id.id()).part(id.encoding());
        }
    }

    fn sample(&self, most_bytes: usize) -> OutboundSample {
        let mut left = Some(most_bytes);
        let mut fits = |bytes: usize| {
            left = left.and_then(|left| left.checked_sub(bytes));
            left.is_some()
        };
        let external_ids: Box<[ExternalId]> =
            self.message.external_ids().take_while(|id| fits(size_of_id(id))).cloned().collect();
        let destinations: Box<[String]> = self
            .plain
            .iter()
            .take_while(|destination| fits(size_of::<String>().saturating_add(destination.id().len())))
            .map(|destination| destination.id().into())
            .collect();
        OutboundSample { external_ids, destinations, is_cut: left.is_none() }
    }
}

fn size_of_id(id: &ExternalId) -> usize {
    [id.id_type(), id.id(), id.encoding()]
        .iter()
        .map(|text| text.len())
        .fold(size_of::<ExternalId>(), usize::saturating_add)
}

/// What a comparison keeps of an outbound message that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboundSample {
    #[serde(serialize_with = "serialize_outbound")]
    external_ids: Box<[ExternalId]>,
    destinations: Box<[String]>,
    is_cut: bool,
}

impl OutboundSample {
    /// The combination of external IDs, one of each type, or the first of them.
    pub fn external_ids(&self) -> &[ExternalId] {
        &self.external_ids
    }

    /// The ids of its destinations that do not dedupe, or the first of them.
    pub fn destinations(&self) -> &[String] {
        &self.destinations
    }

    /// Whether external IDs or destinations are missing, because the budget for a sample did not
    /// hold them.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}
