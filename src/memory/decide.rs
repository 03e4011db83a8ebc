//! The decision with memories.

use alloc::vec::Vec;
use core::fmt;

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::grouping::Grouping;
use crate::decide::latest_id::ChosenIds;
use crate::decide::settings::Setting;
use crate::decide::trigger_filter::TriggerFilter;
use crate::decide::verdict::Verdict;
use crate::event::IdGroupEvent;
use crate::input::gaps::GapsOf;
use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::TriggerReason;
use crate::input::update::ProfileUpdate;
use crate::memory::Memory;
use crate::memory::explain::MemoryExplanation;
use crate::memory::grouping::{Sendings, gather_sendings};
use crate::memory::key::MemoryKey;
use crate::memory::outcome::{Judge, Outcome, Outcomes, Settling};
use crate::memory::recalled::{Forgotten, Kept, Recalled};
use crate::memory::repeat::IdDigests;
use crate::memory::stay::Change;
use crate::observe::{Observer, Step};

/// Whether anything was sent before there were memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// Nothing was ever sent without one: of whom nothing is remembered, nothing was sent to.
    Complete,
    /// They began later: of whom nothing is remembered may have been messaged, and what the times of IDs
    /// and the statements of merges say about that is assumed.
    Partial,
}

/// What an update is sent as, where it is remembered what its profiles were sent; and what is to be
/// remembered from now on.
///
/// Total, deterministic, and independent of the order in which IDs and destinations were given. Costs what
/// [`decide`](crate::decide) costs, and beyond that grows with the number of deduping destinations.
pub fn decide<'a>(
    recalled: Recalled<'a>,
    destinations: &'a Destinations,
    completeness: Completeness,
) -> MemoryDecision<'a> {
    decide_with(recalled, destinations, completeness, &mut ())
}

/// The same decision as [`decide`], watched.
pub fn decide_with<'a, O: Observer + ?Sized>(
    recalled: Recalled<'a>,
    destinations: &'a Destinations,
    completeness: Completeness,
    observer: &mut O,
) -> MemoryDecision<'a> {
    let at = recalled.own.memory.time_of(recalled.update);
    let update = recalled.update;
    observer.update_arrived(update.trigger().reason(), update.membership());
    observer.gaps_left(GapsOf::remembering(update, enters_while_in(update, &recalled.own.memory, at)));

    observer.step_began(Step::SelectLatest);
    let chosen = ChosenIds::choose(update, destinations.settings().columns());
    observer.step_ended(Step::SelectLatest);

    let (outcomes, forgotten, events) = Default::default();
    let mut decision = MemoryDecision { recalled, destinations, chosen, outcomes, forgotten, events };
    decision.fill(completeness, at, observer);
    decision
}

fn enters_while_in(update: &ProfileUpdate, own: &Memory, at: Timestamp) -> bool {
    update.trigger().reason() == TriggerReason::ValueChanged
        && update.membership() == Membership::In
        && own.membership == Some(Membership::In)
        && !own.supersedes(at)
}

/// Tells each run of equal verdicts of a setting.
fn tell<O: Observer + ?Sized>(setting: &Setting, outcomes: &Outcomes, observer: &mut O) {
    match outcomes {
        Outcomes::Alike(outcome) => {
            observer.verdict_reached(outcome.verdict(), setting.members.len());
        }
        Outcomes::Each(each) => {
            for alike in each.chunk_by(|a, b| a.verdict() == b.verdict()) {
                if let Some(first) = alike.first() {
                    observer.verdict_reached(first.verdict(), alike.len());
                }
            }
        }
    }
}

/// The whole answer about an update with its memories: what is sent, why, and what is to be kept.
#[derive(Clone)]
#[must_use = "a decision does nothing by itself: keep its memories, and send its events"]
pub struct MemoryDecision<'a> {
    pub(super) recalled: Recalled<'a>,
    pub(super) destinations: &'a Destinations,
    pub(super) chosen: ChosenIds,
    /// One for each of the settings, in their order.
    pub(super) outcomes: SmallVec<[Outcomes; 8]>,
    forgotten: Forgotten,
    events: Vec<IdGroupEvent<'a>>,
}

