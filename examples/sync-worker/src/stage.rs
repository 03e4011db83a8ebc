//! A stage: reads updates, has them worked on in batches, and sees to it that none is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::{mpsc, watch};

use crate::cli::StageName;
use crate::identify::Identify;
use crate::kafka::Shared;
use crate::retry::Pauses;
use crate::sink::{Outcome, Reports, Sink};
use crate::source::{Record, Source};
use crate::sync::Sync;

/// How often an idle stage says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// A run that lasted this long was a good one.
const GOOD_RUN: Duration = Duration::from_secs(60);

pub enum Worker {
    Identify(Identify),
    Sync(Sync),
}

pub struct Stage {
    pub worker: Worker,
    pub shared: Shared,
    /// Becomes true when the process is to end.
    pub stop: watch::Receiver<bool>,
}

impl Stage {
    /// Runs until it is stopped. What goes wrong ends a run, and the next one begins at what was
    /// committed.
    pub async fn run(self) -> Result<()> {
        let name = self.name();
        let mut pauses = Pauses::default();
        loop {
            let began = Instant::now();
            let error = match self.run_once().await {
                Ok(()) => return Ok(()),
                Err(error) if *self.stop.borrow() => return Err(error),
                Err(error) => format!("{error:#}"),
            };
            if began.elapsed() > GOOD_RUN {
                pauses = Pauses::default();
            }
            self.shared.metrics.restarts.with_label_values(&[name.as_str()]).inc();
            tracing::error!(stage = name.as_str(), error, "the stage begins anew");
            tokio::time::sleep(pauses.advance()).await;
        }
    }

    async fn run_once(&self) -> Result<()> {
        let name = self.name();
        let pipeline = &self.shared.pipeline;
        self.shared.health.set(&format!("brokers ({})", name.as_str()), false);
        let (sink, reports) = Sink::open(name, &self.shared)?;
        let topic = match name {
            StageName::Identify => &pipeline.compute_output,
            StageName::Sync => &pipeline.identified_output,
        };
        let source = Source::open(name, topic, &self.shared)?;
        let (sender, records) = mpsc::unbounded_channel();
        let reader = tokio::spawn(source.clone().read(sender, self.stop.clone()));
        let mut stop = self.stop.clone();
        let drain = Duration::from_secs(pipeline.drain_seconds);
        let deadline = async {
            // Whoever could stop the stage is gone only at the end of the process.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(drain).await;
        };
        let result = tokio::select! {
            result = self.work(&source, &sink, reports, records) => result,
            () = deadline => Err(anyhow::anyhow!("not drained within {} seconds", drain.as_secs())),
        };
        reader.abort();
        let _ = reader.await;
        if !pipeline.transactional {
            // What is done is done, however the run ended.
            tokio::task::block_in_place(|| source.commit());
        }
        result
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
        let in_flight = self.shared.metrics.in_flight.with_label_values(&[name.as_str()]);
        let mut is_draining = false;
        loop {
            self.shared.health.beat(name.as_str());
            in_flight.set(i64::try_from(source.under_way()).unwrap_or(i64::MAX));
            if is_draining && Arc::strong_count(&alive) == 1 {
                return Ok(());
            }
            let beat = if is_draining { Duration::from_millis(10) } else { BEAT };
            tokio::select! {
                biased;
                changed = reports.failure.changed() => {
                    changed.context("the producer is gone")?;
                    let failure = reports.failure.borrow().clone();
                    bail!(failure.unwrap_or_default());
                }
                Some(outcome) = reports.refused.recv() => sink.dead_letter_refused(&outcome).await?,
                count = records.recv_many(&mut read, self.shared.pipeline.batch.max(1)), if !is_draining => {
                    is_draining = count == 0;
                    if is_draining && !*self.stop.borrow() {
                        bail!("nothing is read any more");
                    }
                    // A partition that was handed over is read by another worker.
                    let current = read.drain(..).filter(Record::is_current);
                    let batch: Vec<_> =
                        current.map(|record| Outcome::new(record, name, &self.shared, &alive)).collect();
                    if !batch.is_empty() {
                        match self.shared.pipeline.transactional {
                            true => self.transaction(source, sink, &mut reports, &batch).await?,
                            false => self.batch(sink, &batch, &mut reports).await?,
                        }
                    }
                }
                () = tokio::time::sleep(beat) => (),
            }
        }
    }

    /// A batch. Ends early where outputs can't be delivered any more, which a full queue would hide.
    async fn batch(&self, sink: &Sink, batch: &[Arc<Outcome>], reports: &mut Reports) -> Result<()> {
        let name = self.name().as_str();
        let work = async {
            match &self.worker {
                Worker::Identify(identify) => identify.work(sink, batch).await,
                Worker::Sync(sync) => sync.work(sink, batch).await,
            }
        };
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                changed = reports.failure.changed() => {
                    changed.context("the producer is gone")?;
                    let failure = reports.failure.borrow().clone();
                    bail!(failure.unwrap_or_default());
                }
                // A batch that waits, for the database or for brokers, does not hang.
                () = tokio::time::sleep(BEAT) => self.shared.health.beat(name),
            }
        }
    }

    async fn transaction(
        &self,
        source: &Source,
        sink: &Sink,
        reports: &mut Reports,
        batch: &[Arc<Outcome>],
    ) -> Result<()> {
        sink.begin_transaction()?;
        let result = match self.batch(sink, batch, reports).await {
            Ok(()) => {
                while let Ok(outcome) = reports.refused.try_recv() {
                    sink.dead_letter_refused(&outcome).await?;
                }
                sink.commit_transaction(source, batch)
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            sink.abort_transaction();
        }
        result
    }

    fn name(&self) -> StageName {
        match &self.worker {
            Worker::Identify(_) => StageName::Identify,
            Worker::Sync(_) => StageName::Sync,
        }
    }
}
