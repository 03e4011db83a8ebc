//! The sync worker: decides where each update goes, and writes the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use idgroup::ProfileUpdate;

use crate::allowance::Allowance;
use crate::catalog::Catalog;
use crate::deciding::Deciding;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::retry::until_done;
use crate::rollout_config::InForce;
use crate::sending::Sending;
use crate::sink::Sink;
use crate::store::Connected;

/// How often a computation that is not known is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

pub struct Sync {
    catalog: Arc<Catalog>,
    deciding: Deciding,
    sending: Sending,
    shared: Shared,
    allowance: Allowance,
}

impl Sync {
    pub fn new(catalog: Arc<Catalog>, rollout: InForce, shared: &Shared) -> Self {
        let allowance = Allowance::new(Duration::from_secs(shared.pipeline.wait_for_computations));
        let deciding = Deciding::new(rollout, shared);
        let sending = Sending::new(catalog.clone(), shared);
        Self { catalog, deciding, sending, shared: shared.clone(), allowance }
    }

    /// Decides about a batch of updates, and writes what comes of them in their order. Returns how many
    /// of them.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<usize> {
        let Shared { metrics, health, .. } = &self.shared;
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
                        let routed = self.deciding.decide(update, tier.as_deref(), destinations, bytes).await;
                        Ok((update, destinations, routed))
                    }
                    Some(Err(error)) => Err(error.clone()),
                    Some(Ok(None)) | None => {
                        Err(format!("there is no computation `{}`", excerpt(update.computation().id())))
                    }
                },
                Err(error) => Err(error.clone()),
            };
            match decided {
                Ok((update, destinations, routed)) => {
                    self.sending.send(sink, outcome, update, destinations, &routed).await?;
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
}

fn parse(payload: Option<&[u8]>) -> Result<ProfileUpdate, String> {
    let payload = payload.ok_or("the payload is null")?;
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

/// The beginning of a name that may be of any length.
fn excerpt(name: &str) -> String {
    name.chars().take(64).collect()
}
