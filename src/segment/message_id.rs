//! The `messageId` of a call, by which whoever receives it drops repeats.

use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::settings::CallType;
use super::text::hexadecimal;
use crate::id_group::{first_half, update_prefixed as prefixed};
use crate::{Collection, ExternalIdKey, MessageId};

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
pub(super) struct CallIds(Sha256);

impl CallIds {
    /// `destination` is `None` where destinations share the calls.
    pub(super) fn new(event: MessageId, call: CallType, destination: Option<&str>) -> Self {
        let mut hash = Sha256::new_with_prefix("idgroup/segment/1");
        hash.update(event.as_bytes());
        prefixed(&mut hash, call.as_str());
        prefixed(&mut hash, destination.unwrap_or_default());
        Self(hash)
    }

    /// `by_type` are IDs of different types, in the order of their types.
    pub(super) fn of_combination<'k>(
        &self,
        by_type: &(impl Iterator<Item = &'k ExternalIdKey> + Clone),
    ) -> CallId {
        // The order of collections, and within one that of types, which is by identity then.
        let in_collection = |collection| by_type.clone().filter(move |key| key.collection() == collection);
        self.of_sorted(in_collection(Collection::Accounts).chain(in_collection(Collection::Users)))
    }

    /// Costs a sort of the IDs.
    pub(super) fn of_list<'k>(&self, keys: impl Iterator<Item = &'k ExternalIdKey>) -> CallId {
        let mut sorted: Vec<&ExternalIdKey> = keys.collect();
        sorted.sort_unstable();
        self.of_sorted(sorted.into_iter())
    }

    fn of_sorted<'k>(&self, keys: impl Iterator<Item = &'k ExternalIdKey>) -> CallId {
        let mut hash = self.0.clone();
        for key in keys {
            for part in [key.collection().as_str(), key.id_type(), key.id()] {
                prefixed(&mut hash, part);
            }
        }
        CallId(first_half(hash))
    }
}

impl CallId {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(hexadecimal(&self.0).as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hexadecimal(&self.0).as_str())
    }
}
