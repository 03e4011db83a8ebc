//! The last stage: takes calls, and posts them where destinations take them.
//!
//! Calls of one delivery and one profile go through one lane, one post after the other, so that they keep
//! their order. A delivery that fails for long is parked: its calls go into the database, through the same
//! lanes, and from there by [`parked`] until none are left. So one that is down holds nobody up, and none
//! of its calls overtakes another.

mod batch;
mod call;
mod claims;
mod client;
mod lane;
mod pace;
mod parked;
mod sender;
mod settings;
mod tables;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cli::{DeliverOptions, StageName};
use crate::deliver::call::Call;
pub use crate::deliver::call::{headers_of, record_headers};
pub use crate::deliver::claims::Claiming;
use crate::deliver::claims::Claims;
use crate::deliver::client::Client;
use crate::deliver::lane::{Context, Item, Lane, Limits};
use crate::deliver::parked::Parking;
use crate::deliver::sender::Sender;
use crate::deliver::settings::Settings;
use crate::deliver::tables::Tables;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::postgres::Postgres;
use crate::retry::until_done;
use crate::sink::Sink;

/// One of the two stages that deliver: that of the topic with updates that amplify goes at a pace of its
/// own.
pub struct Deliver {
    pub name: StageName,
    sender: Arc<Sender>,
    tables: Tables,
    limits: Limits,
    /// How many posts of one delivery are under way at once.
    posts: usize,
    shared: Shared,
    run: Mutex<Lanes>,
}

/// The lanes of a stage's run.
#[derive(Default)]
struct Lanes {
    by_delivery: HashMap<Arc<str>, Delivery>,
    tasks: JoinSet<()>,
    /// The assignments of partitions that calls came from.
    assignments: HashSet<u64>,
}

struct Delivery {
    lanes: Vec<mpsc::UnboundedSender<Item>>,
    waiting: Arc<AtomicUsize>,
}

/// Both stages, which share what they know; and begins to follow what is parked.
pub fn stages(options: &DeliverOptions, postgres: Postgres, shared: &Shared) -> Result<[Deliver; 2]> {
    let tables = Tables::new(postgres);
    let settings = Arc::new(Settings::new(options, tables.clone())?);
    let patience = Duration::from_secs(options.post_timeout.max(1));
    let client = Client::new(options.endpoint_ca.as_deref(), patience)?;
    let claims = Claims::new(options.claims, tables.clone(), shared);
    let sender = Arc::new(Sender::new(settings, client, claims, shared.metrics.clone()));
    tokio::spawn(Parking::new(sender.clone(), tables.clone(), shared)?.follow());
    let stage = |name| Deliver {
        name,
        sender: sender.clone(),
        tables: tables.clone(),
        limits: Limits {
            failing: Duration::from_secs(options.park_after),
            waiting_bytes: shared.pipeline.in_flight_mib as usize * 1024 * 1024 / 16,
            parks_slow: name == StageName::Deliver,
        },
        posts: options.posts.max(1),
        shared: shared.clone(),
        run: Mutex::default(),
    };
    Ok([StageName::Deliver, StageName::DeliverSlow].map(stage))
}

impl Deliver {
    /// Puts calls into their lanes.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<usize> {
        if batch.iter().any(|outcome| !self.run().assignments.contains(&outcome.record.assignment())) {
            // What the partition's worker before this one has parked is not overtaken.
            let Shared { metrics, health, .. } = &self.shared;
            let refresh = || self.sender.settings.refresh();
            until_done("looking up deliveries", metrics, health, refresh).await;
            let mut run = self.run();
            run.assignments.extend(batch.iter().map(|outcome| outcome.record.assignment()));
        }
        for outcome in batch {
            let headers = headers_of(outcome.record.headers.as_ref());
            match Call::new(headers, Bytes::copy_from_slice(outcome.record.bytes())) {
                Ok(call) => self.put(sink, outcome, call),
                Err(error) => {
                    sink.dead_letter(outcome, &error).await?;
                    sink.all_sent(outcome);
                }
            }
        }
        Ok(batch.len())
    }

    fn put(&self, sink: &Sink, outcome: &Arc<Outcome>, call: Call) {
        let name = self.sender.settings.delivery_of(&call.delivery);
        let mut run = self.run();
        if !run.by_delivery.contains_key(name) {
            let delivery: Arc<str> = name.into();
            let waiting = Arc::<AtomicUsize>::default();
            let lanes = (0..self.posts).map(|_| {
                let (sender, items) = mpsc::unbounded_channel();
                let context = Context {
                    sender: self.sender.clone(),
                    tables: self.tables.clone(),
                    producer: sink.producer.clone(),
                    limits: self.limits,
                    shared: self.shared.clone(),
                };
                let lane = Lane { context, delivery: delivery.clone(), waiting: waiting.clone() };
                run.tasks.spawn(lane.run(items));
                sender
            });
            let lanes = lanes.collect();
            run.by_delivery.insert(delivery, Delivery { lanes, waiting });
        }
        let Some(delivery) = run.by_delivery.get(name) else { return };
        delivery.waiting.fetch_add(call.body.len(), Ordering::Relaxed);
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&outcome.record.key);
        let lane = usize::try_from(hash % delivery.lanes.len() as u64).unwrap_or_default();
        // A lane ends only with its run, after which the call is read again.
        let _ = delivery.lanes[lane].send(Item { outcome: outcome.clone(), call, at: Instant::now() });
    }

    /// Ends the lanes of a run, and what they are about.
    pub fn end_run(&self) {
        *self.run() = Lanes::default();
    }

    fn run(&self) -> MutexGuard<'_, Lanes> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
