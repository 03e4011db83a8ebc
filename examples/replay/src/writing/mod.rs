//! Everything that is written.

mod create;
pub mod palette;
pub mod progress;
pub mod rejects;
pub mod words;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use create::create;
use progress::Progress;

use crate::deciding::Made;
use crate::failure::Failure;
use crate::options::Options;

/// Where events, rejects and slow updates go.
pub struct Outputs {
    events: Box<dyn Write>,
    rejects: Rejects,
    slow: Option<WrittenFile>,
    report: Option<WrittenFile>,
    pub progress: Progress,
}

enum Rejects {
    File(WrittenFile),
    StandardError,
}

struct WrittenFile {
    path: PathBuf,
    writer: BufWriter<File>,
}

/// Why a replay ends before its input does.
pub enum Stop {
    Failed(Failure),
    /// Whoever read standard output has seen enough.
    OutputClosed,
}

impl Outputs {
    /// Refuses to overwrite a file that is read, or to write two things to one.
    pub fn create(options: &Options, progress: Progress) -> Result<Self, Failure> {
        let mut taken = options.files_read();
        let rejects = match &options.rejects {
            Some(path) => Rejects::File(WrittenFile::create("--rejects", path, &taken)?),
            None => Rejects::StandardError,
        };
        taken.extend(options.rejects.as_deref());
        let slow = match &options.slow {
            Some(slow) => Some(WrittenFile::create("--slow", &slow.path, &taken)?),
            None => None,
        };
        taken.extend(options.slow.as_ref().map(|slow| &*slow.path));
        let report = match &options.report {
            Some(path) => Some(WrittenFile::create("--report", path, &taken)?),
            None => None,
        };
        Ok(Self { events: Box::new(io::stdout().lock()), rejects, slow, report, progress })
    }

    /// Writes events there, and nothing else anywhere.
    #[cfg(test)]
    pub fn of_events(events: Box<dyn Write>, progress: Progress) -> Self {
        Self { events, rejects: Rejects::StandardError, slow: None, report: None, progress }
    }

    /// Writes whole lines, events last: where nobody reads them any more, the rest is written.
    pub fn write(&mut self, made: &Made) -> Result<(), Stop> {
        match &mut self.rejects {
            _ if made.rejects.is_empty() => {}
            Rejects::File(file) => file.write(&made.rejects)?,
            Rejects::StandardError => {
                let written = self.progress.suspend(|| io::stderr().write_all(&made.rejects));
                written.map_err(|error| Failure::new(format!("can't write to standard error: {error}")))?;
            }
        }
        if let Some(file) = &mut self.slow {
            file.write(&made.slow)?;
        }
        self.write_events(&made.output)
    }

    pub fn write_events(&mut self, events: &[u8]) -> Result<(), Stop> {
        if events.is_empty() {
            return Ok(());
        }
        let written = self.events.write_all(events).and_then(|()| self.events.flush());
        written.map_err(Stop::of_standard_output)
    }

    /// Writes the page, if one was asked for.
    pub fn write_report(&mut self, page: impl FnOnce() -> String) -> Result<(), Failure> {
        match &mut self.report {
            Some(file) => file.write(page().as_bytes()).and_then(|()| file.flush()),
            None => Ok(()),
        }
    }

    /// Leaves nothing in memory that could be in a file.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if let Rejects::File(file) = &mut self.rejects {
            file.flush()?;
        }
        self.slow.as_mut().map_or(Ok(()), WrittenFile::flush)
    }
}

impl WrittenFile {
    fn create(option: &str, path: &Path, taken: &[&Path]) -> Result<Self, Failure> {
        Ok(Self { path: path.into(), writer: BufWriter::new(create(option, path, taken)?) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| Failure::of_file("write", &self.path, &error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::of_file("write", &self.path, &error))
    }
}

impl Stop {
    fn of_standard_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(Failure::new(format!("can't write to standard output: {error}"))),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
