//! Parked deliveries: tried again, and their calls delivered once they answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinSet;

use crate::cli::{Pipeline, StageName};
use crate::deliver::call::{Call, record_headers};
use crate::deliver::client::FailureKind;
use crate::deliver::sender::{Fate, Sender};
use crate::deliver::tables::{ParkedCall, Tables};
use crate::kafka::{Shared, configuration};
use crate::retry::Pauses;
use crate::sink::{self, Limit};

/// How often it is looked for what is parked, and for what has changed.
const HOW_OFTEN: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How many calls are taken at a time: 16 MB at most.
const AT_ONCE: u32 = 500;
/// How long calls are posted before the delivery is taken anew: well within the time that it is held.
const TURN: Duration = Duration::from_secs(30);
/// How many deliveries are tried at a time.
const MOST_TRIED: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Parking {
    sender: Arc<Sender>,
    tables: Tables,
    shared: Shared,
    producer: FutureProducer,
}

impl Parking {
    pub fn new(sender: Arc<Sender>, tables: Tables, shared: &Shared) -> Result<Self> {
        let pipeline = Pipeline { transactional: false, ..(*shared.pipeline).clone() };
        let settings = sink::settings(StageName::Deliver, &pipeline, Limit::OneMessage);
        let producer = configuration(&pipeline, &settings).create()?;
        Ok(Self { sender, tables, shared: shared.clone(), producer })
    }

    /// Follows what is parked for as long as the process runs.
    pub async fn follow(self) {
        let mut pauses = Pauses::default();
        let mut tries = JoinSet::new();
        let mut tried = HashSet::new();
        loop {
            let pause = match self.sender.settings.refresh().await {
                Ok(parked) => {
                    pauses = Pauses::default();
                    let oldest = parked.iter().map(|parked| parked.age).max().unwrap_or_default();
                    self.shared.metrics.parked.set(i64::try_from(parked.len()).unwrap_or(i64::MAX));
                    self.shared
                        .metrics
                        .parked_seconds
                        .set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
                    for parked in parked.into_iter().filter(|parked| parked.is_due) {
                        if tried.len() < MOST_TRIED && tried.insert(parked.delivery.clone()) {
                            let parking = self.clone();
                            tries.spawn(async move {
                                let result = parking.drive(&parked.delivery).await;
                                (parked.delivery, result)
                            });
                        }
                    }
                    HOW_OFTEN
                }
                Err(error) => {
                    self.shared.metrics.retries.with_label_values(&["parked calls"]).inc();
                    tracing::debug!(error = format!("{error:#}"), "what is parked is not known");
                    pauses.advance()
                }
            };
            let next = Instant::now() + pause;
            loop {
                tokio::select! {
                    Some(ended) = tries.join_next() => match ended {
                        Ok((delivery, result)) => {
                            tried.remove(&delivery);
                            if let Err(error) = result {
                                let error = format!("{error:#}");
                                tracing::warn!(delivery, error, "parked calls are left for later");
                            }
                        }
                        Err(_) => tried.clear(),
                    },
                    () = tokio::time::sleep_until(next.into()) => break,
                }
            }
        }
    }

    /// Delivers a parked delivery's calls, until it fails or none are left.
    async fn drive(&self, delivery: &str) -> Result<()> {
        let worker = &self.shared.pipeline.unique;
        while self.tables.hold(delivery, worker).await? {
            let found = self.sender.settings.of(delivery);
            // No more than go within a few seconds: others have to wait for as long.
            let rate = found.as_ref().as_ref().ok().and_then(|how| how.calls_per_second);
            let most = rate.map_or(AT_ONCE, |rate| rate.saturating_mul(20).min(AT_ONCE));
            let calls = self.tables.parked_calls(delivery, most.into()).await?;
            if calls.is_empty() {
                if self.tables.unpark(delivery).await? {
                    tracing::info!(delivery, "a delivery goes on");
                }
                return Ok(());
            }
            let good: Vec<&Call> = calls.iter().filter_map(|parked| parked.call.as_ref().ok()).collect();
            let sent = self.sender.send(delivery, &good, Some(Instant::now() + TURN)).await;
            let mut fates = sent.fates.into_iter();
            let mut settled = Vec::new();
            for parked in &calls {
                let fate = match &parked.call {
                    Ok(_) => fates.next().context("a call without a fate")?,
                    Err(error) => Fate::Dead(error.clone()),
                };
                let result = match fate {
                    Fate::Waiting => continue,
                    Fate::Taken => "delivered",
                    Fate::Repeat => "repeat",
                    Fate::Dead(reason) => {
                        self.dead_letter(parked, &reason).await?;
                        "refused"
                    }
                };
                self.shared.metrics.calls.with_label_values(&[result]).inc();
                settled.push(parked.number);
            }
            if !settled.is_empty() {
                self.tables.forget_calls(delivery, &settled).await?;
            }
            if let Some(failure) = sent.failure {
                let tries = self.tables.tries(delivery).await?;
                let pause = match failure.kind {
                    // Somebody has to do something first, which takes its time.
                    FailureKind::Lasting => pause_after(tries.max(3)),
                    FailureKind::Uncertain | FailureKind::Passing => pause_after(tries),
                };
                let pause = pause.max(failure.after.unwrap_or_default());
                return self.tables.put_off(delivery, worker, &failure.why, pause).await;
            }
        }
        Ok(())
    }

    async fn dead_letter(&self, parked: &ParkedCall, error: &str) -> Result<()> {
        let pipeline = &self.shared.pipeline;
        let headers = parked.call.iter().flat_map(|call| &call.headers);
        let headers = record_headers(headers.map(|(key, value)| (&**key, &**value)));
        let ours: [(&str, &str); 3] =
            [("error", error), ("stage", StageName::Deliver.as_str()), ("topic", &pipeline.outbound_calls)];
        let headers = ours
            .into_iter()
            .fold(headers, |all: OwnedHeaders, (key, value)| all.insert(Header { key, value: Some(value) }));
        let body = parked.call.as_ref().map(|call| call.body.to_vec()).unwrap_or_default();
        let record = FutureRecord::to(&pipeline.dead_letter).key(&parked.key).payload(&body).headers(headers);
        self.producer
            .send(record, PATIENCE)
            .await
            .map_err(|(error, _)| error)
            .context("a dead letter was not sent")?;
        self.shared.metrics.updates.with_label_values(&["deliver", "dead_letter"]).inc();
        tracing::warn!(stage = "deliver", error, "dead letter");
        Ok(())
    }
}

/// The pause before the next try, after so many in vain: each twice as long, up to a quarter shorter.
fn pause_after(tries: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_PAUSE);
    let mut random = [0];
    // Without a random byte the pause is at its longest, which does no harm.
    let _ = getrandom::fill(&mut random);
    pause - pause / 4 * u32::from(random[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute() {
        let within = |tries, seconds| {
            let (pause, longest) = (pause_after(tries), Duration::from_secs(seconds));
            assert!(pause <= longest && pause >= longest * 3 / 4, "{tries}: {pause:?}");
        };
        for (tries, seconds) in [(0, 1), (1, 2), (5, 32), (6, 60), (31, 60), (u32::MAX, 60)] {
            within(tries, seconds);
        }
    }
}
