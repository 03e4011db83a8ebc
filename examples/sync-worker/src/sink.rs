//! Where a stage writes, and how it learns that what it wrote has been acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tokio::sync::{mpsc, watch};

use crate::cli::{Outbound, Pipeline, StageName};
use crate::dead_letter::DeadLetter;
use crate::kafka::{Events, Quiet, Shared, configuration};
use crate::message_size;
use crate::outcome::{Acknowledged, Outcome, Planned};
use crate::under_way::UnderWay;

const WHILE_QUEUE_IS_FULL: Duration = Duration::from_millis(5);
/// For what topics say of themselves.
const PATIENCE: Duration = Duration::from_secs(5);
/// What librdkafka puts into a batch if nothing else is said, and what brokers take.
const USUAL_LIMIT: usize = 1_000_000;
/// What a batch and its message take beside keys, values and headers.
const OVERHEAD: usize = 1_024;

pub struct Sink {
    pub producer: ThreadedProducer<Deliveries>,
    dead_letter: String,
    stage: StageName,
    shared: Shared,
    /// The bytes of outputs that wait for a transaction.
    planned: AtomicUsize,
    /// What an output may have: what is more is refused by the client, or by a topic unless it compresses well.
    pub limits: message_size::Limits,
}

pub struct Deliveries {
    events: Events,
    under_way: UnderWay,
    is_transactional: bool,
    limit: Limit,
    failure: watch::Sender<Option<String>>,
    refused: mpsc::UnboundedSender<Arc<Outcome>>,
}

/// What a stage waits for besides updates.
pub struct Reports {
    /// Set once outputs can't be delivered any more.
    pub failure: watch::Receiver<Option<String>>,
    /// Updates that have an output which no topic takes.
    pub refused: mpsc::UnboundedReceiver<Arc<Outcome>>,
}

/// How much goes into a batch. Brokers refuse a batch as a whole, so that it must be known whose size
/// it is that they refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes that every topic takes. A batch beyond that is one message.
    Bytes(usize),
    /// One message, whatever its size: topics have taken less than they had said.
    OneMessage,
}

impl Sink {
    /// With [`Limit::OneMessage`] or, where topics say what they take, with that.
    pub async fn open(stage: StageName, shared: &Shared, is_careful: bool) -> Result<(Self, Reports)> {
        let topics = Limits::of(stage, &shared.pipeline).await;
        let limit = match is_careful {
            true => Limit::OneMessage,
            false => Limit::Bytes(topics.all.saturating_sub(OVERHEAD).clamp(OVERHEAD, USUAL_LIMIT)),
        };
        let (failure, failure_seen) = watch::channel(None);
        let (refused, refused_seen) = mpsc::unbounded_channel();
        let is_transactional = shared.pipeline.transactional;
        let events = Events::new(stage, shared, Arc::default());
        let under_way = UnderWay::default();
        let deliveries = Deliveries { events, under_way, is_transactional, limit, failure, refused };
        let settings = settings(stage, &shared.pipeline, limit);
        let configuration = configuration(&shared.pipeline, &settings);
        let client = configuration.get("message.max.bytes").and_then(|bytes| bytes.parse().ok());
        let limits = message_size::Limits { message: client.unwrap_or(USUAL_LIMIT), batch: topics.outputs };
        let producer = ThreadedProducer::from_config_and_context(&configuration, deliveries)?;
        let sink = Self {
            producer,
            dead_letter: shared.pipeline.dead_letter.clone(),
            stage,
            shared: shared.clone(),
            planned: AtomicUsize::new(0),
            limits,
        };
        Ok((sink, Reports { failure: failure_seen, refused: refused_seen }))
    }

    /// Hands an output over, in the order of calls; in transactions, keeps it until there is one.
    pub async fn send(
        &self,
        outcome: &Arc<Outcome>,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<Vec<u8>>,
        headers: OwnedHeaders,
    ) -> Result<()> {
        if self.producer.context().is_transactional {
            self.planned.fetch_add(payload.as_ref().map_or(0, Vec::len), Ordering::Relaxed);
            outcome.plan(Planned { topic: topic.to_owned(), key: key.map(<[u8]>::to_vec), payload, headers });
            return Ok(());
        }
        self.hand_over(outcome, topic, key, payload.as_deref(), headers).await
    }

