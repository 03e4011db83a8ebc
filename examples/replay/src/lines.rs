//! Lines of any length, in bounded memory.

use std::io::{self, BufRead, Read};
use std::num::NonZeroU64;

/// What is kept of a line that is too long.
const START_BYTES: usize = 1024;

/// What is kept allocated for the next line, so that one long line does not stay in memory.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// What some editors begin a file with; no part of its first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a line at a time, into a buffer that all lines share.
pub struct Lines<R> {
    reader: R,
    max_bytes: u64,
    buffer: Vec<u8>,
    /// Of the last line that was read.
    number: u64,
    bytes_read: u64,
}

/// Without its end, which is a line feed or a carriage return and a line feed.
#[derive(Clone, Copy)]
pub enum Line<'b> {
    Whole(&'b [u8]),
    /// The start of a line that is longer than allowed; the rest was not kept.
    TooLong(&'b [u8]),
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R, max_bytes: NonZeroU64) -> Self {
        Self { reader, max_bytes: max_bytes.get(), buffer: Vec::new(), number: 0, bytes_read: 0 }
    }

    /// How many bytes all lines until now had, with their ends.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line and its number, which begins at 1; `None` after the last.
    pub fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_CAPACITY);
        // Enough for the longest line and its end.
        let mut bounded = self.reader.by_ref().take(self.max_bytes.saturating_add(2));
        let mut bytes = bounded.read_until(b'\n', &mut self.buffer)? as u64;
        if bytes == 0 {
            return Ok(None);
        }
        let mut line = &self.buffer[..];
        let ended = line.ends_with(b"\n");
        line = line.strip_suffix(b"\n").unwrap_or(line);
        // A carriage return is part of an end only where a line feed follows, or nothing does.
        line = line.strip_suffix(b"\r").unwrap_or(line);
        let too_long = line.len() as u64 > self.max_bytes;
        if too_long && !ended {
            bytes = bytes.saturating_add(self.reader.skip_until(b'\n')? as u64);
        }
        self.number += 1;
        self.bytes_read = self.bytes_read.saturating_add(bytes);
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let line = match too_long {
            true => Line::TooLong(&line[..line.len().min(START_BYTES)]),
            false => Line::Whole(line),
        };
        Ok(Some((self.number, line)))
    }
}
