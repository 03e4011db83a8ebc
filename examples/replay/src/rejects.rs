//! Lines that can't be used, set aside so that nothing is lost.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::Failure;
use crate::outputs;
use crate::unusable::Unusable;

pub struct Rejects {
    writer: Box<dyn Write>,
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Reject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    line: u64,
    error: String,
    input: &'a str,
}

impl Rejects {
    /// Refuses to overwrite one of the files that are `taken`.
    pub fn to_file(path: &Path, taken: &[&Path]) -> Result<Self, Failure> {
        let writer = Box::new(BufWriter::new(outputs::create("--rejects", path, taken)?));
        Ok(Self { writer, file: Some(path.into()) })
    }

    pub fn to_standard_error() -> Self {
        Self { writer: Box::new(BufWriter::new(io::stderr())), file: None }
    }

    /// `file` is where the line was found, if that must be said.
    pub fn write(
        &mut self,
        file: Option<&Path>,
        line: u64,
        unusable: &Unusable,
        input: &[u8],
    ) -> Result<(), Failure> {
        let reject = Reject {
            file: file.map(|path| path.to_string_lossy().into_owned()),
            line,
            error: unusable.to_string(),
            input: &String::from_utf8_lossy(without_cut_character(input, unusable)),
        };
        let written = serde_json::to_writer(&mut self.writer, &reject).map_err(io::Error::from);
        let written = written.and_then(|()| self.writer.write_all(b"\n"));
        // On standard error a line is read as it comes.
        let written = written.and_then(|()| if self.file.is_none() { self.writer.flush() } else { Ok(()) });
        written.map_err(|error| self.failure(&error))
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        match &self.file {
            Some(path) => Failure::of_file("write", path, error),
            None => Failure::new(format!("can't write to standard error: {error}")),
        }
    }
}

/// What was cut after a number of bytes may end within a character, which is no fault of the line.
fn without_cut_character<'i>(input: &'i [u8], unusable: &Unusable) -> &'i [u8] {
    match (unusable, str::from_utf8(input)) {
        (Unusable::TooLong { .. }, Err(error)) if error.error_len().is_none() => {
            &input[..error.valid_up_to()]
        }
        _ => input,
    }
}
