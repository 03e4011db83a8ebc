//! Both flows side by side, and what differs between them.

use std::io::{self, Write};

use idgroup::compare::{
    Comparison, ComparisonBudget, ComparisonKey, Difference, Extent, OutboundSample, compare_events_with,
};
use idgroup::{Counts, Destinations, Flow, IdGroupEvent, ProfileUpdate};
use serde::Serialize;

use crate::comparison_key::random_comparison_key;
use crate::connections::Connections;

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

    /// What the legacy flow sends the update to, if the dedupe flow sends it to `destinations`.
    pub fn legacy_destinations<'d>(
        &'d self,
        update: &ProfileUpdate,
        destinations: &'d Destinations,
    ) -> &'d Destinations {
        self.legacy_connections.as_ref().map_or(destinations, |connections| connections.of(update))
    }

    pub fn compare(
        &self,
        legacy: &[IdGroupEvent<'_>],
        dedupe: &[IdGroupEvent<'_>],
        counts: &mut Counts,
    ) -> Comparison<OutboundSample> {
        compare_events_with(legacy, dedupe, &self.key, &self.budget, counts)
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

/// Prints nothing about flows that are the same, and something about all others.
pub fn print(
    output: &mut impl Write,
    update_id: &str,
    comparison: &Comparison<OutboundSample>,
) -> io::Result<()> {
    let label = comparison.as_str();
    match *comparison {
        Comparison::Identical { .. } | Comparison::NothingToCompare => Ok(()),
        Comparison::Different(ref difference) => print_difference(output, update_id, label, difference),
        Comparison::CutShort { legacy, dedupe } => {
            let numbers = CutShort { legacy, dedupe };
            print_line(output, &Outcome { update_id, comparison: label, numbers })
        }
        Comparison::Refused { flow, most } => {
            let numbers = Refused { flow, most };
            print_line(output, &Outcome { update_id, comparison: label, numbers })
        }
        // What a later version finds is not known to be the same.
        _ => print_line(output, &Outcome { update_id, comparison: label, numbers: () }),
    }
}

fn print_difference(
    output: &mut impl Write,
    update_id: &str,
    comparison: &'static str,
    difference: &Difference<OutboundSample>,
) -> io::Result<()> {
    let numbers = Differing {
        legacy: difference.legacy,
        dedupe: difference.dedupe,
        only_in_legacy: difference.only_in_legacy,
        only_in_dedupe: difference.only_in_dedupe,
        in_different_numbers: difference.in_different_numbers,
        extent: difference.extent,
    };
    print_line(output, &Outcome { update_id, comparison, numbers })?;
    let messages = difference.samples.iter().map(|sample| {
        serde_json::to_string(&DifferingMessage {
            update_id,
            difference: sample.copies.as_str(),
            legacy: sample.copies.legacy,
            dedupe: sample.copies.dedupe,
            message: &sample.message,
        })
    });
    // They come in the order of hashes, which is another one with each key.
    let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
    messages.sort_unstable();
    messages.iter().try_for_each(|message| writeln!(output, "{message}"))
}

pub fn print_line(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}
