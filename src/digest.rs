//! SHA-256 over length-prefixed texts, cut to 16 bytes: what group hashes, message ids, delivery keys
//! and the cuts of a rollout are made of.

use sha2::{Digest as _, Sha256};

use crate::input::error::{InputError, Problem, excerpt};

/// A hash in the making. Each use has a prefix of its own, so that none can be taken for another.
#[derive(Clone)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn with_prefix(prefix: &'static str) -> Self {
        Self(Sha256::new_with_prefix(prefix))
    }

    /// The length of the text in bytes, as four bytes with the highest first, and the text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        // No text of 4 GiB has ever been parsed into memory next to its update.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(text);
        self
    }

    /// Bytes of a fixed number, which need no length.
    pub(crate) fn bytes<const N: usize>(&mut self, bytes: &[u8; N]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// The first 16 bytes of the hash.
    pub(crate) fn first_half(self) -> [u8; 16] {
        let whole: [u8; 32] = self.0.finalize().into();
        whole.first_chunk().copied().unwrap_or_default()
    }
}

/// A public type of 16 bytes with a text form of an optional prefix and 32 lower-case hexadecimal
/// digits: from and to bytes and text, and serialised as the text.
macro_rules! hex_id {
    ($type:ident, $prefix:literal) => {
        impl $type {
            /// What stands before the hexadecimal digits of the text form.
            const PREFIX: &'static str = $prefix;

            /// From the bytes that [`as_bytes`](Self::as_bytes) gives.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, without what stands before the digits of the text form.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{}{:032x}", Self::PREFIX, u128::from_be_bytes(self.0))
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
                $crate::digest::read_hex(Self::PREFIX, text).map(Self)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
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

pub(crate) fn read_hex(prefix: &'static str, text: &str) -> Result<[u8; 16], InputError> {
    const DIGITS: usize = 32;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(prefix)
        .filter(|digits| digits.len() == DIGITS && digits.bytes().all(is_digit))
        .and_then(|digits| u128::from_str_radix(digits, 16).ok())
        .map(u128::to_be_bytes)
        .ok_or_else(|| InputError::new("", Problem::MalformedDigest { value: excerpt(text), prefix }))
}
