//! A lane: calls of one delivery, about some of its profiles, one post after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::producer::{Producer, ThreadedProducer};
use tokio::sync::mpsc;

use crate::deliver::batch::BATCH_CALLS;
use crate::deliver::call::Call;
use crate::deliver::client::{Failure, FailureKind};
use crate::deliver::sender::{Fate, Sender};
use crate::deliver::settings::COMMON;
use crate::deliver::tables::Tables;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::retry::{Pauses, until_done};
use crate::sink::Deliveries;

/// How long the first call of a batch waits for more.
const LINGER: Duration = Duration::from_millis(20);
/// How many calls, and bytes of them, are put into the database by one statement.
const PARKED_AT_ONCE: usize = 500;

/// A call, and the record that it came in.
pub struct Item {
    pub outcome: Arc<Outcome>,
    pub call: Call,
    pub at: Instant,
}

/// When a delivery is parked.
#[derive(Clone, Copy)]
pub struct Limits {
    /// After it has failed for this long.
    pub failing: Duration,
    /// Or has failed while more than these bytes of its calls wait.
    pub waiting_bytes: usize,
    /// Whether one is parked whose calls wait for that long without a failure: it takes fewer than come.
    pub parks_slow: bool,
}

/// What all lanes of a stage share.
#[derive(Clone)]
pub struct Context {
    pub sender: Arc<Sender>,
    pub tables: Tables,
    pub producer: ThreadedProducer<Deliveries>,
    pub limits: Limits,
    pub shared: Shared,
}

pub struct Lane {
    pub context: Context,
    pub delivery: Arc<str>,
    /// The bytes of all calls that wait in lanes of this delivery.
    pub waiting: Arc<AtomicUsize>,
}

impl Lane {
    /// Delivers what comes, in its order, for as long as something does.
    pub async fn run(self, mut items: mpsc::UnboundedReceiver<Item>) {
        let mut read = Vec::new();
        while let Some(first) = items.recv().await {
            read.push(first);
            tokio::time::sleep(LINGER).await;
            // Not past what is there, and not more than one batch, so that order and memory stay bounded.
            while read.len() < BATCH_CALLS
                && let Ok(item) = items.try_recv()
            {
                read.push(item);
            }
            self.deliver(std::mem::take(&mut read)).await;
        }
    }

    /// Until each call has been taken, is a dead letter, or waits in the database.
    async fn deliver(&self, mut items: Vec<Item>) {
        let mut failing: Option<(Instant, Pauses)> = None;
        loop {
            // What another worker reads again by now is not posted by two.
            items.retain(|item| item.outcome.record.is_current() || self.forget(item));
            let Some(oldest) = items.first().map(|item| item.at) else { return };
            let limits = self.context.limits;
            if self.context.sender.settings.is_parked(&self.delivery) {
                return self.park(items, "its calls wait for others").await;
            }
            if limits.parks_slow && &*self.delivery != COMMON && oldest.elapsed() > limits.failing {
                return self.park(items, "it takes fewer calls than come").await;
            }
            let calls: Vec<&Call> = items.iter().map(|item| &item.call).collect();
            let sent = self.context.sender.send(&self.delivery, &calls, None).await;
            let mut fates = sent.fates.into_iter();
            items.retain(|item| self.is_waiting(item, fates.next()));
            let Some(failure) = sent.failure else {
                failing = None;
                continue;
            };
            let (since, pauses) = failing.get_or_insert_with(|| (Instant::now(), Pauses::default()));
            let pause = failure.after.unwrap_or_default().max(pauses.advance());
            self.context.shared.metrics.retries.with_label_values(&["posting calls"]).inc();
            if self.is_for_long(&failure, *since, pause) {
                return self.park(items, &failure.why).await;
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn is_for_long(&self, failure: &Failure, since: Instant, pause: Duration) -> bool {
        let limits = self.context.limits;
        failure.kind == FailureKind::Lasting
            || since.elapsed() + pause > limits.failing
            || self.waiting.load(Ordering::Relaxed) > limits.waiting_bytes
    }

    /// Settles a call, or lets it wait.
    fn is_waiting(&self, item: &Item, fate: Option<Fate>) -> bool {
        match fate {
            None | Some(Fate::Waiting) => return true,
            Some(Fate::Taken) => self.settle(item, "delivered", None),
            Some(Fate::Repeat) => self.settle(item, "repeat", None),
            Some(Fate::Dead(reason)) => self.settle(item, "refused", Some(&reason)),
        }
        false
    }

    fn settle(&self, item: &Item, result: &str, refused: Option<&str>) {
        self.forget(item);
        self.context.shared.metrics.calls.with_label_values(&[result]).inc();
        self.context.producer.context().settle(&item.outcome, refused);
    }

    fn forget(&self, item: &Item) -> bool {
        self.waiting.fetch_sub(item.call.body.len(), Ordering::Relaxed);
        false
    }

    /// Puts calls into the database, behind those that are there.
    async fn park(&self, items: Vec<Item>, reason: &str) {
        let Context { sender, tables, shared, .. } = &self.context;
        if !sender.settings.is_parked(&self.delivery) {
            tracing::warn!(delivery = &*self.delivery, reason, "parking a delivery");
        }
        sender.settings.park(&self.delivery);
        for items in items.chunks(PARKED_AT_ONCE) {
            let key = |item: &Item| item.outcome.record.key.clone().unwrap_or_default();
            let keys: Vec<Vec<u8>> = items.iter().map(key).collect();
            let calls: Vec<(&[u8], &Call)> =
                keys.iter().map(|key| &**key).zip(items.iter().map(|item| &item.call)).collect();
            let park = || tables.park(&self.delivery, reason, &calls);
            until_done("parking calls", &shared.metrics, &shared.health, park).await;
            // Once more: what was read meanwhile may have been without them.
            sender.settings.park(&self.delivery);
            items.iter().for_each(|item| self.settle(item, "parked", None));
        }
    }
}
