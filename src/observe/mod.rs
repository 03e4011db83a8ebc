//! Watching decisions: what happened on every path, for metrics and traces.
//!
//! One convention everywhere: what can be watched has a twin whose name ends in `_with` and whose last
//! argument is who watches.

pub(crate) mod counts;

use crate::compare::ComparisonOutcome;
use crate::decide::verdict::Verdict;
use crate::input::gaps::GapsOf;
use crate::input::membership::Membership;
use crate::input::trigger::TriggerReason;
use crate::label::labels;
use crate::release::route::Route;

/// The trait, and what hands every call on: so that no method can be forgotten in one of them.
macro_rules! observer {
    (
        $(#[$trait_docs:meta])*
        pub trait Observer {
            $($(#[$docs:meta])* fn $method:ident(&mut self $(, $argument:ident: $type:ty)*);)*
        }
    ) => {
        $(#[$trait_docs])*
        pub trait Observer {
            $($(#[$docs])* #[allow(unused_variables, reason = "an observer hears what it wants to")]
            fn $method(&mut self $(, $argument: $type)*) {})*
        }

        /// Two observers that hear the same.
        impl<A: Observer, B: Observer> Observer for (A, B) {
            $(fn $method(&mut self $(, $argument: $type)*) {
                self.0.$method($($argument),*);
                self.1.$method($($argument),*);
            })*
        }

        impl<O: Observer + ?Sized> Observer for &mut O {
            $(fn $method(&mut self $(, $argument: $type)*) {
                (**self).$method($($argument),*);
            })*
        }
    };
}

observer! {
    /// Hears what a decision does, while it does it.
    ///
    /// Every method does nothing unless it is implemented, `()` is the observer that hears nothing and
    /// costs nothing, and no observer can change a result. None is told an ID's value. This library
    /// reads no clock: to time a step, read yours in [`step_began`](Self::step_began) and
    /// [`step_ended`](Self::step_ended).
    pub trait Observer {
        /// An update was routed, before anything is run for it.
        fn update_routed(&mut self, route: Route);

        /// A decision about an update with this trigger begins.
        fn update_arrived(&mut self, reason: TriggerReason, membership: Membership);

        /// What the update leaves out of what *once and only once* needs can be looked up now, which
        /// costs only who does so.
        fn gaps_left(&mut self, gaps: GapsOf<'_>);

        /// A step begins. Steps do not nest.
        fn step_began(&mut self, step: Step);

        /// The step that began last ends.
        fn step_ended(&mut self, step: Step);

        /// This many destinations, all with the same setting, get this verdict.
        fn verdict_reached(&mut self, verdict: Verdict, destinations: usize);

        /// A group of this many external IDs goes to this many destinations.
        fn group_formed(&mut self, external_ids: usize, destinations: usize);

        /// A comparison ended with this outcome.
        fn comparison_made(&mut self, outcome: ComparisonOutcome);
    }
}

impl Observer for () {}

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
