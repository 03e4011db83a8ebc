//! Decides by memories: reads them, decides in sequence, and keeps them, in one unit of work.
//!
//! What is decided is written once its memories are kept. If that comes to nothing, the updates are read again
//! and are repeats, which are written with the same `message_id`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use idgroup::{
    Batch, Comparing, Completeness, Flow, IdGroupEvent, Memory, MemoryDecision, MemoryError, MemoryKey,
    MemoryKeys, Routed, RoutedWithMemory, memory,
};

use crate::deciding::{Current, Deciding, Known};
use crate::kafka::Shared;
use crate::memories::{Contended, Memories, Unit};
use crate::outcome::Outcome;
use crate::pulse::Pulse;
use crate::retry::{Pauses, until_done};
use crate::sending::Sending;
use crate::sink::Sink;
use crate::sync::Task;

/// A unit that has taken this long ends: its locks are held, and the database ends it when it has done nothing for
/// longer.
const LONGEST_UNIT: Duration = Duration::from_millis(500);
const WHILE_NOT_OUT: Duration = Duration::from_millis(2);

pub struct Remembering {
    memories: Memories,
    completeness: Completeness,
    pulse: Arc<Pulse>,
    /// Units whose messages may not be out yet.
    unsent: Mutex<Vec<Arc<Unsent>>>,
    shared: Shared,
}

/// Updates to decide about, and by what means.
pub struct Work<'w, 'a> {
    pub deciding: &'w Deciding,
    pub sending: &'w Sending,
    pub sink: &'w Sink,
    pub tasks: &'w [Task<'a>],
}

/// What is decided about an update.
pub enum Decided<'a> {
    /// It is sent this.
    Routed(Routed<'a>),
    /// It is sent this; and what the dedupe flow made of it under this rollout may be to be compared.
    Remembered(Routed<'a>, Vec<IdGroupEvent<'a>>, Arc<Current>),
    /// It can't be used, and why.
    Unusable(String),
    /// It is another worker's by now.
    LeftAlone,
}

/// The updates of a unit that message somebody, each in a batch of its own: it is out or not by itself.
#[derive(Default)]
struct Unsent(Vec<(Batch, Weak<Outcome>)>);

enum Attempt<'a> {
    Done(Vec<Decided<'a>>),
    /// Others were at the same memories.
    Contended,
    /// Another rollout has come in force since its memories were asked for.
    Outdated,
    /// Its first update forgets a message that may not be out yet.
    TooEarly,
    StoodStill,
}

impl Remembering {
    pub fn new(memories: Memories, completeness: Completeness, shared: &Shared) -> Self {
        Self {
            memories,
            completeness,
            pulse: Pulse::start(),
            unsent: Mutex::default(),
            shared: shared.clone(),
        }
    }

    /// Decides about updates from the first on, at least one, and keeps their memories.
    pub async fn decide<'a>(&self, work: &Work<'_, 'a>) -> Result<Vec<Decided<'a>>> {
        let Shared { metrics, health, .. } = &self.shared;
        let mut pauses = Pauses::default();
        loop {
            let attempt = || async {
                match self.attempt(work).await {
                    Err(error) if error.is::<Contended>() => {
                        tracing::debug!(error = format!("{error:#}"), "deciding again");
                        Ok(Attempt::Contended)
                    }
                    result => result,
                }
            };
            match until_done("keeping memories", metrics, health, attempt).await {
                Attempt::Done(decided) => return Ok(decided),
                Attempt::Contended => {
                    metrics.retries.with_label_values(&["keeping memories"]).inc();
                    tokio::time::sleep(pauses.advance()).await;
                }
                Attempt::Outdated => (),
                Attempt::TooEarly => self.all_out().await,
                Attempt::StoodStill => {
                    bail!("the process stood still, and its partitions may be another worker's")
                }
            }
        }
    }

