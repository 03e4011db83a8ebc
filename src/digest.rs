//! SHA-256 over length-prefixed texts, cut to 16 or 8 bytes: what group hashes, message ids, delivery
//! keys, the cuts of a rollout, and the keys and digests of memories are made of.

use sha2::{Digest as _, Sha256};

use crate::input::error::{InputError, Problem, excerpt};

/// A hash in the making. Each use has a prefix of its own, so that none can be taken for another.
#[derive(Clone)]
pub(crate) struct Digest {
    hashed: Sha256,
    /// What is yet to be hashed. Texts are short, and hashing a few bytes at a time costs more than
    /// gathering them.
    gathered: [u8; GATHERED_BYTES],
    length: usize,
}

/// Four blocks: as much as a group of five IDs has.
const GATHERED_BYTES: usize = 256;

impl Digest {
    pub(crate) fn with_prefix(prefix: &'static str) -> Self {
        let mut digest = Self { hashed: Sha256::new(), gathered: [0; GATHERED_BYTES], length: 0 };
        digest.push(prefix.as_bytes());
        digest
    }

    /// The length of the text in bytes, as four bytes with the highest first, and the text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        // No text of 4 GiB has ever been parsed into memory next to its update.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        let end = self.length.saturating_add(length.len()).saturating_add(text.len());
        let free = self.gathered.get_mut(self.length..end);
        match free.and_then(<[u8]>::split_first_chunk_mut) {
            Some((of_length, of_text)) => {
                *of_length = length;
                of_text.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            None => _ = self.push(&length).push(text.as_bytes()),
        }
        self
    }

    /// Bytes of a fixed number, which need no length.
    pub(crate) fn bytes<const N: usize>(&mut self, bytes: &[u8; N]) -> &mut Self {
        self.push(bytes)
    }

    /// Hashes what has been gathered, so that clones have it done.
    pub(crate) fn hash_gathered(&mut self) {
        self.hashed.update(self.gathered.get(..self.length).unwrap_or_default());
        self.length = 0;
    }

    /// The first 16 bytes of the hash.
    pub(crate) fn first_half(&mut self) -> [u8; 16] {
        self.first_bytes()
    }

    /// The first 8 bytes of the hash.
    pub(crate) fn first_quarter(&mut self) -> [u8; 8] {
        self.first_bytes()
    }

    fn first_bytes<const N: usize>(&mut self) -> [u8; N]
    where
        [u8; N]: Default,
    {
        self.hash_gathered();
        let whole: [u8; 32] = self.hashed.finalize_reset().into();
        debug_assert!(N <= whole.len(), "a hash has 32 bytes");
        whole.first_chunk().copied().unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.length.saturating_add(bytes.len());
        if let Some(free) = self.gathered.get_mut(self.length..end) {
            free.copy_from_slice(bytes);
            self.length = end;
        } else {
            self.hash_gathered();
            self.hashed.update(bytes);
        }
        self
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

    use super::*;

    /// The texts end at, before and behind every edge: of a block, and of what is gathered.
    #[test]
    fn what_is_gathered_is_hashed_once_and_in_order() {
        for length in (0..20).chain(40..70).chain(230..280).chain([1_000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            for repeats in [1, 2, 7] {
                let mut digest = Digest::with_prefix("prefix");
                let mut expected = Vec::from(*b"prefix");
                for repeat in 0..repeats {
                    digest.text(&text).bytes(&[repeat; 3]);
                    expected.extend(u32::try_from(length).unwrap().to_be_bytes());
                    expected.extend(text.bytes().chain([repeat; 3]));
                }
                let mut hashed = digest.clone();
                hashed.hash_gathered();
                let expected: [u8; 32] = Sha256::digest(expected).into();
                assert_eq!(digest.first_half(), expected[..16], "{repeats} of {length}");
                assert_eq!(hashed.first_half(), expected[..16], "{repeats} of {length}");
            }
        }
    }
}
