//! Where a stage writes, and how it learns that what it wrote has been acknowledged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, watch};

use crate::cli::StageName;
use crate::kafka::{Events, Shared, configuration};
use crate::offsets::Offsets;
use crate::source::{Record, Source};

/// For calls that librdkafka answers by itself, or never.
const PATIENCE: Duration = Duration::from_secs(30);
const WHILE_QUEUE_IS_FULL: Duration = Duration::from_millis(5);

pub struct Sink {
    producer: ThreadedProducer<Deliveries>,
    dead_letter: String,
    stage: StageName,
    shared: Shared,
}

struct Deliveries {
    events: Events,
    failure: watch::Sender<Option<String>>,
    refused: mpsc::UnboundedSender<Arc<Outcome>>,
}

/// An update, and how many of its outputs have not been acknowledged yet.
pub struct Outcome {
    pub record: Record,
    /// One more than the outputs, until all of them have been handed over.
    open: AtomicUsize,
    /// Why an output can't be delivered.
    refusal: OnceLock<String>,
    /// Whether that has been acted upon.
    is_set_aside: AtomicBool,
    shared: Shared,
    stage: StageName,
    /// Counts the outcomes of a stage's run.
    _alive: Arc<()>,
}

/// What a run of a stage waits for besides updates.
pub struct Reports {
    /// Set once outputs can't be delivered any more.
    pub failure: watch::Receiver<Option<String>>,
    /// Updates that have an output which no topic takes.
    pub refused: mpsc::UnboundedReceiver<Arc<Outcome>>,
}

impl Sink {
    pub fn open(stage: StageName, shared: &Shared) -> Result<(Self, Reports)> {
        let (failure, failure_seen) = watch::channel(None);
        let (refused, refused_seen) = mpsc::unbounded_channel();
        let mut settings = vec![
            ("enable.idempotence", "true".to_owned()),
            ("compression.type", "lz4".to_owned()),
            ("linger.ms", "5".to_owned()),
            ("queue.buffering.max.kbytes", (shared.pipeline.in_flight_mib.saturating_mul(1024)).to_string()),
        ];
        if shared.pipeline.transactional {
            settings.push(("transactional.id", transactional_id(stage, shared)?));
        } else {
            settings.push(("message.timeout.ms", "0".to_owned())); // for as long as it takes
        }
        let events =
            Events { stage, shared: shared.clone(), offsets: Arc::new(Mutex::new(Offsets::default())) };
        let deliveries = Deliveries { events, failure, refused };
        let producer =
            ThreadedProducer::from_config_and_context(&configuration(shared, &settings), deliveries)?;
        if shared.pipeline.transactional {
            tokio::task::block_in_place(|| producer.init_transactions(PATIENCE))
                .context("can't begin to use transactions")?;
        }
        let sink = Self {
            producer,
            dead_letter: shared.pipeline.dead_letter.clone(),
            stage,
            shared: shared.clone(),
        };
        Ok((sink, Reports { failure: failure_seen, refused: refused_seen }))
    }

