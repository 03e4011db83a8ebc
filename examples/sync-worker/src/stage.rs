//! A stage: reads updates, has them worked on in batches, and sees to it that none is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::{mpsc, watch};

use crate::cli::StageName;
use crate::deliver::Deliver;
use crate::identify::Identify;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::retry::Pauses;
use crate::sink::{Reports, SMALLER_THAN_SAID, Sink};
use crate::source::{Fenced, Record, Source};
use crate::sync::Sync;
use crate::transaction::Failed;

/// How often an idle stage says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// A run that lasted this long was a good one.
const GOOD_RUN: Duration = Duration::from_secs(60);

pub enum Worker {
    Identify(Identify),
    Sync(Sync),
    Deliver(Deliver),
}

pub struct Stage {
    worker: Worker,
    shared: Shared,
    /// Becomes true when the process is to end.
    stop: watch::Receiver<bool>,
    /// Whether a topic has refused a batch in which no message was too large by itself.
    is_careful: AtomicBool,
}

impl Stage {
    pub fn new(worker: Worker, shared: &Shared, stop: &watch::Receiver<bool>) -> Self {
        Self { worker, shared: shared.clone(), stop: stop.clone(), is_careful: AtomicBool::new(false) }
    }

    /// Runs until it is stopped. What goes wrong ends a run, and the next one begins at what was
    /// committed. Two workers of one name would fence each other for ever: the one that is fenced again
    /// soon after it was ends.
    pub async fn run(self) -> Result<()> {
        let name = self.name();
        let mut pauses = Pauses::default();
        let mut was_fenced = false;
        loop {
            let began = Instant::now();
            let error = match self.run_once().await {
                Ok(()) => return Ok(()),
                Err(error) if *self.stop.borrow() => return Err(error),
                Err(error) => error,
            };
            if began.elapsed() > GOOD_RUN {
                pauses = Pauses::default();
                was_fenced = false;
            }
            if error.is::<Fenced>() && std::mem::replace(&mut was_fenced, true) {
                return Err(error);
            }
            self.shared.metrics.restarts.with_label_values(&[name.as_str()]).inc();
            tracing::error!(stage = name.as_str(), error = format!("{error:#}"), "restarting the stage");
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(pauses.advance()) => (),
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
    }

    async fn run_once(&self) -> Result<()> {
        let drain = Duration::from_secs(self.shared.pipeline.drain_seconds);
        let mut stop = self.stop.clone();
        let deadline = async {
            // Whoever could stop the stage is gone only at the end of the process.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            result = self.read_and_work() => result,
            () = deadline => Err(anyhow!("not drained within {} seconds", drain.as_secs())),
        }
    }

    async fn read_and_work(&self) -> Result<()> {
        let name = self.name();
        let pipeline = &self.shared.pipeline;
        self.shared.health.set(&format!("brokers ({})", name.as_str()), false);
        let (sink, reports) = Sink::open(name, &self.shared, self.is_careful.load(Ordering::Relaxed)).await?;
        if pipeline.transactional {
            // A consumer that joins before it can work would hold partitions up.
            let ready = sink.init_transactions(|| self.beat());
            let mut stop = self.stop.clone();
            tokio::select! {
                ready = ready => ready?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
        let topic = match name {
            StageName::Identify => &pipeline.compute_output,
            StageName::Sync => &pipeline.identified_output,
            StageName::Deliver => &pipeline.outbound_calls,
            StageName::DeliverSlow => &pipeline.outbound_calls_slow,
        };
        let source = Source::open(name, topic, &self.shared)?;
        let (sender, records) = mpsc::unbounded_channel();
        let reader = AbortOnDrop(tokio::spawn(source.clone().read(sender, self.stop.clone())));
        let end = EndOfRun(&source, &self.worker);
        let result = self.work(&source, &sink, reports, records).await;
        if !pipeline.transactional {
            // What is done is done, however the run ended.
            tokio::task::block_in_place(|| source.commit());
        }
        drop(end);
        match result {
            // The reader knows better why there is nothing to read.
            Err(error) if reader.0.is_finished() => Err(reader.result().await.err().unwrap_or(error)),
            result => result,
        }
    }

    async fn work(
        &self,
        source: &Arc<Source>,
        sink: &Sink,
        mut reports: Reports,
        mut records: mpsc::UnboundedReceiver<Record>,
    ) -> Result<()> {
        let name = self.name();
        let alive = Arc::new(());
        let mut read = Vec::new();
        let mut is_draining = false;
        loop {
            self.beat_with(source);
            if is_draining && Arc::strong_count(&alive) == 1 {
                return Ok(());
            }
            let beat = if is_draining { Duration::from_millis(10) } else { BEAT };
            tokio::select! {
                biased;
                changed = reports.failure.changed() => self.failed(changed, &reports)?,
                Some(outcome) = reports.refused.recv() => sink.dead_letter_refused(&outcome).await?,
                count = records.recv_many(&mut read, self.shared.pipeline.batch.max(1)), if !is_draining => {
                    is_draining = count == 0;
                    if is_draining && !*self.stop.borrow() {
                        bail!("nothing is read any more");
                    }
                    // A partition that was handed over is read by another worker.
                    let batch: Vec<_> = read
                        .drain(..)
                        .filter_map(|record| Outcome::start(record, name, &self.shared, &alive))
                        .collect();
                    if !batch.is_empty() {
                        match self.shared.pipeline.transactional {
                            true => self.transactions(source, sink, &mut reports, batch).await?,
                            false => drop(self.batch(source, sink, &batch, &mut reports).await?),
                        }
                    }
                }
                () = tokio::time::sleep(beat) => (),
            }
        }
    }

    /// A batch, and how many of its updates have been worked on. Ends early where outputs can't be
    /// delivered any more, which a full queue would hide.
    async fn batch(
        &self,
        source: &Source,
        sink: &Sink,
        batch: &[Arc<Outcome>],
        reports: &mut Reports,
    ) -> Result<usize> {
        let work = async {
            match &self.worker {
                Worker::Identify(identify) => identify.work(sink, batch).await,
                Worker::Sync(sync) => sync.work(sink, batch).await,
                Worker::Deliver(deliver) => deliver.work(sink, batch).await,
            }
        };
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                changed = reports.failure.changed() => self.failed(changed, reports)?,
                // A batch that waits, for the database or for brokers, does not hang.
                () = tokio::time::sleep(BEAT) => self.beat_with(source),
            }
        }
    }

    /// A batch, in as many transactions as it takes. What it comes to is decided before a transaction
    /// begins, whose time is limited. One that fails is tried again with fewer updates, and without those
    /// that are another worker's by then.
    async fn transactions(
        &self,
        source: &Source,
        sink: &Sink,
        reports: &mut Reports,
        mut rest: Vec<Arc<Outcome>>,
    ) -> Result<()> {
        let mut most = rest.len();
        let mut decided = 0;
        let mut pauses = Pauses::default();
        while !rest.is_empty() {
            if decided == 0 {
                decided = self.batch(source, sink, &rest, reports).await?.max(1);
            }
            let now = &rest[..decided.min(most)];
            match sink.transact(source, now, || self.beat_with(source)).await {
                Ok(()) => {
                    now.iter().for_each(|outcome| outcome.finish());
                    decided -= now.len();
                    rest.drain(..now.len());
                    most *= 2;
                    pauses = Pauses::default();
                }
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::Now(error)) => {
                    tracing::warn!(stage = self.name().as_str(), error = format!("{error:#}"), "aborting");
                    self.shared.metrics.aborts.with_label_values(&[self.name().as_str()]).inc();
                    let refused = sink.abort(now, || self.beat_with(source)).await?;
                    if reports.failure.has_changed().unwrap_or(true) {
                        self.failed(Ok(()), reports)?;
                    }
                    let current: Vec<bool> = rest.iter().map(|outcome| outcome.record.is_current()).collect();
                    decided = current[..decided].iter().filter(|is_current| **is_current).count();
                    let mut current = current.into_iter();
                    rest.retain(|_| current.next().unwrap_or_default());
                    // What was refused is out of the way.
                    if refused == 0 {
                        most = (most / 2).max(1);
                        tokio::time::sleep(pauses.advance()).await;
                    }
                }
            }
            if decided == 0 {
                sink.forget_planned();
            }
        }
        Ok(())
    }

