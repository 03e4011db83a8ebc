//! SHA-256 over length-prefixed texts, cut to 16 or 8 bytes: what group hashes, message ids, delivery
//! keys, the cuts of a rollout, and the keys and digests of memories are made of.

use sha2::block_api::compress256;

use crate::input::error::{InputError, Problem, excerpt};

/// A hash in the making. Each use has a prefix of its own, so that none can be taken for another.
///
/// Texts are short, and are gathered until there are whole blocks to hash: an update has ten hashes of one
/// to four blocks, and handing their texts to a hasher one by one takes as long as hashing them.
pub(crate) struct Digest {
    blocks: Blocks,
    /// What is yet to be hashed, and behind it zeros, with room for the padding.
    gathered: [u8; GATHERED_BYTES + BLOCK_BYTES],
    length: usize,
}

/// What many hashes begin with.
#[derive(Clone)]
pub(crate) struct Beginning {
    blocks: Blocks,
    /// Less than a block that is yet to be hashed, and behind it zeros, with room for what comes and the
    /// padding.
    rest: [u8; 2 * BLOCK_BYTES],
    length: usize,
}

/// The whole blocks that have been hashed.
#[derive(Clone)]
struct Blocks {
    state: [u32; 8],
    bytes: u64,
}

const BLOCK_BYTES: usize = 64;

/// Four blocks: as much as a group of five IDs has.
const GATHERED_BYTES: usize = 4 * BLOCK_BYTES;

/// FIPS 180-4, section 5.3.3: the fractional parts of the square roots of the first eight primes.
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl Digest {
    /// The first 16 bytes of the hash of the prefix and of what is put behind it.
    pub(crate) fn first_half_of(prefix: &'static str, put: impl FnOnce(&mut Self)) -> [u8; 16] {
        // Made and used where it is: to move it costs as much as to hash a block.
        let mut digest = Self::new(Blocks::NONE);
        put(digest.push(prefix.as_bytes()));
        digest.first_half()
    }

    /// The prefix and what is put behind it, hashed once for many continuations.
    #[inline]
    pub(crate) fn beginning_of(prefix: &'static str, put: impl FnOnce(&mut Self)) -> Beginning {
        let mut digest = Self::new(Blocks::NONE);
        put(digest.push(prefix.as_bytes()));
        let (blocks, rest) = digest.gathered.get(..digest.length).unwrap_or_default().as_chunks();
        digest.blocks.hash(blocks);
        let mut beginning =
            Beginning { blocks: digest.blocks, rest: [0; 2 * BLOCK_BYTES], length: rest.len() };
        beginning.rest.get_mut(..rest.len()).unwrap_or_default().copy_from_slice(rest);
        beginning
    }

    #[inline]
    fn new(blocks: Blocks) -> Self {
        Self { blocks, gathered: [0; GATHERED_BYTES + BLOCK_BYTES], length: 0 }
    }

    /// The length of the text in bytes, as four bytes with the highest first, and the text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        match self.room(text.len().saturating_add(LENGTH_BYTES)) {
            Some(room) => _ = put_text(room, text),
            None => _ = self.push(&length_of(text)).push(text.as_bytes()),
        }
        self
    }

    /// The bytes and the texts, as one by one, with one look at how much room there is.
    pub(crate) fn bytes_and_texts<const N: usize, const M: usize>(
        &mut self,
        bytes: &[u8; N],
        texts: [&str; M],
    ) -> &mut Self {
        let of_text = |text: &str| text.len().saturating_add(LENGTH_BYTES);
        let room = self.room(texts.iter().fold(N, |room, text| room.saturating_add(of_text(text))));
        if let Some((of_bytes, of_texts)) = room.and_then(<[u8]>::split_first_chunk_mut) {
            *of_bytes = *bytes;
            texts.into_iter().fold(of_texts, put_text);
        } else {
            self.push(bytes);
            for text in texts {
                self.text(text);
            }
        }
        self
    }

    /// Bytes of a fixed number, which need no length.
    pub(crate) fn bytes<const N: usize>(&mut self, bytes: &[u8; N]) -> &mut Self {
        self.push(bytes)
    }

    fn first_half(&mut self) -> [u8; 16] {
        self.blocks.finish(&mut self.gathered, self.length)
    }

    fn push(&mut self, bytes: &[u8]) -> &mut Self {
        match self.room(bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.push_in_parts(bytes),
        }
        self
    }

    /// As much room, behind what is gathered, which from now on is gathered too; unless it is too much.
    #[inline]
    fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if bytes > GATHERED_BYTES.saturating_sub(self.length) {
            self.hash_whole_blocks();
            if bytes > GATHERED_BYTES.saturating_sub(self.length) {
                return None;
            }
        }
        let start = self.length;
        self.length = start.saturating_add(bytes);
        self.gathered.get_mut(start..self.length)
    }

    #[cold]
    fn push_in_parts(&mut self, bytes: &[u8]) {
        bytes.chunks(GATHERED_BYTES - BLOCK_BYTES).for_each(|part| _ = self.push(part));
    }

    #[inline(never)]
    fn hash_whole_blocks(&mut self) {
        let (blocks, rest) = self.gathered.get(..self.length).unwrap_or_default().as_chunks();
        self.blocks.hash(blocks);
        let whole = self.length.saturating_sub(rest.len());
        self.length = rest.len();
        // With the zeros behind it, the rest is a block: of a known length, which takes no call to copy.
        if let Some((first, others)) = self.gathered.split_first_chunk_mut::<BLOCK_BYTES>() {
            let rest = whole.checked_sub(BLOCK_BYTES).and_then(|at| others.get(at..)?.first_chunk());
            *first = rest.copied().unwrap_or(*first);
            others.fill(0);
        }
    }
}

