//! A ready-made observer that counts.

use alloc::collections::BTreeMap;

use crate::decide::verdict::{DropReason, Verdict};
use crate::input::trigger::TriggerReason;
use crate::input::update::Membership;
use crate::observe::{Observer, Step};
use crate::release::rollout::{Route, RouteReason};

/// Counts every trigger reason, step, verdict, group, route and outcome that it hears of.
///
/// Counts can be merged, so that each thread can count for itself. They saturate at [`u64::MAX`].
///
/// ```
/// # use idgroup::{decide_with, Destinations, ProfileUpdate};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let update: ProfileUpdate = serde_json::from_str(
/// #     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
/// #         "membership":"out","trigger":{"reason":"value_changed"},"external_ids":[]}"#)?;
/// # let destinations: Destinations = serde_json::from_str(r#"[{"id":"dst_1","dedupes_on":["email"]}]"#)?;
/// use idgroup::{Counts, DropReason, Verdict};
///
/// let mut counts = Counts::default();
/// decide_with(&update, &destinations, &mut counts);
/// assert_eq!(counts.updates(), 1);
/// assert_eq!(counts.verdict(Verdict::Drop(DropReason::Exited)), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    triggers: BTreeMap<(TriggerReason, Membership), u64>,
    steps: BTreeMap<Step, u64>,
    verdicts: BTreeMap<Verdict, u64>,
    groups: u64,
    routes: BTreeMap<RouteReason, u64>,
    comparisons: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// How many updates the dedupe flow has decided about.
    pub fn updates(&self) -> u64 {
        self.triggers.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many of them had this trigger reason, and this membership.
    pub fn trigger(&self, reason: TriggerReason, membership: Membership) -> u64 {
        count_of(&self.triggers, &(reason, membership))
    }

    /// How often a step was taken to its end.
    pub fn step(&self, step: Step) -> u64 {
        count_of(&self.steps, &step)
    }

    /// How many destinations got this verdict, over all updates.
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        count_of(&self.verdicts, &verdict)
    }

    /// How many destinations were sent nothing for this reason, over all updates.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.verdict(Verdict::Drop(reason))
    }

    /// How many groups were formed, which is how many events the dedupe flow made.
    pub fn groups(&self) -> u64 {
        self.groups
    }

    /// How many updates were routed for this reason.
    pub fn route(&self, reason: RouteReason) -> u64 {
        count_of(&self.routes, &reason)
    }

    /// How many comparisons had this outcome.
    pub fn comparison(&self, outcome: &str) -> u64 {
        self.comparisons.get(outcome).copied().unwrap_or_default()
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        merge(&mut self.triggers, &other.triggers);
        merge(&mut self.steps, &other.steps);
        merge(&mut self.verdicts, &other.verdicts);
        self.groups = self.groups.saturating_add(other.groups);
        merge(&mut self.routes, &other.routes);
        merge(&mut self.comparisons, &other.comparisons);
    }
}

fn count_of<K: Ord>(counts: &BTreeMap<K, u64>, key: &K) -> u64 {
    counts.get(key).copied().unwrap_or_default()
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, more: u64) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(more);
}

fn merge<K: Ord + Copy>(counts: &mut BTreeMap<K, u64>, others: &BTreeMap<K, u64>) {
    for (&key, &more) in others {
        add(counts, key, more);
    }
}

impl Observer for Counts {
    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        add(&mut self.triggers, (reason, membership), 1);
    }

    fn step_ended(&mut self, step: Step) {
        add(&mut self.steps, step, 1);
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        add(&mut self.verdicts, verdict, destinations as u64);
    }

    fn group_formed(&mut self, _external_ids: usize, _destinations: usize) {
        self.groups = self.groups.saturating_add(1);
    }

    fn update_routed(&mut self, route: Route) {
        add(&mut self.routes, route.reason(), 1);
    }

    fn comparison_made(&mut self, outcome: &'static str) {
        add(&mut self.comparisons, outcome, 1);
    }
}
