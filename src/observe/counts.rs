//! A ready-made observer that counts.

use core::array;
use core::fmt;
use core::iter::Sum;
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
#[derive(Clone, PartialEq, Eq)]
pub struct Counts([u64; Counted::ALL.len()]);

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
        self.0.get(counted.place()).copied().unwrap_or_default()
    }

    /// What was counted at all, and how often, in the order of [`Counted`].
    pub fn iter(&self) -> CountsIter<'_> {
        CountsIter { counts: self, rest: Counted::ALL.into_iter() }
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
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    fn add(&mut self, counted: Counted, more: u64) {
        if let Some(count) = self.0.get_mut(counted.place()) {
            *count = count.saturating_add(more);
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self([0; Counted::ALL.len()])
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the compiler goes through all places, and refuses what goes wrong"
)]
impl Counted {
    const TRIGGERS: usize = TriggerReason::ALL.len() * Membership::ALL.len();
    const VERDICTS: usize = 2 + DropReason::ALL.len();

    // Where each kind begins.
    const GAP: usize = Self::TRIGGERS;
    const STEP: usize = Self::GAP + Gap::ALL.len();
    const VERDICT: usize = Self::STEP + Step::ALL.len();
    const GROUP: usize = Self::VERDICT + Self::VERDICTS;
    const ROUTE: usize = Self::GROUP + 1;
    const COMPARISON: usize = Self::ROUTE + RouteReason::ALL.len();

    /// All of them, in their order: what stands where in [`Counts`].
    const ALL: [Self; Self::COMPARISON + ComparisonOutcome::ALL.len()] = {
        let mut all = [Self::Group; Self::COMPARISON + ComparisonOutcome::ALL.len()];
        let mut place = 0;
        while place < all.len() {
            all[place] = Self::at(place);
            place += 1;
        }
        all
    };

    const fn at(place: usize) -> Self {
        match place {
            Self::COMPARISON.. => Self::Comparison(ComparisonOutcome::ALL[place - Self::COMPARISON]),
            Self::ROUTE.. => Self::Route(RouteReason::ALL[place - Self::ROUTE]),
            Self::GROUP.. => Self::Group,
            Self::VERDICT.. => Self::Verdict(match place - Self::VERDICT {
                0 => Verdict::SendAll,
                1 => Verdict::SendSome,
                reason => Verdict::Drop(DropReason::ALL[reason - 2]),
            }),
            Self::STEP.. => Self::Step(Step::ALL[place - Self::STEP]),
            Self::GAP.. => Self::Gap(Gap::ALL[place - Self::GAP]),
            _ => {
                let of_reason = Membership::ALL.len();
                Self::Trigger(TriggerReason::ALL[place / of_reason], Membership::ALL[place % of_reason])
            }
        }
    }

    /// The place in [`ALL`](Self::ALL).
    const fn place(self) -> usize {
        match self {
            Self::Trigger(reason, membership) => {
                reason as usize * Membership::ALL.len() + membership as usize
            }
            Self::Gap(gap) => Self::GAP + gap as usize,
            Self::Step(step) => Self::STEP + step as usize,
            Self::Verdict(Verdict::SendAll) => Self::VERDICT,
            Self::Verdict(Verdict::SendSome) => Self::VERDICT + 1,
            Self::Verdict(Verdict::Drop(reason)) => Self::VERDICT + 2 + reason as usize,
            Self::Group => Self::GROUP,
            Self::Route(reason) => Self::ROUTE + reason as usize,
            Self::Comparison(outcome) => Self::COMPARISON + outcome as usize,
        }
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
pub struct CountsIter<'c> {
    counts: &'c Counts,
    rest: array::IntoIter<Counted, { Counted::ALL.len() }>,
}

impl Iterator for CountsIter<'_> {
    type Item = (Counted, u64);

    fn next(&mut self) -> Option<(Counted, u64)> {
        self.rest.by_ref().map(|counted| (counted, self.counts.of(counted))).find(|(_, count)| *count > 0)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.rest.as_slice().iter();
        let number = rest.filter(|counted| self.counts.of(**counted) > 0).count();
        (number, Some(number))
    }
}

impl ExactSizeIterator for CountsIter<'_> {}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counted_has_a_place_of_its_own_in_their_order() {
        assert!(Counted::ALL.is_sorted());
        for (place, counted) in Counted::ALL.into_iter().enumerate() {
            assert_eq!(counted.place(), place, "{counted:?}");
        }
    }

    #[test]
    fn what_was_not_counted_is_not_said() {
        let mut counts = Counts::default();
        counts.comparison_made(ComparisonOutcome::Refused);
        counts.update_arrived(TriggerReason::ValueChanged, Membership::In);
        counts.update_arrived(TriggerReason::ValueChanged, Membership::In);
        counts.verdict_reached(Verdict::SendAll, 0);
        let mut iter = counts.iter();
        assert_eq!(iter.len(), 2);
        let first = (Counted::Trigger(TriggerReason::ValueChanged, Membership::In), 2);
        assert_eq!((iter.next(), iter.len()), (Some(first), 1));
        assert_eq!(iter.next(), Some((Counted::Comparison(ComparisonOutcome::Refused), 1)));
        assert_eq!((iter.next(), iter.len()), (None, 0));
    }
}
