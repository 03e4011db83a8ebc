//! What the command line asks for.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use lexopt::prelude::{Long, Short, Value};

use crate::failure::Failure;
use crate::inputs::{STANDARD_INPUT, is_standard_input};

pub const HELP: &str = "\
Replays recorded updates: prints the events that each one is sent as.

Usage: replay --destinations DESTINATIONS.json [OPTIONS] [UPDATES.ndjson ...]
       replay

Each line of the input is an update in JSON; blank lines are skipped. Without a file, or where a
file is `-`, standard input is read. Without any argument the recording that comes with the library
is replayed.

DESTINATIONS.json is an object from computation id to the list of its destinations, such as
  {\"aud_1\": [{\"id\": \"dst_1\", \"name\": \"SendGrid\", \"dedupes_on\": [\"email\"]}]}
An update of a computation that is not listed goes nowhere.

Events, one a line, go to standard output in the order of the input; a summary goes to standard
error. A line that can't be used is set aside as
  {\"line\": 3, \"error\": \"`profile_id` is missing\", \"input\": \"...\"}
with a \"file\" where there are several, and the replay goes on.

Options:
  --destinations FILE   the destinations of each computation
  --explain             print the verdict about each update and destination, and not the events
  --rejects FILE        write the lines that can't be used to FILE, which is overwritten, and not
                        to standard error
  --max-line-bytes N    set aside lines longer than N bytes, of which no more is held in memory and
                        only the start is kept [default: 67108864, which is 64 MiB]
  -h, --help            print this

Exit status:
  0  every line was replayed
  1  an option, the destinations, or a file to read or write is unusable
  2  every line was replayed, but for those set aside
If whatever reads standard output closes it, the replay ends there, with 0 or 2 and no summary.
";

const MAX_LINE_BYTES: NonZeroU64 = NonZeroU64::new(64 * 1024 * 1024).unwrap();

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pipeline");

pub enum Request {
    Help,
    Replay(Options),
}

pub struct Options {
    pub destinations: PathBuf,
    /// At least one.
    pub inputs: Vec<PathBuf>,
    pub mode: Mode,
    pub rejects: Option<PathBuf>,
    pub max_line_bytes: NonZeroU64,
}

/// What is printed about each update.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The events.
    Events,
    /// The verdict about each destination.
    Explanations,
}

impl Request {
    pub fn from_arguments(mut arguments: lexopt::Parser) -> Result<Self, Failure> {
        let mut destinations: Option<PathBuf> = None;
        let mut inputs = Vec::new();
        let mut mode = Mode::Events;
        let mut rejects = None;
        let mut max_line_bytes = None;
        let mut given = false;
        while let Some(argument) = arguments.next()? {
            given = true;
            match argument {
                Short('h') | Long("help") => return Ok(Self::Help),
                Long("explain") => mode = Mode::Explanations,
                Long("destinations") => {
                    set_once("--destinations", &mut destinations, arguments.value()?.into())?;
                }
                Long("rejects") => set_once("--rejects", &mut rejects, arguments.value()?.into())?,
                Long("max-line-bytes") => {
                    set_once("--max-line-bytes", &mut max_line_bytes, line_bytes(&arguments.value()?)?)?;
                }
                Value(path) => inputs.push(PathBuf::from(path)),
                other => return Err(other.unexpected().into()),
            }
        }
        if !given {
            destinations = Some(Path::new(FIXTURES).join("destinations.json"));
            inputs.push(Path::new(FIXTURES).join("updates.ndjson"));
        }
        let Some(destinations) = destinations else {
            return Err(Failure::new("--destinations is missing, see --help"));
        };
        if inputs.is_empty() {
            inputs.push(STANDARD_INPUT.into());
        }
        if inputs.iter().filter(|path| is_standard_input(path)).count() > 1 {
            return Err(Failure::new("`-` is given twice, and standard input can be read once"));
        }
        let max_line_bytes = max_line_bytes.unwrap_or(MAX_LINE_BYTES);
        Ok(Self::Replay(Options { destinations, inputs, mode, rejects, max_line_bytes }))
    }
}

fn set_once<T>(name: &str, option: &mut Option<T>, value: T) -> Result<(), Failure> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Failure::new(format!("{name} is given twice, see --help"))),
    }
}

fn line_bytes(value: &OsStr) -> Result<NonZeroU64, Failure> {
    let value = value.to_string_lossy();
    value.parse().map_err(|_| {
        Failure::new(format!("--max-line-bytes is `{value}`, expected a whole number of at least 1"))
    })
}

impl Options {
    /// The files that must not be written to.
    pub fn files_read(&self) -> Vec<&Path> {
        let inputs = self.inputs.iter().filter(|path| !is_standard_input(path));
        inputs.chain([&self.destinations]).map(PathBuf::as_path).collect()
    }
}
