//! The replay itself: from lines to what is printed about them.

use std::io::{self, BufReader, Write};
use std::num::NonZeroU64;
use std::path::Path;

use idgroup::{Counts, IdGroupEvent, ProfileUpdate, decide_legacy_with, decide_with, explain};

use crate::BUFFER_BYTES;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::inputs::Input;
use crate::lines::{Line, Lines};
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::shadow::{self, print_line};
use crate::slow::SlowLane;
use crate::summary::Summary;
use crate::task::Task;
use crate::unusable::Unusable;

pub struct Replay<'c, W> {
    connections: &'c Connections,
    task: &'c Task,
    output: W,
    rejects: Rejects,
    slow: Option<SlowLane>,
    summary: Summary,
    progress: Progress,
}

/// Whether somebody still reads the output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Open,
    Closed,
}

/// Why a replay ends before its input does.
enum Stop {
    Failed(Failure),
    OutputFailed(io::Error),
}

impl<'c, W: Write> Replay<'c, W> {
    pub fn new(
        connections: &'c Connections,
        task: &'c Task,
        output: W,
        rejects: Rejects,
        slow: Option<SlowLane>,
    ) -> Self {
        let summary = Summary::new(task, slow.is_some());
        Self { connections, task, output, rejects, slow, summary, progress: Progress::new() }
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub fn run(&mut self, inputs: Vec<Input>, max_line_bytes: NonZeroU64) -> Result<Output, Failure> {
        let replayed = self.replay_all(inputs, max_line_bytes);
        self.progress.clear();
        // Whatever ended the replay, what was found until then is written.
        let printed = self.output.flush();
        self.rejects.flush()?;
        if let Some(slow) = &mut self.slow {
            slow.flush()?;
        }
        match replayed.and(printed.map_err(Stop::OutputFailed)) {
            Ok(()) => Ok(Output::Open),
            Err(Stop::OutputFailed(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Output::Closed),
            Err(Stop::OutputFailed(error)) => {
                Err(Failure::new(format!("can't write to standard output: {error}")))
            }
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn replay_all(&mut self, inputs: Vec<Input>, max_line_bytes: NonZeroU64) -> Result<(), Stop> {
        let has_several = inputs.len() > 1;
        for input in inputs {
            let path = input.path().to_owned();
            let named = has_several.then_some(&*path);
            let read_before = self.summary.bytes;
            let mut lines = Lines::new(BufReader::with_capacity(BUFFER_BYTES, input), max_line_bytes);
            loop {
                let next = lines.next().map_err(|error| Failure::of_file("read", &path, &error))?;
                let Some((number, line)) = next else { break };
                self.replay(named, number, line, max_line_bytes)?;
                self.summary.bytes = read_before + lines.bytes_read();
                self.progress.show(&self.summary);
            }
        }
        Ok(())
    }

    fn replay(
        &mut self,
        file: Option<&Path>,
        number: u64,
        line: Line<'_>,
        max_bytes: NonZeroU64,
    ) -> Result<(), Stop> {
        let (input, unusable) = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => return Ok(()),
            Line::Whole(line) => match read_update(line) {
                Ok(update) => return self.replay_update(&update, line),
                Err(unusable) => (line, unusable),
            },
            Line::TooLong(start) => (start, Unusable::TooLong { max_bytes }),
        };
        self.summary.rejected_lines += 1;
        self.progress.clear();
        Ok(self.rejects.write(file, number, &unusable, input)?)
    }

    fn replay_update(&mut self, update: &ProfileUpdate, line: &[u8]) -> Result<(), Stop> {
        let destinations = self.connections.of(update);
        self.summary.updates += 1;
        self.summary.updates_without_destinations += u64::from(destinations.is_empty());
        // Counted apart, because an update that is set aside is not counted.
        let mut counts = Counts::default();
        let task = self.task;
        match task {
            Task::Events | Task::Explanations => {
                let events = decide_with(update, destinations, &mut counts);
                if self.is_slow(&events) {
                    return self.set_aside(line);
                }
                self.summary.count_sent(&events);
                if matches!(task, Task::Events) {
                    self.print(&events)?;
                } else {
                    let verdicts = explain(update, destinations);
                    verdicts.iter().try_for_each(|verdict| print_line(&mut self.output, &verdict))?;
                }
            }
            Task::LegacyEvents => {
                let events = decide_legacy_with(update, destinations, &mut counts);
                if self.is_slow(&events) {
                    return self.set_aside(line);
                }
                self.summary.count_sent(&events);
                self.print(&events)?;
            }
            Task::Shadow(shadow) => {
                let legacy_destinations = shadow.legacy_destinations(update, destinations);
                let legacy = decide_legacy_with(update, legacy_destinations, &mut counts);
                let dedupe = decide_with(update, destinations, &mut counts);
                if self.is_slow(&legacy) || self.is_slow(&dedupe) {
                    return self.set_aside(line);
                }
                let comparison = shadow.compare(&legacy, &dedupe, &mut counts);
                self.summary.count_both(&legacy, &dedupe);
                self.summary.count_difference(&comparison);
                shadow::print(&mut self.output, update.id(), &comparison)?;
            }
            Task::Rollout(routing) => {
                // The comparison is bounded by as many messages as the fast lane.
                let routed = routing.decide(update, destinations, &mut counts);
                if self.is_slow(&routed.events) {
                    return self.set_aside(line);
                }
                self.summary.count_route(routed.route);
                self.summary.count_sent(&routed.events);
                if let Some(comparison) = &routed.comparison {
                    self.summary.count_difference(comparison);
                }
                self.print(&routed.events)?;
            }
        }
        self.summary.count(&counts);
        Ok(())
    }

    fn is_slow(&self, events: &[IdGroupEvent<'_>]) -> bool {
        self.slow.as_ref().is_some_and(|slow| slow.takes(events))
    }

    fn set_aside(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.summary.slow_updates += 1;
        match &mut self.slow {
            Some(slow) => Ok(slow.write(line)?),
            None => Ok(()),
        }
    }

    fn print(&mut self, events: &[IdGroupEvent<'_>]) -> io::Result<()> {
        events.iter().try_for_each(|event| print_line(&mut self.output, event))
    }
}

fn read_update(line: &[u8]) -> Result<ProfileUpdate, Unusable> {
    // All of it: what is in an ignored field is not looked at otherwise.
    let text = str::from_utf8(line).map_err(Unusable::NotUtf8)?;
    serde_json::from_str(text).map_err(Unusable::NotAnUpdate)
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Nothing else is an error of input and output by itself: files have their names said.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::OutputFailed(error)
    }
}
