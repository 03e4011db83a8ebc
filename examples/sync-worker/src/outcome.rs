//! An update that is worked on, until everything that came of it is acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::error::KafkaError;
use rdkafka::message::OwnedHeaders;

use crate::cli::StageName;
use crate::kafka::Shared;
use crate::source::Record;

pub struct Outcome {
    pub record: Record,
    /// One more than the outputs that are not acknowledged, until all of them have been handed over.
    open: AtomicUsize,
    /// Whether an output has been refused, and nothing done about it yet.
    is_refused: AtomicBool,
    /// Why the update is a dead letter, or an output of it was refused.
    reason: OnceLock<String>,
    /// How many dead letters have been made of it, each shorter than the one before.
    letters: AtomicU8,
    /// What waits for a transaction.
    planned: Mutex<Vec<Planned>>,
    shared: Shared,
    stage: StageName,
    /// Counts the outcomes of a stage's run.
    _alive: Arc<()>,
}

/// An output that waits for a transaction.
pub struct Planned {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
}

/// What the acknowledgement of an output means.
pub enum Acknowledged {
    /// Others are not acknowledged yet.
    Waiting,
    /// The update is done.
    Done,
    /// All is acknowledged or refused, and something has been refused.
    Refused,
}

impl Outcome {
    /// Of an update that is started now; `None` if it is another worker's.
    pub fn start(record: Record, stage: StageName, shared: &Shared, alive: &Arc<()>) -> Option<Arc<Self>> {
        record.start().then(|| {
            Arc::new(Self {
                record,
                open: AtomicUsize::new(1),
                is_refused: AtomicBool::new(false),
                reason: OnceLock::new(),
                letters: AtomicU8::new(0),
                planned: Mutex::default(),
                shared: shared.clone(),
                stage,
                _alive: alive.clone(),
            })
        })
    }

    pub fn began_output(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that an output is refused.
    pub fn refuse(&self, error: &KafkaError) {
        self.refuse_for(&format!("an output is refused: {error}"));
    }

    pub fn refuse_for(&self, reason: &str) {
        self.give_reason(reason);
        self.is_refused.store(true, Ordering::Release);
    }

    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Acquire)
    }

    /// Whether an output was refused since this was asked before.
    pub fn take_refusal(&self) -> bool {
        self.is_refused.swap(false, Ordering::AcqRel)
    }

    /// One reason is enough: the first one stays.
    pub fn give_reason(&self, error: &str) {
        let _ = self.reason.set(error.to_owned());
    }

    pub fn reason(&self) -> String {
        self.reason.get().cloned().unwrap_or_default()
    }

    /// The number of the next dead letter, from 0.
    pub fn next_letter(&self) -> u8 {
        self.letters.fetch_add(1, Ordering::AcqRel)
    }

    pub fn acknowledged(&self) -> Acknowledged {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Acknowledged::Waiting;
        }
        if self.take_refusal() {
            return Acknowledged::Refused;
        }
        self.finish();
        Acknowledged::Done
    }

    /// Whether nothing that was handed over waits to be acknowledged.
    pub fn is_out(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    pub fn plan(&self, output: Planned) {
        self.planned().push(output);
    }

    /// What waits for a transaction. To be given back, since transactions may be tried more than once.
    pub fn take_outputs(&self) -> Vec<Planned> {
        std::mem::take(&mut *self.planned())
    }

    pub fn give_back(&self, outputs: Vec<Planned>) {
        *self.planned() = outputs;
    }

    pub fn forget_outputs(&self) {
        self.planned().clear();
    }

    /// Everything that came of the update is acknowledged, or committed.
    pub fn finish(&self) {
        let now = Instant::now();
        self.record.finish(now);
        let stage = [self.stage.as_str()];
        let metrics = &self.shared.metrics;
        metrics.stage_seconds.with_label_values(&stage).observe((now - self.record.read_at).as_secs_f64());
        if let (Some(then), Ok(now)) =
            (self.record.timestamp_ms, SystemTime::now().duration_since(UNIX_EPOCH))
        {
            let then = Duration::from_millis(u64::try_from(then).unwrap_or_default());
            metrics.update_seconds.with_label_values(&stage).observe(now.saturating_sub(then).as_secs_f64());
        }
    }

    fn planned(&self) -> MutexGuard<'_, Vec<Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
