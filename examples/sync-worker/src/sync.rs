//! The sync worker: decides where each update goes, and writes the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join;
use idgroup::ProfileUpdate;

use crate::allowance::Allowance;
use crate::catalog::Catalog;
use crate::cli::Outbound;
use crate::deciding::{Deciding, Known};
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::remembering::{Decided, Remembering, Work};
use crate::retry::until_done;
use crate::rollout_config::InForce;
use crate::sending::Sending;
use crate::sink::Sink;
use crate::store::Connected;

/// How often a computation that is not known is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

pub struct Sync {
    catalog: Arc<Catalog>,
    deciding: Deciding,
    sending: Sending,
    /// `None` where what was sent is inferred from updates.
    remembering: Option<Remembering>,
    shared: Shared,
    allowance: Allowance,
}

/// An update to decide about, if it can be used; or else why not.
pub struct Task<'a> {
    pub outcome: &'a Arc<Outcome>,
    pub known: Result<Known<'a>, String>,
}

impl Sync {
    pub fn new(
        catalog: Arc<Catalog>,
        rollout: InForce,
        remembering: Option<Remembering>,
        shared: &Shared,
    ) -> Self {
        let allowance = Allowance::new(Duration::from_secs(shared.pipeline.wait_for_computations));
        let (deciding, sending) = (Deciding::new(rollout, shared), Sending::new(shared));
        Self { catalog, deciding, sending, remembering, shared: shared.clone(), allowance }
    }

