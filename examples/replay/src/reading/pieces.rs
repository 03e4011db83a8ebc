//! The pieces of an input: its lines, or the elements of its JSON array; of any length, in bounded
//! memory.

use std::num::NonZeroU64;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3, memrchr};

use super::chunk::{Chunk, Kind, Lines};

/// What is kept of a piece that is too long.
const START_BYTES: usize = 1024;

/// What is kept allocated for the next piece, so that one long piece does not stay in memory.
const KEPT_CAPACITY: usize = 64 * 1024;

/// What some editors begin a file with; no part of its first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts an input, which comes in parts of any length, into pieces.
pub struct Splitter {
    layout: Layout,
    pending: Pending,
    /// Of the line that is being read, from 1.
    line: u64,
}

/// How the pieces stand in the input.
enum Layout {
    /// It is the start of the input; so many bytes of the mark have been read.
    Mark(usize),
    /// Nothing but white space was read yet, which also precedes arrays.
    Blank,
    Lines,
    Array(Array),
}

struct Array {
    /// Of the last element that began, from 1.
    element: u64,
    place: Place,
}

enum Place {
    Between,
    /// In an element that began on this line, and in so many of its brackets.
    Element {
        line: u64,
        depth: u64,
        within: Within,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Structure,
    Text,
    /// After a backslash.
    Escape,
}

/// A piece that has begun and not yet ended.
struct Pending {
    max_bytes: u64,
    /// All of it, with the carriage return that may turn out to be its end; or the start, if it is
    /// too long.
    bytes: Vec<u8>,
    length: u64,
    last: u8,
}

impl Splitter {
    pub fn new(max_bytes: NonZeroU64) -> Self {
        let pending = Pending { max_bytes: max_bytes.get(), bytes: Vec::new(), length: 0, last: 0 };
        Self { layout: Layout::Mark(0), pending, line: 1 }
    }

    /// Hands what was read to the chunk as it is, if it is lines of which several end in it, and there is room
    /// for them. They are cut where they are decided: many threads may decide, and one alone reads.
    pub fn hand_on_lines(&mut self, block: &mut Vec<u8>, read: usize, chunk: &mut Chunk) -> bool {
        let bytes = &block[..read];
        let (Layout::Lines, Some(first), Some(last)) =
            (&self.layout, memchr(b'\n', bytes), memrchr(b'\n', bytes))
        else {
            return false;
        };
        let range = first + 1..last + 1;
        let number = memchr_iter(b'\n', &bytes[range.clone()]).count();
        // With the first, which may have begun before.
        if number == 0 || number >= chunk.room() {
            return false;
        }
        self.split_line(&bytes[..=first], chunk);
        self.pending.push(&bytes[range.end..]);
        let lines = Lines { range, first: self.line };
        self.line += number as u64;
        chunk.take_lines(lines, block);
        true
    }

