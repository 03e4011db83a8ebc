//! What all of librdkafka's clients share: their configuration, and what they say of themselves.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::cli::{Pipeline, StageName};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::offsets::Offsets;

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
    pub stage: StageName,
    pub shared: Shared,
    pub offsets: Arc<Mutex<Offsets>>,
}

/// A configuration with which client-specific ones begin, and properties from the command line end.
pub fn configuration(shared: &Shared, own: &[(&str, String)]) -> ClientConfig {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", &shared.pipeline.brokers);
    configuration.set("client.id", "sync-worker");
    configuration.set("statistics.interval.ms", "1000");
    configuration.set("reconnect.backoff.max.ms", "2000");
    for (key, value) in own {
        configuration.set(*key, value);
    }
    for (key, value) in &shared.pipeline.properties {
        configuration.set(key, value);
    }
    configuration
}

impl Events {
    fn brokers_are(&self, there: bool) {
        self.shared.health.set(&format!("brokers ({})", self.stage.as_str()), there);
    }

    fn forget(&self, partitions: &TopicPartitionList) {
        let elements = partitions.elements();
        let mut offsets = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
        offsets.revoke(elements.iter().map(|element| element.partition()));
        for element in &elements {
            let labels = [self.stage.as_str(), &element.partition().to_string()];
            let _ = self.shared.metrics.lag.remove_label_values(&labels);
        }
    }
}

impl ClientContext for Events {
    fn stats(&self, statistics: Statistics) {
        // Bootstrap entries, which have no id, lose their connection once the brokers are known.
        let up = statistics.brokers.values().any(|broker| broker.state == "UP");
        self.brokers_are(up);
        for partition in statistics.topics.values().flat_map(|topic| topic.partitions.values()) {
            if partition.partition >= 0
                && partition.consumer_lag_stored >= 0
                && partition.fetch_state == "active"
            {
                let labels = [self.stage.as_str(), &partition.partition.to_string()];
                self.shared.metrics.lag.with_label_values(&labels).set(partition.consumer_lag_stored);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(stage = self.stage.as_str(), %error, reason, "kafka");
    }
}

impl ConsumerContext for Events {
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // What was not committed is read again by whoever has the partitions now.
            tracing::warn!(stage = self.stage.as_str(), %error, partitions = offsets.count(), "not committed");
        }
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                tracing::info!(stage = self.stage.as_str(), partitions = partitions.count(), "assigned");
            }
            Rebalance::Revoke(partitions) => {
                tracing::info!(stage = self.stage.as_str(), partitions = partitions.count(), "revoked");
                self.forget(partitions);
            }
            Rebalance::Error(error) => tracing::warn!(stage = self.stage.as_str(), %error, "rebalance"),
        }
    }
}
