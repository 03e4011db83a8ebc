//! The sync worker: decides where each update goes, and writes the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use idgroup::compare::{Comparison, Extent};
use idgroup::{Amplification, Destinations, Lane, MessageId, ProfileUpdate, Release, Routed};
use rdkafka::message::{Header, OwnedHeaders};

use crate::allowance::Allowance;
use crate::catalog::Catalog;
use crate::kafka::Shared;
use crate::metrics::DecisionWatch;
use crate::outcome::Outcome;
use crate::retry::until_done;
use crate::rollout_config::InForce;
use crate::sink::Sink;
use crate::store::Connected;

/// An update of more bytes than this may take long to decide about, and gets a thread of its own.
const LARGE: usize = 4_096;

/// So does one of more external IDs than this: few bytes can stand for many messages to compare, but
/// so many IDs stand for a few hundred at most.
const MANY_IDS: usize = 16;

/// How often a computation that is not known is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

pub struct Sync {
    catalog: Arc<Catalog>,
    rollout: InForce,
    shared: Shared,
    allowance: Allowance,
}

/// The events of an update, as they go out.
struct Decided {
    lane: Lane,
    events: Vec<(MessageId, Vec<u8>)>,
}

impl Sync {
    pub fn new(catalog: Arc<Catalog>, rollout: InForce, shared: &Shared) -> Self {
        let allowance = Allowance::new(Duration::from_secs(shared.pipeline.wait_for_computations));
        Self { catalog, rollout, shared: shared.clone(), allowance }
    }

    /// Decides about a batch of updates, and writes what comes of them in their order. Returns how many
    /// of them.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<usize> {
        let Shared { metrics, health, pipeline } = &self.shared;
        let began = Instant::now();
        let updates: Vec<Result<ProfileUpdate, String>> =
            batch.iter().map(|outcome| parse(outcome.record.payload.as_deref())).collect();
        metrics.time("parse", began);
        let began = Instant::now();
        let computations: Vec<&str> =
            updates.iter().flatten().map(|update| update.computation().id()).collect();
        let spaces: Vec<&str> = updates.iter().flatten().map(ProfileUpdate::space_id).collect();
        let destinations = self.destinations(&computations).await;
        let look_up = || self.catalog.tiers(&spaces);
        let tiers = until_done("looking up tiers", metrics, health, look_up).await;
        metrics.time("catalog", began);
        for (n, (outcome, update)) in batch.iter().zip(&updates).enumerate() {
            if n > 0 && sink.has_enough() {
                return Ok(n);
            }
            let decided = match update {
                Ok(update) => match destinations.get(update.computation().id()).map(|connected| &**connected)
                {
                    Some(Ok(Some(destinations))) => {
                        let tier = tiers.get(update.space_id()).cloned().flatten();
                        let bytes = outcome.record.bytes().len();
                        Ok((update, self.decide(update, tier.as_deref(), destinations, bytes).await))
                    }
                    Some(Err(error)) => Err(error.clone()),
                    Some(Ok(None)) | None => {
                        Err(format!("there is no computation `{}`", excerpt(update.computation().id())))
                    }
                },
                Err(error) => Err(error.clone()),
            };
            match decided {
                Ok((update, decided)) => {
                    let began = Instant::now();
                    let topic = match decided.lane {
                        Lane::Fast => &pipeline.outbound,
                        Lane::Slow => &pipeline.outbound_slow,
                    };
                    let computed_at = update.computed_at().map(|time| time.to_string());
                    for (message_id, event) in &decided.events {
                        let headers = headers(*message_id, computed_at.as_deref());
                        let key = Some(update.profile_id().as_bytes());
                        sink.send(outcome, topic, key, Some(event), headers).await?;
                    }
                    metrics.time("hand_over", began);
                    let result = match decided.events.is_empty() {
                        true => "nothing_to_send",
                        false => "sent",
                    };
                    metrics.updates.with_label_values(&["sync", result]).inc();
                }
                Err(error) => sink.dead_letter(outcome, &error).await?,
            }
            sink.all_sent(outcome);
        }
        Ok(batch.len())
    }

    /// The destinations of each computation. Updates can be there before their computation is, so that
    /// one which is not known is waited for, as long as that does not hold the others up for good.
    async fn destinations(&self, computations: &[&str]) -> HashMap<String, Connected> {
        let Shared { metrics, health, .. } = &self.shared;
        loop {
            let look_up = || self.catalog.destinations(computations);
            let found = until_done("looking up destinations", metrics, health, look_up).await;
            let is_unknown = |connected: &Connected| matches!(**connected, Ok(None));
            let unknown: Vec<&str> =
                found.iter().filter(|(_, found)| is_unknown(found)).map(|(name, _)| &name[..]).collect();
            if unknown.is_empty() || !self.allowance.take(BETWEEN_LOOKS, Instant::now()) {
                return found;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            self.catalog.ask_again(&unknown);
        }
    }

    async fn decide(
        &self,
        update: &ProfileUpdate,
        tier: Option<&str>,
        destinations: &Destinations,
        bytes: usize,
    ) -> Decided {
        // The rollout as it is now: an emergency shutoff does not wait for the end of the batch.
        let release = self.release().await;
        match bytes > LARGE || update.external_ids().len() > MANY_IDS {
            true => tokio::task::block_in_place(|| self.decided(&release, update, tier, destinations)),
            false => self.decided(&release, update, tier, destinations),
        }
    }

    fn decided(
        &self,
        release: &Release,
        update: &ProfileUpdate,
        tier: Option<&str>,
        destinations: &Destinations,
    ) -> Decided {
        let metrics = &self.shared.metrics;
        let began = Instant::now();
        let routed = release.decide_with(update, tier, destinations, &mut DecisionWatch::new(metrics));
        metrics.time("decide", began);
        if let Some(comparison) = &routed.comparison {
            report(update, comparison);
        }
        let amplification = Amplification::of(&routed.events);
        let lane = amplification.lane(self.shared.pipeline.slow_above);
        let labels = [routed.route.sends().as_str(), lane.as_str()];
        metrics.events.with_label_values(&labels).inc_by(routed.events.len() as u64);
        metrics.messages.inc_by(amplification.outbound_messages());
        let began = Instant::now();
        let events = serialise(&routed);
        metrics.time("serialise", began);
        Decided { lane, events }
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

/// What receivers tell repeats and order by, without reading the event.
fn headers(message_id: MessageId, computed_at: Option<&str>) -> OwnedHeaders {
    let message_id = message_id.to_string();
    let headers = OwnedHeaders::new_with_capacity(2);
    let headers = headers.insert(Header { key: "message_id", value: Some(&message_id) });
    match computed_at {
        Some(time) => headers.insert(Header { key: "computed_at", value: Some(time) }),
        None => headers,
    }
}

fn parse(payload: Option<&[u8]>) -> Result<ProfileUpdate, String> {
    let payload = payload.ok_or("the payload is null")?;
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

fn serialise(routed: &Routed<'_>) -> Vec<(MessageId, Vec<u8>)> {
    let event = |event: &idgroup::IdGroupEvent<'_>| {
        let json = serde_json::to_vec(event).expect("strings and lists of them are always JSON");
        (event.message_id(), json)
    };
    routed.events.iter().map(event).collect()
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

/// The beginning of a name that may be of any length.
fn excerpt(name: &str) -> String {
    name.chars().take(64).collect()
}
