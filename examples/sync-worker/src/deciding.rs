//! Decides about an update: what the rollout in force makes of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use idgroup::compare::{Comparison, Extent};
use idgroup::{
    Completeness, Destinations, IdGroupEvent, ProfileUpdate, Recalled, Routed, RoutedWithMemory, decide,
    decide_legacy_with,
};

use crate::call_settings::Called;
use crate::kafka::Shared;
use crate::metrics::DecisionWatch;
pub use crate::rollout_config::Current;
use crate::rollout_config::InForce;
use crate::store::Legacy;

/// An update of more bytes than this may take long to decide about, and gets a thread of its own.
const LARGE: usize = 4_096;

/// So does one of more external IDs than this: few bytes can stand for many messages to compare, but
/// so many IDs stand for a few hundred at most.
const MANY_IDS: usize = 16;

pub struct Deciding {
    rollout: InForce,
    shared: Shared,
}

/// An update that can be decided about, of so many bytes, with what it takes.
pub struct Known<'a> {
    pub update: &'a ProfileUpdate,
    /// The tier of its space's customer, if in any.
    pub tier: Option<Arc<str>>,
    pub destinations: &'a Destinations,
    pub legacy: &'a Legacy,
    /// How they are called; `None` where events are sent.
    pub called: Option<Called>,
    pub bytes: usize,
}

impl Deciding {
    pub fn new(rollout: InForce, shared: &Shared) -> Self {
        Self { rollout, shared: shared.clone() }
    }

    /// What an update is sent as by the rollout in force: an emergency shutoff does not wait for the end of a
    /// batch.
    pub async fn decide<'a>(&self, known: &Known<'a>) -> Routed<'a> {
        let current = self.in_force().await;
        self.decide_by(&current, known)
    }

    /// What an update is sent as.
    pub fn decide_by<'a>(&self, current: &Current, known: &Known<'a>) -> Routed<'a> {
        let Known { update, tier, destinations, legacy, .. } = known;
        let watch = &mut DecisionWatch::new(&self.shared.metrics);
        let release = match legacy {
            Legacy::Same => &current.release,
            Legacy::Apart(_) | Legacy::Unusable => &current.uncompared,
        };
        let routed = self.timed(known, || release.decide_with(update, tier.as_deref(), destinations, watch));
        match legacy {
            Legacy::Same => report(update, routed.comparison.as_ref()),
            // The dedupe flow's events are not at hand where the legacy flow's are sent.
            Legacy::Apart(_) => self.compare(current, known, || decide(update, destinations).into()),
            Legacy::Unusable => (),
        }
        routed
    }

    /// What an update is sent as by what is remembered, and what is to be remembered. Nothing is compared.
    pub fn decide_recalled<'a>(
        &self,
        current: &Current,
        known: &Known<'a>,
        recalled: Recalled<'a>,
        completeness: Completeness,
    ) -> RoutedWithMemory<'a> {
        let Known { tier, destinations, .. } = known;
        let watch = &mut DecisionWatch::new(&self.shared.metrics);
        let release = &current.uncompared;
        self.timed(known, || {
            release.decide_recalled_with(recalled, tier.as_deref(), destinations, completeness, watch)
        })
    }

    /// Compares what the dedupe flow made of an update with what the legacy flow makes of it, if that is asked for.
    pub fn compare<'e>(
        &self,
        current: &Current,
        known: &Known<'_>,
        dedupe: impl FnOnce() -> Cow<'e, [IdGroupEvent<'e>]>,
    ) {
        let Known { update, tier, destinations, .. } = known;
        let destinations = match known.legacy {
            Legacy::Same => destinations,
            Legacy::Apart(legacy) => legacy,
            Legacy::Unusable => return,
        };
        if !current.release.rollout().route_update(update, tier.as_deref()).compares() {
            return;
        }
        let watch = &mut DecisionWatch::new(&self.shared.metrics);
        let compare = || {
            let legacy = decide_legacy_with(update, destinations, watch);
            current.compare(&legacy, &dedupe(), watch)
        };
        let comparison = match takes_long(update, known.bytes) {
            true => tokio::task::block_in_place(compare),
            false => compare(),
        };
        report(update, Some(&comparison));
    }

    fn timed<T>(&self, known: &Known<'_>, decide: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let decided = match takes_long(known.update, known.bytes) {
            true => tokio::task::block_in_place(decide),
            false => decide(),
        };
        self.shared.metrics.time("decide", began);
        decided
    }

    /// Whether this is what is in force now.
    pub fn is_in_force(&self, current: &Arc<Current>) -> bool {
        self.rollout.borrow().as_ref().is_some_and(|now| Arc::ptr_eq(now, current))
    }

    /// The rollout in force. Waits for the first one.
    pub async fn in_force(&self) -> Arc<Current> {
        if let Some(current) = self.rollout.borrow().as_ref() {
            return current.clone();
        }
        let mut rollout = self.rollout.clone();
        match rollout.wait_for(Option::is_some).await.map(|current| current.clone()) {
            Ok(Some(current)) => current,
            // Who puts rollouts in force has ended without one: there is nothing to go by.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// Whether what is done about an update of so many bytes needs a thread of its own.
pub fn takes_long(update: &ProfileUpdate, bytes: usize) -> bool {
    bytes > LARGE || update.external_ids().len() > MANY_IDS
}

/// Says what a comparison found, in numbers: its samples hold external IDs.
fn report<S>(update: &ProfileUpdate, comparison: Option<&Comparison<S>>) {
    let Some(comparison) = comparison else { return };
    let update_id = update.id();
    match comparison {
        Comparison::Identical { .. } | Comparison::NothingToCompare => (),
        Comparison::Different(difference) => tracing::warn!(
            update_id,
            legacy = difference.legacy,
            dedupe = difference.dedupe,
            only_in_legacy = difference.only_in_legacy,
            only_in_dedupe = difference.only_in_dedupe,
            in_different_numbers = difference.in_different_numbers,
            is_all = difference.extent == Extent::Whole,
            "the flows differ"
        ),
        Comparison::Refused { most, .. } => tracing::info!(update_id, most, "too many messages to compare"),
        Comparison::CutShort { .. } => tracing::warn!(update_id, "a comparison was cut short"),
        _ => tracing::warn!(update_id, outcome = comparison.as_str(), "the flows are not known to agree"),
    }
}
