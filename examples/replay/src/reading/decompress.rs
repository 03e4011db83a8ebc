//! Compressed inputs, told by how they begin and not by their names: standard input has none.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A frame that holds no data, which some compressors write first; its first byte has sixteen values.
const ZSTANDARD_SKIPPED: &[u8] = &[0x50, 0x2a, 0x4d, 0x18];

const BUFFER_BYTES: usize = 64 * 1024;

/// The input as it was before it was compressed with gzip or Zstandard, if it was.
pub fn decompressed<R: Read + Send + 'static>(mut input: R) -> io::Result<Box<dyn Read + Send>> {
    let mut start = Vec::with_capacity(ZSTANDARD.len());
    // No byte more than it takes, because what comes next may be long in coming.
    while is_start_of_mark(&start) {
        if (&mut input).take(1).read_to_end(&mut start)? == 0 {
            break;
        }
    }
    let is_gzip = begins(&start, GZIP);
    let is_zstandard = begins(&start, ZSTANDARD) || begins(&start, ZSTANDARD_SKIPPED);
    let whole = Cursor::new(start).chain(input);
    Ok(match () {
        () if is_gzip => Box::new(MultiGzDecoder::new(buffered(whole))),
        () if is_zstandard => Box::new(Zstandard::new(buffered(whole))),
        () => Box::new(whole),
    })
}

fn is_start_of_mark(start: &[u8]) -> bool {
    let marks = [GZIP, ZSTANDARD, ZSTANDARD_SKIPPED];
    marks.iter().any(|mark| start.len() < mark.len() && begins(start, &mark[..start.len()]))
}

fn begins(start: &[u8], mark: &[u8]) -> bool {
    match (start, mark) {
        ([0x50..=0x5f, rest @ ..], [0x50, mark @ ..]) => rest.starts_with(mark),
        _ => start.starts_with(mark),
    }
}

fn buffered<R: Read>(whole: Chain<Cursor<Vec<u8>>, R>) -> BufReader<Chain<Cursor<Vec<u8>>, R>> {
    BufReader::with_capacity(BUFFER_BYTES, whole)
}

/// Any number of frames, one after the other.
struct Zstandard<R> {
    source: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> Zstandard<R> {
    fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), is_in_frame: false }
    }

    /// Skips frames that hold no data.
    fn begin_frame(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.is_in_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stated), Some(found)) if stated != found => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum is not that of the data"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin_frame()?;
                continue;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            match self.decoder.read(buffer)? {
                0 => self.end_frame()?,
                read => return Ok(read),
            }
        }
    }
}
