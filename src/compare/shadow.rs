//! The comparison of this library's two flows.

use crate::compare::budget::ComparisonBudget;
use crate::compare::comparison::Comparison;
use crate::compare::flow_messages::{Identity, PlainEvents};
use crate::compare::message::ComparisonKey;
use crate::compare::sample::OutboundSample;
use crate::compare::streams::compare_hashed;
use crate::decide::decide_with;
use crate::decide::destinations::Destinations;
use crate::event::IdGroupEvent;
use crate::input::update::ProfileUpdate;
use crate::observe::{Observer, Step};
use crate::release::flow::Flow;
use crate::release::legacy::decide_legacy_with;

/// Compares what both flows send for an update to the destinations that do not dedupe: there, the
/// two must not differ.
///
/// Where neither sends anything there, because no destination is plain or the profile has no external
/// IDs, the answer is [`NothingToCompare`](Comparison::NothingToCompare). Costs two decisions and
/// [`compare_events`].
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
    compare_events_with(&legacy, &dedupe, key, budget, observer)
}

/// Compares the outbound messages of two lists of events, for the destinations that do not dedupe.
///
/// A message is one combination of external IDs, with those of its destinations that do not dedupe.
/// The update's own data, such as its id or reason, is no part of it. Where no event of either list
/// goes to such a destination, the answer is [`NothingToCompare`](Comparison::NothingToCompare).
///
/// Memory is bounded by the budget and by the number of external IDs, whatever the amplification.
/// Each ID is hashed once, and not even read where all events are of one update; a message of each pass
/// then costs one hash of 24 bytes, however many and however long its IDs are.
pub fn compare_events(
    legacy: &[IdGroupEvent<'_>],
    dedupe: &[IdGroupEvent<'_>],
    key: &ComparisonKey,
    budget: &ComparisonBudget,
) -> Comparison<OutboundSample> {
    compare_events_with(legacy, dedupe, key, budget, &mut ())
}

/// The same as [`compare_events`], watched: as a step with an outcome.
pub fn compare_events_with<O: Observer + ?Sized>(
    legacy: &[IdGroupEvent<'_>],
    dedupe: &[IdGroupEvent<'_>],
    key: &ComparisonKey,
    budget: &ComparisonBudget,
    observer: &mut O,
) -> Comparison<OutboundSample> {
    observer.step_began(Step::Compare);
    let comparison = compare_plain(&PlainEvents::of(legacy), &PlainEvents::of(dedupe), key, budget);
    observer.step_ended(Step::Compare);
    observer.comparison_made(comparison.outcome());
    comparison
}

/// A flow that has too many messages is refused before an ID is hashed.
fn compare_plain(
    legacy: &PlainEvents<'_>,
    dedupe: &PlainEvents<'_>,
    key: &ComparisonKey,
    budget: &ComparisonBudget,
) -> Comparison<OutboundSample> {
    let most = budget.messages();
    let too_many = [(Flow::Legacy, legacy), (Flow::Dedupe, dedupe)]
        .into_iter()
        .find(|(_, events)| events.count() > most);
    if let Some((flow, _)) = too_many {
        return Comparison::Refused { flow, most };
    }
    let identity = Identity::for_events(legacy.iter().chain(dedupe.iter()));
    let (legacy, dedupe) = (legacy.messages(identity, key), dedupe.messages(identity, key));
    compare_hashed(key, budget, || legacy.hashed(), || dedupe.hashed())
}
