//! The legacy flow: what the fan-out did before it deduped.
//!
//! Kept as simple as it was, and apart from the new flow: the two share their input and output
//! types and no step of a decision, so that a comparison of both compares something.

use alloc::vec;
use alloc::vec::Vec;

use crate::decide::destinations::Destinations;
use crate::event::IdGroupEvent;
use crate::event::id_group::{IdGroup, MessageIds};
use crate::event::selected_ids::Positions;
use crate::event::sent_to::SentTo;
use crate::input::update::ProfileUpdate;
use crate::observe::{Observer, Step};

/// One event with all external IDs for all destinations, whatever their settings and the trigger's
/// reason; none if the profile has no external IDs, or there are no destinations.
#[must_use = "a decision does nothing by itself: send its events"]
pub fn decide_legacy<'a>(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Vec<IdGroupEvent<'a>> {
    decide_legacy_with(update, destinations, &mut ())
}

/// The same as [`decide_legacy`], watched: one step. Its event is no group in the observer's sense,
/// which counts those of the dedupe flow.
#[must_use = "a decision does nothing by itself: send its events"]
pub fn decide_legacy_with<'a, O: Observer + ?Sized>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    observer: &mut O,
) -> Vec<IdGroupEvent<'a>> {
    observer.step_began(Step::Legacy);
    let events = if update.external_ids().is_empty() || destinations.is_empty() {
        Vec::new()
    } else {
        vec![IdGroupEvent::new(
            update,
            &MessageIds::of(update),
            IdGroup::new(update.id_set(), Positions::All),
            SentTo::all(destinations.as_slice()),
        )]
    };
    observer.step_ended(Step::Legacy);
    events
}
