//! An observer that writes down all that it hears.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;

use idgroup::compare::ComparisonOutcome;
use idgroup::{Gaps, GapsOf, Membership, Observer, Route, Step, TriggerReason, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Routed(Route),
    Arrived(TriggerReason, Membership),
    Gaps(Gaps),
    Began(Step),
    Ended(Step),
    Verdict(Verdict, usize),
    Group(usize, usize),
    Compared(ComparisonOutcome),
}

/// An observer that writes down all that it hears.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recorder(pub Vec<Call>);

impl Observer for Recorder {
    fn update_routed(&mut self, route: Route) {
        self.0.push(Call::Routed(route));
    }

    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        self.0.push(Call::Arrived(reason, membership));
    }

    fn gaps_left(&mut self, gaps: GapsOf<'_>) {
        self.0.push(Call::Gaps(gaps.find()));
    }

    fn step_began(&mut self, step: Step) {
        self.0.push(Call::Began(step));
    }

    fn step_ended(&mut self, step: Step) {
        self.0.push(Call::Ended(step));
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        self.0.push(Call::Verdict(verdict, destinations));
    }

    fn group_formed(&mut self, external_ids: usize, destinations: usize) {
        self.0.push(Call::Group(external_ids, destinations));
    }

    fn comparison_made(&mut self, outcome: ComparisonOutcome) {
        self.0.push(Call::Compared(outcome));
    }
}

impl Recorder {
    /// The steps in order. Fails unless each ends before the next begins, and unless everything else
    /// is heard in its place.
    #[track_caller]
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut current = None;
        for call in &self.0 {
            match *call {
                Call::Began(step) => {
                    assert_eq!(current, None, "{step} begins in another step");
                    current = Some(step);
                    steps.push(step);
                }
                Call::Ended(step) => {
                    assert_eq!(current, Some(step), "{step} ends that had not begun");
                    current = None;
                }
                Call::Verdict(..) => assert_eq!(current, Some(Step::FilterByTrigger)),
                Call::Group(..) => assert_eq!(current, Some(Step::GroupIds)),
                Call::Compared(_) => {
                    assert_eq!(current, None);
                    assert_eq!(steps.last(), Some(&Step::Compare));
                }
                Call::Arrived(..) | Call::Routed(_) | Call::Gaps(_) => assert_eq!(current, None),
            }
        }
        assert_eq!(current, None, "the last step has no end");
        steps
    }

    pub fn calls(&self, of: impl Fn(&Call) -> bool) -> Vec<Call> {
        self.0.iter().copied().filter(of).collect()
    }

    pub fn arrivals(&self) -> Vec<(TriggerReason, Membership)> {
        let arrivals = self.0.iter().filter_map(|call| match *call {
            Call::Arrived(reason, membership) => Some((reason, membership)),
            _ => None,
        });
        arrivals.collect()
    }

    /// How many destinations got each verdict.
    pub fn verdicts(&self) -> BTreeMap<Verdict, usize> {
        let mut verdicts = BTreeMap::new();
        for call in &self.0 {
            if let Call::Verdict(verdict, destinations) = *call {
                *verdicts.entry(verdict).or_default() += destinations;
            }
        }
        verdicts
    }

    /// Each group's number of external IDs, and of destinations.
    pub fn groups(&self) -> Vec<(usize, usize)> {
        let groups = self.0.iter().filter_map(|call| match *call {
            Call::Group(external_ids, destinations) => Some((external_ids, destinations)),
            _ => None,
        });
        groups.collect()
    }

    /// Says all of it again to another observer.
    pub fn replay(&self, observer: &mut impl Observer) {
        for call in &self.0 {
            match *call {
                Call::Routed(route) => observer.update_routed(route),
                Call::Arrived(reason, membership) => observer.update_arrived(reason, membership),
                Call::Began(step) => observer.step_began(step),
                Call::Ended(step) => observer.step_ended(step),
                Call::Verdict(verdict, destinations) => observer.verdict_reached(verdict, destinations),
                Call::Group(external_ids, destinations) => observer.group_formed(external_ids, destinations),
                Call::Compared(outcome) => observer.comparison_made(outcome),
                Call::Gaps(_) => {} // only a decision can say them
            }
        }
    }
}