    async fn attempt<'a>(&self, work: &Work<'_, 'a>) -> Result<Attempt<'a>> {
        let current = work.deciding.in_force().await;
        let wanted: Vec<Option<MemoryKeys<'a>>> =
            work.tasks.iter().map(|task| keys(task, &current)).collect();
        let unit = self.begin(&wanted).await?;
        // From here on, whoever has the partitions by now waits for this unit, or it fails.
        let oldest = work.tasks.iter().map(|task| task.outcome.record.read_at).min();
        if oldest.is_some_and(|then| self.pulse.has_stood_still_since(then)) {
            return Ok(Attempt::StoodStill);
        }
        if !work.deciding.is_in_force(&current) {
            return Ok(Attempt::Outdated);
        }
        let unsent = self.unsent();
        let mut sequence = Sequence::new(&unit, &unsent, self.completeness);
        let began = Instant::now();
        for (task, keys) in work.tasks.iter().zip(wanted) {
            if !sequence.goes_on(work, task, keys, &current) || began.elapsed() > LONGEST_UNIT {
                break;
            }
        }
        let Sequence { changed, decided, sent, repeats, .. } = sequence;
        if decided.is_empty() {
            return Ok(Attempt::TooEarly);
        }
        self.keep(unit, &changed, sent).await?;
        self.shared.metrics.repeats.inc_by(repeats);
        Ok(Attempt::Done(decided))
    }

    async fn begin(&self, wanted: &[Option<MemoryKeys<'_>>]) -> Result<Unit> {
        let began = Instant::now();
        let mut keys: Vec<MemoryKey> = wanted.iter().flatten().flat_map(MemoryKeys::iter).collect();
        keys.sort_unstable();
        keys.dedup();
        let unit = self.memories.begin(keys).await?;
        self.shared.metrics.time("recall", began);
        self.shared.metrics.memories.with_label_values(&["read"]).inc_by(unit.len() as u64);
        Ok(unit)
    }

    async fn keep(&self, unit: Unit, changed: &HashMap<MemoryKey, Memory>, sent: Unsent) -> Result<()> {
        let began = Instant::now();
        let changed: HashMap<_, _> = changed.iter().map(|(key, memory)| (*key, memory.to_bytes())).collect();
        // Noted before others can see what is kept, so that they don't forget it too early.
        let mut noted = self.note(sent);
        unit.keep(&changed).await?;
        noted.is_kept = true;
        self.shared.metrics.time("keep", began);
        self.shared.metrics.memories.with_label_values(&["kept"]).inc_by(changed.len() as u64);
        Ok(())
    }

    fn note(&self, sent: Unsent) -> Noted<'_> {
        let sent = Arc::new(sent);
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        unsent.push(sent.clone());
        Noted { unsent: &self.unsent, sent, is_kept: false }
    }

    /// The units whose messages are not all out yet.
    fn unsent(&self) -> Vec<Arc<Unsent>> {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        unsent.retain(|unsent| unsent.is_under_way());
        unsent.clone()
    }

    async fn all_out(&self) {
        while !self.unsent().is_empty() {
            tokio::time::sleep(WHILE_NOT_OUT).await;
        }
    }
}

/// Messages that are noted as not out, which comes to nothing where their unit does.
struct Noted<'r> {
    unsent: &'r Mutex<Vec<Arc<Unsent>>>,
    sent: Arc<Unsent>,
    is_kept: bool,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
            unsent.retain(|other| !Arc::ptr_eq(other, &self.sent));
        }
    }
}

/// The keys of the memories that an update is decided by, if by any.
fn keys<'a>(task: &Task<'a>, current: &Current) -> Option<MemoryKeys<'a>> {
    let Known { update, tier, .. } = task.known.as_ref().ok()?;
    let route = current.release.rollout().route_update(update, tier.as_deref());
    route.runs(Flow::Dedupe).then(|| memory::keys(update, current.epoch))
}

impl Unsent {
    fn add(&mut self, decision: &MemoryDecision<'_>, outcome: &Arc<Outcome>) {
        let mut batch = Batch::default();
        batch.add(decision);
        self.0.push((batch, Arc::downgrade(outcome)));
    }

