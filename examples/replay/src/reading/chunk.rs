//! A part of the input on its way through the replay.

use std::mem;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use idgroup::ProfileUpdate;

use super::pieces;
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
    /// Of pieces that were pushed.
    bytes: Vec<u8>,
    /// What was read at once, as it was read.
    block: Vec<u8>,
    /// Lines of the block that are not yet pieces.
    lines: Option<Lines>,
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

/// Whole lines, each with its end.
pub struct Lines {
    /// Where they are in what was read.
    pub range: Range<usize>,
    /// The number of the first of them in the input, from 1.
    pub first: u64,
}

pub struct Piece {
    bytes: BytesOf,
    /// Of the input, from 1: where the piece begins.
    pub line: u64,
    /// Of the array, from 1, if the piece is one of its elements.
    pub element: Option<u64>,
    pub kind: Kind,
}

/// Where the bytes of a piece are.
enum BytesOf {
    Pushed(Range<usize>),
    Block(Range<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            block: Vec::new(),
            lines: None,
            pieces: Vec::new(),
            max_pieces,
            updates: Vec::new(),
            made: Made::default(),
        }
    }

    pub fn push(&mut self, line: u64, element: Option<u64>, kind: Kind, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece { bytes: BytesOf::Pushed(start..self.bytes.len()), line, element, kind });
    }

    /// Takes over a block with lines that follow what was pushed; they are its last pieces. Leaves the block
    /// that it had before, to be read into: at first that is an empty one.
    pub fn take_lines(&mut self, lines: Lines, block: &mut Vec<u8>) {
        self.lines = Some(lines);
        mem::swap(&mut self.block, block);
    }

    /// How many more pieces it is to hold.
    pub fn room(&self) -> usize {
        self.max_pieces.saturating_sub(self.pieces.len())
    }

    /// Whether it holds no piece.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.lines.is_none()
    }

    /// The pieces with their positions and bytes, and where goes what is made of them. Lines that were
    /// taken over are cut for it.
    pub fn open(
        &mut self,
        max_line_bytes: NonZeroU64,
    ) -> Open<'_, impl Iterator<Item = (usize, &Piece, &[u8])>> {
        if let Some(lines) = self.lines.take() {
            pieces::cut(&self.block, lines, max_line_bytes, |line, kind, range| {
                self.pieces.push(Piece { bytes: BytesOf::Block(range), line, element: None, kind });
            });
        }
        let (bytes, block) = (&*self.bytes, &*self.block);
        let pieces = self.pieces.iter().enumerate();
        Open {
            file: self.file.as_deref(),
            pieces: pieces.map(|(position, piece)| (position, piece, piece.bytes.of(bytes, block))),
            updates: &mut self.updates,
            made: &mut self.made,
        }
    }

    /// The updates that were read and not yet decided, each with the piece and the bytes that it was read
    /// from; the name of the input, if that must be said.
    pub fn undecided(
        &mut self,
    ) -> (impl Iterator<Item = (ProfileUpdate, &Piece, &[u8])>, Option<&str>, &mut Made) {
        let (bytes, block, pieces) = (&*self.bytes, &*self.block, &*self.pieces);
        let updates = self.updates.drain(..).map(|(update, position)| {
            let piece = &pieces[position];
            (update, piece, piece.bytes.of(bytes, block))
        });
        (updates, self.file.as_deref(), &mut self.made)
    }

    pub fn clear(&mut self) {
        self.file = None;
        self.input_bytes = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.lines = None;
        self.pieces.clear();
        self.updates.clear();
        self.made.clear();
    }
}

impl BytesOf {
    fn of<'b>(&self, pushed: &'b [u8], block: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Pushed(range) => &pushed[range.clone()],
            Self::Block(range) => &block[range.clone()],
        }
    }
}
