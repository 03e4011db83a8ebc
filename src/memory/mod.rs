//! Deciding with a memory: what was decided before comes in as a value, and goes out as one.
//!
//! [`decide`](crate::decide) infers what a profile has been sent from the times of its IDs and from what
//! merges state. Few pipelines can tell all that. Here the library is told instead: a [`Memory`] says
//! whether a profile is in a computation, since when, and for each deduping destination whether it is
//! *settled* in the running stay, so that no second message is due. It is a plain value, kept wherever the
//! caller keeps things. Nothing is kept here.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::BTreeMap;
//!
//! use idgroup::memory;
//! use idgroup::{Completeness, Destinations, Memory, MemoryKey, ProfileUpdate};
//!
//! let destinations: Destinations = serde_json::from_str(r#"[{"id":"sendgrid","dedupes_on":["email"]}]"#)?;
//! let update: ProfileUpdate = serde_json::from_str(
//!     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
//!         "membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},
//!         "external_ids":[{"type":"email","id":"a@example.com"}]}"#,
//! )?;
//! let recomputed: ProfileUpdate = serde_json::from_str(
//!     r#"{"id":"upd_2","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
//!         "membership":"in","computed_at":"2026-01-06T10:00:00Z","trigger":{"reason":"value_changed"},
//!         "external_ids":[{"type":"email","id":"a@example.com"}]}"#,
//! )?;
//!
//! let mut store: BTreeMap<MemoryKey, Vec<u8>> = BTreeMap::new();
//! for (update, messages) in [(&update, 1), (&recomputed, 0)] {
//!     let recalled = memory::keys(update, 0).try_recall(|key| match store.get(key) {
//!         Some(bytes) => Memory::from_bytes(bytes),
//!         None => Ok(Memory::default()),
//!     })?;
//!     let decision = memory::decide(recalled, &destinations, Completeness::Complete);
//!     for (key, memory) in decision.changed() {
//!         store.insert(*key, memory.to_bytes());
//!     }
//!     assert_eq!(decision.events().len(), messages); // sent once the memories are kept
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it takes
//!
//! One transaction reads an update's memories and keeps those that changed, before its events go out; or
//! events and memories are committed together. Updates come first in the order of a person's changes, and
//! again whenever. `docs/PROMISE.md` has every condition, and `docs/MEMORY.md` says how to keep memories.
//!
//! # The rules
//!
//! An update's time is its `computed_at`; without one, the nanosecond after all that its memory knows of.
//! Plain destinations are decided as ever. For the others:
//!
//! 1. An update older than the newest known change of standing is dropped as `superseded`, unless it is a
//!    repeat (6). Nothing changes.
//! 2. An exit, or a merge into a profile that is out, ends the stay; what is settled later stays so.
//! 3. An entry begins a stay if the profile was not in; if it was, the stay goes on.
//! 4. New external IDs say that the profile is in.
//! 5. A merge of profiles that were all out begins a stay. Any other goes on with the stay: what is settled
//!    for a profile that was in is settled, but for what that one had handed over to this profile.
//! 6. A destination that an update with this very id settled is sent the same IDs again, by their digests,
//!    so that the event has the same [`MessageId`](crate::MessageId): a *repeat*. Any other settled
//!    destination is dropped as `already_messaged`. One that is not settled is decided by the
//!    [table](crate#the-decision) without the checks that infer what has been sent; if it is sent
//!    something, it is settled.
//! 7. After a merge that goes on, the other profiles that were in are settled everywhere: they have handed
//!    over to this one.
//! 8. With [partial](crate::Completeness::Partial) memories, where a profile's standing is unknown: what the table
//!    would infer is assumed, and settles.

pub(crate) mod batch;
pub(crate) mod bytes;
pub(crate) mod decide;
pub(crate) mod explain;
mod grouping;
pub(crate) mod key;
mod outcome;
pub(crate) mod recalled;
mod repeat;
pub(crate) mod settled;
mod stay;
mod wire;

use alloc::vec::Vec;

use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::memory::settled::Settled;

pub use decide::{decide, decide_with};
pub use key::keys;

/// What is remembered of a profile in a computation: how it stands, and what it has been sent in the
/// running stay.
///
/// The default is what is remembered of a profile that nothing is known of. Once something is, it never
/// becomes unknown again: a memory changes, and is never to be removed because of what a decision said.
///
/// Kept as [`to_bytes`](Self::to_bytes), or in any format of serde: as an object in formats for people,
/// and as these bytes in binary ones. It holds no external ID, only digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// `None` while it is unknown.
    membership: Option<Membership>,
    /// Unknown where the membership is, and never while the profile is known to be out.
    since: Option<Timestamp>,
    /// By destination, each once.
    settled: Vec<Settled>,
}

/// What looking a destination up relies on.
const EACH_DESTINATION_ONCE: &str = "what is settled is sorted by destination, each once";

impl Memory {
    /// Whether the profile is in the computation; `None` if that is not known.
    pub fn membership(&self) -> Option<Membership> {
        self.membership
    }

    /// When the profile's membership changed last, as far as is known.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The destinations that are settled, by their digests.
    pub fn settled(&self) -> &[Settled] {
        &self.settled
    }

    /// How the destination with this id is settled, if it is. Costs a hash and a binary search.
    pub fn settled_for(&self, destination_id: &str) -> Option<&Settled> {
        self.settled_by_digest(NameDigest::of_destination(destination_id))
    }

    fn settled_by_digest(&self, destination: NameDigest) -> Option<&Settled> {
        let position = self.settled.binary_search_by_key(&destination, |known| known.destination).ok()?;
        self.settled.get(position)
    }
}
