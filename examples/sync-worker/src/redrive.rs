//! Dead letters, once more: what can be used by now takes its way.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::cli::{Pipeline, StageName};
use crate::deliver::{headers_of, record_headers};
use crate::kafka::configuration;
use crate::properties;
use crate::sink::{self, Limit};

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends dead letters whose error contains this to the topics that they came from. Reads up to where the
/// dead-letter topic ends now, from where the last redrive ended. Those that stay are read again next time
/// only if nothing behind them in their partition was sent.
pub async fn redrive(pipeline: Pipeline, error: &str) -> Result<()> {
    properties::check(&pipeline)?;
    let own = [
        ("group.id", format!("{}-redrive", pipeline.group)),
        ("auto.offset.reset", "earliest".to_owned()),
        ("isolation.level", "read_committed".to_owned()),
        ("enable.auto.commit", "false".to_owned()),
    ];
    let consumer: StreamConsumer = configuration(&pipeline, &own).create()?;
    let plain = Pipeline { transactional: false, ..pipeline.clone() };
    let settings = sink::settings(StageName::Identify, &plain, Limit::OneMessage);
    let producer: FutureProducer = configuration(&pipeline, &settings).create()?;
    let mut ends = ends(&consumer, &pipeline.dead_letter)?;
    assign(&consumer, &pipeline.dead_letter, &ends)?;
    let (mut sent, mut left) = (0_usize, 0_usize);
    while !ends.is_empty() {
        let read = tokio::time::timeout(PATIENCE, consumer.recv()).await;
        let message = read.map_err(|_| anyhow!("no answer within {} seconds", PATIENCE.as_secs()))??;
        let Some(end) = ends.iter().find(|end| end.0 == message.partition()).map(|end| end.1) else {
            continue;
        };
        if message.offset() < end {
            match destination(&message, &pipeline, error) {
                Some(topic) => {
                    send(&producer, topic, &message).await?;
                    sent += 1;
                }
                None => left += 1,
            }
            tokio::task::block_in_place(|| consumer.commit_message(&message, CommitMode::Sync))?;
        }
        // Transactions leave marks behind them, so that the last offset may be no message.
        let position = consumer.position()?;
        ends.retain(|(partition, end)| {
            let next = position.find_partition(&pipeline.dead_letter, *partition);
            next.and_then(|next| next.offset().to_raw()).is_none_or(|next| next < *end)
        });
    }
    println!("{sent} sent once more, {left} left");
    Ok(())
}

/// The partitions that are not at their ends, and those ends.
fn ends(consumer: &StreamConsumer, topic: &str) -> Result<Vec<(i32, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let topic_metadata = metadata.topics().first().context("no such topic")?;
    let mut partitions = TopicPartitionList::new();
    for partition in topic_metadata.partitions() {
        partitions.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(partitions, PATIENCE)?;
    let mut ends = Vec::new();
    for element in committed.elements() {
        let (first, end) = consumer.fetch_watermarks(topic, element.partition(), PATIENCE)?;
        let next = element.offset().to_raw().filter(|next| *next >= first).unwrap_or(first);
        if next < end {
            ends.push((element.partition(), end));
        }
    }
    if topic_metadata.partitions().is_empty() {
        bail!("there is no topic `{topic}`");
    }
    Ok(ends)
}

fn assign(consumer: &StreamConsumer, topic: &str, ends: &[(i32, i64)]) -> Result<()> {
    let mut partitions = TopicPartitionList::new();
    for (partition, _) in ends {
        partitions.add_partition_offset(topic, *partition, Offset::Stored)?;
    }
    Ok(consumer.assign(&partitions)?)
}

/// Where a dead letter came from. `None` if it is not to be sent, or is not whole.
fn destination<'a>(message: &BorrowedMessage<'_>, pipeline: &'a Pipeline, error: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    let header = |name: &str| {
        let header = headers.iter().find(|header| header.key == name)?;
        header.value.map(String::from_utf8_lossy)
    };
    let is_whole = header("sha256").is_none();
    let topic = header("topic")?;
    let inputs = [
        &pipeline.compute_output,
        &pipeline.identified_output,
        &pipeline.outbound_calls,
        &pipeline.outbound_calls_slow,
    ];
    let topic = inputs.into_iter().find(|input| ***input == *topic)?;
    (is_whole && header("error")?.contains(error)).then_some(topic)
}

async fn send(producer: &FutureProducer, topic: &str, message: &BorrowedMessage<'_>) -> Result<()> {
    let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic);
    record.key = message.key();
    record.payload = message.payload();
    let headers = message.headers().map(BorrowedHeaders::detach);
    let headers = headers_of(headers.as_ref());
    record.headers = Some(record_headers(headers.iter().map(|(key, value)| (&**key, &**value))));
    producer
        .send(record, PATIENCE)
        .await
        .map_err(|(error, _)| error)
        .context("a dead letter was not sent")?;
    Ok(())
}