/// The bytes that say how long a text is.
const LENGTH_BYTES: usize = size_of::<u32>();

fn length_of(text: &str) -> [u8; LENGTH_BYTES] {
    // No text of 4 GiB has ever been parsed into memory next to its update.
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// Puts a text with its length at the beginning of this room, and returns what is left.
#[inline]
fn put_text<'r>(room: &'r mut [u8], text: &str) -> &'r mut [u8] {
    let Some((of_length, others)) = room.split_first_chunk_mut() else { return &mut [] };
    *of_length = length_of(text);
    let Some((of_text, others)) = others.split_at_mut_checked(text.len()) else { return &mut [] };
    of_text.copy_from_slice(text.as_bytes());
    others
}

impl Beginning {
    /// The first 16 bytes of the hash of this and of what is put behind it.
    pub(crate) fn first_half_of(&self, put: impl FnOnce(&mut Digest)) -> [u8; 16] {
        let mut digest = Digest::new(self.blocks.clone());
        digest.push(self.rest.get(..self.length).unwrap_or_default());
        put(&mut digest);
        digest.first_half()
    }

    /// The first 16 bytes of the hash of this and of 16 bytes more.
    pub(crate) fn first_half_with(&self, end: &[u8; 16]) -> [u8; 16] {
        let mut rest = self.rest;
        let length = self.length.saturating_add(end.len());
        if let Some(free) = rest.get_mut(self.length..length) {
            free.copy_from_slice(end);
        }
        self.blocks.clone().finish(&mut rest, length)
    }
}

impl Blocks {
    const NONE: Self = Self { state: INITIAL_STATE, bytes: 0 };

    fn hash(&mut self, blocks: &[[u8; BLOCK_BYTES]]) {
        compress256(&mut self.state, blocks);
        self.bytes = self.bytes.wrapping_add(blocks.as_flattened().len() as u64);
    }

    /// The first half of the hash of these blocks and of the first `length` of these bytes, behind which
    /// there are only zeros, enough for the padding: a bit, zeros to the end of a block but for eight bytes,
    /// and there the number of all bits (FIPS 180-4, section 5.1.1).
    fn finish(&mut self, bytes: &mut [u8], length: usize) -> [u8; 16] {
        let bits = self.bytes.wrapping_add(length as u64).wrapping_mul(8);
        let end = length.saturating_add(9).next_multiple_of(BLOCK_BYTES);
        debug_assert!(end <= bytes.len(), "there is room for the padding");
        if let Some((zeros, last)) = bytes.get_mut(length..end).and_then(<[u8]>::split_last_chunk_mut) {
            if let Some(first) = zeros.first_mut() {
                *first = 0x80;
            }
            *last = bits.to_be_bytes();
        }
        self.hash(bytes.get(..end).unwrap_or_default().as_chunks().0);
        let mut half = [0; 16];
        for (bytes, word) in half.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        half
    }
}

/// A text of a fixed prefix and the hexadecimal digits of at most 16 bytes, without a step through a formatter.
pub(crate) struct Hex {
    text: [u8; 36],
    length: usize,
}

