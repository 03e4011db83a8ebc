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
use crate::memory;
use crate::memory::decide::{Completeness, MemoryDecision};
use crate::memory::recalled::Recalled;
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

/// What came of an update with its memories.
#[derive(Clone, Debug)]
#[must_use = "memories are to be kept, and what was decided is to be sent"]
#[non_exhaustive]
pub struct RoutedWithMemory<'a> {
    /// What to send, and why.
    pub routed: Routed<'a>,
    /// What the dedupe flow decided, whichever flow's events are sent: the memories to keep are its
    /// [changed](MemoryDecision::changed) ones. `None` where it does not run, and nothing is remembered.
    pub decision: Option<MemoryDecision<'a>>,
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
        let (route, legacy) = self.begin(update, tier, destinations, observer);
        let dedupe = match route.runs(Flow::Dedupe) {
            true => decide_with(update, destinations, observer),
            false => Vec::new(),
        };
        let comparison = self.compare(route, &legacy, &dedupe, observer);
        let events = match route.sends() {
            Flow::Legacy => legacy,
            Flow::Dedupe => dedupe,
        };
        Routed { route, events, comparison }
    }

    /// The same as [`decide`](Self::decide), with the memories that the dedupe flow decides by.
    ///
    /// While the gate is closed the legacy flow's events are sent, and memories are to be kept as if the
    /// dedupe flow's had been, so that nobody is messaged anew when it opens. Where the flag does not admit
    /// the space there is no decision to keep: whoever lowers its share has to raise the epoch of
    /// [keys](memory::keys), because these memories miss updates from then on.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use idgroup::{Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, Trigger};
    /// # let update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_1")
    /// #     .computation(Computation::new("aud_1")?).membership(Membership::In).trigger(Trigger::ValueChanged)
    /// #     .external_id(ExternalId::new("email", "a@example.com")?).build()?;
    /// # let destinations = Destinations::new([Destination::new("dst_1")?.deduping_on(["email"])?])?;
    /// # let release_key = idgroup::compare::ComparisonKey::new([7; 16]);
    /// use idgroup::{Completeness, Flag, Flow, Memory, Release, Rollout, Share, memory};
    ///
    /// let release = Release::new(Rollout::new(Flag::new("dedupe", Share::ALL)?), release_key);
    /// let recalled = memory::keys(&update, 0).recall(|_key| Memory::default());
    /// let outcome = release.decide_recalled(recalled, None, &destinations, Completeness::Partial);
    /// assert_eq!(outcome.routed.route.sends(), Flow::Legacy, "the gate is closed");
    /// let decision = outcome.decision.ok_or("the flag does not admit the space")?;
    /// assert!(decision.own().settled_for("dst_1").is_some(), "as if it had been messaged");
    /// # Ok(())
    /// # }
    /// ```
    pub fn decide_recalled<'a>(
        &self,
        recalled: Recalled<'a>,
        tier: Option<&str>,
        destinations: &'a Destinations,
        completeness: Completeness,
    ) -> RoutedWithMemory<'a> {
        self.decide_recalled_with(recalled, tier, destinations, completeness, &mut ())
    }

    /// The same as [`decide_recalled`](Self::decide_recalled), watched.
    pub fn decide_recalled_with<'a, O: Observer + ?Sized>(
        &self,
        recalled: Recalled<'a>,
        tier: Option<&str>,
        destinations: &'a Destinations,
        completeness: Completeness,
        observer: &mut O,
    ) -> RoutedWithMemory<'a> {
        let (route, legacy) = self.begin(recalled.update(), tier, destinations, observer);
        let decision = match route.runs(Flow::Dedupe) {
            true => Some(memory::decide_with(recalled, destinations, completeness, observer)),
            false => None,
        };
        let dedupe = decision.as_ref().map(MemoryDecision::events).unwrap_or_default();
        let comparison = self.compare(route, &legacy, dedupe, observer);
        let events = match route.sends() {
            Flow::Legacy => legacy,
            Flow::Dedupe => dedupe.to_vec(),
        };
        RoutedWithMemory { routed: Routed { route, events, comparison }, decision }
    }

    /// The route, and the legacy flow's events where it is to run.
    fn begin<'a, O: Observer + ?Sized>(
        &self,
        update: &'a ProfileUpdate,
        tier: Option<&str>,
        destinations: &'a Destinations,
        observer: &mut O,
    ) -> (Route, Vec<IdGroupEvent<'a>>) {
        let route = self.rollout.route_update(update, tier);
        observer.update_routed(route);
        let legacy = match route.runs(Flow::Legacy) {
            true => decide_legacy_with(update, destinations, observer),
            false => Vec::new(),
        };
        (route, legacy)
    }

    fn compare<O: Observer + ?Sized>(
        &self,
        route: Route,
        legacy: &[IdGroupEvent<'_>],
        dedupe: &[IdGroupEvent<'_>],
        observer: &mut O,
    ) -> Option<Comparison<OutboundSample>> {
        route.compares().then(|| compare_events_with(legacy, dedupe, &self.key, &self.budget, observer))
    }
}