    /// Decides about a batch of updates, and writes what comes of them in their order. Returns how many
    /// of them.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<usize> {
        let Shared { metrics, health, .. } = &self.shared;
        let began = Instant::now();
        let updates: Vec<Result<ProfileUpdate, String>> =
            batch.iter().map(|outcome| parse(outcome.record.payload.as_deref())).collect();
        metrics.time("parse", began);
        let began = Instant::now();
        let computations: Vec<&str> =
            updates.iter().flatten().map(|update| update.computation().id()).collect();
        let spaces: Vec<&str> = updates.iter().flatten().map(ProfileUpdate::space_id).collect();
        let destinations = self.destinations(&computations).await;
        let look_up = || self.catalog.tiers(&spaces);
        let tiers = until_done("looking up tiers", metrics, health, look_up).await;
        let called = match self.shared.pipeline.outbound {
            Outbound::Events => None,
            Outbound::Calls => {
                let look_up = || self.catalog.call_settings(&computations);
                Some(until_done("looking up call settings", metrics, health, look_up).await)
            }
        };
        metrics.time("catalog", began);
        let tasks: Vec<Task<'_>> = batch
            .iter()
            .zip(&updates)
            .map(|(outcome, update)| {
                let bytes = outcome.record.bytes().len();
                let known = update.as_ref().map_err(Clone::clone);
                let known = known.and_then(|update| {
                    let called = called.as_ref().and_then(|all| all.get(update.computation().id())).cloned();
                    Ok(Known { called, ..known_of(update, bytes, &destinations, &tiers)? })
                });
                Task { outcome, known }
            })
            .collect();
        match &self.remembering {
            Some(remembering) => self.remember(remembering, sink, tasks).await,
            None => self.infer(sink, &tasks).await,
        }
    }

    /// One after the other, each by what it says itself.
    async fn infer(&self, sink: &Sink, tasks: &[Task<'_>]) -> Result<usize> {
        for (n, task) in tasks.iter().enumerate() {
            if n > 0 && sink.has_enough() {
                return Ok(n);
            }
            let decided = match &task.known {
                Ok(known) => Decided::Routed(self.deciding.decide(known).await),
                Err(error) => Decided::Unusable(error.clone()),
            };
            self.write(sink, task, decided).await?;
        }
        Ok(tasks.len())
    }

    /// By what is remembered. Updates of the even and of the odd partitions go side by side, as in two workers, so
    /// that one half is worked on while the other waits for the database.
    async fn remember(&self, remembering: &Remembering, sink: &Sink, tasks: Vec<Task<'_>>) -> Result<usize> {
        if self.shared.pipeline.transactional {
            return self.remember_in_units(remembering, sink, &tasks).await;
        }
        let count = tasks.len();
        let (even, odd): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|task| task.outcome.record.partition % 2 == 0);
        let halves = [&even, &odd].map(|half| self.remember_in_units(remembering, sink, half));
        let [even, odd] = halves;
        try_join(even, odd).await?;
        Ok(count)
    }

    /// What is not written when a transaction has enough is decided again, and is the same.
    async fn remember_in_units(
        &self,
        remembering: &Remembering,
        sink: &Sink,
        tasks: &[Task<'_>],
    ) -> Result<usize> {
        let mut done = 0;
        while done < tasks.len() {
            let Self { deciding, sending, .. } = self;
            let work = Work { deciding, sending, sink, tasks: &tasks[done..] };
            for decided in remembering.decide(&work).await? {
                if done > 0 && sink.has_enough() {
                    return Ok(done);
                }
                self.write(sink, &tasks[done], decided).await?;
                done += 1;
            }
            // The next unit may forget what this one sends, once that is out.
            if self.shared.pipeline.transactional {
                break;
            }
        }
        Ok(done)
    }

    async fn write(&self, sink: &Sink, task: &Task<'_>, decided: Decided<'_>) -> Result<()> {
        match (decided, &task.known) {
            (Decided::Routed(routed), Ok(known)) => {
                self.sending.send(sink, task.outcome, known, &routed).await?;
            }
            (Decided::Remembered(routed, dedupe, current), Ok(known)) => {
                self.deciding.compare(&current, known, &dedupe);
                self.sending.send(sink, task.outcome, known, &routed).await?;
            }
            (Decided::Unusable(error), _) => sink.dead_letter(task.outcome, &error).await?,
            (Decided::Routed(_) | Decided::Remembered(..), Err(error)) => {
                sink.dead_letter(task.outcome, error).await?
            }
            (Decided::LeftAlone, _) => return Ok(()),
        }
        sink.all_sent(task.outcome);
        Ok(())
    }

    /// The destinations of each computation. Updates can be there before their computation is, so that
    /// one which is not known is waited for, as long as that does not hold the others up for good.
    async fn destinations(&self, computations: &[&str]) -> HashMap<String, Connected> {
        let Shared { metrics, health, .. } = &self.shared;
        loop {
            let look_up = || self.catalog.destinations(computations);
            let found = until_done("looking up destinations", metrics, health, look_up).await;
            let is_unknown = |connected: &Connected| matches!(**connected, Ok(None));
            let unknown: Vec<&str> =
                found.iter().filter(|(_, found)| is_unknown(found)).map(|(name, _)| &name[..]).collect();
            if unknown.is_empty() || !self.allowance.take(BETWEEN_LOOKS, Instant::now()) {
                return found;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            self.catalog.ask_again(&unknown);
        }
    }
}

fn known_of<'a>(
    update: &'a ProfileUpdate,
    bytes: usize,
    destinations: &'a HashMap<String, Connected>,
    tiers: &HashMap<String, Option<Arc<str>>>,
) -> Result<Known<'a>, String> {
    match destinations.get(update.computation().id()).map(|connected| &**connected) {
        Some(Ok(Some(destinations))) => {
            let tier = tiers.get(update.space_id()).cloned().flatten();
            Ok(Known { update, tier, destinations, called: None, bytes })
        }
        Some(Err(error)) => Err(error.clone()),
        Some(Ok(None)) | None => {
            Err(format!("there is no computation `{}`", excerpt(update.computation().id())))
        }
    }
}

fn parse(payload: Option<&[u8]>) -> Result<ProfileUpdate, String> {
    let payload = payload.ok_or("the payload is null")?;
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

/// The beginning of a name that may be of any length.
fn excerpt(name: &str) -> String {
    name.chars().take(64).collect()
}
