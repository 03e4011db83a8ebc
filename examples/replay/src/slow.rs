//! Updates that amplify beyond what is allowed, set aside whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use idgroup::{Amplification, IdGroupEvent, Lane};

use crate::failure::Failure;
use crate::outputs;

pub struct SlowLane {
    max_messages: u64,
    path: PathBuf,
    writer: BufWriter<File>,
}

impl SlowLane {
    /// Refuses to overwrite one of the files that are `taken`.
    pub fn to_file(path: &Path, max_messages: u64, taken: &[&Path]) -> Result<Self, Failure> {
        let writer = BufWriter::new(outputs::create("--slow", path, taken)?);
        Ok(Self { max_messages, path: path.into(), writer })
    }

    pub fn takes(&self, events: &[IdGroupEvent<'_>]) -> bool {
        Amplification::of(events).lane(self.max_messages) == Lane::Slow
    }

    /// `line` is the update as it was read.
    pub fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        let written = self.writer.write_all(line).and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|error| Failure::of_file("write", &self.path, &error))
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::of_file("write", &self.path, &error))
    }
}
