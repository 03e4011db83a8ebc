//! The replay itself: from lines to what is printed about them.

use std::io::{self, BufReader, Write};
use std::num::NonZeroU64;
use std::path::Path;

use idgroup::{ProfileUpdate, decide_with, explain};
use serde::Serialize;

use crate::BUFFER_BYTES;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::inputs::Input;
use crate::lines::{Line, Lines};
use crate::options::Mode;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::summary::Summary;
use crate::unusable::Unusable;

pub struct Replay<'c, W> {
    connections: &'c Connections,
    mode: Mode,
    output: W,
    rejects: Rejects,
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
    pub fn new(connections: &'c Connections, mode: Mode, output: W, rejects: Rejects) -> Self {
        Self { connections, mode, output, rejects, summary: Summary::new(), progress: Progress::new() }
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
                Ok(update) => return self.print(&update).map_err(Stop::OutputFailed),
                Err(unusable) => (line, unusable),
            },
            Line::TooLong(start) => (start, Unusable::TooLong { max_bytes }),
        };
        self.summary.rejected_lines += 1;
        self.progress.clear();
        Ok(self.rejects.write(file, number, &unusable, input)?)
    }

    fn print(&mut self, update: &ProfileUpdate) -> io::Result<()> {
        let destinations = self.connections.of(update);
        self.summary.updates += 1;
        self.summary.updates_without_destinations += u64::from(destinations.is_empty());
        let events = decide_with(update, destinations, &mut self.summary);
        self.summary.count_events(&events);
        match self.mode {
            Mode::Events => events.iter().try_for_each(|event| self.print_line(event)),
            Mode::Explanations => {
                explain(update, destinations).iter().try_for_each(|verdict| self.print_line(&verdict))
            }
        }
    }

    fn print_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.output, value)?;
        self.output.write_all(b"\n")
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
