//! The routed call: everything a service does with an update while a rollout is on, in one call.

pub(crate) mod flow;
pub(crate) mod legacy;
pub(crate) mod rollout;
pub(crate) mod route;

use alloc::vec::Vec;

use crate::compare::{Comparison, ComparisonBudget, ComparisonKey, OutboundSample, compare_events_with};
use crate::decide::decide_with;
use crate::decide::destinations::Destinations;
use crate::event::IdGroupEvent;
use crate::input::update::ProfileUpdate;
use crate::observe::Observer;
use crate::release::flow::Flow;
use crate::release::legacy::decide_legacy_with;
use crate::release::rollout::Rollout;
use crate::release::route::Route;

/// A rollout, with all that it takes to act on it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use idgroup::{Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, Trigger};
/// # let update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_1")
/// #     .computation(Computation::new("aud_1")?).membership(Membership::Out).trigger(Trigger::ValueChanged)
/// #     .external_id(ExternalId::new("email", "a@example.com")?).build()?;
/// # let destinations = Destinations::new([Destination::new("dst_1")?])?;
/// # let sixteen_random_bytes = [7; 16];
/// use idgroup::compare::ComparisonKey;
/// use idgroup::{Comparing, Flag, Flow, Release, Rollout, Share};
///
/// let rollout = Rollout::new(Flag::new("dedupe", Share::ALL)?).with_comparing(Comparing::On);
/// let release = Release::new(rollout, ComparisonKey::new(sixteen_random_bytes));
/// let routed = release.decide(&update, None, &destinations);
/// assert_eq!(routed.route.sends(), Flow::Legacy, "the gate is closed");
/// assert_eq!(routed.events.len(), 1);
/// assert!(routed.comparison.unwrap().is_identical());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Release {
    rollout: Rollout,
    key: ComparisonKey,
    budget: ComparisonBudget,
}

/// What came of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what was decided is to be sent"]
#[non_exhaustive]
pub struct Routed<'a> {
    /// What was run and compared, whose events these are, and why.
    pub route: Route,
    /// The events to send.
    pub events: Vec<IdGroupEvent<'a>>,
    /// What the comparison said, if one was made.
    pub comparison: Option<Comparison<OutboundSample>>,
}

impl Release {
    /// A release with the default budget for comparisons, made with this secret key.
    pub fn new(rollout: Rollout, key: ComparisonKey) -> Self {
        Self { rollout, key, budget: ComparisonBudget::default() }
    }

    /// The same release with another budget.
    pub fn with_budget(self, budget: ComparisonBudget) -> Self {
        Self { budget, ..self }
    }

    /// Who gets what.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// What a comparison may cost.
    pub fn budget(&self) -> &ComparisonBudget {
        &self.budget
    }

    /// Routes the update of a customer in this tier, if in any; runs what is to be run; compares if
    /// that is asked for; and hands back the events to send, with the comparison's outcome.
    pub fn decide<'a>(
        &self,
        update: &'a ProfileUpdate,
        tier: Option<&str>,
        destinations: &'a Destinations,
    ) -> Routed<'a> {
        self.decide_with(update, tier, destinations, &mut ())
    }

    /// The same as [`decide`](Self::decide), watched.
    pub fn decide_with<'a, O: Observer + ?Sized>(
        &self,
        update: &'a ProfileUpdate,
        tier: Option<&str>,
        destinations: &'a Destinations,
        observer: &mut O,
    ) -> Routed<'a> {
        let route = self.rollout.route_update(update, tier);
        observer.update_routed(route);
        let legacy = match route.runs(Flow::Legacy) {
            true => decide_legacy_with(update, destinations, observer),
            false => Vec::new(),
        };
        let dedupe = match route.runs(Flow::Dedupe) {
            true => decide_with(update, destinations, observer),
            false => Vec::new(),
        };
        let comparison = route
            .compares()
            .then(|| compare_events_with(&legacy, &dedupe, &self.key, &self.budget, observer));
        let events = match route.sends() {
            Flow::Legacy => legacy,
            Flow::Dedupe => dedupe,
        };
        Routed { route, events, comparison }
    }
}