    /// Hands an output over. Waits while the queue to the brokers is full.
    pub async fn hand_over(
        &self,
        outcome: &Arc<Outcome>,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: OwnedHeaders,
    ) -> Result<()> {
        outcome.began_output();
        self.under_way().began();
        let mut record = BaseRecord::with_opaque_to(topic, outcome.clone()).headers(headers);
        record.key = key;
        record.payload = payload;
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) => {
                    self.under_way().ended();
                    if !is_refusal(&error) {
                        return Err(error).context("can't hand an output over");
                    }
                    outcome.refuse(&error);
                    self.producer.context().acknowledged(outcome);
                    return Ok(());
                }
            };
            tokio::time::sleep(WHILE_QUEUE_IS_FULL).await;
        }
    }

    /// What has been handed over and not been reported on.
    pub fn under_way(&self) -> &UnderWay {
        &self.producer.context().under_way
    }

    /// To be called after the last output of an update.
    pub fn all_sent(&self, outcome: &Arc<Outcome>) {
        self.producer.context().acknowledged(outcome);
    }

    /// Sets an update aside.
    pub async fn dead_letter(&self, outcome: &Arc<Outcome>, error: &str) -> Result<()> {
        outcome.give_reason(error);
        let Some(letter) = DeadLetter::next(outcome, self.stage) else {
            bail!("not even the dead-letter topic takes the name of an update: {error}");
        };
        if letter.is_first {
            let record = &outcome.record;
            tracing::warn!(
                stage = self.stage.as_str(),
                partition = record.partition,
                offset = record.offset,
                error,
                "dead letter"
            );
            self.shared.metrics.updates.with_label_values(&[self.stage.as_str(), "dead_letter"]).inc();
        }
        let payload = letter.payload.map(<[u8]>::to_vec);
        self.send(outcome, &self.dead_letter, letter.key, payload, letter.headers).await
    }

    /// Sets an update aside of which an output was refused; or, if that was a dead letter, makes
    /// another one that is shorter.
    pub async fn dead_letter_refused(&self, outcome: &Arc<Outcome>) -> Result<()> {
        outcome.began_output();
        let error = outcome.reason();
        self.dead_letter(outcome, &error).await?;
        self.all_sent(outcome);
        Ok(())
    }

    /// Whether so much waits for a transaction that it should come now.
    pub fn has_enough(&self) -> bool {
        self.planned.load(Ordering::Relaxed) >= self.shared.pipeline.in_flight_mib as usize * 1024 * 1024
    }

    /// To be called when nothing waits for a transaction any more.
    pub fn forget_planned(&self) {
        self.planned.store(0, Ordering::Relaxed);
    }
}

/// The settings of a stage's producer.
pub fn settings(stage: StageName, pipeline: &Pipeline, limit: Limit) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("enable.idempotence", "true".to_owned()),
        ("compression.type", "lz4".to_owned()),
        ("linger.ms", linger(stage, pipeline).to_owned()),
        ("queue.buffering.max.kbytes", pipeline.in_flight_mib.saturating_mul(1024).to_string()),
    ];
    match limit {
        Limit::Bytes(bytes) => settings.push(("batch.size", bytes.to_string())),
        Limit::OneMessage => settings.push(("batch.num.messages", "1".to_owned())),
    }
    if pipeline.transactional {
        let instance = pipeline.instance.as_deref().unwrap_or(&pipeline.unique);
        let name = format!("{}-{}-{instance}", pipeline.group, stage.as_str());
        settings.push(("transactional.id", name));
    } else {
        settings.push(("message.timeout.ms", "0".to_owned())); // for as long as it takes
    }
    settings
}

/// For how many milliseconds librdkafka waits for more to send. A partition has one request under way; what waits for
/// its answer has librdkafka poll without a pause once this time is over, and a transaction is handed over within it, so
/// that each partition gets one request. But whoever waits for what is sent waits for this, too.
fn linger(stage: StageName, pipeline: &Pipeline) -> &'static str {
    match stage {
        StageName::Sync if pipeline.waits_for_outputs && !pipeline.transactional => "5",
        _ => "20",
    }
}

/// The bytes that topics take, as far as they say.
struct Limits {
    all: usize,
    /// Those of what the stage writes beside dead letters.
    outputs: usize,
}