    fn failed(&self, changed: Result<(), watch::error::RecvError>, reports: &Reports) -> Result<()> {
        changed.context("the producer is gone")?;
        let failure = reports.failure.borrow().clone().unwrap_or_default();
        if failure == SMALLER_THAN_SAID {
            self.is_careful.store(true, Ordering::Relaxed);
        }
        bail!(failure)
    }

    /// Also says how much is under way, which changes while a batch waits.
    fn beat_with(&self, source: &Source) {
        self.beat();
        let in_flight = self.shared.metrics.in_flight.with_label_values(&[self.name().as_str()]);
        in_flight.set(i64::try_from(source.under_way()).unwrap_or(i64::MAX));
    }

    fn beat(&self) {
        self.shared.health.beat(self.name().as_str());
    }

    fn name(&self) -> StageName {
        match &self.worker {
            Worker::Identify(_) => StageName::Identify,
            Worker::Sync(_) => StageName::Sync,
            Worker::Deliver(deliver) => deliver.name,
        }
    }
}

/// Lets a run's partitions go at once, however it ends.
struct EndOfRun<'a>(&'a Source, &'a Worker);

impl Drop for EndOfRun<'_> {
    fn drop(&mut self) {
        if let Worker::Deliver(deliver) = self.1 {
            deliver.end_run();
        }
        self.0.close();
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<Result<()>>);

impl AbortOnDrop {
    async fn result(mut self) -> Result<()> {
        (&mut self.0).await.context("the reader has panicked")?
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
