//! What was counted, in a form that adds up: of a chunk, and of the whole replay.

use std::collections::BTreeMap;

use idgroup::compare::{Comparison, ComparisonOutcome, Extent, OutboundSample};
use idgroup::segment::{Refusal, RefusalReason};
use idgroup::{Amplification, Counts, Flow, IdGroupEvent, Route, RouteReason};

use super::changes::Changes;
use super::gaps::LookAlikes;
use crate::report::seen::Seen;

#[derive(Default)]
pub struct Tally {
    /// With the ends of lines.
    pub bytes: u64,
    pub updates: u64,
    /// Of the updates, those of a computation without destinations.
    pub updates_without_destinations: u64,
    /// Of the updates, those that were set aside; they are in no number below.
    pub slow_updates: u64,
    pub sent: Amount,
    /// Of the legacy flow, where both flows are counted.
    pub legacy: Amount,
    /// With the new destinations of a preview.
    pub previewed: Previewed,
    /// From the destinations to the new ones.
    pub changes: Changes,
    /// Only where a report is asked for.
    pub seen: Seen,
    routes: BTreeMap<(Flow, RouteReason), u64>,
    pub calls: Calls,
    pub counts: Counts,
    pub difference: Differences,
    /// What one task counts and no other does, by its label in the summary.
    named: BTreeMap<&'static str, u64>,
    pub look_alikes: LookAlikes,
    /// Pieces of the input that can't be used.
    pub rejected: u64,
}

#[derive(Default)]
pub struct Previewed {
    pub sent: Amount,
    pub counts: Counts,
}

#[derive(Default)]
pub struct Amount {
    pub events: u64,
    pub outbound_messages: u64,
}

/// What events came to as calls.
#[derive(Default)]
pub struct Calls {
    pub printed: u64,
    /// By the reason, how many destinations got no call of an event, or how often one did not get this one.
    refused: BTreeMap<RefusalReason, u64>,
}

/// Of all updates that differ, how many messages do.
#[derive(Default)]
pub struct Differences {
    pub only_in_legacy: u64,
    pub only_in_dedupe: u64,
    pub in_different_numbers: u64,
    /// How many updates have more that differs than was counted.
    pub updates_in_part: u64,
}

impl Tally {
    pub fn add_route(&mut self, route: Route) {
        *self.routes.entry((route.sends(), route.reason())).or_default() += 1;
    }

    /// The updates that this flow sends, by why it does.
    pub fn routes_to(&self, flow: Flow) -> impl Iterator<Item = (RouteReason, u64)> + Clone + '_ {
        let routes = self.routes.iter().filter(move |((sends, _), _)| *sends == flow);
        routes.map(|((_, reason), count)| (*reason, *count))
    }

    pub fn add_named(&mut self, label: &'static str, count: u64) {
        *self.named.entry(label).or_default() += count;
    }

    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.named.iter().map(|(label, count)| (*label, *count))
    }

    /// Of how many updates it is not known that both flows are the same, though they were compared.
    pub fn not_identical(&self) -> u64 {
        let known = [ComparisonOutcome::Identical, ComparisonOutcome::NothingToCompare];
        let others = ComparisonOutcome::ALL.into_iter().filter(|outcome| !known.contains(outcome));
        others.map(|outcome| self.counts.comparison(outcome)).sum()
    }

    pub fn merge(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.updates += other.updates;
        self.updates_without_destinations += other.updates_without_destinations;
        self.slow_updates += other.slow_updates;
        self.sent.merge(&other.sent);
        self.legacy.merge(&other.legacy);
        self.previewed.sent.merge(&other.previewed.sent);
        self.previewed.counts.merge(&other.previewed.counts);
        self.changes.merge(&other.changes);
        self.seen.merge(&other.seen);
        for (route, count) in &other.routes {
            *self.routes.entry(*route).or_default() += count;
        }
        self.calls.merge(&other.calls);
        self.counts.merge(&other.counts);
        self.difference.merge(&other.difference);
        other.named.iter().for_each(|(label, count)| self.add_named(label, *count));
        self.look_alikes.merge(&other.look_alikes);
        self.rejected += other.rejected;
    }
}

impl Calls {
    pub fn refuse(&mut self, refusal: &Refusal<'_>) {
        *self.refused.entry(refusal.reason()).or_default() += refusal.destinations().len() as u64;
    }

    pub fn refusals(&self) -> impl Iterator<Item = (RefusalReason, u64)> + '_ {
        self.refused.iter().map(|(reason, count)| (*reason, *count))
    }

    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    fn merge(&mut self, other: &Self) {
        self.printed += other.printed;
        for (reason, count) in &other.refused {
            *self.refused.entry(*reason).or_default() += count;
        }
    }
}

impl Amount {
    pub fn add(&mut self, events: &[IdGroupEvent<'_>]) {
        let amplification = Amplification::of(events);
        let outbound_messages = amplification.outbound_messages();
        self.merge(&Self { events: amplification.groups() as u64, outbound_messages });
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.outbound_messages = self.outbound_messages.saturating_add(other.outbound_messages);
    }
}

impl Differences {
    pub fn add(&mut self, comparison: &Comparison<OutboundSample>) {
        if let Comparison::Different(found) = comparison {
            self.merge(&Self {
                only_in_legacy: found.only_in_legacy,
                only_in_dedupe: found.only_in_dedupe,
                in_different_numbers: found.in_different_numbers,
                updates_in_part: u64::from(found.extent == Extent::Part),
            });
        }
    }

    fn merge(&mut self, other: &Self) {
        self.only_in_legacy = self.only_in_legacy.saturating_add(other.only_in_legacy);
        self.only_in_dedupe = self.only_in_dedupe.saturating_add(other.only_in_dedupe);
        self.in_different_numbers = self.in_different_numbers.saturating_add(other.in_different_numbers);
        self.updates_in_part += other.updates_in_part;
    }
}