    /// Hands the pieces that end in `bytes` to the chunk; returns what is left where that is full.
    pub fn split<'b>(&mut self, mut bytes: &'b [u8], chunk: &mut Chunk) -> &'b [u8] {
        while !bytes.is_empty() && chunk.room() > 0 {
            let used = match &mut self.layout {
                Layout::Mark(read) => match bytes[0] == BYTE_ORDER_MARK[*read] {
                    true if *read + 1 == BYTE_ORDER_MARK.len() => {
                        self.layout = Layout::Blank;
                        1
                    }
                    true => {
                        *read += 1;
                        1
                    }
                    false => {
                        self.pending.push(&BYTE_ORDER_MARK[..*read]);
                        self.layout = if *read == 0 { Layout::Blank } else { Layout::Lines };
                        0
                    }
                },
                Layout::Blank => self.split_blank(bytes, chunk),
                Layout::Lines => self.split_line(bytes, chunk),
                Layout::Array(_) => self.split_array(bytes, chunk),
            };
            bytes = &bytes[used..];
        }
        bytes
    }

    /// The input has ended, and with it what was pending.
    pub fn finish(&mut self, chunk: &mut Chunk) {
        match &self.layout {
            Layout::Array(Array { element, place: Place::Element { line, .. } }) => {
                self.pending.end(*line, Some(*element), chunk);
            }
            Layout::Array(Array { place: Place::Between, .. }) => {
                chunk.push(self.line, None, Kind::ArrayNotClosed, &[]);
            }
            Layout::Mark(read) => {
                self.pending.push(&BYTE_ORDER_MARK[..*read]);
                self.pending.end_line(self.line, chunk);
            }
            Layout::Blank | Layout::Lines => self.pending.end_line(self.line, chunk),
        }
    }

    fn split_blank(&mut self, bytes: &[u8], chunk: &mut Chunk) -> usize {
        match bytes[0] {
            b'[' => {
                self.pending.clear();
                self.layout = Layout::Array(Array { element: 0, place: Place::Between });
                1
            }
            byte if byte.is_ascii_whitespace() => self.split_line(&bytes[..1], chunk),
            _ => {
                self.layout = Layout::Lines;
                0
            }
        }
    }

    fn split_line(&mut self, bytes: &[u8], chunk: &mut Chunk) -> usize {
        let Some(end) = memchr(b'\n', bytes) else {
            self.pending.push(bytes);
            return bytes.len();
        };
        self.pending.push(&bytes[..end]);
        self.pending.end_line(self.line, chunk);
        self.line += 1;
        end + 1
    }

    /// Up to the end of an element, or of the bytes.
    fn split_array(&mut self, bytes: &[u8], chunk: &mut Chunk) -> usize {
        let Layout::Array(array) = &mut self.layout else { return 0 };
        match &mut array.place {
            Place::Between => {
                match bytes[0] {
                    b'\n' => self.line += 1,
                    // What follows an array is another one, or lines.
                    b']' => self.layout = Layout::Blank,
                    b',' => {}
                    byte if byte.is_ascii_whitespace() => {}
                    _ => {
                        array.element += 1;
                        array.place = Place::Element { line: self.line, depth: 0, within: Within::Structure };
                        return 0;
                    }
                }
                1
            }
            Place::Element { line, depth, within } => {
                let (used, ended) = scan_element(bytes, depth, within, &mut self.line);
                self.pending.push(&bytes[..used]);
                if ended {
                    self.pending.end(*line, Some(array.element), chunk);
                    array.place = Place::Between;
                }
                used
            }
        }
    }
}

/// Cuts lines, and says of each that is not blank its number, what kind of piece it is, and where that is in
/// the block.
pub fn cut(block: &[u8], lines: Lines, max_bytes: NonZeroU64, mut say: impl FnMut(u64, Kind, Range<usize>)) {
    let Lines { range, first: mut line } = lines;
    let mut start = range.start;
    for end in memchr_iter(b'\n', &block[range.clone()]).map(|end| range.start + end) {
        let bytes = &block[start..end];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if let Some((kind, kept)) = kept(bytes, bytes.len() as u64, max_bytes.get()) {
            say(line, kind, start..start + kept.len());
        }
        start = end + 1;
        line += 1;
    }
}

/// What is left of a piece of this length, unless it is blank.
fn kept(bytes: &[u8], length: u64, max_bytes: u64) -> Option<(Kind, &[u8])> {
    match length > max_bytes {
        true => Some((Kind::TooLong, &bytes[..bytes.len().min(START_BYTES)])),
        false if bytes.trim_ascii().is_empty() => None,
        false => Some((Kind::Whole, bytes)),
    }
}

