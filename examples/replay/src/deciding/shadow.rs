//! Both flows side by side, and what differs between them.

use std::sync::Arc;

use idgroup::compare::{
    Comparison, ComparisonBudget, ComparisonKey, Difference, Extent, OutboundSample, compare_events_with,
};
use idgroup::{Flow, Lane, decide_legacy_with, decide_with};
use serde::Serialize;

use super::comparison_key::random_comparison_key;
use super::connections::Connections;
use super::{Given, Making, Task};

/// Prints what differs: nothing about flows that are the same, and something about all others.
pub struct Shadow {
    /// Of the legacy flow, where they are not those of the dedupe flow.
    legacy_connections: Option<Connections>,
    key: ComparisonKey,
    budget: ComparisonBudget,
}

impl Shadow {
    pub fn new(legacy_connections: Option<Connections>, budget: ComparisonBudget) -> Self {
        Self { legacy_connections, key: random_comparison_key(), budget }
    }
}

impl Task for Arc<Shadow> {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let legacy_destinations =
            self.legacy_connections.as_ref().map_or(destinations, |connections| connections.of(update));
        let legacy = decide_legacy_with(update, legacy_destinations, &mut made.counts);
        let dedupe = decide_with(update, destinations, &mut made.counts);
        if [&legacy, &dedupe].iter().any(|events| made.lane_of(events) == Lane::Slow) {
            return Lane::Slow;
        }
        let comparison = compare_events_with(&legacy, &dedupe, &self.key, &self.budget, &mut made.counts);
        made.tally.legacy.add(&legacy);
        made.send(&dedupe);
        made.tally.difference.add(&comparison);
        print(update.id(), &comparison, made);
        Lane::Fast
    }
}

/// An update whose flows are not known to be the same.
#[derive(Serialize)]
struct Outcome<'a, N> {
    update_id: &'a str,
    comparison: &'static str,
    #[serde(flatten)]
    numbers: N,
}

#[derive(Serialize)]
struct Differing {
    legacy: u64,
    dedupe: u64,
    only_in_legacy: u64,
    only_in_dedupe: u64,
    in_different_numbers: u64,
    extent: Extent,
}

#[derive(Serialize)]
struct CutShort {
    legacy: u64,
    dedupe: u64,
}

#[derive(Serialize)]
struct Refused {
    flow: Flow,
    most: u64,
}

/// A message that differs.
#[derive(Serialize)]
struct DifferingMessage<'a> {
    update_id: &'a str,
    difference: &'static str,
    legacy: u64,
    dedupe: u64,
    #[serde(flatten)]
    message: &'a OutboundSample,
}

fn print(update_id: &str, comparison: &Comparison<OutboundSample>, made: &mut Making<'_>) {
    let label = comparison.as_str();
    match *comparison {
        Comparison::Identical { .. } | Comparison::NothingToCompare => {}
        Comparison::Different(ref difference) => print_difference(update_id, label, difference, made),
        Comparison::CutShort { legacy, dedupe } => {
            made.print(&Outcome { update_id, comparison: label, numbers: CutShort { legacy, dedupe } });
        }
        Comparison::Refused { flow, most } => {
            made.print(&Outcome { update_id, comparison: label, numbers: Refused { flow, most } });
        }
        // What a later version finds is not known to be the same.
        _ => made.print(&Outcome { update_id, comparison: label, numbers: () }),
    }
}

fn print_difference(
    update_id: &str,
    comparison: &'static str,
    difference: &Difference<OutboundSample>,
    made: &mut Making<'_>,
) {
    let numbers = Differing {
        legacy: difference.legacy,
        dedupe: difference.dedupe,
        only_in_legacy: difference.only_in_legacy,
        only_in_dedupe: difference.only_in_dedupe,
        in_different_numbers: difference.in_different_numbers,
        extent: difference.extent,
    };
    made.print(&Outcome { update_id, comparison, numbers });
    let messages = difference.samples.iter().map(|sample| DifferingMessage {
        update_id,
        difference: sample.copies.as_str(),
        legacy: sample.copies.legacy,
        dedupe: sample.copies.dedupe,
        message: &sample.message,
    });
    made.print_sorted(messages);
}
