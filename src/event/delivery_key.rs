//! Delivery keys: what a receiver remembers of one message to one destination.

use crate::digest::{Digest, hex_id};
use crate::event::id_group::{MessageId, hash_identity};
use crate::input::external_id::{Collection, ExternalId};

/// The idempotency key of one outbound message to one destination: the same on every redelivery,
/// different for every other event, combination of external IDs and destination.
///
/// It is the first 16 bytes of the SHA-256 of a fixed prefix, the event's [`MessageId`], the
/// destination's id and the combination's identities. Its text form is 32 hexadecimal digits without
/// a prefix, so that it fits wherever a vendor takes idempotency keys: Mixpanel's `$insert_id`, for
/// one, takes at most 36 letters, digits and hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey([u8; 16]);

hex_id!(DeliveryKey, "", u128);

impl DeliveryKey {
    /// `by_type` has one ID of each type.
    pub(crate) fn new<'i>(
        message_id: MessageId,
        destination_id: &str,
        by_type: &(impl Iterator<Item = &'i ExternalId> + Clone),
    ) -> Self {
        Self(Digest::first_half_of("idgroup/delivery/1", |digest| {
            digest.bytes(message_id.as_bytes()).text(destination_id);
            // By collection first: with one ID of each type, what is by type is then by identity.
            for collection in [Collection::Accounts, Collection::Users] {
                let of_collection = by_type.clone().filter(|id| id.collection() == collection);
                of_collection.for_each(|id| hash_identity(digest, id.key()));
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn keys_are_those_of_sha256sum() {
        let id = |id_type, id| ExternalId::new(id_type, id).unwrap();
        let ids = [id("email", "a"), id("group_id", "g").with_collection(Collection::Accounts)];
        let key = DeliveryKey::new(MessageId::from_bytes([7; 16]), "dst_1", &ids.iter());
        // printf 'idgroup/delivery/1\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\0\0\0\5dst_1'\
        //   '\0\0\0\10accounts\0\0\0\10group_id\0\0\0\1g'\
        //   '\0\0\0\5users\0\0\0\5email\0\0\0\1a' | sha256sum | cut -c1-32
        assert_eq!(key.to_string(), "9c555930fc27981f49585f899b40d75c");
    }
}
