//! SHA-256 over length-prefixed texts, cut to 16 or 8 bytes: what group hashes, message ids, delivery
//! keys, the cuts of a rollout, and the keys and digests of memories are made of.

use sha2::{Digest as _, Sha256};

use crate::input::error::{InputError, Problem, excerpt};
use crate::input::external_id::ExternalIdKey;

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
        self.first_bytes()
    }

    /// The first 8 bytes of the hash.
    pub(crate) fn first_quarter(self) -> [u8; 8] {
        self.first_bytes()
    }

    fn first_bytes<const N: usize>(self) -> [u8; N]
    where
        [u8; N]: Default,
    {
        let whole: [u8; 32] = self.0.finalize().into();
        debug_assert!(N <= whole.len(), "a hash has 32 bytes");
        whole.first_chunk().copied().unwrap_or_default()
    }
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
                const DIGITS: usize = size_of::<$integer>().saturating_mul(2);
                write!(f, "{}{:0DIGITS$x}", Self::PREFIX, <$integer>::from_be_bytes(self.0))
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

/// 8 bytes that stand for a name: enough to tell the names that meet in one memory apart.
///
/// The first 8 bytes of the SHA-256 of a prefix for the kind of name, and of the name, length-prefixed:
/// `idgroup/destination/1`, `idgroup/update/1` and `idgroup/profile/1` before an id. That of an external ID
/// is the first half of the [hash](crate::IdGroupHash) of the group of this ID alone, which an event often
/// has already. Its text form is 16 hexadecimal digits.
///
/// A digest of an external ID is no address, and can't be turned back into one; but who holds a list of
/// addresses can tell which of them it is of. Keep it as you keep personal data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameDigest([u8; 8]);

hex_id!(NameDigest, "", u64);

impl NameDigest {
    /// Of a destination, by its id.
    pub fn of_destination(id: &str) -> Self {
        Self::of("idgroup/destination/1", [id])
    }

    /// Of an update, by its id.
    pub fn of_update(id: &str) -> Self {
        Self::of("idgroup/update/1", [id])
    }

    /// Of a profile, by its id.
    pub fn of_profile(id: &str) -> Self {
        Self::of("idgroup/profile/1", [id])
    }

    /// Of the external ID that a group of only one has, by the group's hash.
    pub(crate) fn of_only_id(group_hash: &[u8; 16]) -> Self {
        Self(group_hash.first_chunk().copied().unwrap_or_default())
    }

    /// Of an external ID, by its identity.
    pub fn of_external_id(key: &ExternalIdKey) -> Self {
        Self::of(GROUP_PREFIX, [key.collection().as_str(), key.id_type(), key.id()])
    }

    fn of<const N: usize>(prefix: &'static str, texts: [&str; N]) -> Self {
        let mut digest = Digest::with_prefix(prefix);
        for text in texts {
            digest.text(text);
        }
        Self(digest.first_quarter())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::input::external_id::Collection;

    // The vectors come from `printf '<bytes>' | sha256sum | cut -c1-16`; the bytes are above each.

    #[test]
    fn digests_are_those_of_sha256sum() {
        // idgroup/destination/1\0\0\0\5dst_1
        assert_eq!(NameDigest::of_destination("dst_1").to_string(), "c68ecec8147e3d37");
        // idgroup/update/1\0\0\0\5upd_1
        assert_eq!(NameDigest::of_update("upd_1").to_string(), "a95771be03b32599");
        // idgroup/profile/1\0\0\0\5use_1
        assert_eq!(NameDigest::of_profile("use_1").to_string(), "433366ca8dfd3463");
        // idgroup/1\0\0\0\10accounts\0\0\0\5email\0\0\0\1a
        let key = ExternalIdKey::new("email", "a").unwrap().with_collection(Collection::Accounts);
        assert_eq!(NameDigest::of_external_id(&key).to_string(), "d7ebb604bf897835");
    }

    #[test]
    fn a_digest_is_read_from_its_text_and_nothing_else() {
        assert_eq!("00000000000000ff".parse(), Ok(NameDigest::from_bytes([0, 0, 0, 0, 0, 0, 0, 255])));
        for text in ["", "0ff", "00000000000000FF", "00000000000000ff0", "+0000000000000ff"] {
            let error = text.parse::<NameDigest>().unwrap_err().to_string();
            assert!(error.ends_with("expected 16 lower-case hexadecimal digits"), "{error}");
        }
    }
}
