//! The files, or the standard input, that updates are read from.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::Failure;

pub const STANDARD_INPUT: &str = "-";

pub struct Input {
    path: PathBuf,
    from: Source,
    /// `None` where it is not known how long the input is.
    length: Option<u64>,
    position: Position,
}

enum Source {
    File(File),
    StandardInput,
}

/// How many bytes were read of all inputs, as they are in the files.
#[derive(Clone, Default)]
pub struct Position(Arc<AtomicU64>);

pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

impl Input {
    /// Opens all before anything is read from one, so that a mistyped name costs nothing.
    pub fn open_all(paths: &[PathBuf], position: &Position) -> Result<Vec<Self>, Failure> {
        paths.iter().map(|path| Self::open(path, position.clone())).collect()
    }

    fn open(path: &Path, position: Position) -> Result<Self, Failure> {
        if is_standard_input(path) {
            return Ok(Self { path: path.into(), from: Source::StandardInput, length: None, position });
        }
        let (file, length) = open_file(path).map_err(|error| Failure::of_file("open", path, &error))?;
        Ok(Self { path: path.into(), from: Source::File(file), length, position })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether somebody is to type the updates.
    pub fn is_typed(&self) -> bool {
        matches!(self.from, Source::StandardInput) && io::stdin().is_terminal()
    }

    /// How long all inputs are together, if that is known of each.
    pub fn length_of_all(inputs: &[Self]) -> Option<u64> {
        inputs.iter().map(|input| input.length).sum()
    }
}

impl Position {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Refuses a directory, which can be opened but not read. Only of a regular file the length is known.
fn open_file(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok((file, metadata.is_file().then_some(metadata.len()))),
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.from {
            Source::File(file) => file.read(buffer),
            Source::StandardInput => io::stdin().read(buffer),
        }?;
        self.position.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
