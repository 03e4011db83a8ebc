//! Where a stage reads: one topic, in a consumer group, into bounded memory.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{FutureExt, StreamExt};
use rdkafka::consumer::{CommitMode, Consumer, ConsumerGroupMetadata, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Message, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::cli::Pipeline;
use crate::cli::StageName;
use crate::kafka::{Events, Shared, configuration, store_done};
use crate::offsets::{Begun, MovedBack, Offsets};

/// How often what is done is told to librdkafka, which commits it twice a second.
const BETWEEN_STORES: Duration = Duration::from_millis(100);
/// How many records are taken that are there already, before anything else is looked at.
const AT_ONCE: usize = 64;

/// For how long the consumer is left alone while there is no memory. Then the partitions are paused,
/// so that it can be polled, which keeps it in its group.
const BEFORE_PAUSE: Duration = Duration::from_secs(10);
/// For what is asked of brokers about a partition's first update.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Source {
    consumer: StreamConsumer<Events>,
    offsets: Arc<Mutex<Offsets>>,
    /// When offsets were last stored.
    stored: Mutex<Instant>,
    topic: String,
    stage: StageName,
    shared: Shared,
    memory: Arc<Semaphore>,
    memory_kib: u32,
}

/// An update as it was read, and the memory that it has been given.
pub struct Record {
    /// `None` is Kafka's null.
    pub payload: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
    pub headers: Option<OwnedHeaders>,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub read_at: Instant,
    assignment: u64,
    source: Arc<Source>,
    _memory: OwnedSemaphorePermit,
}

impl Source {
    pub fn open(stage: StageName, topic: &str, shared: &Shared) -> Result<Arc<Self>> {
        let offsets = Arc::new(Mutex::new(Offsets::default()));
        let events = Events::new(stage, shared, offsets.clone());
        let consumer: StreamConsumer<Events> =
            configuration(&shared.pipeline, &settings(stage, &shared.pipeline))
                .create_with_context(events)?;
        consumer.subscribe(&[topic])?;
        let memory_kib = shared.pipeline.in_flight_mib.saturating_mul(1024).max(1024);
        Ok(Arc::new(Self {
            consumer,
            offsets,
            stored: Mutex::new(Instant::now()),
            topic: topic.to_owned(),
            stage,
            shared: shared.clone(),
            memory: Arc::new(Semaphore::new(memory_kib as usize)),
            memory_kib,
        }))
    }

