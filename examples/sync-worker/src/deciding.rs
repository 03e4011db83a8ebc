//! Decides about an update: what the rollout in force makes of it.

use std::sync::Arc;
use std::time::Instant;

use idgroup::compare::{Comparison, Extent};
use idgroup::{Destinations, ProfileUpdate, Release, Routed};

use crate::kafka::Shared;
use crate::metrics::DecisionWatch;
use crate::rollout_config::InForce;

/// An update of more bytes than this may take long to decide about, and gets a thread of its own.
const LARGE: usize = 4_096;

/// So does one of more external IDs than this: few bytes can stand for many messages to compare, but
/// so many IDs stand for a few hundred at most.
const MANY_IDS: usize = 16;

pub struct Deciding {
    rollout: InForce,
    shared: Shared,
}

impl Deciding {
    pub fn new(rollout: InForce, shared: &Shared) -> Self {
        Self { rollout, shared: shared.clone() }
    }

    /// What an update of so many bytes, of a customer in this tier, is sent as.
    pub async fn decide<'a>(
        &self,
        update: &'a ProfileUpdate,
        tier: Option<&str>,
        destinations: &'a Destinations,
        bytes: usize,
    ) -> Routed<'a> {
        // The rollout as it is now: an emergency shutoff does not wait for the end of the batch.
        let release = self.release().await;
        match takes_long(update, bytes) {
            true => tokio::task::block_in_place(|| self.decided(&release, update, tier, destinations)),
            false => self.decided(&release, update, tier, destinations),
        }
    }

    fn decided<'a>(
        &self,
        release: &Release,
        update: &'a ProfileUpdate,
        tier: Option<&str>,
        destinations: &'a Destinations,
    ) -> Routed<'a> {
        let metrics = &self.shared.metrics;
        let began = Instant::now();
        let routed = release.decide_with(update, tier, destinations, &mut DecisionWatch::new(metrics));
        metrics.time("decide", began);
        if let Some(comparison) = &routed.comparison {
            report(update, comparison);
        }
        routed
    }

    /// The rollout in force. Waits for the first one.
    async fn release(&self) -> Arc<Release> {
        let mut rollout = self.rollout.clone();
        match rollout.wait_for(Option::is_some).await.map(|release| release.clone()) {
            Ok(Some(release)) => release,
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
fn report<S>(update: &ProfileUpdate, comparison: &Comparison<S>) {
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
