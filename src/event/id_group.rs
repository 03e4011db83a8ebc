//! ID-group hashing: external IDs that go out together, under one hash.

use serde::Serialize;
use smallvec::SmallVec;

use crate::digest::{Beginning, Digest, GROUP_PREFIX, hex_id};
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::input::external_id::{Collection, ExternalId, ExternalIdKey};
use crate::input::profile_ids::ExternalIds;
use crate::input::update::ProfileUpdate;

/// External IDs that go out together, and their hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdGroup<'a> {
    hash: IdGroupHash,
    external_ids: SelectedIds<'a>,
}

/// The hash of a set of external IDs: the first 16 bytes of the SHA-256 of a fixed prefix and of
/// the IDs' identities, each length-prefixed, in the order of collection, type and id.
///
/// Depends on the set alone: not on times, encodings, or how the IDs came to be selected. Its text
/// form is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdGroupHash([u8; 16]);

/// The idempotency key of an event: the same on every redelivery of the same update, different for
/// every other update and every other set of IDs.
///
/// It does not name the destinations: an update that is delivered again after they, or the rollout,
/// were changed can have an event with the same id and other destinations. A receiver that serves
/// several destinations drops repeats for each of them on its own, by
/// [`OutboundMessage::delivery_key`](crate::OutboundMessage::delivery_key).
///
/// Its text form is 36 characters long, `idg_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl IdGroupHash {
    /// Of a group that has one ID only.
    pub(crate) fn of_only(key: &ExternalIdKey) -> Self {
        hash_of([key].into_iter())
    }
}

impl<'a> IdGroup<'a> {
    pub(crate) fn new(ids: &'a ExternalIds, positions: Positions) -> Self {
        Self::with_hash(hash(ids, &positions), SelectedIds::new(ids.as_slice(), positions))
    }

    /// These IDs, of which the hash is known.
    pub(crate) fn with_hash(hash: IdGroupHash, external_ids: SelectedIds<'a>) -> Self {
        Self { hash, external_ids }
    }

    /// The hash of the IDs.
    pub fn hash(&self) -> IdGroupHash {
        self.hash
    }

    /// The IDs.
    pub fn external_ids(&self) -> &SelectedIds<'a> {
        &self.external_ids
    }
}

fn hash(ids: &ExternalIds, positions: &Positions) -> IdGroupHash {
    let key_at = |position: &usize| ids.as_slice().get(*position).map(ExternalId::key);
    match positions {
        Positions::All => hash_of(ids.by_identity().map(ExternalId::key)),
        // Most destinations that dedupe do so on one type.
        Positions::Some(positions) if positions.len() == 1 => hash_of(positions.iter().filter_map(key_at)),
        Positions::Some(positions) => {
            let mut keys: SmallVec<[&ExternalIdKey; 8]> = positions.iter().filter_map(key_at).collect();
            keys.sort_unstable();
            hash_of(keys.into_iter())
        }
    }
}

/// The hash of these IDs, in whatever order they are listed.
pub(crate) fn hash_of_ids(ids: &[ExternalId]) -> IdGroupHash {
    let mut keys: SmallVec<[&ExternalIdKey; 8]> = ids.iter().map(ExternalId::key).collect();
    keys.sort_unstable();
    hash_of(keys.into_iter())
}

fn hash_of<'k>(by_identity: impl Iterator<Item = &'k ExternalIdKey>) -> IdGroupHash {
    IdGroupHash(Digest::first_half_of(GROUP_PREFIX, |digest| {
        by_identity.for_each(|key| hash_identity(digest, key));
    }))
}

/// Collection, type and id.
#[inline]
pub(crate) fn hash_identity(digest: &mut Digest, key: &ExternalIdKey) {
    let texts = [key.id_type(), key.id()];
    // Each of a known length, which takes no call to copy.
    match key.collection() {
        Collection::Accounts => digest.bytes_and_texts(b"\0\0\0\x08accounts", texts),
        Collection::Users => digest.bytes_and_texts(b"\0\0\0\x05users", texts),
    };
}

/// What all message ids of one update have in common, hashed once.
pub(crate) struct MessageIds(Beginning);

impl MessageIds {
    #[inline]
    pub(crate) fn of(update: &ProfileUpdate) -> Self {
        Self::new([update.space_id(), update.computation().id(), update.profile_id(), update.id()])
    }