    /// Reads until `stop`, or until nobody takes the records any more.
    pub async fn read(
        self: Arc<Self>,
        records: mpsc::UnboundedSender<Record>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<()> {
        let mut storing = tokio::time::interval(BETWEEN_STORES);
        let mut messages = self.consumer.stream();
        loop {
            let mut next = tokio::select! {
                biased;
                () = stopped(&mut stop) => return Ok(()),
                _ = storing.tick() => {
                    self.store(Instant::now());
                    continue;
                }
                message = messages.next() => message,
            };
            let mut taken = 0;
            while let Some(message) = next {
                if self.take(message, &records, &mut stop).await?.is_break() {
                    return Ok(());
                }
                taken += 1;
                next = match taken < AT_ONCE {
                    true => messages.next().now_or_never().flatten(),
                    false => None,
                };
            }
        }
    }

    /// Passes a message on as a record. Breaks where nobody takes them any more.
    async fn take(
        self: &Arc<Self>,
        message: Result<BorrowedMessage<'_>, KafkaError>,
        records: &mpsc::UnboundedSender<Record>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<ControlFlow<()>> {
        match message {
            Ok(message) => {
                tokio::select! {
                    biased;
                    record = self.record(&message) => {
                        if records.send(record?).is_err() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    () = stopped(stop) => return Ok(ControlFlow::Break(())),
                }
            }
            Err(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId)) => {
                return Err(Fenced.into());
            }
            Err(KafkaError::MessageConsumptionFatal(error)) => bail!("the consumer has failed: {error}"),
            Err(error) => {
                // The consumer's context has said why.
                tracing::debug!(stage = self.stage.as_str(), %error, "reading");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Copies a message once there is memory for it.
    async fn record(self: &Arc<Self>, message: &BorrowedMessage<'_>) -> Result<Record> {
        // Noted first: what is awaited below may outlive the partition's assignment.
        let (partition, offset) = (message.partition(), message.offset());
        let begun = self.offsets().begin(partition, offset);
        let assignment = match begun {
            Ok(Begun::Update(assignment)) => assignment,
            Ok(Begun::Partition(assignment)) => {
                tokio::task::block_in_place(|| self.compare_with_committed(partition, offset));
                assignment
            }
            Err(MovedBack(before)) => {
                bail!("offsets of partition {partition} have moved back, from {before} to {offset}")
            }
        };
        // The copy, its outputs, and a fixed share for all that is kept per update.
        let bytes = message.payload_len() + message.key_len();
        let kib = u32::try_from(bytes / 512).unwrap_or(u32::MAX).saturating_add(2).min(self.memory_kib);
        let memory = match self.memory.clone().try_acquire_many_owned(kib) {
            Ok(memory) => memory,
            Err(_) => self.wait_for_memory(kib).await,
        };
        Ok(Record {
            payload: message.payload().map(<[u8]>::to_vec),
            key: message.key().map(<[u8]>::to_vec),
            headers: message.headers().map(BorrowedHeaders::detach),
            partition,
            offset,
            timestamp_ms: message.timestamp().to_millis(),
            read_at: Instant::now(),
            assignment,
            source: self.clone(),
            _memory: memory,
        })
    }

    /// Finds out whether a partition goes on where it was committed. Says aloud if updates have expired
    /// before they were read, or if the partition is not what it was.
    fn compare_with_committed(&self, partition: i32, offset: i64) {
        let committed = match self.committed(partition) {
            Ok(Some(committed)) => committed,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(stage = self.stage.as_str(), partition, %error, "what was committed is not known");
                return;
            }
        };
        let stage = [self.stage.as_str()];
        if offset < committed {
            self.shared.metrics.offset_resets.with_label_values(&stage).inc();
            tracing::error!(
                stage = stage[0],
                partition,
                committed,
                offset,
                "a partition is read from its beginning"
            );
        } else if offset > committed
            && let Ok((first, _)) = self.consumer.fetch_watermarks(&self.topic, partition, PATIENCE)
            && let Ok(expired @ 1..) = u64::try_from(first - committed)
        {
            self.shared.metrics.offset_resets.with_label_values(&stage).inc();
            self.shared.metrics.expired.with_label_values(&stage).inc_by(expired);
            tracing::error!(
                stage = stage[0],
                partition,
                committed,
                first,
                expired,
                "updates expired before they were read"
            );
        }
    }

    fn committed(&self, partition: i32) -> Result<Option<i64>> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(&self.topic, partition);
        let committed = self.consumer.committed_offsets(partitions, PATIENCE)?;
        let element = committed.find_partition(&self.topic, partition).context("no answer")?;
        element.error().map_err(|error| anyhow!("{error}"))?;
        Ok(element.offset().to_raw().filter(|offset| *offset >= 0))
    }

    async fn wait_for_memory(&self, kib: u32) -> OwnedSemaphorePermit {
        let mut acquire = std::pin::pin!(self.memory.clone().acquire_many_owned(kib));
        if let Ok(memory) = tokio::time::timeout(BEFORE_PAUSE, &mut acquire).await {
            return memory.expect("the semaphore is never closed");
        }
        tracing::warn!(stage = self.stage.as_str(), "paused: all memory for updates is in use");
        loop {
            // Again after each rebalance, which brings partitions that are not paused.
            if let Ok(assigned) = self.consumer.assignment() {
                let _ = self.consumer.pause(&assigned);
            }
            let memory = tokio::select! {
                biased;
                memory = &mut acquire => memory.expect("the semaphore is never closed"),
                message = self.consumer.recv() => {
                    // From a partition that has just come. It is read again after the pause.
                    if let Ok(message) = message {
                        self.rewind(&message);
                    }
                    continue;
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => continue,
            };
            // What has been taken away meanwhile was resumed then.
            if let Ok(assigned) = self.consumer.assignment() {
                let _ = self.consumer.resume(&assigned);
            }
            tracing::info!(stage = self.stage.as_str(), "resumed");
            return memory;
        }
    }

    fn rewind(&self, message: &BorrowedMessage<'_>) {
        let offset = Offset::Offset(message.offset());
        if let Err(error) =
            self.consumer.seek(&self.topic, message.partition(), offset, Duration::from_secs(5))
        {
            // The update is noted as under way and never done: nothing behind it is committed.
            tracing::error!(stage = self.stage.as_str(), %error, "can't go back to an update, it stays uncommitted");
            let _ = self.offsets().begin(message.partition(), message.offset());
        }
    }

    /// Tells librdkafka what is done, so that it is committed: all at once, since it looks up the topic each time.
    fn store(&self, now: Instant) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = now;
        if !self.shared.pipeline.transactional {
            store_done(&self.consumer, &self.topic, &mut self.offsets());
        }
    }

    /// Commits what is done, and waits for that.
    pub fn commit(&self) {
        self.store(Instant::now());
        match self.consumer.commit_consumer_state(CommitMode::Sync) {
            Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => {
                tracing::warn!(stage = self.stage.as_str(), %error, "committing");
            }
            // Or there was nothing to commit.
            Ok(()) | Err(_) => (),
        }
    }

    /// Ends the run: nothing is waited for when the partitions are given back.
    pub fn close(&self) {
        self.offsets().close();
        for partition in self.consumer.assignment().iter().flat_map(TopicPartitionList::elements) {
            let labels = [self.stage.as_str(), &partition.partition().to_string()];
            // It has none if there was no time to find out.
            let _ = self.shared.metrics.lag.remove_label_values(&labels);
        }
    }

    pub fn under_way(&self) -> usize {
        self.offsets().under_way()
    }

    pub fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    pub fn topic(&self) -> &str {
        &self.topic
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The settings of a stage's consumer.
pub fn settings(stage: StageName, pipeline: &Pipeline) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("group.id", format!("{}-{}", pipeline.group, stage.as_str())),
        ("auto.offset.reset", "earliest".to_owned()),
        ("isolation.level", "read_committed".to_owned()),
        ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
        // What is stored is committed, twice a second and when partitions are handed over; and
        // stored is only what is done.
        ("enable.auto.commit", (!pipeline.transactional).to_string()),
        ("enable.auto.offset.store", "false".to_owned()),
        ("auto.commit.interval.ms", "500".to_owned()),
        ("queued.max.messages.kbytes", "8192".to_owned()),
        ("fetch.wait.max.ms", "100".to_owned()),
    ];
    if let Some(instance) = &pipeline.instance {
        settings.push(("group.instance.id", instance.clone()));
    }
    settings
}

/// Another worker has taken this one's name.
#[derive(Debug)]
pub struct Fenced;

impl std::fmt::Display for Fenced {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("another worker has this one's `--instance`")
    }
}

impl std::error::Error for Fenced {}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the process ends.
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Record {
    pub fn topic(&self) -> &str {
        &self.source.topic
    }

    /// Whether the partition is still this worker's, in the assignment that the update was read in.
    pub fn is_current(&self) -> bool {
        self.source.offsets().is_current(self.partition, self.assignment)
    }

    /// The assignment of its partition that the update was read in, by number.
    pub fn assignment(&self) -> u64 {
        self.assignment
    }

    /// Notes that the update is worked on from now on; false if it is another worker's.
    pub fn start(&self) -> bool {
        self.source.offsets().start(self.partition, self.assignment)
    }

    pub fn bytes(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }

    /// To be called once everything that came of the update is acknowledged.
    pub fn finish(&self, now: Instant) {
        self.source.offsets().finish(self.partition, self.assignment, self.offset);
        // Also while the reader waits for memory.
        let stored = *self.source.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(stored) >= BETWEEN_STORES {
            self.source.store(now);
        }
    }
}
