//! Decides by memories: reads them, decides in sequence, and keeps them, in one unit of work.
//!
//! What is decided is written once its memories are kept. If that comes to nothing, the updates are read again
//! and are repeats, which are written with the same `message_id`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use idgroup::{
    Batch, Completeness, Flow, Memory, MemoryDecision, MemoryError, MemoryKey, MemoryKeys, Routed, memory,
};

use crate::deciding::{Current, Deciding, Known};
use crate::kafka::Shared;
use crate::memories::{Memories, Unit};
use crate::outcome::Outcome;
use crate::pulse::Pulse;
use crate::retry::until_done;
use crate::sending::Sending;
use crate::sink::Sink;
use crate::sync::Task;

const WHILE_NOT_OUT: Duration = Duration::from_millis(2);

pub struct Remembering {
    memories: Memories,
    completeness: Completeness,
    pulse: Arc<Pulse>,
    /// Units whose messages may not be out yet.
    unsent: Mutex<Vec<Unsent>>,
    shared: Shared,
}

/// What is decided about an update.
pub enum Decided<'a> {
    /// It is sent this.
    Routed(Routed<'a>),
    /// It can't be used, and why.
    Unusable(String),
    /// It is another worker's by now.
    LeftAlone,
}

/// The updates of a unit that message somebody, as far as they are under way.
struct Unsent {
    batch: Batch,
    outcomes: Vec<Weak<Outcome>>,
}

