//! What all of librdkafka's clients share: their configuration, and what they say of themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::cli::{Pipeline, StageName};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::offsets::Offsets;

/// How long a partition that is handed over is kept, so that what was started of it can be finished
/// and committed. What is not is done again by the partition's next worker.
const BEFORE_REVOCATION: Duration = Duration::from_secs(5);
/// The same error is said again only after this long: clients report one with every try.
const BETWEEN_ERRORS: Duration = Duration::from_secs(60);

/// What is needed everywhere.
#[derive(Clone)]
pub struct Shared {
    pub pipeline: Arc<Pipeline>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
}

/// Listens to one client.
#[derive(Clone)]
pub struct Events {
    stage: StageName,
    shared: Shared,
    offsets: Arc<Mutex<Offsets>>,
    said: Arc<Mutex<Vec<(RDKafkaErrorCode, Instant)>>>,
}

/// A configuration with which client-specific ones begin, and properties from the command line end.
pub fn configuration(pipeline: &Pipeline, own: &[(&str, String)]) -> ClientConfig {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", &pipeline.brokers);
    configuration.set("client.id", "sync-worker");
    configuration.set("statistics.interval.ms", "1000");
    configuration.set("reconnect.backoff.max.ms", "2000");
    for (key, value) in own {
        configuration.set(*key, value);
    }
    for (key, value) in &pipeline.properties {
        configuration.set(key, value);
    }
    configuration
}

/// Stores what is done of a topic's partitions. Under the lock, so that no two threads store in the wrong order.
pub fn store_done(consumer: &impl Consumer<Events>, topic: &str, offsets: &mut MutexGuard<'_, Offsets>) {
    let mut done = TopicPartitionList::new();
    for (partition, last) in offsets.take_done() {
        // What is committed is where to go on.
        if let Err(error) = done.add_partition_offset(topic, partition, Offset::Offset(last + 1)) {
            tracing::debug!(%error, "an offset was not stored");
        }
    }
    if done.count() > 0
        && let Err(error) = consumer.store_offsets(&done)
    {
        // A partition has just been handed over: its next reader begins at what was committed.
        tracing::debug!(%error, "an offset was not stored");
    }
}

/// Listens to a client that is only asked something, whose errors are answers.
pub struct Quiet;

impl Events {
    pub fn new(stage: StageName, shared: &Shared, offsets: Arc<Mutex<Offsets>>) -> Self {
        Self { stage, shared: shared.clone(), offsets, said: Arc::default() }
    }

    fn brokers(&self) -> String {
        format!("brokers ({})", self.stage.as_str())
    }

    /// Lets what was started of these partitions come to its end, for a while.
    fn drain(&self, partitions: &[i32]) {
        self.offsets().leave(partitions.iter().copied());
        let began = Instant::now();
        while began.elapsed() < BEFORE_REVOCATION && self.offsets().is_working_on(partitions.iter().copied())
        {
            sleep(Duration::from_millis(5));
        }
    }

    fn forget(&self, partitions: &[i32]) {
        self.offsets().revoke(partitions.iter().copied());
        for partition in partitions {
            let labels = [self.stage.as_str(), &partition.to_string()];
            // It has none if there was no time to find out.
            let _ = self.shared.metrics.lag.remove_label_values(&labels);
        }
    }

    fn lag_of(&self, partition: &Partition) -> Option<i64> {
        // What is above the last stable offset belongs to transactions that are under way.
        let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
        if end < 0 {
            return None;
        }
        let next = match self.offsets().oldest(partition.partition) {
            Some(oldest) => oldest,
            // The position of fetches is also past the marks that transactions leave behind them.
            None if partition.fetchq_cnt == 0 && partition.next_offset >= 0 => partition.next_offset,
            None if partition.app_offset >= 0 => partition.app_offset,
            None => partition.committed_offset.max(partition.lo_offset).max(0),
        };
        Some((end - next).max(0))
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Events {
    fn stats(&self, statistics: Statistics) {
        // Bootstrap entries, which have no id, lose their connection once the brokers are known.
        let up = statistics.brokers.values().any(|broker| broker.state == "UP");
        self.shared.health.set(&self.brokers(), up);
        for partition in statistics.topics.values().flat_map(|topic| topic.partitions.values()) {
            if partition.partition < 0 || partition.fetch_state != "active" {
                continue;
            }
            if let Some(lag) = self.lag_of(partition) {
                let labels = [self.stage.as_str(), &partition.partition.to_string()];
                self.shared.metrics.lag.with_label_values(&labels).set(lag);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        if is_refused_entry(code) {
            // Which says it in one line: every broker gives the same answer, to every try.
            return self.shared.health.waits(&self.brokers(), reason_alone(reason));
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, at)| at.elapsed() < BETWEEN_ERRORS);
        if !said.iter().any(|(before, _)| *before == code) {
            said.push((code, Instant::now()));
            tracing::warn!(stage = self.stage.as_str(), reason, "kafka");
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // `error` hears of a failed connection too; and consumers' properties are no producers'.
            _ if facility == "FAIL" || facility == "CONFWARN" => {
                tracing::debug!(target: "librdkafka", facility, message)
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, message),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", facility, message);
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, message),
            _ => tracing::error!(target: "librdkafka", facility, message),
        }
    }
}

impl ConsumerContext for Events {
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        match result {
            Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => {
                // What was not committed is read again by whoever has the partitions now.
                let partitions = offsets.count();
                tracing::warn!(stage = self.stage.as_str(), %error, partitions, "not committed");
            }
            Ok(()) | Err(_) => (),
        }
    }

    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                tracing::info!(stage = self.stage.as_str(), partitions = partitions.count(), "assigned");
            }
            Rebalance::Revoke(revoked) => {
                let count = revoked.count();
                let elements = revoked.elements();
                let topic = elements.first().map(|element| element.topic().to_owned());
                let partitions: Vec<i32> = elements.iter().map(|element| element.partition()).collect();
                // What has been lost is another worker's already.
                if !consumer.assignment_lost() {
                    tokio::task::block_in_place(|| self.drain(&partitions));
                    // All of a stage's partitions are of one topic.
                    topic.iter().for_each(|topic| store_done(consumer, topic, &mut self.offsets()));
                }
                // librdkafka keeps a partition paused that was so when it went, and it would be when it comes back.
                // Until it is gone, after this, librdkafka holds all of them for the rebalance: nothing is read
                // of it.
                if let Err(error) = consumer.resume(revoked) {
                    tracing::error!(stage = self.stage.as_str(), %error, "can't resume what is handed over");
                }
                tracing::info!(stage = self.stage.as_str(), partitions = count, "revoked");
                self.forget(&partitions);
            }
            Rebalance::Error(error) => tracing::warn!(stage = self.stage.as_str(), %error, "rebalance"),
        }
    }
}

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka");
    }
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Errors that say that brokers are there and let nobody in, or not this client.
fn is_refused_entry(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
    )
}

/// What librdkafka says, without the broker that it begins with and the times that it appends.
fn reason_alone(reason: &str) -> &str {
    let reason = reason.rsplit_once(" (after ").map_or(reason, |(reason, _)| reason);
    match reason.split_once(": ") {
        Some((broker, reason)) if broker.contains("://") => reason,
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_same_each_time() {
        assert_eq!(
            reason_alone("ssl://b:1/1: SSL handshake failed: unknown CA (after 3ms in state SSL_HANDSHAKE)"),
            "SSL handshake failed: unknown CA"
        );
        assert_eq!(reason_alone("1/1 brokers are down"), "1/1 brokers are down");
    }
}