impl Hex {
    /// The prefix has at most four characters.
    pub(crate) fn new(prefix: &'static str, bytes: &[u8]) -> Self {
        let mut text = [0; 36];
        let (start, digits) = text.split_at_mut(prefix.len().min(4));
        start.copy_from_slice(prefix.as_bytes().get(..start.len()).unwrap_or_default());
        for ([high, low], byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
        let length = bytes.len().saturating_mul(2).saturating_add(start.len());
        Self { text, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok());
        debug_assert!(text.is_some(), "a prefix has at most four characters");
        text.unwrap_or_default()
    }
}

/// Computed and not looked up, so that all digits of a text are made at once.
#[inline]
fn digit(value: u8) -> u8 {
    let to_letter = if value > 9 { b'a' - b'0' - 10 } else { 0 };
    value.wrapping_add(b'0').wrapping_add(to_letter)
}

/// A public type of as many bytes as the integer has, with a text form of an optional prefix and two
/// lower-case hexadecimal digits for each byte: from and to bytes and text, and serialised as the text.
macro_rules! hex_id {
    ($type:ident, $prefix:literal, $integer:ty) => {
        impl $type {
            /// What stands before the hexadecimal digits of the text form.
            const PREFIX: &'static str = $prefix;

            /// From the bytes that [`as_bytes`](Self::as_bytes) gives.
            pub const fn from_bytes(bytes: [u8; size_of::<$integer>()]) -> Self {
                Self(bytes)
            }

            /// The bytes, without what stands before the digits of the text form.
            pub const fn as_bytes(&self) -> &[u8; size_of::<$integer>()] {
                &self.0
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str($crate::digest::Hex::new(Self::PREFIX, &self.0).as_str())
            }
        }

        impl ::core::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }

        /// From the text form, and nothing else: no upper-case digits, no other length.
        impl ::core::str::FromStr for $type {
            type Err = $crate::input::error::InputError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                const DIGITS: usize = size_of::<$integer>().saturating_mul(2);
                $crate::digest::hex_digits(Self::PREFIX, text, DIGITS)
                    .and_then(|digits| <$integer>::from_str_radix(digits, 16).ok())
                    .map(|integer| Self(integer.to_be_bytes()))
                    .ok_or_else(|| $crate::digest::malformed(Self::PREFIX, text, DIGITS))
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::digest::Hex::new(Self::PREFIX, &self.0).as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::input::read::from_text(deserializer)
            }
        }
    };
}
pub(crate) use hex_id;

/// The digits of a text form, if they are as many as there have to be.
pub(crate) fn hex_digits<'t>(prefix: &str, text: &'t str, count: usize) -> Option<&'t str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(prefix).filter(|digits| digits.len() == count && digits.bytes().all(is_digit))
}

pub(crate) fn malformed(prefix: &'static str, text: &str, digits: usize) -> InputError {
    InputError::new("", Problem::MalformedDigest { value: excerpt(text), prefix, digits })
}

/// The prefix of hashes of external IDs.
pub(crate) const GROUP_PREFIX: &str = "idgroup/1";

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Behind it there is only the padding.
    fn assert_last(text: &str) {
        let mut expected = Vec::from(*b"prefix");
        expected.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        expected.extend(text.bytes());
        let half = Digest::first_half_of("prefix", |digest| _ = digest.text(text));
        assert_eq!(half, Sha256::digest(&expected)[..16], "{}", text.len());
    }

    /// The texts end at, before and behind every edge: of a block, and of what is gathered.
    #[test]
    fn what_is_gathered_is_hashed_once_and_in_order() {
        for length in (0..20).chain(40..70).chain(230..330).chain([1_000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            assert_last(&text);
            for repeats in [1, 2, 7] {
                let put = |digest: &mut Digest| {
                    (0..repeats).for_each(|repeat| _ = digest.text(&text).bytes(&[repeat; 3]));
                };
                let mut expected = Vec::from(*b"prefix");
                for repeat in 0..repeats {
                    expected.extend(u32::try_from(length).unwrap().to_be_bytes());
                    expected.extend(text.bytes().chain([repeat; 3]));
                }
                let half = |bytes: &[u8]| Sha256::digest(bytes)[..16].to_vec();
                assert_eq!(Digest::first_half_of("prefix", put), *half(&expected), "{repeats} of {length}");
                let beginning = Digest::beginning_of("prefix", put);
                expected.extend([9; 16]);
                assert_eq!(beginning.first_half_with(&[9; 16]), *half(&expected), "{repeats} of {length}");
                let more = beginning.first_half_of(|digest| _ = digest.bytes(&[9; 16]).bytes(&[8; 99]));
                expected.extend([8; 99]);
                assert_eq!(more, *half(&expected), "{repeats} of {length}");
            }
        }
    }
}
