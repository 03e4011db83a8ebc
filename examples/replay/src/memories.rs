//! What was decided before, kept in this process, and in a file between runs.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use idgroup::memory::{self, decide_with};
use idgroup::{Completeness, Counts, Destinations, Memory, MemoryDecision, MemoryKey, ProfileUpdate};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::reading::unusable::OfText;

/// The memories of all profiles in all computations that are known.
#[derive(Clone)]
pub struct Memories {
    /// In their compact form, because there are many.
    by_key: HashMap<MemoryKey, Box<[u8]>>,
    completeness: Completeness,
    /// Where they are written to.
    file: Option<PathBuf>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: MemoryKey,
    memory: Memory,
}

impl Memories {
    /// None: nothing was ever sent.
    pub fn none() -> Self {
        Self { by_key: HashMap::new(), completeness: Completeness::Complete, file: None }
    }

    /// Reads those of an earlier run, to be written at the end; there are none if there is no such file
    /// yet. Any that can't be read is an error, and the file stays as it is.
    pub fn open(path: &Path, completeness: Completeness) -> Result<Self, Failure> {
        let by_key = match File::open(path) {
            Ok(file) => read_lines(file, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(Failure::of_file("read", path, &error)),
        };
        let memories = Self { by_key, completeness, file: Some(path.into()) };
        memories.check_that_it_can_be_written()?;
        Ok(memories)
    }

    /// Reads those of an earlier run, never to be written: so there must be such a file.
    pub fn read(path: &Path, completeness: Completeness) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| Failure::of_file("read", path, &error))?;
        Ok(Self { by_key: read_lines(file, path)?, completeness, file: None })
    }

    /// Decides about the update with what is remembered, and keeps nothing of it yet.
    pub fn decide<'a>(
        &self,
        update: &'a ProfileUpdate,
        destinations: &'a Destinations,
        counts: &mut Counts,
    ) -> MemoryDecision<'a> {
        let recalled = memory::keys(update, 0).recall(|key| self.of(key));
        decide_with(recalled, destinations, self.completeness, counts)
    }

    /// Keeps what the decision changed; how many profiles are new.
    pub fn keep_changed(&mut self, decision: &MemoryDecision<'_>) -> u64 {
        let mut new = 0;
        for (key, memory) in decision.changed() {
            let known = self.by_key.insert(*key, memory.to_bytes().into());
            new += u64::from(known.is_none());
        }
        new
    }

    /// What is remembered under the key.
    fn of(&self, key: &MemoryKey) -> Memory {
        let bytes = self.by_key.get(key);
        bytes.map_or_else(Memory::default, |bytes| {
            Memory::from_bytes(bytes).expect("only what was a memory is kept")
        })
    }

    /// Writes the file, if there is to be one: all of it, or none.
    pub fn write(&self) -> Result<(), Failure> {
        let Some(path) = &self.file else { return Ok(()) };
        let path = &target_of(path);
        let new = new_beside(path);
        self.write_to(&new, path).map_err(|error| {
            let _ = fs::remove_file(&new);
            Failure::of_file("write", path, &error)
        })
    }

    fn write_to(&self, new: &Path, path: &Path) -> io::Result<()> {
        let mut writer = BufWriter::new(File::create(new)?);
        let mut keys: Vec<&MemoryKey> = self.by_key.keys().collect();
        keys.sort_unstable();
        for key in keys {
            serde_json::to_writer(&mut writer, &Line { key: *key, memory: self.of(key) })?;
            writer.write_all(b"\n")?;
        }
        let file = writer.into_inner()?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        // Before the name is taken over, so that a crash leaves one of both files whole.
        file.sync_all()?;
        fs::rename(new, path)
    }

    /// Before anything is decided: what is only found out at the end is found out too late.
    fn check_that_it_can_be_written(&self) -> Result<(), Failure> {
        let Some(path) = &self.file else { return Ok(()) };
        let new = new_beside(&target_of(path));
        let tried = File::create(&new).and_then(|_| fs::remove_file(&new));
        tried.map_err(|error| Failure::of_file("write", path, &error))
    }
}

/// The file itself, where the path is a link to it.
fn target_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.into())
}

/// In the same folder, because a file is moved whole only within one.
fn new_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn read_lines(file: File, path: &Path) -> Result<HashMap<MemoryKey, Box<[u8]>>, Failure> {
    let mut by_key = HashMap::new();
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(|error| Failure::of_file("read", path, &error))?;
        let unusable = |why: &dyn std::fmt::Display| {
            let number = index + 1;
            Failure::new(format!("can't use the memories in `{}`: {why}, in line {number}", path.display()))
        };
        let Line { key, memory } =
            serde_json::from_slice(&line).map_err(|error| unusable(&OfText(&error)))?;
        if by_key.insert(key, memory.to_bytes().into()).is_some() {
            return Err(unusable(&format_args!("the key `{key}` was there before")));
        }
    }
    Ok(by_key)
}