impl Limits {
    async fn of(stage: StageName, pipeline: &Pipeline) -> Self {
        Self::asked_for(stage, pipeline).await.unwrap_or_else(|error| {
            tracing::info!(%error, "topics don't say what they take");
            Self { all: USUAL_LIMIT + OVERHEAD, outputs: USUAL_LIMIT + OVERHEAD }
        })
    }

    async fn asked_for(stage: StageName, pipeline: &Pipeline) -> Result<Self> {
        let admin = AdminClient::from_config_and_context(&configuration(pipeline, &[]), Quiet)?;
        let outputs = match (stage, pipeline.outbound) {
            (StageName::Deliver | StageName::DeliverSlow, _) => vec![],
            (StageName::Identify, _) => vec![&pipeline.identified_output],
            (StageName::Sync, Outbound::Events) => {
                vec![&pipeline.outbound_events, &pipeline.outbound_events_slow]
            }
            (StageName::Sync, Outbound::Calls) => {
                vec![&pipeline.outbound_calls, &pipeline.outbound_calls_slow]
            }
        };
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let mut limits = Self { all: usize::MAX, outputs: usize::MAX };
        let topics = outputs.iter().copied().chain([&pipeline.dead_letter]);
        let topics = topics.map(|topic| ResourceSpecifier::Topic(topic));
        let topics: Vec<ResourceSpecifier<'_>> = topics.collect();
        for described in admin.describe_configs(&topics, &options).await? {
            let described = described.map_err(|error| anyhow!("{error}"))?;
            let entry = described.get("max.message.bytes").and_then(|entry| entry.value.as_deref());
            let bytes = entry.context("no `max.message.bytes`")?.parse()?;
            limits.all = limits.all.min(bytes);
            let is_of = |topic: &&String| matches!(&described.specifier, OwnedResourceSpecifier::Topic(name) if name == *topic);
            if outputs.iter().any(is_of) {
                limits.outputs = limits.outputs.min(bytes);
            }
        }
        Ok(limits)
    }
}

impl Deliveries {
    /// Says that what was to be done about an update elsewhere is done, or refused for this reason.
    pub fn settle(&self, outcome: &Arc<Outcome>, refused: Option<&str>) {
        if let Some(reason) = refused {
            outcome.refuse_for(reason);
        }
        self.acknowledged(outcome);
    }

    fn acknowledged(&self, outcome: &Arc<Outcome>) {
        // What is in transactions is done when they are committed.
        if self.is_transactional {
            return;
        }
        match outcome.acknowledged() {
            Acknowledged::Waiting | Acknowledged::Done => (),
            // Nobody listens once the stage's run has ended, and the update is read again.
            Acknowledged::Refused => drop(self.refused.send(outcome.clone())),
        }
    }

    fn failed(&self, error: &KafkaError) {
        // A transaction's own end says what became of it.
        if !self.is_transactional {
            self.failure.send_replace(Some(format!("an output was not delivered: {error}")));
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

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.events.log(level, facility, message);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Outcome>;

    fn delivery(&self, result: &DeliveryResult<'_>, outcome: Arc<Outcome>) {
        match result {
            Ok(_) => self.acknowledged(&outcome),
            Err((error, message)) if is_refusal(error) => {
                let headers = message.headers().into_iter().flat_map(Headers::iter);
                let headers: usize =
                    headers.map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len)).sum();
                let size = message.payload_len() + message.key_len() + headers;
                if self.limit.is_own(size) {
                    outcome.refuse(error);
                    self.acknowledged(&outcome);
                } else {
                    self.failure.send_replace(Some(SMALLER_THAN_SAID.to_owned()));
                }
            }
            // The outcome stays open: its offset is not committed.
            Err((error, _)) => self.failed(error),
        }
        // Last, so that who waits for this knows of refusals.
        self.under_way.ended();
    }
}

/// Not one message was too large, but the batch that it was in.
pub const SMALLER_THAN_SAID: &str = "a topic takes less at once than it has said";

impl Limit {
    /// Whether a refused batch was this message alone.
    fn is_own(self, message_size: usize) -> bool {
        match self {
            Self::Bytes(bytes) => message_size + OVERHEAD > bytes,
            Self::OneMessage => true,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_batch_of_many_is_nobody_s_own() {
        let limit = Limit::Bytes(100_000);
        assert!(limit.is_own(100_000));
        assert!(limit.is_own(99_500), "a batch has more than keys and values");
        assert!(!limit.is_own(50_000));
        assert!(Limit::OneMessage.is_own(10));
    }
}