impl<'a> MemoryDecision<'a> {
    /// Where it lies: to move what was just written costs more than to write it.
    fn fill<O: Observer + ?Sized>(&mut self, completeness: Completeness, at: Timestamp, observer: &mut O) {
        let Self { recalled, destinations, chosen, outcomes, forgotten, events } = self;
        let (update, destinations) = (recalled.update, *destinations);
        observer.step_began(Step::FilterByTrigger);
        let mut filter = TriggerFilter::new(update);
        filter.gather(update, destinations.settings().columns());
        let change = Change { destinations, filter: &filter, completeness, at };
        let course = recalled.take_in(&change, forgotten);
        let own = &recalled.own.memory;
        let judge = Judge { update, destinations, own, course, filter: &filter, chosen };
        let mut digests = IdDigests::new(update.external_ids());
        judge.judge(&mut digests, outcomes);
        for (setting, outcomes) in destinations.settings().distinct().iter().zip(&*outcomes) {
            tell(setting, outcomes, observer);
        }
        observer.step_ended(Step::FilterByTrigger);

        observer.step_began(Step::GroupIds);
        let grouping = Grouping { update, destinations, chosen, hashes: digests.hashes() };
        let mut sendings = Sendings::new();
        gather_sendings(destinations, outcomes, &mut sendings);
        *events = grouping.events(&sendings);
        for event in &*events {
            observer.group_formed(event.id_group().external_ids().len(), event.destinations().len());
        }
        observer.step_ended(Step::GroupIds);
        digests.learn(events);
        let settling = Settling { update, destinations, chosen, outcomes, at };
        recalled.own.settle_first_messages(&settling, &mut digests);
    }

    /// The update.
    pub fn update(&self) -> &'a ProfileUpdate {
        self.recalled.update
    }

    /// What is sent: one event for each distinct set of external IDs, by the id of its first destination.
    pub fn events(&self) -> &[IdGroupEvent<'a>] {
        &self.events
    }

    /// What is sent, without the rest.
    pub fn into_events(self) -> Vec<IdGroupEvent<'a>> {
        self.events
    }

    /// What was decided about each destination, and why.
    pub fn explanation(&self) -> MemoryExplanation<'_, 'a> {
        MemoryExplanation::new(self)
    }

    /// The memories that are not what they were, to be kept under their keys: that of the update's own
    /// profile first. None is ever to be removed.
    pub fn changed(&self) -> impl Iterator<Item = (&MemoryKey, &Memory)> {
        self.kept().filter(|kept| kept.changed).map(|kept| (&kept.key, &kept.memory))
    }

    /// All memories as they are now, changed or not, in the order of [`keys`](crate::memory::keys).
    pub fn memories(&self) -> impl Iterator<Item = (&MemoryKey, &Memory)> {
        self.kept().map(|kept| (&kept.key, &kept.memory))
    }

    fn kept(&self) -> impl Iterator<Item = &Kept> {
        [&self.recalled.own].into_iter().chain(self.recalled.others.iter().map(|other| &other.kept))
    }

    /// The memory of the update's own profile, as it is now.
    pub fn own(&self) -> &Memory {
        self.recalled.own()
    }

    /// The updates whose messages the changed memories know no more, by their ids' digests.
    ///
    /// Keep these memories only once the messages of these updates are out: see [`Batch`](crate::Batch).
    pub fn forgotten(&self) -> &[NameDigest] {
        &self.forgotten
    }

    /// Whether a deduping destination is sent something.
    pub fn messages_somebody(&self) -> bool {
        let sends = |outcome: &Outcome| outcome.verdict() == Verdict::SendSome;
        let settings = self.destinations.settings().distinct().iter().zip(&self.outcomes);
        // Plain destinations that say which IDs they are sent are sent some, too.
        let mut deduping = settings.filter(|(setting, _)| setting.deduping().is_some());
        deduping.any(|(_, outcomes)| match outcomes {
            Outcomes::Alike(outcome) => sends(outcome),
            Outcomes::Each(each) => each.iter().any(sends),
        })
    }
}

impl fmt::Debug for MemoryDecision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDecision")
            .field("events", &self.events)
            .field("explanation", &self.explanation())
            .field("own", self.own())
            .field("forgotten", &self.forgotten)
            .finish_non_exhaustive()
    }
}
