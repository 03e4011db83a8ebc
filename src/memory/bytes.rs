//! The compact form of a memory.
//!
//! ```text
//! version      1 byte    1
//! standing     1 byte    0 unknown, 1 in, 2 in since, 3 out since
//! since        12 bytes  a time, where the standing has one
//! settled      4 bytes   how many destinations, and each of them, by destination:
//!   destination   8 bytes   a digest
//!   at            12 bytes  a time
//!   by            4 bytes   0 an assumption, 1 a hand-over, n + 1 a message to n external IDs, n > 0
//!   profile       8 bytes   a digest, of a hand-over
//!   update        8 bytes   a digest, of a message
//!   external IDs  8 bytes each, of a message: n digests, ascending
//! ```
//!
//! Numbers have their highest byte first. A time is 8 bytes of whole seconds since 1970, signed, and 4 of
//! nanoseconds. What is not in this form to the byte is refused, so that a memory has one form only.

use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::memory::Memory;
use crate::memory::settled::{SentMessage, Settled, SettledBy};

const VERSION: u8 = 1;

/// Why bytes are not read as a memory. Keep them: nothing is lost as long as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// They are of a version that this library does not know.
    #[error(
        "a memory of version {version} is unknown, expected version {VERSION}, keep it for a library that knows it"
    )]
    UnknownVersion {
        /// The version.
        version: u8,
    },
    /// They are no memory, or not all of one, or more than one.
    #[error("no memory of version {VERSION}, its bytes go wrong at {position}")]
    Malformed {
        /// Where the first part that can't be read begins.
        position: usize,
    },
}

impl Memory {
    /// The compact form: at most 18 bytes, and for each settled destination 24 for an assumption, 32 for a
    /// hand-over, and 32 and 8 for each external ID for a message. The same memory has the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_count());
        let (standing, since) = match (self.membership, self.since) {
            (None, _) => (0, None),
            (Some(Membership::In), None) => (1, None),
            (Some(Membership::In), since) => (2, since),
            (Some(Membership::Out), since) => (3, since),
        };
        bytes.extend([VERSION, standing]);
        if let Some(since) = since {
            push_time(&mut bytes, since);
        }
        push_count(&mut bytes, self.settled.len());
        for settled in &self.settled {
            push_settled(&mut bytes, settled);
        }
        debug_assert_eq!(bytes.len(), self.byte_count(), "a memory is as long as it says");
        bytes
    }

    fn byte_count(&self) -> usize {
        let of_settled = self.settled.iter().map(|settled| match &settled.by {
            SettledBy::Assumption => 24,
            SettledBy::HandOver { .. } => 32,
            SettledBy::Message(message) => {
                message.external_ids.len().saturating_mul(8).saturating_add(32_usize)
            }
        });
        of_settled.fold(if self.since.is_some() { 18 } else { 6 }, usize::saturating_add)
    }

    /// The memory that [`to_bytes`](Self::to_bytes) made these bytes of. Costs no more than they are long.
    ///
    /// # Errors
    ///
    /// Bytes of another version, or that are not what [`to_bytes`](Self::to_bytes) makes of any memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MemoryError> {
        let mut reader = Reader { all: bytes, rest: bytes };
        match reader.byte()? {
            VERSION => {}
            version => return Err(MemoryError::UnknownVersion { version }),
        }
        let (membership, since) = reader.standing()?;
        let settled = reader.settled()?;
        match reader.rest {
            [] => Ok(Self { membership, since, settled }),
            _ => Err(reader.malformed()),
        }
    }
}

fn push_time(bytes: &mut Vec<u8>, time: Timestamp) {
    let (seconds, nanoseconds) = time.seconds_and_nanoseconds();
    bytes.extend(seconds.to_be_bytes());
    bytes.extend(nanoseconds.to_be_bytes());
}

