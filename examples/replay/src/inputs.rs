//! The files, or the standard input, that updates are read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

pub const STANDARD_INPUT: &str = "-";

pub struct Input {
    path: PathBuf,
    from: Source,
}

enum Source {
    File(File),
    StandardInput,
}

pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

impl Input {
    /// Opens all before anything is read from one, so that a mistyped name costs nothing.
    pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        paths.iter().map(|path| Self::open(path)).collect()
    }

    fn open(path: &Path) -> Result<Self, Failure> {
        let from = match is_standard_input(path) {
            true => Source::StandardInput,
            false => Source::File(open_file(path).map_err(|error| Failure::of_file("open", path, &error))?),
        };
        Ok(Self { path: path.into(), from })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses a directory, which can be opened but not read.
fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            Source::File(file) => file.read(buffer),
            Source::StandardInput => io::stdin().read(buffer),
        }
    }
}
