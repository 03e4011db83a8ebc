//! Digests of names: what memories know destinations, updates, profiles and external IDs by.

use crate::digest::{Digest, GROUP_PREFIX, hex_id};
use crate::input::external_id::ExternalIdKey;

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
#[repr(align(8))] // compared and copied as a word, wherever it lies
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
        let hash = Digest::first_half_of(prefix, |digest| {
            for text in texts {
                digest.text(text);
            }
        });
        Self(hash.first_chunk().copied().unwrap_or_default())
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
