//! The `messageId` of a call, by which whoever receives it drops repeats.

use alloc::vec::Vec;

use crate::digest::{Beginning, Digest, hex_id};
use crate::event::id_group::{MessageId, hash_identity};
use crate::input::external_id::{Collection, ExternalId, ExternalIdKey};
use crate::segment::settings::CallType;

/// The `messageId` of a call: different for every other call, and the same whenever the same update
/// is delivered again, also if other destinations came or went meanwhile.
///
/// Its text form is 32 hexadecimal digits, without a prefix: what receivers with the narrowest
/// rules take as an id of an event.
///
/// It is the first half of the SHA-256 of `idgroup/segment/1`, the 16 bytes of the event's message
/// id, the type of the call, the id of its destination (empty where destinations share the call) and
/// the call's external IDs, in the order of collection, type and id; each text with its length in
/// front, as four bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId([u8; 16]);

/// What the ids of all calls of one event to the same receivers have in common, hashed once.
#[derive(Clone)]
pub(super) struct CallIds(Beginning);

hex_id!(CallId, "", u128);

impl CallIds {
    /// `destination` is `None` where destinations share the calls.
    pub(super) fn new(event: MessageId, call: CallType, destination: Option<&str>) -> Self {
        Self(Digest::beginning_of("idgroup/segment/1", |digest| {
            digest.bytes(event.as_bytes()).text(call.as_str()).text(destination.unwrap_or_default());
        }))
    }

    /// `by_type` has one ID of each type.
    pub(super) fn of_combination<'i>(
        &self,
        by_type: &(impl Iterator<Item = &'i ExternalId> + Clone),
    ) -> CallId {
        CallId(self.0.first_half_of(|digest| {
            // By collection first: with one ID of each type, what is by type is then by identity.
            for collection in [Collection::Accounts, Collection::Users] {
                let of_collection = by_type.clone().filter(|id| id.collection() == collection);
                of_collection.for_each(|id| hash_identity(digest, id.key()));
            }
        }))
    }

    /// Costs a sort of the IDs.
    pub(super) fn of_list<'i>(&self, ids: impl Iterator<Item = &'i ExternalId>) -> CallId {
        let mut keys: Vec<&ExternalIdKey> = ids.map(ExternalId::key).collect();
        keys.sort_unstable();
        CallId(self.0.first_half_of(|digest| keys.iter().for_each(|key| hash_identity(digest, key))))
    }
}
