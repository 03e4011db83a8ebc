//! A part of the input on its way through the replay.

use std::ops::Range;
use std::sync::Arc;

use idgroup::ProfileUpdate;

use crate::deciding::Made;

/// What is kept allocated for the next use, so that one long line does not stay in memory.
const KEPT_CAPACITY: usize = 512 * 1024;

/// Whole pieces of an input, and what was made of them. There is a fixed number of chunks, used again
/// and again: more than they hold is not in memory.
pub struct Chunk {
    /// Among all chunks, in the order of the input, from 0.
    pub number: u64,
    /// The name of the input, if that must be said.
    pub file: Option<Arc<str>>,
    /// How much of the input it took, without what compression saved.
    pub input_bytes: u64,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    max_pieces: usize,
    /// Those that are decided later, each with the position of its piece.
    updates: Vec<(ProfileUpdate, usize)>,
    pub made: Made,
}

/// A chunk while it is worked on.
pub struct Open<'c, P> {
    pub file: Option<&'c str>,
    pub pieces: P,
    pub updates: &'c mut Vec<(ProfileUpdate, usize)>,
    pub made: &'c mut Made,
}

pub struct Piece {
    range: Range<usize>,
    /// Of the input, from 1: where the piece begins.
    pub line: u64,
    /// Of the array, from 1, if the piece is one of its elements.
    pub element: Option<u64>,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Whole,
    /// The start of a piece that is longer than allowed; the rest was not kept.
    TooLong,
    /// No piece, but the end of the input within an array.
    ArrayNotClosed,
}

impl Chunk {
    /// An empty one for so many pieces, at least one.
    pub fn new(max_pieces: usize) -> Self {
        Self {
            number: 0,
            file: None,
            input_bytes: 0,
            bytes: Vec::new(),
            pieces: Vec::new(),
            max_pieces,
            updates: Vec::new(),
            made: Made::default(),
        }
    }

    pub fn push(&mut self, line: u64, element: Option<u64>, kind: Kind, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece { range: start..self.bytes.len(), line, element, kind });
    }

    pub fn is_full(&self) -> bool {
        self.pieces.len() >= self.max_pieces
    }

    /// Whether it holds no piece.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The pieces with their positions and bytes, and where goes what is made of them.
    pub fn open(&mut self) -> Open<'_, impl Iterator<Item = (usize, &Piece, &[u8])>> {
        let bytes = &self.bytes;
        let pieces = self.pieces.iter().enumerate();
        Open {
            file: self.file.as_deref(),
            pieces: pieces.map(|(position, piece)| (position, piece, &bytes[piece.range.clone()])),
            updates: &mut self.updates,
            made: &mut self.made,
        }
    }

    /// The updates that were read and not yet decided, each with the piece and the bytes that it was read
    /// from; the name of the input, if that must be said.
    pub fn undecided(
        &mut self,
    ) -> (impl Iterator<Item = (ProfileUpdate, &Piece, &[u8])>, Option<&str>, &mut Made) {
        let (bytes, pieces) = (&self.bytes, &self.pieces);
        let updates = self.updates.drain(..).map(|(update, position)| {
            let piece = &pieces[position];
            (update, piece, &bytes[piece.range.clone()])
        });
        (updates, self.file.as_deref(), &mut self.made)
    }

    pub fn clear(&mut self) {
        self.file = None;
        self.input_bytes = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.pieces.clear();
        self.updates.clear();
        self.made.clear();
    }
}
