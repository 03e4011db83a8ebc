//! ID-group hashing: external IDs that go out together, under one hash.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::iter;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::external_id::Outbound;
use crate::external_ids::ExternalIds;
use crate::{ExternalId, ExternalIdKey, ProfileUpdate};

/// External IDs that go out together, and their hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdGroup<'a> {
    hash: IdGroupHash,
    external_ids: SelectedIds<'a>,
}

/// A set of an update's external IDs: by type and, within a type, from latest to earliest.
///
/// Borrows the IDs from the update. Two are equal if they hold equal IDs.
#[derive(Clone)]
pub struct SelectedIds<'a>(Selection<'a>);

#[derive(Clone)]
enum Selection<'a> {
    All(&'a ExternalIds),
    /// What most messaging destinations send to; kept apart because it needs no allocation.
    One(&'a ExternalId),
    Some(Box<[&'a ExternalId]>),
}

/// The hash of a set of external IDs: the first 16 bytes of the SHA-256 of a fixed prefix and of
/// the IDs' identities, each length-prefixed, in the order of collection, type and id.
///
/// Depends on the set alone: not on times, encodings, or how the IDs came to be selected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdGroupHash([u8; 16]);

/// The idempotency key of an event: the same on every redelivery of the same update, different for
/// every other update and every other set of IDs.
///
/// It does not name the destinations: an update that is delivered again after they, or the rollout,
/// were changed can have an event with the same id and other destinations. A receiver that serves
/// several destinations drops repeats for each of them on its own.
///
/// Its text form is 36 characters long, `idg_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl<'a> IdGroup<'a> {
    pub(crate) fn new(external_ids: SelectedIds<'a>) -> Self {
        Self { hash: external_ids.hash(), external_ids }
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

impl<'a> SelectedIds<'a> {
    pub(crate) fn all(ids: &'a ExternalIds) -> Self {
        Self(Selection::All(ids))
    }

    pub(crate) fn none() -> Self {
        Self(Selection::Some(Box::default()))
    }

    /// `ids` are of different types, in the order of their types.
    pub(crate) fn one_of_each_type(mut ids: impl Iterator<Item = &'a ExternalId> + Clone) -> Self {
        let all = ids.clone();
        match (ids.next(), ids.next()) {
            (Some(only), None) => Self(Selection::One(only)),
            _ => Self(Selection::Some(all.collect())),
        }
    }

    /// How many IDs there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Selection::All(ids) => ids.as_slice().len(),
            Selection::One(_) => 1,
            Selection::Some(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ID at `position`.
    pub fn get(&self, position: usize) -> Option<&'a ExternalId> {
        match &self.0 {
            Selection::All(ids) => ids.as_slice().get(position),
            Selection::One(only) => (position == 0).then_some(only),
            Selection::Some(ids) => ids.get(position).copied(),
        }
    }

    /// The IDs, by type and, within a type, from latest to earliest.
    pub fn iter(&self) -> impl Iterator<Item = &'a ExternalId> + Clone + '_ {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// How many ways there are to take one ID of each type: 0 without IDs; [`u64::MAX`] if there are
    /// that many or more.
    pub fn combinations(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        self.lengths_by_type().fold(1, |count: u64, length| count.saturating_mul(length as u64))
    }

    /// How many IDs there are of each type, by type.
    pub(crate) fn lengths_by_type(&self) -> impl Iterator<Item = usize> + '_ {
        let mut ids = self.iter().peekable();
        iter::from_fn(move || {
            let id_type = ids.next()?.id_type();
            let others = iter::from_fn(|| ids.next_if(|id| id.id_type() == id_type)).count();
            Some(others.saturating_add(1))
        })
    }

    fn hash(&self) -> IdGroupHash {
        match &self.0 {
            Selection::All(ids) => hash_of(ids.by_identity().map(ExternalId::key)),
            Selection::One(only) => hash_of([only.key()].into_iter()),
            // By type is by identity already, unless the collections differ.
            Selection::Some(ids) if ids.is_sorted_by_key(|id| id.key()) => {
                hash_of(ids.iter().map(|id| id.key()))
            }
            Selection::Some(ids) => {
                let mut keys: Vec<&ExternalIdKey> = ids.iter().map(|id| id.key()).collect();
                keys.sort_unstable();
                hash_of(keys.into_iter())
            }
        }
    }
}

fn hash_of<'k>(by_identity: impl Iterator<Item = &'k ExternalIdKey>) -> IdGroupHash {
    let mut hash = Sha256::new_with_prefix("idgroup/1");
    for key in by_identity {
        for part in [key.collection().as_str(), key.id_type(), key.id()] {
            update_prefixed(&mut hash, part);
        }
    }
    IdGroupHash(first_half(hash))
}

/// What all message ids of one update have in common, hashed once.
pub(crate) struct MessageIds(Sha256);

impl MessageIds {
    pub(crate) fn of(update: &ProfileUpdate) -> Self {
        let mut hash = Sha256::new_with_prefix("idgroup/message/1");
        for part in [update.space_id(), update.computation().id(), update.profile_id(), update.id()] {
            update_prefixed(&mut hash, part);
        }
        Self(hash)
    }

    pub(crate) fn for_group(&self, group: IdGroupHash) -> MessageId {
        MessageId(first_half(self.0.clone().chain_update(group.0)))
    }
}

/// The length of the text in bytes, as four bytes with the highest first, and the text.
pub(crate) fn update_prefixed(hash: &mut Sha256, text: &str) {
    // No text of 4 GiB has ever been parsed into memory next to its update.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(text);
}

pub(crate) fn first_half(hash: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    half
}

impl IdGroupHash {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl MessageId {
    /// The bytes, without the `idg_` of the text form.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for SelectedIds<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SelectedIds<'_> {}

impl fmt::Debug for SelectedIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Display for IdGroupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for IdGroupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "idg_{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for IdGroupHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SelectedIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Outbound))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::{Collection, Computation, Membership, Trigger};

    fn users(id_type: &str, id: &str) -> ExternalIdKey {
        ExternalIdKey::new(id_type, id).unwrap()
    }

    fn accounts(id_type: &str, id: &str) -> ExternalIdKey {
        users(id_type, id).with_collection(Collection::Accounts)
    }

    fn hash(keys: &[ExternalIdKey]) -> String {
        let ids = ExternalIds::new(keys.iter().cloned().map(ExternalId::from).collect());
        IdGroup::new(SelectedIds::all(&ids)).hash().to_string()
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
        let update = ProfileUpdate::builder()
            .id("upd_1")
            .space_id("spa_1")
            .profile_id("use_1")
            .computation(Computation::new("aud_1").unwrap())
            .membership(Membership::In)
            .trigger(Trigger::ValueChanged)
            .build()
            .unwrap();
        let message_id = MessageIds::of(&update).for_group(SelectedIds::all(&ids).hash());
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
        let selected = SelectedIds::one_of_each_type(ids.as_slice().iter());
        assert_eq!(selected, SelectedIds::all(&ids));
        assert_eq!(selected.hash(), SelectedIds::all(&ids).hash());

        let one = ExternalIds::new(Vec::from([users("email", "a").into()]));
        let selected = SelectedIds::one_of_each_type(one.as_slice().iter());
        assert_eq!(selected.hash(), SelectedIds::all(&one).hash());
        assert_eq!((selected.len(), selected.get(1), selected.is_empty()), (1, None, false));
        assert!(SelectedIds::none().is_empty());
        assert_ne!(selected, SelectedIds::none());
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