    /// Of a space, a computation, a profile and an update, by their ids.
    #[inline]
    pub(crate) fn new(ids: [&str; 4]) -> Self {
        Self(Digest::beginning_of("idgroup/message/1", |digest| _ = digest.bytes_and_texts(b"", ids)))
    }

    pub(crate) fn for_group(&self, group: IdGroupHash) -> MessageId {
        MessageId(self.0.first_half_with(&group.0))
    }
}

hex_id!(IdGroupHash, "", u128);
hex_id!(MessageId, "idg_", u128);

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::*;
    use crate::build::entry_of;

    fn users(id_type: &str, id: &str) -> ExternalIdKey {
        ExternalIdKey::new(id_type, id).unwrap()
    }

    fn accounts(id_type: &str, id: &str) -> ExternalIdKey {
        users(id_type, id).with_collection(Collection::Accounts)
    }

    fn hash(keys: &[ExternalIdKey]) -> String {
        let ids = ExternalIds::new(keys.iter().cloned().map(ExternalId::from).collect());
        IdGroup::new(&ids, Positions::All).hash().to_string()
    }

    // The vectors come from `printf '<bytes>' | sha256sum | cut -c1-32`; the bytes are above each.

    #[test]
    fn hashes_are_those_of_sha256sum() {
        // idgroup/1\0\0\0\5users\0\0\0\5email\0\0\0\015a@example.com
        assert_eq!(hash(&[users("email", "a@example.com")]), "5be25c1a6b84a5517960b3dccb164a07");
        // idgroup/1\0\0\0\10accounts\0\0\0\10group_id\0\0\0\2g1\0\0\0\5users\0\0\0\5email\0\0\0\1a
        //          \0\0\0\5users\0\0\0\5email\0\0\0\2\303\237
        let three = [users("email", "ß"), users("email", "a"), accounts("group_id", "g1")];
        assert_eq!(hash(&three), "28517e1c2ddb3c61ddb93555f8cb907b");
        // idgroup/1
        assert_eq!(hash(&[]), "0a98dbd9ee961f809f28d027dc16dd10");
    }

    #[test]
    fn message_ids_are_those_of_sha256sum() {
        let ids = ExternalIds::new(Vec::from([users("email", "a@example.com").into()]));
        let message_id = MessageIds::of(&entry_of([])).for_group(IdGroup::new(&ids, Positions::All).hash());
        // idgroup/message/1\0\0\0\5spa_1\0\0\0\5aud_1\0\0\0\5use_1\0\0\0\5upd_1
        //                  \x5b\xe2\x5c\x1a\x6b\x84\xa5\x51\x79\x60\xb3\xdc\xcb\x16\x4a\x07
        assert_eq!(message_id.to_string(), "idg_3771694d8d6c85a11889865dff2819b1");
        assert_eq!(message_id.as_bytes()[..3], [0x37, 0x71, 0x69]);
    }

    #[test]
    fn a_set_has_one_hash_however_it_was_selected() {
        // By type, `accounts` comes after `users` here; by identity it comes first.
        let keys = [users("email", "a"), accounts("phone", "1")];
        let ids = ExternalIds::new(keys.iter().cloned().map(ExternalId::from).collect());
        let (selected, all) =
            (IdGroup::new(&ids, Positions::of(0..2, ids.as_slice())), IdGroup::new(&ids, Positions::All));
        assert_eq!(selected, all);

        let one = ExternalIds::new(Vec::from([users("email", "a").into()]));
        assert_eq!(
            IdGroup::new(&one, Positions::of(0..1, one.as_slice())),
            IdGroup::new(&one, Positions::All)
        );
        assert_ne!(IdGroup::new(&ids, Positions::of(0..1, ids.as_slice())), all);
    }

    #[test]
    fn lengths_keep_neighbouring_texts_apart() {
        assert_ne!(hash(&[users("ab", "c")]), hash(&[users("a", "bc")]));
        assert_ne!(hash(&[users("a", "b")]), hash(&[accounts("a", "b")]));
    }

    #[test]
    fn leading_zeros_are_written() {
        assert_eq!(IdGroupHash([0; 16]).to_string(), "00000000000000000000000000000000");
        assert_eq!(MessageId([0; 16]).to_string(), "idg_00000000000000000000000000000000");
        assert_eq!(IdGroupHash([7; 16]).as_bytes(), &[7; 16]);
    }
}