    /// Hands an output over, in the order of calls. Waits while the queue to the brokers is full.
    pub async fn send(
        &self,
        outcome: &Arc<Outcome>,
        topic: &str,
        key: Option<&[u8]>,
        payload: &[u8],
        headers: OwnedHeaders,
    ) -> Result<()> {
        outcome.open.fetch_add(1, Ordering::AcqRel);
        let mut record = BaseRecord::with_opaque_to(topic, outcome.clone()).payload(payload).headers(headers);
        record.key = key;
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) if is_refusal(&error) => {
                    if !outcome.refuse(&error) {
                        bail!("not even the dead-letter topic takes an update: {error}");
                    }
                    self.acknowledged(outcome);
                    return Ok(());
                }
                Err((error, _)) => return Err(error).context("can't hand an output over"),
            };
            tokio::time::sleep(WHILE_QUEUE_IS_FULL).await;
        }
    }

    /// To be called after the last output of an update.
    pub fn all_sent(&self, outcome: &Arc<Outcome>) {
        self.acknowledged(outcome);
    }

    /// Sets an update aside, its bytes as they were.
    pub async fn dead_letter(&self, outcome: &Arc<Outcome>, error: &str) -> Result<()> {
        let record = &outcome.record;
        tracing::warn!(
            stage = self.stage.as_str(),
            partition = record.partition,
            offset = record.offset,
            error,
            "dead letter"
        );
        self.shared.metrics.updates.with_label_values(&[self.stage.as_str(), "dead_letter"]).inc();
        let partition = record.partition.to_string();
        let offset = record.offset.to_string();
        let headers = [
            ("error", error),
            ("stage", self.stage.as_str()),
            ("topic", record.topic()),
            ("partition", &partition),
            ("offset", &offset),
        ];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
        self.send(outcome, &self.dead_letter, record.key.as_deref(), &record.payload, headers).await
    }

    /// Sets an update aside of which an output was refused.
    pub async fn dead_letter_refused(&self, outcome: &Arc<Outcome>) -> Result<()> {
        outcome.open.fetch_add(1, Ordering::AcqRel);
        let error = outcome.refusal.get().cloned().unwrap_or_default();
        self.dead_letter(outcome, &error).await?;
        self.all_sent(outcome);
        Ok(())
    }

    pub fn begin_transaction(&self) -> Result<()> {
        Ok(self.producer.begin_transaction()?)
    }

    /// Commits the outputs of these updates with their offsets.
    pub fn commit_transaction(&self, source: &Source, outcomes: &[Arc<Outcome>]) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        for Outcome { record, .. } in outcomes.iter().map(Arc::as_ref) {
            let next = Offset::Offset(record.offset + 1);
            match offsets.find_partition(source.topic(), record.partition) {
                Some(mut element) => element.set_offset(next)?,
                None => offsets.add_partition_offset(source.topic(), record.partition, next)?,
            }
        }
        let group = source.group_metadata().ok_or_else(|| anyhow!("not in a consumer group"))?;
        tokio::task::block_in_place(|| {
            self.producer.send_offsets_to_transaction(&offsets, &group, PATIENCE)?;
            self.producer.commit_transaction(PATIENCE)
        })
        .context("the transaction was not committed")
    }

    pub fn abort_transaction(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.producer.abort_transaction(PATIENCE)) {
            tracing::warn!(stage = self.stage.as_str(), %error, "aborting");
        }
    }

    fn acknowledged(&self, outcome: &Arc<Outcome>) {
        self.producer.context().acknowledged(outcome);
    }
}

impl Outcome {
    pub fn new(record: Record, stage: StageName, shared: &Shared, alive: &Arc<()>) -> Arc<Self> {
        Arc::new(Self {
            record,
            open: AtomicUsize::new(1),
            refusal: OnceLock::new(),
            is_set_aside: AtomicBool::new(false),
            shared: shared.clone(),
            stage,
            _alive: alive.clone(),
        })
    }

    /// Notes that an output is refused. False if that is the dead letter itself.
    fn refuse(&self, error: &KafkaError) -> bool {
        // One reason is enough.
        let _ = self.refusal.set(format!("an output is refused: {error}"));
        !self.is_set_aside.load(Ordering::Acquire)
    }

    fn finish(&self) {
        self.record.finish();
        let stage = [self.stage.as_str()];
        let metrics = &self.shared.metrics;
        metrics.stage_seconds.with_label_values(&stage).observe(self.record.read_at.elapsed().as_secs_f64());
        if let (Some(then), Ok(now)) =
            (self.record.timestamp_ms, SystemTime::now().duration_since(UNIX_EPOCH))
        {
            let then = Duration::from_millis(u64::try_from(then).unwrap_or_default());
            metrics.update_seconds.with_label_values(&stage).observe(now.saturating_sub(then).as_secs_f64());
        }
    }
}

impl Deliveries {
    fn acknowledged(&self, outcome: &Arc<Outcome>) {
        if outcome.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        if outcome.refusal.get().is_some() && !outcome.is_set_aside.swap(true, Ordering::AcqRel) {
            // Nobody listens once the stage's run has ended, and the update is read again.
            let _ = self.refused.send(outcome.clone());
        } else {
            outcome.finish();
        }
    }
}

impl ClientContext for Deliveries {
    /// The stage's consumer says whether there are brokers: a producer that has nothing to send may
    /// have no connection.
    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Outcome>;

    fn delivery(&self, result: &DeliveryResult<'_>, outcome: Arc<Outcome>) {
        match result {
            Ok(_) => self.acknowledged(&outcome),
            Err((error, _)) if is_refusal(error) && outcome.refuse(error) => self.acknowledged(&outcome),
            // The outcome stays open: its offset is not committed.
            Err((error, _)) => {
                self.failure.send_replace(Some(format!("an output was not delivered: {error}")));
            }
        }
    }
}

/// Errors that are the output's own, and that no retry mends.
fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord)
    )
}

/// Another one for each process: consumer groups fence workers that have lost their partitions.
fn transactional_id(stage: StageName, shared: &Shared) -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(format!("{}-{}-{:016x}", shared.pipeline.group, stage.as_str(), u64::from_be_bytes(random)))
}