enum Attempt<'a> {
    Done(Vec<Decided<'a>>),
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
    pub async fn decide<'a>(
        &self,
        deciding: &Deciding,
        sending: &Sending,
        sink: &Sink,
        tasks: &[Task<'a>],
    ) -> Result<Vec<Decided<'a>>> {
        let Shared { metrics, health, .. } = &self.shared;
        loop {
            let attempt = || self.attempt(deciding, sending, sink, tasks);
            match until_done("keeping memories", metrics, health, attempt).await {
                Attempt::Done(decided) => return Ok(decided),
                Attempt::Outdated => (),
                Attempt::TooEarly => self.all_out().await,
                Attempt::StoodStill => {
                    bail!("the process stood still, and its partitions may be another worker's")
                }
            }
        }
    }

    async fn attempt<'a>(
        &self,
        deciding: &Deciding,
        sending: &Sending,
        sink: &Sink,
        tasks: &[Task<'a>],
    ) -> Result<Attempt<'a>> {
        let metrics = &self.shared.metrics;
        let current = deciding.in_force().await;
        let wanted: Vec<Option<MemoryKeys<'a>>> = tasks.iter().map(|task| keys(task, &current)).collect();
        let mut keys: Vec<MemoryKey> = wanted.iter().flatten().flat_map(MemoryKeys::iter).collect();
        keys.sort_unstable();
        keys.dedup();
        let began = Instant::now();
        let unit = self.memories.begin(keys).await?;
        metrics.time("recall", began);
        metrics.memories.with_label_values(&["read"]).inc_by(unit.len() as u64);
        // Whoever has the partitions now waits for these locks, or has been waited for.
        let oldest = tasks.iter().map(|task| task.outcome.record.read_at).min();
        if oldest.is_some_and(|then| self.pulse.has_stood_still_since(then)) {
            return Ok(Attempt::StoodStill);
        }
        if !deciding.is_in_force(&current) {
            return Ok(Attempt::Outdated);
        }
        let unsent = self.unsent();
        let mut sequence = Sequence::new(&unit, &unsent, self.completeness);
        for (task, keys) in tasks.iter().zip(wanted) {
            if !sequence.goes_on(task, keys, &current, deciding, |task, routed| {
                sending.check(sink, task.outcome, routed)
            }) {
                break;
            }
        }
        let Sequence { changed, decided, sent, repeats, .. } = sequence;
        if decided.is_empty() {
            return Ok(Attempt::TooEarly);
        }
        let began = Instant::now();
        let changed: Vec<_> = changed.iter().map(|(key, memory)| (*key, memory.to_bytes())).collect();
        unit.keep(&changed).await?;
        metrics.time("keep", began);
        metrics.memories.with_label_values(&["kept"]).inc_by(changed.len() as u64);
        metrics.repeats.inc_by(repeats);
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        Ok(Attempt::Done(decided))
    }

    /// The batches whose messages are not all out yet.
    fn unsent(&self) -> Vec<Batch> {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        unsent.retain(Unsent::is_under_way);
        unsent.iter().map(|unsent| unsent.batch.clone()).collect()
    }

    async fn all_out(&self) {
        while !self.unsent().is_empty() {
            tokio::time::sleep(WHILE_NOT_OUT).await;
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
    fn is_under_way(&self) -> bool {
        self.outcomes.iter().filter_map(Weak::upgrade).any(|outcome| !outcome.is_out())
    }
}

/// Decisions that follow each other, each with the memories that the one before leaves.
struct Sequence<'s, 'a> {
    unit: &'s Unit,
    unsent: &'s [Batch],
    completeness: Completeness,
    changed: HashMap<MemoryKey, Memory>,
    decided: Vec<Decided<'a>>,
    sent: Unsent,
    repeats: u64,
}

impl<'s, 'a> Sequence<'s, 'a> {
    fn new(unit: &'s Unit, unsent: &'s [Batch], completeness: Completeness) -> Self {
        let sent = Unsent { batch: Batch::default(), outcomes: Vec::new() };
        let changed = HashMap::new();
        Self { unit, unsent, completeness, changed, decided: Vec::new(), sent, repeats: 0 }
    }

    /// Decides about the next update; false if the unit has to end before it.
    fn goes_on(
        &mut self,
        task: &Task<'a>,
        keys: Option<MemoryKeys<'a>>,
        current: &Current,
        deciding: &Deciding,
        fits: impl Fn(&Task<'a>, &Routed<'a>) -> Result<(), String>,
    ) -> bool {
        if !task.outcome.record.is_current() {
            self.decided.push(Decided::LeftAlone);
            return true;
        }
        let known = match &task.known {
            Ok(known) => known,
            Err(error) => {
                self.decided.push(Decided::Unusable(error.clone()));
                return true;
            }
        };
        let Some(keys) = keys else {
            self.decided.push(Decided::Routed(deciding.decide_by(current, known)));
            return true;
        };
        let recalled = match keys.try_recall(|key| self.memory(key)) {
            Ok(recalled) => recalled,
            Err(error) => {
                self.decided.push(Decided::Unusable(format!("it can't be decided about: {error}")));
                return true;
            }
        };
        let outcome = deciding.decide_recalled(current, known, recalled, self.completeness);
        if let Err(error) = fits(task, &outcome.routed) {
            self.decided.push(Decided::Unusable(error));
            return true;
        }
        if let Some(decision) = &outcome.decision {
            if self.unsent.iter().chain([&self.sent.batch]).any(|batch| batch.must_end_before(decision)) {
                return false;
            }
            self.take(task, decision);
        }
        self.decided.push(Decided::Routed(outcome.routed));
        true
    }

    fn memory(&self, key: &MemoryKey) -> Result<Memory, MemoryError> {
        match (self.changed.get(key), self.unit.memory(key)) {
            (Some(memory), _) => Ok(memory.clone()),
            (None, []) => Ok(Memory::default()),
            (None, bytes) => Memory::from_bytes(bytes),
        }
    }

    fn take(&mut self, task: &Task<'a>, decision: &MemoryDecision<'a>) {
        self.changed.extend(decision.changed().map(|(key, memory)| (*key, memory.clone())));
        if !decision.messages_somebody() {
            return;
        }
        self.sent.batch.add(decision);
        self.sent.outcomes.push(Arc::downgrade(task.outcome));
        // A first message is a change of the memory.
        if decision.changed().next().is_none() {
            self.repeats += 1;
        }
    }
}
