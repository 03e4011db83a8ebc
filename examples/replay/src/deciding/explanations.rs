//! Why each destination is sent something or nothing: for machines, and for people.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use idgroup::{
    Decision, Destination, DestinationVerdict, ExternalId, Lane, MemoryVerdict, MergedProfile, ProfileUpdate,
    SelectedIds, Trigger, Verdict,
};

use super::{Given, Making, Task};
use crate::writing::palette::Palette;
use crate::writing::words::{Arrival, Change, Name};

/// Which verdicts are printed: where several are asked for, any of them; without, all.
#[derive(Default)]
pub struct Filter {
    pub updates: Vec<String>,
    pub profiles: Vec<String>,
    pub destinations: Vec<String>,
}

/// Prints a line of JSON for each update and destination.
pub struct Explanations(Arc<Filter>);

/// Prints some lines of text for each update.
pub struct ExplanationsForPeople {
    filter: Arc<Filter>,
    palette: Palette,
}

const EXPLAINED: &str = "updates explained";

/// How many IDs are listed of those that a destination is sent.
const LISTED_IDS: usize = 12;

impl Filter {
    pub fn takes(&self, update: &ProfileUpdate) -> bool {
        let profiles = profiles_of(update);
        takes(&self.updates, |id| id == update.id())
            && takes(&self.profiles, |id| profiles.clone().any(|profile| profile == id))
    }

    pub fn takes_destination(&self, destination: &Destination) -> bool {
        takes(&self.destinations, |id| id == destination.id())
    }

    /// Counts updates that are explained, where only some are: a row of the summary, even if none is.
    pub fn count(&self, updates: u64, made: &mut Making<'_>) {
        if !self.is_empty() {
            made.tally.add_named(EXPLAINED, updates);
        }
    }

    fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.profiles.is_empty() && self.destinations.is_empty()
    }
}

impl Explanations {
    pub fn new(filter: Arc<Filter>) -> Self {
        Self(filter)
    }
}

impl Task for Explanations {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        explain(&self.0, given, made, |_, verdicts, made| {
            verdicts.iter().for_each(|verdict| made.print(verdict));
        })
    }
}

impl ExplanationsForPeople {
    pub fn new(filter: Arc<Filter>, palette: Palette) -> Self {
        Self { filter, palette }
    }
}

impl Task for ExplanationsForPeople {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        explain(&self.filter, given, made, |update, verdicts, made| {
            write_explanation(&mut *made.output, update, verdicts, &self.palette)
                .expect("memory takes all that is written to it");
        })
    }
}

/// Only what the filter takes is decided: who asks about one update does not want the numbers of all.
fn explain(
    filter: &Filter,
    given: Given<'_>,
    made: &mut Making<'_>,
    print: impl FnOnce(&ProfileUpdate, &[DestinationVerdict<'_>], &mut Making<'_>),
) -> Lane {
    let Given { update, destinations, .. } = given;
    filter.count(0, made);
    if !filter.takes(update) {
        return Lane::Fast;
    }
    let decision = Decision::of_with(update, destinations, &mut made.counts);
    if made.lane_of(decision.events()) == Lane::Slow {
        return Lane::Slow;
    }
    made.send(decision.events());
    let verdicts = decision.explanation().iter();
    let verdicts: Vec<_> =
        verdicts.filter(|verdict| filter.takes_destination(verdict.destination())).collect();
    if !verdicts.is_empty() {
        filter.count(1, made);
        print(update, &verdicts, made);
    }
    Lane::Fast
}

/// A verdict, whether or not a memory had a say in it.
pub trait Told: Display {
    fn verdict(&self) -> Verdict;
    fn external_ids(&self) -> &SelectedIds<'_>;
}

impl Told for DestinationVerdict<'_> {
    fn verdict(&self) -> Verdict {
        self.verdict()
    }

    fn external_ids(&self) -> &SelectedIds<'_> {
        self.external_ids()
    }
}

impl Told for MemoryVerdict<'_, '_> {
    fn verdict(&self) -> Verdict {
        self.verdict()
    }

    fn external_ids(&self) -> &SelectedIds<'_> {
        self.external_ids()
    }
}

pub fn write_explanation(
    output: &mut impl Write,
    update: &ProfileUpdate,
    verdicts: &[impl Told],
    palette: &Palette,
) -> io::Result<()> {
    let Palette { heading, sent, dropped } = palette;
    let computed_at = match update.computed_at() {
        Some(time) => format!("computed at {time}"),
        None => "computed at an unknown time".into(),
    };
    writeln!(output, "{heading}{}: {}{heading:#}, {computed_at}", Name(update.id()), Change(update))?;
    match update.external_ids() {
        [] => writeln!(output, "  it has no external ID")?,
        ids => {
            writeln!(output, "  its external IDs:")?;
            write_ids(output, "    ", ids.iter(), update)?;
        }
    }
    for verdict in verdicts {
        let style = if verdict.verdict().drop_reason().is_some() { dropped } else { sent };
        writeln!(output, "  {style}{verdict}{style:#}")?;
        if verdict.verdict() == Verdict::SendSome {
            write_ids(output, "    ", verdict.external_ids().iter(), update)?;
        }
    }
    writeln!(output)
}

/// The type of each, and when it came; never the value.
fn write_ids<'a>(
    output: &mut impl Write,
    indent: &str,
    ids: impl Iterator<Item = &'a ExternalId> + Clone,
    update: &ProfileUpdate,
) -> io::Result<()> {
    for id in ids.clone().take(LISTED_IDS) {
        writeln!(output, "{indent}{}", Arrival { id, computed_at: update.computed_at() })?;
    }
    match ids.skip(LISTED_IDS).count() {
        0 => Ok(()),
        more => writeln!(output, "{indent}and {more} more"),
    }
}

fn takes(wanted: &[String], is_it: impl Fn(&str) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| is_it(wanted))
}

/// The update's own, and those that were merged into it.
fn profiles_of(update: &ProfileUpdate) -> impl Iterator<Item = &str> + Clone {
    let merged = match update.trigger() {
        Trigger::ProfileMerge(profiles) => profiles.as_slice(),
        _ => &[],
    };
    std::iter::once(update.profile_id()).chain(merged.iter().map(MergedProfile::profile_id))
}