/// How many bytes are part of the element, and whether it ends with them. That it is JSON is checked
/// later: here it ends with its last bracket, or before a comma or a bracket that is not its own. No
/// text of JSON holds a line feed, so that a quotation mark too few costs no more than a line.
fn scan_element(bytes: &[u8], depth: &mut u64, within: &mut Within, line: &mut u64) -> (usize, bool) {
    let mut at = 0;
    while at < bytes.len() {
        match (*within, bytes[at]) {
            (Within::Text | Within::Escape, b'\n') => return (at, true),
            (Within::Escape, _) => *within = Within::Text,
            (Within::Text, b'\\') => *within = Within::Escape,
            (Within::Text, b'"') => *within = Within::Structure,
            (Within::Text, _) => {
                at += memchr3(b'"', b'\\', b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                continue;
            }
            (Within::Structure, b'"') => *within = Within::Text,
            (Within::Structure, b'{' | b'[') => *depth += 1,
            (Within::Structure, b',' | b']') if *depth == 0 => return (at, true),
            (Within::Structure, b']' | b'}') => {
                *depth = depth.saturating_sub(1);
                if *depth == 0 {
                    return (at + 1, true);
                }
            }
            (Within::Structure, b'\n') => *line += 1,
            (Within::Structure, _) => {}
        }
        at += 1;
    }
    (at, false)
}

impl Pending {
    fn push(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.last = last;
        self.length = self.length.saturating_add(bytes.len() as u64);
        // With a carriage return that is no part of it, a piece may be one byte longer.
        if self.length <= self.max_bytes.saturating_add(1) {
            self.bytes.extend_from_slice(bytes);
        } else {
            let missing = START_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
            self.bytes.extend_from_slice(&bytes[..missing]);
            self.bytes.truncate(START_BYTES);
            self.bytes.shrink_to(KEPT_CAPACITY);
        }
    }

    /// A carriage return is part of an end only where a line feed follows, or nothing does.
    fn end_line(&mut self, line: u64, chunk: &mut Chunk) {
        if self.last == b'\r' {
            self.length -= 1;
            let kept = self.bytes.len() as u64;
            self.bytes.truncate(kept.min(self.length) as usize);
        }
        self.end(line, None, chunk);
    }

    fn end(&mut self, line: u64, element: Option<u64>, chunk: &mut Chunk) {
        if let Some((kind, kept)) = kept(&self.bytes, self.length, self.max_bytes) {
            chunk.push(line, element, kind, kept);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.length = 0;
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BYTES: NonZeroU64 = NonZeroU64::new(8).unwrap();

    /// The pieces of an input that is read in blocks of so many bytes, each with its line; and how many blocks
    /// were handed on as they were.
    fn pieces(input: &[u8], block_bytes: usize, max_pieces: usize) -> (Vec<(u64, Kind, Vec<u8>)>, usize) {
        let mut splitter = Splitter::new(MAX_BYTES);
        let mut taken = 0;
        let mut found = Vec::new();
        let mut take = |chunk: &mut Chunk| {
            let pieces = chunk.open(MAX_BYTES).pieces;
            found.extend(pieces.map(|(_, piece, bytes)| (piece.line, piece.kind, bytes.to_vec())));
            chunk.clear();
        };
        let mut chunk = Chunk::new(max_pieces);
        for part in input.chunks(block_bytes) {
            // What was read before is still there.
            let mut block = [part, b"\nstale\n"].concat();
            if splitter.hand_on_lines(&mut block, part.len(), &mut chunk) {
                taken += 1;
            } else {
                let mut rest = splitter.split(part, &mut chunk);
                while !rest.is_empty() {
                    take(&mut chunk);
                    rest = splitter.split(rest, &mut chunk);
                }
            }
            take(&mut chunk);
        }
        splitter.finish(&mut chunk);
        take(&mut chunk);
        (found, taken)
    }

    #[test]
    fn lines_are_the_same_however_they_are_read() {
        let input = b"a\nbb\r\n\n \t\nccc\r\r\n12345678\n12345678\r\n123456789\n\rd\n\r\ne \nlonger than that\nf\n\ng";
        let expected = [
            (1, Kind::Whole, &b"a"[..]),
            (2, Kind::Whole, b"bb"),
            (5, Kind::Whole, b"ccc\r"),
            (6, Kind::Whole, b"12345678"),
            (7, Kind::Whole, b"12345678"),
            (8, Kind::TooLong, b"123456789"),
            (9, Kind::Whole, b"\rd"),
            (11, Kind::Whole, b"e "),
            (12, Kind::TooLong, b"longer than that"),
            (13, Kind::Whole, b"f"),
            (15, Kind::Whole, b"g"),
        ]
        .map(|(line, kind, bytes)| (line, kind, bytes.to_vec()));
        let mut taken_at_all = 0;
        for block_bytes in 1..=input.len() {
            for max_pieces in [1, 2, 3, 100] {
                let (found, taken) = pieces(input, block_bytes, max_pieces);
                assert!(found == expected, "blocks of {block_bytes}, {max_pieces} pieces: {found:?}");
                assert!(max_pieces > 1 || taken == 0, "one piece is none of a block");
                taken_at_all += taken;
            }
        }
        assert!(taken_at_all > 100, "{taken_at_all}");
    }

    #[test]
    fn lines_are_not_handed_on_where_an_array_may_be() {
        for input in [&b"[1,\n2,\n3,\n4\n]\n5\n6\n7"[..], b"\n\n\n[1,2,\n3,\n4]\n\n\n5,\n6\n7\n8"] {
            for block_bytes in 1..=input.len() {
                let (found, _) = pieces(input, block_bytes, 100);
                let texts: Vec<u8> =
                    found.iter().flat_map(|(_, _, bytes)| bytes.trim_ascii()).copied().collect();
                assert!(texts.starts_with(b"1234") && !texts.contains(&b'['), "{found:?}");
            }
        }
    }
}
