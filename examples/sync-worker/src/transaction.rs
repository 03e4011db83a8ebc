//! Transactions: outputs and offsets of some updates, together or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::outcome::{Outcome, Planned};
use crate::sink::{Deliveries, Sink};
use crate::source::{Fenced, Source};

/// For one call. What is not done by then is called again, so that a stage which waits for brokers says
/// that it lives, and ends when it is told to.
const PATIENCE: Duration = Duration::from_millis(500);

const BEAT: Duration = Duration::from_secs(1);

/// A call that has not returned by then may never: librdkafka waits without end for a group's coordinator that
/// has gone (confluentinc/librdkafka#5456, #5511). The brokers end its transaction after a minute, or for the
/// next producer.
const TOO_LONG: Duration = Duration::from_secs(90);

/// Why a transaction was not committed.
pub enum Failed {
    /// It can be aborted, and what was in it tried again.
    Now(anyhow::Error),
    /// The producer is no longer of use.
    ForGood(anyhow::Error),
}

impl Sink {
    /// Fences whoever had this worker's transactional id before. Ends the transaction that it left.
    pub async fn init_transactions(&self, beat: impl Fn()) -> Result<()> {
        self.again(&beat, |producer| producer.init_transactions(PATIENCE))
            .await
            .map_err(for_good)
            .context("can't begin to use transactions")
    }

    /// Writes the planned outputs of these updates, and commits them with the updates' offsets.
    pub async fn transact(
        &self,
        source: &Source,
        outcomes: &[Arc<Outcome>],
        beat: impl Fn(),
    ) -> Result<(), Failed> {
        self.producer.begin_transaction().map_err(failed)?;
        for outcome in outcomes {
            let outputs = outcome.take_outputs();
            let handed_over = self.hand_over_all(outcome, &outputs).await;
            outcome.give_back(outputs);
            handed_over.map_err(Failed::Now)?;
            // Refused by the client itself. Of an update that is a dead letter nothing else goes out.
            if outcome.is_refused() {
                return Err(Failed::Now(anyhow!(outcome.reason())));
            }
        }
        // All outputs are with the brokers before anything is said of offsets.
        self.all_reported(&beat).await;
        // The group's generation is taken first. If partitions move after this, the group's coordinator
        // refuses the offsets; if they moved before, the check finds it.
        let group = source.group_metadata().ok_or_else(|| Failed::Now(anyhow!("not in a consumer group")))?;
        if !outcomes.iter().all(|outcome| outcome.record.is_current()) {
            return Err(Failed::Now(anyhow!("a partition was handed over")));
        }
        let offsets = offsets(source.topic(), outcomes).map_err(failed)?;
        self.again(&beat, move |producer| producer.send_offsets_to_transaction(&offsets, &group, PATIENCE))
            .await
            .map_err(failed)?;
        self.again(&beat, |producer| producer.commit_transaction(PATIENCE)).await.map_err(failed)
    }

    async fn hand_over_all(&self, outcome: &Arc<Outcome>, outputs: &[Planned]) -> Result<()> {
        for Planned { topic, key, payload, headers } in outputs {
            self.hand_over(outcome, topic, key.as_deref(), payload.as_deref(), headers.clone()).await?;
        }
        Ok(())
    }

    /// Waits until it is known of each output what became of it. The binding's own flush looks every tenth of a
    /// second, whatever there is to do.
    async fn all_reported(&self, beat: &impl Fn()) {
        while tokio::time::timeout(PATIENCE, self.under_way().ends()).await.is_err() {
            beat();
        }
    }

    /// Ends a transaction that is not to be. Updates that had outputs which were refused are dead letters
    /// in the next one; returns how many.
    pub async fn abort(&self, outcomes: &[Arc<Outcome>], beat: impl Fn()) -> Result<usize> {
        self.again(&beat, |producer| producer.abort_transaction(PATIENCE)).await.map_err(for_good)?;
        let mut refused = 0;
        for outcome in outcomes {
            if outcome.take_refusal() {
                self.replan(outcome).await?;
                refused += 1;
            }
        }
        Ok(refused)
    }

    async fn replan(&self, outcome: &Arc<Outcome>) -> Result<()> {
        outcome.forget_outputs();
        self.dead_letter(outcome, &outcome.reason()).await
    }

    /// Calls until that is done or can't be.
    async fn again(
        &self,
        beat: &impl Fn(),
        call: impl Fn(&ThreadedProducer<Deliveries>) -> Result<(), KafkaError> + Send + Sync + 'static,
    ) -> Result<(), KafkaError> {
        let call = Arc::new(call);
        loop {
            let (producer, call) = (self.producer.clone(), call.clone());
            // On a thread of its own: some calls don't keep to the time that they are given.
            let mut called = tokio::task::spawn_blocking(move || call(&producer));
            let began = Instant::now();
            let result = loop {
                tokio::select! {
                    result = &mut called => break result,
                    // The thread and its producer are left behind: nothing ends them.
                    () = tokio::time::sleep(BEAT) => match began.elapsed() > TOO_LONG {
                        true => return Err(KafkaError::Canceled),
                        false => beat(),
                    },
                }
            };
            match result {
                Ok(Err(error)) if is_unfinished(&error) => beat(),
                Ok(result) => return result,
                Err(_) => return Err(KafkaError::Canceled),
            }
        }
    }
}

fn offsets(topic: &str, outcomes: &[Arc<Outcome>]) -> Result<TopicPartitionList, KafkaError> {
    let mut offsets = TopicPartitionList::new();
    for outcome in outcomes {
        let next = Offset::Offset(outcome.record.offset + 1);
        match offsets.find_partition(topic, outcome.record.partition) {
            Some(mut element) => element.set_offset(next)?,
            None => offsets.add_partition_offset(topic, outcome.record.partition, next)?,
        }
    }
    Ok(offsets)
}

fn is_unfinished(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        KafkaError::Flush(code) => *code == RDKafkaErrorCode::OperationTimedOut,
        _ => false,
    }
}

fn failed(error: KafkaError) -> Failed {
    let is_for_good = match &error {
        KafkaError::Transaction(inner) => inner.is_fatal() || !inner.txn_requires_abort(),
        KafkaError::Canceled => true,
        _ => false,
    };
    match is_for_good {
        true => Failed::ForGood(for_good(error)),
        false => Failed::Now(error.into()),
    }
}

fn for_good(error: KafkaError) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::FencedInstanceId,
        ) => anyhow::Error::new(Fenced),
        _ => error.into(),
    }
}
