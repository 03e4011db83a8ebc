//! Replays recorded updates: what each of them would be sent as, or why it would not be.
//!
//! `cargo run --release -p replay -- --help` says how.

mod comparison_key;
mod connections;
mod entries;
mod failure;
mod inputs;
mod lines;
mod numbers;
mod options;
mod outputs;
mod progress;
mod rejects;
mod replay;
mod routing;
mod shadow;
mod slow;
mod summary;
mod task;
mod unusable;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use connections::Connections;
use failure::Failure;
use inputs::Input;
use options::Options;
use rejects::Rejects;
use replay::{Output, Replay};
use slow::SlowLane;
use task::Task;

/// What is written at once: few system calls, and still little memory.
const BUFFER_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(options) => options,
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
    let connections = Connections::read(&options.destinations)?;
    let task = Task::read(options)?;
    let inputs = Input::open_all(&options.inputs)?;
    let mut taken = options.files_read();
    let rejects = match &options.rejects {
        Some(path) => Rejects::to_file(path, &taken)?,
        None => Rejects::to_standard_error(),
    };
    taken.extend(options.rejects.as_deref());
    let slow = match &options.slow {
        Some(slow) => Some(SlowLane::to_file(&slow.path, slow.max_messages, &taken)?),
        None => None,
    };
    let output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());

    let mut replay = Replay::new(&connections, &task, output, rejects, slow);
    let output = replay.run(inputs, options.max_line_bytes)?;
    let summary = replay.summary();
    if output == Output::Open {
        let _ = write!(io::stderr(), "{summary}");
    }
    Ok(match () {
        () if summary.not_identical() > 0 => ExitCode::from(3),
        () if summary.rejected_lines > 0 => ExitCode::from(2),
        () => ExitCode::SUCCESS,
    })
}
