//! A mock of a Kafka cluster, in this process: librdkafka's own, for trying things out. It keeps
//! messages in memory, and of each partition only the last 5 MiB.

use anyhow::Result;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::cli::Pipeline;

pub type Broker = MockCluster<'static, DefaultProducerContext>;

/// A cluster with these topics.
pub fn start<'t>(topics: impl IntoIterator<Item = &'t str>, partitions: i32) -> Result<Broker> {
    let cluster = MockCluster::new(1)?;
    for topic in topics {
        cluster.create_topic(topic, partitions, 1)?;
    }
    Ok(cluster)
}

/// The topics of a pipeline.
pub fn topics(pipeline: &Pipeline) -> [&str; 7] {
    [
        &pipeline.compute_output,
        &pipeline.identified_output,
        &pipeline.outbound_events,
        &pipeline.outbound_events_slow,
        &pipeline.outbound_calls,
        &pipeline.outbound_calls_slow,
        &pipeline.dead_letter,
    ]
}
