//! What is done with each update.
//!
//! A mode is a [`Task`]: it is handed one update after the other, and writes what is to be printed. A new
//! one is a struct in a file here, a `Mode` with its options, and a line in `Tasks::read`.

mod comparison_key;
pub mod connections;
pub mod events;
pub mod explanations;
mod preview;
pub mod remembering;
mod routing;
mod segment;
mod shadow;

use std::mem;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::Arc;

use idgroup::compare::ComparisonBudget;
use idgroup::{Amplification, Counts, Destinations, DropReason, IdGroupEvent, Lane, ProfileUpdate, Verdict};
use serde::Serialize;

use connections::Connections;
use events::{Events, LegacyEvents};
use explanations::{Explanations, ExplanationsForPeople};
use preview::{Preview, RememberingPreview};
use remembering::{Printed, Remembering};
use routing::Routing;
use segment::SegmentCalls;
use shadow::Shadow;

use crate::failure::Failure;
use crate::memories::Memories;
use crate::options::{Mode, Options, Remembered};
use crate::reading::chunk::{Chunk, Open, Piece};
use crate::reading::read_update;
use crate::report::seen::Verdicts;
use crate::summary::tally::Tally;
use crate::writing::palette::Palette;
use crate::writing::rejects;

/// Some seconds' worth of one update, unless more are asked for.
const MAX_COMPARED_MESSAGES: u64 = 10_000_000;

/// Enough to count some ten thousand messages that differ. More passes would read a monster again
/// and again to count all of what is known to be wrong.
const PASSES: u32 = 8;

/// What is done with each update.
pub trait Task: Send {
    /// Decides about the update, and adds what comes of it to `made`: unless it belongs in the slow
    /// lane, where nothing of it may be printed or counted.
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane;

    /// How many destinations an update may have that are not those it is given.
    fn most_other_destinations(&self) -> usize {
        0
    }

    /// Counts what is known before the first update.
    fn begin(&self, _: &mut Tally) {}

    /// No update comes any more, and what was made is written: a task that decides in order writes what
    /// it keeps.
    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What a task is given.
#[derive(Clone, Copy)]
pub struct Given<'g> {
    pub update: &'g ProfileUpdate,
    /// What the update was read from, with all that it does not take over.
    pub line: &'g [u8],
    /// Where the line was found.
    pub origin: Origin<'g>,
    /// Those of the update's computation.
    pub destinations: &'g Destinations,
}

/// A piece of an input.
#[derive(Clone, Copy)]
pub struct Origin<'g> {
    /// The name of the input, if that must be said.
    pub file: Option<&'g str>,
    pub piece: &'g Piece,
}

/// Who carries a task out.
pub enum Tasks {
    /// Each worker with one of its own: an update is decided whatever came before it.
    OfWorkers(Vec<Box<dyn Task>>),
    /// One alone, which is handed the updates in the order of the input; workers only read them. For
    /// tasks that hand something on from update to update, or that print more about one than may be held.
    InOrder(Box<dyn Task>),
}

/// What was made of a chunk.
#[derive(Default)]
pub struct Made {
    pub output: Vec<u8>,
    pub rejects: Vec<u8>,
    /// Updates of the slow lane, each as the line that it was.
    pub slow: Vec<u8>,
    pub tally: Tally,
}

/// Where a task puts what it makes of an update.
pub struct Making<'m> {
    pub output: &'m mut Vec<u8>,
    /// Lines that were set aside, each with its reason.
    pub rejects: &'m mut Vec<u8>,
    /// Writes what is printed, where it need not wait for what other workers print.
    write: Option<&'m mut WriteEarly<'m>>,
    pub tally: &'m mut Tally,
    /// Where is counted what is heard while the update is decided; forgotten if it belongs in the slow lane.
    pub counts: Counts,
    /// What was sent, once that is known.
    sent: Option<Amplification>,
    reporting: Reporting,
    /// Whether a report knows the verdicts by now.
    verdicts: Verdicts,
    fast_lane: Option<u64>,
}

/// Empties the output; breaks where nobody reads it any more.
pub type WriteEarly<'w> = dyn FnMut(&mut Vec<u8>) -> ControlFlow<()> + 'w;

/// How much is printed about an update before it is written.
const MAX_UNWRITTEN: usize = 64 * 1024;

/// Where updates are read and decided.
pub struct Desk {
    pub connections: Arc<Connections>,
    /// How many messages the fast lane takes, if there is another one.
    pub fast_lane: Option<u64>,
    pub reporting: Reporting,
    pub max_line_bytes: NonZeroU64,
}

