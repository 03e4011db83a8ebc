//! Replays recorded updates: what each of them would be sent as, or why it would not be.
//!
//! `cargo run --release -p replay -- --help` says how.

mod deciding;
mod entries;
mod failure;
mod files;
mod memories;
mod options;
mod pipeline;
mod reading;
mod report;
mod summary;
mod tour;
mod writing;

use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use deciding::connections::Connections;
use deciding::{Desk, Reporting, Tasks};
use failure::Failure;
use options::Options;
use pipeline::{Ending, Message, Pipeline};
use reading::inputs::{Input, Position};
use report::Reach;
use summary::Summary;
use writing::Outputs;
use writing::progress::Progress;

/// As shells have it: 128, and 2 for an interrupt.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = tour::write(&mut io::stdout().lock());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            // Who closes the pipe has seen enough.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    replay(&options).unwrap_or_else(|failure| {
        // Where not even this can be written, the status is left to say it.
        let _ = writeln!(io::stderr(), "replay: {failure}");
        ExitCode::from(1)
    })
}

fn replay(options: &Options) -> Result<ExitCode, Failure> {
    let connections = Arc::new(Connections::read(&options.destinations)?);
    let tasks = Tasks::read(options, &connections)?;
    let position = Position::default();
    let inputs = Input::open_all(&options.inputs, &position)?;
    let progress = Progress::new(Input::length_of_all(&inputs), position);
    let mut outputs = Outputs::create(options, progress)?;
    if inputs.iter().any(Input::is_typed) {
        let _ = writeln!(io::stderr(), "replay: reading updates, one a line; --help tells of files");
    }

    let fast_lane = options.slow.as_ref().map(|slow| slow.max_messages);
    let reporting = if options.report.is_some() { Reporting::On } else { Reporting::Off };
    let desk = Desk { connections, fast_lane, reporting, max_line_bytes: options.max_line_bytes };
    let mut summary = Summary::new(options);
    if let Some(task) = tasks.any() {
        task.begin(&mut summary.tally);
    }
    let (mut pipeline, said) = Pipeline::start(inputs, desk, tasks, options.jobs);
    end_when_interrupted(said);
    let ending = pipeline.write_all(&mut outputs, &mut summary)?;
    let reach = match &ending {
        Ending::Whole => Reach::Whole,
        Ending::Interrupted | Ending::Cut(_) | Ending::OutputClosed => Reach::Part,
    };
    outputs.write_report(|| report::page(&summary, reach))?;
    if !matches!(ending, Ending::OutputClosed) {
        let interrupted = if matches!(ending, Ending::Interrupted) { "interrupted: " } else { "" };
        let _ = write!(io::stderr(), "{interrupted}{summary}");
    }
    Ok(match ending {
        Ending::Cut(failure) => return Err(failure),
        Ending::Interrupted => ExitCode::from(INTERRUPTED),
        _ if summary.tally.not_identical() > 0 || summary.tally.changes.are_any() => ExitCode::from(3),
        _ if summary.tally.rejected + summary.tally.calls.refused() > 0 => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    })
}

/// The first time, the replay ends with all that it has done; if that takes too long, the second time
/// ends it at once.
fn end_when_interrupted(said: Sender<Message>) {
    let was_asked = AtomicBool::new(false);
    // Where signals can't be heard, they end the program as they always do.
    let _ = ctrlc::set_handler(move || {
        if was_asked.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED.into());
        }
        let _ = said.send(Message::Interrupted);
    });
}