    /// Whether the decision would forget a message that is not out.
    fn must_be_out_before(&self, decision: &MemoryDecision<'_>) -> bool {
        self.0.iter().any(|(batch, outcome)| batch.must_end_before(decision) && is_under_way(outcome))
    }

    fn is_under_way(&self) -> bool {
        self.0.iter().any(|(_, outcome)| is_under_way(outcome))
    }
}

fn is_under_way(outcome: &Weak<Outcome>) -> bool {
    outcome.upgrade().is_some_and(|outcome| !outcome.is_out())
}

fn remembered<'a>(outcome: RoutedWithMemory<'a>, current: &Arc<Current>) -> Decided<'a> {
    match outcome.decision {
        // Kept only where it is of use.
        Some(decision) if current.release.rollout().comparing() == Comparing::On => {
            Decided::Remembered(outcome.routed, decision.into_events(), current.clone())
        }
        _ => Decided::Routed(outcome.routed),
    }
}

/// Decisions that follow each other, each with the memories that the one before leaves.
struct Sequence<'s, 'a> {
    unit: &'s Unit,
    unsent: &'s [Arc<Unsent>],
    completeness: Completeness,
    changed: HashMap<MemoryKey, Memory>,
    decided: Vec<Decided<'a>>,
    batch: Batch,
    sent: Unsent,
    repeats: u64,
}

impl<'s, 'a> Sequence<'s, 'a> {
    fn new(unit: &'s Unit, unsent: &'s [Arc<Unsent>], completeness: Completeness) -> Self {
        let (changed, sent) = (HashMap::new(), Unsent::default());
        Self {
            unit,
            unsent,
            completeness,
            changed,
            decided: Vec::new(),
            sent,
            batch: Batch::default(),
            repeats: 0,
        }
    }

    /// Decides about the next update; false if the unit has to end before it.
    fn goes_on(
        &mut self,
        work: &Work<'_, 'a>,
        task: &Task<'a>,
        keys: Option<MemoryKeys<'a>>,
        current: &Arc<Current>,
    ) -> bool {
        let decided = match (&task.known, keys) {
            _ if !task.outcome.record.is_current() => Decided::LeftAlone,
            (Err(error), _) => Decided::Unusable(error.clone()),
            (Ok(known), None) => Decided::Routed(work.deciding.decide_by(current, known)),
            (Ok(known), Some(keys)) => match keys.try_recall(|key| self.memory(key)) {
                Ok(recalled) => {
                    let outcome = work.deciding.decide_recalled(current, known, recalled, self.completeness);
                    match work.sending.check(work.sink, task.outcome, known, &outcome.routed) {
                        Ok(()) if self.take(task, outcome.decision.as_ref()) => remembered(outcome, current),
                        Ok(()) => return false,
                        Err(error) => Decided::Unusable(error),
                    }
                }
                Err(error) => Decided::Unusable(format!("it can't be decided about: {error}")),
            },
        };
        self.decided.push(decided);
        true
    }

    fn memory(&self, key: &MemoryKey) -> Result<Memory, MemoryError> {
        match (self.changed.get(key), self.unit.memory(key)) {
            (Some(memory), _) => Ok(memory.clone()),
            (None, []) => Ok(Memory::default()),
            (None, bytes) => Memory::from_bytes(bytes),
        }
    }

    /// Takes what is to be remembered; false, and nothing is taken, if that would forget a message that is not
    /// out.
    fn take(&mut self, task: &Task<'a>, decision: Option<&MemoryDecision<'a>>) -> bool {
        let Some(decision) = decision else { return true };
        let is_too_early = || self.unsent.iter().any(|unsent| unsent.must_be_out_before(decision));
        if !decision.forgotten().is_empty() && (self.batch.must_end_before(decision) || is_too_early()) {
            return false;
        }
        self.changed.extend(decision.changed().map(|(key, memory)| (*key, memory.clone())));
        if decision.messages_somebody() {
            self.batch.add(decision);
            self.sent.add(decision, task.outcome);
            // A first message is a change of the memory.
            self.repeats += u64::from(decision.changed().next().is_none());
        }
        true
    }
}
