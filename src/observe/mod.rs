//! Watching decisions: what happened on every path, for metrics and traces.

pub(crate) mod counts;

use crate::decide::verdict::Verdict;
use crate::input::trigger::TriggerReason;
use crate::input::update::Membership;
use crate::label::labels;
use crate::release::rollout::Route;

/// Hears what a decision does, while it does it.
///
/// Every method does nothing unless it is implemented, `()` is the observer that hears nothing and
/// costs nothing, and no observer can change a result. None is told an ID's value. This library reads no
/// clock: to time a step, read yours in [`step_began`](Self::step_began) and
/// [`step_ended`](Self::step_ended).
pub trait Observer {
    /// An update was routed, before anything is run for it.
    fn update_routed(&mut self, _route: Route) {}

    /// A decision about an update with this trigger begins.
    fn update_arrived(&mut self, _reason: TriggerReason, _membership: Membership) {}

    /// A step begins. Steps do not nest.
    fn step_began(&mut self, _step: Step) {}

    /// The step that began last ends.
    fn step_ended(&mut self, _step: Step) {}

    /// This many destinations, all with the same setting, get this verdict.
    fn verdict_reached(&mut self, _verdict: Verdict, _destinations: usize) {}

    /// A group of this many external IDs goes to this many destinations.
    fn group_formed(&mut self, _external_ids: usize, _destinations: usize) {}

    /// A comparison ended with this outcome, by its label:
    /// [`Comparison::as_str`](crate::compare::Comparison::as_str).
    fn comparison_made(&mut self, _outcome: &'static str) {}
}

/// A part of the work that can be timed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// `select_latest`: of each type the latest ID is found.
    SelectLatest,
    /// `filter_by_trigger`: each distinct setting gets its verdict.
    FilterByTrigger,
    /// `group_ids`: settings that send the same IDs are put together, hashed, and become events.
    GroupIds,
    /// `legacy`: the legacy flow makes its event.
    Legacy,
    /// `compare`: the outbound messages of both flows are compared.
    Compare,
}

labels!(Step {
    SelectLatest => "select_latest",
    FilterByTrigger => "filter_by_trigger",
    GroupIds => "group_ids",
    Legacy => "legacy",
    Compare => "compare",
});

impl Observer for () {}

/// Two observers that hear the same.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn update_routed(&mut self, route: Route) {
        self.0.update_routed(route);
        self.1.update_routed(route);
    }

    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        self.0.update_arrived(reason, membership);
        self.1.update_arrived(reason, membership);
    }

    fn step_began(&mut self, step: Step) {
        self.0.step_began(step);
        self.1.step_began(step);
    }

    fn step_ended(&mut self, step: Step) {
        self.0.step_ended(step);
        self.1.step_ended(step);
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        self.0.verdict_reached(verdict, destinations);
        self.1.verdict_reached(verdict, destinations);
    }

    fn group_formed(&mut self, external_ids: usize, destinations: usize) {
        self.0.group_formed(external_ids, destinations);
        self.1.group_formed(external_ids, destinations);
    }

    fn comparison_made(&mut self, outcome: &'static str) {
        self.0.comparison_made(outcome);
        self.1.comparison_made(outcome);
    }
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn update_routed(&mut self, route: Route) {
        (**self).update_routed(route);
    }

    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        (**self).update_arrived(reason, membership);
    }

    fn step_began(&mut self, step: Step) {
        (**self).step_began(step);
    }

    fn step_ended(&mut self, step: Step) {
        (**self).step_ended(step);
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        (**self).verdict_reached(verdict, destinations);
    }

    fn group_formed(&mut self, external_ids: usize, destinations: usize) {
        (**self).group_formed(external_ids, destinations);
    }

    fn comparison_made(&mut self, outcome: &'static str) {
        (**self).comparison_made(outcome);
    }
}