/// Whether what a report shows is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reporting {
    On,
    Off,
}

impl Tasks {
    /// Reads the files that the task needs beside the destinations.
    pub fn read(options: &Options, connections: &Connections) -> Result<Self, Failure> {
        if let Some(remembered) = &options.remembered {
            return remembering(remembered, &options.mode, connections).map(Self::InOrder);
        }
        // With a slow lane, what is not in it is compared whole.
        let max_messages = options.slow.as_ref().map_or(MAX_COMPARED_MESSAGES, |slow| slow.max_messages);
        let budget = ComparisonBudget::default().with_messages(max_messages).with_passes(PASSES);
        let jobs = options.jobs;
        Ok(match &options.mode {
            Mode::Events => Self::of_workers(jobs, || Events),
            Mode::LegacyEvents => Self::of_workers(jobs, || LegacyEvents),
            Mode::Explanations(filter) => Self::of_workers(jobs, || Explanations::new(filter.clone())),
            Mode::ExplanationsForPeople(filter) => {
                let palette = Palette::of_standard_output();
                Self::of_workers(jobs, || ExplanationsForPeople::new(filter.clone(), palette))
            }
            Mode::Shadow { legacy_destinations } => {
                let legacy = legacy_destinations.as_deref().map(Connections::read).transpose()?;
                let shadow = Arc::new(Shadow::new(legacy, budget));
                Self::of_workers(jobs, || shadow.clone())
            }
            Mode::SegmentCalls { settings } => Self::InOrder(Box::new(SegmentCalls::read(settings)?)),
            Mode::Rollout { config, tiers } => {
                let routing = Arc::new(Routing::read(config, tiers.as_deref(), budget)?);
                Self::of_workers(jobs, || routing.clone())
            }
            Mode::Preview { new_destinations, addresses } => {
                let new = Connections::read(new_destinations)?;
                let preview = Arc::new(Preview::new(connections, new, *addresses));
                Self::of_workers(jobs, || preview.clone())
            }
        })
    }

    /// One that speaks for all.
    pub fn any(&self) -> Option<&dyn Task> {
        match self {
            Self::OfWorkers(tasks) => tasks.first().map(|task| &**task),
            Self::InOrder(task) => Some(&**task),
        }
    }

    fn of_workers<T: Task + 'static>(jobs: usize, task: impl Fn() -> T) -> Self {
        Self::OfWorkers((0..jobs).map(|_| Box::new(task()) as Box<dyn Task>).collect())
    }
}

/// What is done with a memory; the options take it with no mode but these.
fn remembering(
    remembered: &Remembered,
    mode: &Mode,
    connections: &Connections,
) -> Result<Box<dyn Task>, Failure> {
    let Remembered { memories, completeness } = remembered;
    if let Mode::Preview { new_destinations, addresses } = mode {
        let preview = Preview::new(connections, Connections::read(new_destinations)?, *addresses);
        let read = memories.as_deref().map(|path| Memories::read(path, *completeness));
        let memories = read.unwrap_or_else(|| Ok(Memories::none()))?;
        return Ok(Box::new(RememberingPreview::new(preview, memories)));
    }
    let opened = memories.as_deref().map(|path| Memories::open(path, *completeness));
    let memories = opened.unwrap_or_else(|| Ok(Memories::none()))?;
    let printed = match mode {
        Mode::Explanations(filter) => Printed::Explanations(filter.clone()),
        Mode::ExplanationsForPeople(filter) => {
            Printed::ExplanationsForPeople(filter.clone(), Palette::of_standard_output())
        }
        _ => Printed::Events,
    };
    Ok(Box::new(Remembering::new(memories, printed)))
}

impl Desk {
    /// Reads the updates of a chunk, sets aside what can't be used, and decides about the others; without
    /// a task, they are kept to be decided later.
    pub fn work(&self, mut task: Option<&mut Box<dyn Task>>, chunk: &mut Chunk) {
        let Open { file, pieces, updates, made } = chunk.open(self.max_line_bytes);
        for (position, piece, bytes) in pieces {
            match (read_update(piece, bytes, self.max_line_bytes), &mut task) {
                (Ok(update), Some(task)) => {
                    let origin = Origin { file, piece };
                    self.decide(&mut ***task, (&update, bytes, origin), made, None);
                }
                (Ok(update), None) => updates.push((update, position)),
                (Err(unusable), _) => {
                    made.tally.rejected += 1;
                    rejects::write(&mut made.rejects, file, piece, &unusable, bytes);
                }
            }
        }
    }

