//! A ready-made observer that counts.

use alloc::collections::{BTreeMap, btree_map};
use core::iter::{FusedIterator, Sum};
use core::ops::{Add, AddAssign};

use crate::compare::ComparisonOutcome;
use crate::decide::verdict::{DropReason, Verdict};
use crate::input::gaps::{Gap, GapsOf};
use crate::input::membership::Membership;
use crate::input::trigger::TriggerReason;
use crate::observe::{Observer, Step};
use crate::release::route::{Route, RouteReason};

/// Counts every trigger reason, gap, step, verdict, group, route and outcome that it hears of.
///
/// Counts can be iterated and added, so that each thread can count for itself. They saturate at
/// [`u64::MAX`].
///
/// ```
/// # use idgroup::{decide_with, Destinations, ProfileUpdate};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let update: ProfileUpdate = serde_json::from_str(
/// #     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
/// #         "membership":"out","trigger":{"reason":"value_changed"},"external_ids":[]}"#)?;
/// # let destinations: Destinations = serde_json::from_str(r#"[{"id":"dst_1","dedupes_on":["email"]}]"#)?;
/// use idgroup::{Counts, DropReason, Gap, Verdict};
///
/// let mut counts = Counts::default();
/// let events = decide_with(&update, &destinations, &mut counts);
/// assert_eq!((events.len(), counts.updates()), (0, 1));
/// assert_eq!(counts.verdict(Verdict::Drop(DropReason::Exited)), 1);
/// assert_eq!(counts.gap(Gap::NoComputedAt), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Counted, u64>);

/// What [`Counts`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Counted {
    /// Updates that the dedupe flow has decided about, with this trigger reason and membership.
    Trigger(TriggerReason, Membership),
    /// Updates with this gap.
    Gap(Gap),
    /// Steps that were taken to their end.
    Step(Step),
    /// Destinations that got this verdict, over all updates.
    Verdict(Verdict),
    /// Groups, which are the events of the dedupe flow.
    Group,
    /// Updates that were routed for this reason.
    Route(RouteReason),
    /// Comparisons with this outcome.
    Comparison(ComparisonOutcome),
}

impl Counts {
    /// How often this was counted.
    pub fn of(&self, counted: Counted) -> u64 {
        self.0.get(&counted).copied().unwrap_or_default()
    }

    /// What was counted at all, and how often, in the order of [`Counted`].
    pub fn iter(&self) -> CountsIter<'_> {
        CountsIter(self.0.iter())
    }

    /// How many updates the dedupe flow has decided about.
    pub fn updates(&self) -> u64 {
        let of_triggers = self.iter().filter(|(counted, _)| matches!(counted, Counted::Trigger(..)));
        of_triggers.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// How many of them had this trigger reason, and this membership.
    pub fn trigger(&self, reason: TriggerReason, membership: Membership) -> u64 {
        self.of(Counted::Trigger(reason, membership))
    }

    /// How many updates had this gap.
    pub fn gap(&self, gap: Gap) -> u64 {
        self.of(Counted::Gap(gap))
    }

    /// How often a step was taken to its end.
    pub fn step(&self, step: Step) -> u64 {
        self.of(Counted::Step(step))
    }

    /// How many destinations got this verdict, over all updates.
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.of(Counted::Verdict(verdict))
    }

    /// How many destinations were sent nothing for this reason, over all updates.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.verdict(Verdict::Drop(reason))
    }

    /// How many groups were formed, which is how many events the dedupe flow made.
    pub fn groups(&self) -> u64 {
        self.of(Counted::Group)
    }

    /// How many updates were routed for this reason.
    pub fn route(&self, reason: RouteReason) -> u64 {
        self.of(Counted::Route(reason))
    }

    /// How many comparisons had this outcome.
    pub fn comparison(&self, outcome: ComparisonOutcome) -> u64 {
        self.of(Counted::Comparison(outcome))
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (counted, more) in other {
            self.add(counted, more);
        }
    }

    fn add(&mut self, counted: Counted, more: u64) {
        let count = self.0.entry(counted).or_default();
        *count = count.saturating_add(more);
    }
}

impl Observer for Counts {
    fn update_routed(&mut self, route: Route) {
        self.add(Counted::Route(route.reason()), 1);
    }

    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        self.add(Counted::Trigger(reason, membership), 1);
    }

    fn gaps_left(&mut self, gaps: GapsOf<'_>) {
        for gap in gaps.find() {
            self.add(Counted::Gap(gap), 1);
        }
    }

    fn step_ended(&mut self, step: Step) {
        self.add(Counted::Step(step), 1);
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        self.add(Counted::Verdict(verdict), destinations as u64);
    }

    fn group_formed(&mut self, _external_ids: usize, _destinations: usize) {
        self.add(Counted::Group, 1);
    }

    fn comparison_made(&mut self, outcome: ComparisonOutcome) {
        self.add(Counted::Comparison(outcome), 1);
    }
}

/// What was counted at all, and how often.
#[derive(Clone, Debug)]
pub struct CountsIter<'c>(btree_map::Iter<'c, Counted, u64>);

impl Iterator for CountsIter<'_> {
    type Item = (Counted, u64);

    fn next(&mut self) -> Option<(Counted, u64)> {
        self.0.next().map(|(&counted, &count)| (counted, count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for CountsIter<'_> {}

impl FusedIterator for CountsIter<'_> {}

impl<'c> IntoIterator for &'c Counts {
    type Item = (Counted, u64);
    type IntoIter = CountsIter<'c>;

    fn into_iter(self) -> CountsIter<'c> {
        self.iter()
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.merge(other);
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.merge(&other);
        self
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), Add::add)
    }
}

impl<'c> Sum<&'c Self> for Counts {
    fn sum<I: Iterator<Item = &'c Self>>(each: I) -> Self {
        each.fold(Self::default(), |mut sum, counts| {
            sum.merge(counts);
            sum
        })
    }
}
