//! From files to chunks of lines, and from lines to updates.

pub mod chunk;
mod decompress;
pub mod inputs;
pub mod pieces;
pub mod unusable;
mod update;

use std::io::{self, Read};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use chunk::Chunk;
use decompress::decompressed;
use inputs::Input;
use pieces::Splitter;

pub use update::read_update;

use crate::failure::Failure;

/// What is read at once, and so about what a chunk holds: enough work to outlast the time that other
/// threads may have to wait for a processor.
const BLOCK_BYTES: usize = 256 * 1024;

/// Fills chunks in the order of the input.
pub struct Reader {
    pub empty: Receiver<Chunk>,
    pub filled: Sender<Chunk>,
    pub max_line_bytes: NonZeroU64,
    /// How many chunks were filled.
    pub chunks: u64,
}

/// Nobody takes or gives chunks any more.
struct Abandoned;

impl Reader {
    /// Reads all inputs, one after the other; ends at the first that can't be read to its end.
    pub fn read_all(&mut self, inputs: Vec<Input>) -> Result<(), Failure> {
        let has_several = inputs.len() > 1;
        for input in inputs {
            let path = input.path().to_owned();
            let name: Option<Arc<str>> = has_several.then(|| path.to_string_lossy().into());
            match self.read(input, name) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(Failure::of_file("read", &path, &error)),
                Err(Abandoned) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Each time that something was read, what it completes is handed on: what comes next may be long
    /// in coming.
    fn read(&mut self, input: Input, name: Option<Arc<str>>) -> Result<io::Result<()>, Abandoned> {
        let mut splitter = Splitter::new(self.max_line_bytes);
        let mut block = Vec::new();
        let mut chunk = self.empty_chunk(&name)?;
        let mut input = match decompressed(input) {
            Ok(input) => input,
            Err(error) => return Ok(Err(error)),
        };
        let end = loop {
            if block.is_empty() {
                block = vec![0; BLOCK_BYTES];
            }
            let read = match input.read(&mut block) {
                Ok(0) => break Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error),
            };
            chunk.input_bytes += read as u64;
            if !splitter.hand_on_lines(&mut block, read, &mut chunk) {
                let mut rest = splitter.split(&block[..read], &mut chunk);
                while !rest.is_empty() {
                    chunk = self.exchange(chunk, &name)?;
                    rest = splitter.split(rest, &mut chunk);
                }
            }
            if !chunk.is_empty() {
                chunk = self.exchange(chunk, &name)?;
            }
        };
        splitter.finish(&mut chunk);
        self.hand_on(chunk)?;
        Ok(end)
    }

    fn empty_chunk(&self, name: &Option<Arc<str>>) -> Result<Chunk, Abandoned> {
        let mut chunk = self.empty.recv().map_err(|_| Abandoned)?;
        chunk.file.clone_from(name);
        Ok(chunk)
    }

    /// Hands a chunk on, for an empty one.
    fn exchange(&mut self, chunk: Chunk, name: &Option<Arc<str>>) -> Result<Chunk, Abandoned> {
        self.hand_on(chunk)?;
        self.empty_chunk(name)
    }

    fn hand_on(&mut self, mut chunk: Chunk) -> Result<(), Abandoned> {
        chunk.number = self.chunks;
        self.filled.send(chunk).map_err(|_| Abandoned)?;
        self.chunks += 1;
        Ok(())
    }
}