    /// Decides about the updates that were kept. What is too much to be held is written at once, with
    /// `write`.
    pub fn decide_kept(&self, task: &mut dyn Task, chunk: &mut Chunk, write: &mut WriteEarly<'_>) {
        let (updates, file, made) = chunk.undecided();
        for (update, piece, line) in updates {
            let mut write = |output: &mut Vec<u8>| write(output);
            self.decide(task, (&update, line, Origin { file, piece }), made, Some(&mut write));
        }
    }

    fn decide(
        &self,
        task: &mut dyn Task,
        (update, line, origin): (&ProfileUpdate, &[u8], Origin<'_>),
        made: &mut Made,
        write: Option<&mut WriteEarly<'_>>,
    ) {
        let destinations = self.connections.of(update);
        made.tally.updates += 1;
        made.tally.updates_without_destinations += u64::from(destinations.is_empty());
        made.tally.look_alikes.look_at(update, line);
        // What is heard of one update is told from what was heard before only where that is asked.
        let one_by_one = self.fast_lane.is_some() || self.reporting == Reporting::On;
        let counts = if one_by_one { Counts::default() } else { mem::take(&mut made.tally.counts) };
        let mut making = Making {
            output: &mut made.output,
            rejects: &mut made.rejects,
            write: write.map(|write| write as _),
            tally: &mut made.tally,
            counts,
            sent: None,
            reporting: self.reporting,
            verdicts: Verdicts::NotReached,
            fast_lane: self.fast_lane,
        };
        let given = Given { update, line, origin, destinations };
        match task.decide(given, &mut making) {
            Lane::Fast if !one_by_one => making.tally.counts = making.counts,
            Lane::Fast => {
                making.tally.counts.merge(&making.counts);
                if let (Reporting::On, Some(sent)) = (self.reporting, making.sent) {
                    making.tally.seen.look_at(update, destinations, making.verdicts(), sent);
                }
            }
            Lane::Slow => made.set_aside(given.line),
        }
    }
}

impl Making<'_> {
    pub fn lane_of(&self, events: &[IdGroupEvent<'_>]) -> Lane {
        self.fast_lane.map_or(Lane::Fast, |most| Amplification::of(events).lane(most))
    }

    /// Counts what is sent.
    pub fn send(&mut self, events: &[IdGroupEvent<'_>]) {
        self.tally.sent.add(events);
        self.sent = Some(Amplification::of(events));
    }

    /// Shows a report the verdicts about the destinations, where the update alone does not tell them.
    pub fn see<'v>(&mut self, verdicts: impl Iterator<Item = (&'v str, Verdict)>) {
        if self.reporting == Reporting::On {
            self.tally.seen.add_verdicts(verdicts);
        }
        self.verdicts = Verdicts::Seen;
    }

    fn verdicts(&self) -> Verdicts {
        if self.verdicts == Verdicts::Seen {
            return Verdicts::Seen;
        }
        let drops = DropReason::ALL.map(Verdict::Drop);
        let mut all = [Verdict::SendAll, Verdict::SendSome].into_iter().chain(drops);
        match all.any(|verdict| self.counts.verdict(verdict) > 0) {
            true => Verdicts::Reached,
            false => Verdicts::NotReached,
        }
    }

    /// Prints the value on a line.
    pub fn print(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut *self.output, value).expect("memory takes all that is written to it");
        self.output.push(b'\n');
    }

    /// Prints one of many values on a line; breaks where no more of them need to be printed.
    pub fn print_one_of_many(&mut self, value: &impl Serialize) -> ControlFlow<()> {
        self.print(value);
        match &mut self.write {
            Some(write) if self.output.len() >= MAX_UNWRITTEN => write(self.output),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Prints the values, each on a line, in the order of the lines.
    pub fn print_sorted(&mut self, values: impl Iterator<Item = impl Serialize>) {
        let lines =
            values.map(|value| serde_json::to_string(&value).expect("text takes all that is written"));
        let mut lines: Vec<String> = lines.collect();
        lines.sort_unstable();
        for line in lines {
            self.output.extend_from_slice(line.as_bytes());
            self.output.push(b'\n');
        }
    }
}

impl Made {
    fn set_aside(&mut self, line: &[u8]) {
        self.tally.slow_updates += 1;
        // An element of an array may have several lines, none of which ends within a text.
        self.slow.extend(line.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        self.slow.push(b'\n');
    }

    pub fn clear(&mut self) {
        const KEPT_CAPACITY: usize = 512 * 1024;
        for bytes in [&mut self.output, &mut self.rejects, &mut self.slow] {
            bytes.clear();
            bytes.shrink_to(KEPT_CAPACITY);
        }
        self.tally = Tally::default();
    }
}
