//! Deciding with a memory of what was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use idgroup::{Counts, IdGroupEvent, IdGroupHash, Lane, MemoryDecision, decide};

use super::explanations::{Filter, write_explanation};
use super::{Given, Making, Task};
use crate::failure::Failure;
use crate::memories::Memories;
use crate::writing::palette::Palette;

/// Prints what each update is sent as, or why, and remembers it for those that follow.
pub struct Remembering {
    memories: Memories,
    printed: Printed,
}

/// What is printed.
pub enum Printed {
    Events,
    Explanations(Arc<Filter>),
    ExplanationsForPeople(Arc<Filter>, Palette),
}

/// The rows of the summary.
pub const NEW: &str = "profiles that are new to the memory";
pub const SAVED: &str = "messages that the memory saved";
pub const ADDED: &str = "messages that the memory added";
const AT_OTHERS: &str = "messages that the memory sends to other external IDs";

impl Remembering {
    pub fn new(memories: Memories, printed: Printed) -> Self {
        Self { memories, printed }
    }
}

impl Task for Remembering {
    /// All updates are decided, whatever is explained: later ones need their memories.
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let is_printed = self.printed.filter().is_none_or(|filter| filter.takes(update));
        let mut unheard = Counts::default();
        let counts = if is_printed { &mut made.counts } else { &mut unheard };
        let decision = self.memories.decide(update, destinations, counts);
        if made.lane_of(decision.events()) == Lane::Slow {
            return Lane::Slow;
        }
        made.tally.add_named(NEW, self.memories.keep_changed(&decision));
        if let Some(filter) = self.printed.filter() {
            filter.count(0, made);
        }
        if is_printed {
            made.send(decision.events());
            let verdicts = decision.explanation().iter();
            made.see(verdicts.map(|verdict| (verdict.destination().id(), verdict.verdict())));
            compare(&decide(update, destinations), decision.events(), made);
            self.printed.print(&decision, made);
        }
        Lane::Fast
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.memories.write()
    }
}

impl Printed {
    fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Events => None,
            Self::Explanations(filter) | Self::ExplanationsForPeople(filter, _) => Some(filter),
        }
    }

    fn print(&self, decision: &MemoryDecision<'_>, made: &mut Making<'_>) {
        let Some(filter) = self.filter() else {
            decision.events().iter().for_each(|event| made.print(event));
            return;
        };
        let explanation = decision.explanation();
        let verdicts = explanation.iter().filter(|verdict| filter.takes_destination(verdict.destination()));
        let verdicts: Vec<_> = verdicts.collect();
        match self {
            _ if verdicts.is_empty() => return,
            Self::ExplanationsForPeople(_, palette) => {
                write_explanation(&mut *made.output, decision.update(), &verdicts, palette)
                    .expect("memory takes all that is written to it");
            }
            Self::Events | Self::Explanations(_) => {
                verdicts.iter().for_each(|verdict| made.print(verdict));
            }
        }
        filter.count(1, made);
    }
}

/// Counts the messages to deduping destinations that only one of both decisions sends.
fn compare(without: &[IdGroupEvent<'_>], with: &[IdGroupEvent<'_>], made: &mut Making<'_>) {
    let (mut saved, mut added, mut at_others) = (0, 0, 0);
    let (without, with) = (messages(without), messages(with));
    for (destination, (ids, count)) in &without {
        match with.get(destination) {
            None => saved += count,
            Some((others, _)) if others != ids => at_others += count,
            Some(_) => {}
        }
    }
    for (destination, (_, count)) in &with {
        if !without.contains_key(destination) {
            added += count;
        }
    }
    made.tally.add_named(SAVED, saved);
    made.tally.add_named(ADDED, added);
    if at_others > 0 {
        made.tally.add_named(AT_OTHERS, at_others);
    }
}

/// The IDs and the number of messages of each deduping destination, by its id.
fn messages<'e>(events: &'e [IdGroupEvent<'_>]) -> BTreeMap<&'e str, (IdGroupHash, u64)> {
    let each = events.iter().flat_map(|event| {
        let deduping = event.destinations().iter().filter(|destination| destination.dedupes_on().is_some());
        let sent = (event.id_group().hash(), event.outbound_messages().count());
        deduping.map(move |destination| (destination.id(), sent))
    });
    each.collect()
}
