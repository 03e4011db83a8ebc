//! Watching decisions: what happened on every path, for metrics and traces.

use crate::{Membership, TriggerReason, Verdict};

/// Hears what a decision does, while it does it.
///
/// Every method does nothing unless it is implemented, `()` is the observer that hears nothing and
/// costs nothing, and no observer can change a result. None is told an ID's value. This library reads no
/// clock: to time a step, read yours in [`step_began`](Self::step_began) and
/// [`step_ended`](Self::step_ended).
pub trait Observer {
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
}

impl Observer for () {}