fn push_count(bytes: &mut Vec<u8>, count: usize) {
    // A memory of 2^32 destinations, or a message to as many IDs, would be more than 32 GiB.
    bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn push_settled(bytes: &mut Vec<u8>, settled: &Settled) {
    bytes.extend(settled.destination.as_bytes());
    push_time(bytes, settled.at);
    match &settled.by {
        SettledBy::Assumption => push_count(bytes, 0),
        SettledBy::HandOver { profile } => {
            push_count(bytes, 1);
            bytes.extend(profile.as_bytes());
        }
        SettledBy::Message(message) => {
            push_count(bytes, message.external_ids.len().saturating_add(1));
            bytes.extend(message.update.as_bytes());
            bytes.extend(message.external_ids.iter().flat_map(NameDigest::as_bytes));
        }
    }
}

/// Reads from the front. The position of an error is where the part began that could not be read.
struct Reader<'b> {
    all: &'b [u8],
    rest: &'b [u8],
}

impl Reader<'_> {
    fn malformed(&self) -> MemoryError {
        MemoryError::Malformed { position: self.all.len().saturating_sub(self.rest.len()) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MemoryError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, MemoryError> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a part; where `read` finds that it is wrong, the part as a whole is.
    fn part<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Option<T>, MemoryError>,
    ) -> Result<T, MemoryError> {
        let error = self.malformed();
        read(self)?.ok_or(error)
    }

    fn time(&mut self) -> Result<Timestamp, MemoryError> {
        self.part(|reader| {
            let (seconds, nanoseconds) =
                (i64::from_be_bytes(reader.array()?), u32::from_be_bytes(reader.array()?));
            Ok(Timestamp::from_seconds_and_nanoseconds(seconds, nanoseconds))
        })
    }

    fn digest(&mut self) -> Result<NameDigest, MemoryError> {
        self.array().map(NameDigest::from_bytes)
    }

    /// So many elements of at least so many bytes each, or an error before anything is allocated.
    fn count(&mut self, count: u32, bytes_each: usize) -> Result<usize, MemoryError> {
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.rest.len().checked_div(bytes_each).unwrap_or_default())
            .ok_or_else(|| self.malformed())
    }

    fn standing(&mut self) -> Result<(Option<Membership>, Option<Timestamp>), MemoryError> {
        let membership = self.part(|reader| {
            Ok(match reader.byte()? {
                0 => Some((None, false)),
                1 => Some((Some(Membership::In), false)),
                2 => Some((Some(Membership::In), true)),
                3 => Some((Some(Membership::Out), true)),
                _ => None,
            })
        })?;
        let since = if membership.1 { Some(self.time()?) } else { None };
        Ok((membership.0, since))
    }

    fn settled(&mut self) -> Result<Vec<Settled>, MemoryError> {
        const LEAST: usize = 24;
        let count = u32::from_be_bytes(self.array()?);
        let count = self.count(count, LEAST)?;
        let mut all: Vec<Settled> = Vec::with_capacity(count);
        for _ in 0..count {
            let settled = self.part(|reader| {
                let destination = reader.digest()?;
                let is_next = all.last().is_none_or(|last| last.destination < destination);
                Ok(is_next.then_some(destination))
            });
            let destination = settled?;
            all.push(Settled { destination, at: self.time()?, by: self.by()? });
        }
        Ok(all)
    }

    fn by(&mut self) -> Result<SettledBy, MemoryError> {
        match u32::from_be_bytes(self.array()?) {
            0 => Ok(SettledBy::Assumption),
            1 => Ok(SettledBy::HandOver { profile: self.digest()? }),
            number => {
                let update = self.digest()?;
                let count = self.count(number.saturating_sub(1), size_of::<NameDigest>())?;
                let mut external_ids: SmallVec<[NameDigest; 2]> = SmallVec::with_capacity(count);
                for _ in 0..count {
                    let digest = self.part(|reader| {
                        let digest = reader.digest()?;
                        Ok(external_ids.last().is_none_or(|last| *last < digest).then_some(digest))
                    })?;
                    external_ids.push(digest);
                }
                Ok(SettledBy::Message(SentMessage { update, external_ids }))
            }
        }
    }
}
