//! The routed call: everything a service does with an update while a rollout is on, in one call.

pub(crate) mod flow;
pub(crate) mod legacy;
pub(crate) mod rollout;

use alloc::vec::Vec;

use crate::compare::{Comparison, ComparisonBudget, ComparisonKey, OutboundSample, compare_events};
use crate::decide::decide_with;
use crate::event::IdGroupEvent;
use crate::input::destinations::Destinations;
use crate::input::update::ProfileUpdate;
use crate::observe::Observer;
use crate::release::flow::Flow;
use crate::release::legacy::decide_legacy_with;
use crate::release::rollout::{Rollout, Route};

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
/// use idgroup::compare::{ComparisonBudget, ComparisonKey};
/// use idgroup::{Comparing, Flag, Flow, Release, Rollout};
///
/// let release = Release {
///     rollout: Rollout::new(Flag::new("dedupe", 10_000)?).comparing(Comparing::On),
///     key: ComparisonKey::new(sixteen_random_bytes),
///     budget: ComparisonBudget::default(),
/// };
/// let routed = release.decide(&update, None, &destinations, &mut ());
/// assert_eq!(routed.route.sends(), Flow::Legacy, "the gate is closed");
/// assert_eq!(routed.events.len(), 1);
/// assert!(routed.comparison.unwrap().is_identical());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Release {
    /// Who gets what.
    pub rollout: Rollout,
    /// The secret key of comparisons.
    pub key: ComparisonKey,
    /// What a comparison may cost.
    pub budget: ComparisonBudget,
}

/// What came of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Routed<'a> {
    /// What was run and compared, whose events these are, and why.
    pub route: Route,
    /// The events to send.
    pub events: Vec<IdGroupEvent<'a>>,
    /// What the comparison said, if one was made.
    pub comparison: Option<Comparison<OutboundSample>>,
}

impl Release {
    /// Routes the update of a customer in this tier, if in any; runs what is to be run; compares if
    /// that is asked for; and hands back the events to send, with the comparison's outcome.
    pub fn decide<'a, O: Observer + ?Sized>(
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
        let comparison =
            route.compares().then(|| compare_events(&legacy, &dedupe, &self.key, &self.budget, observer));
        let events = match route.sends() {
            Flow::Legacy => legacy,
            Flow::Dedupe => dedupe,
        };
        Routed { route, events, comparison }
    }
}
