//! An update with the memories that a decision about it needs, and the few ways in which they change.

use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::MergedProfile;
use crate::input::update::ProfileUpdate;
use crate::memory::key::MemoryKey;
use crate::memory::outcome::Settling;
use crate::memory::repeat::IdDigests;
use crate::memory::settled::Settled;
use crate::memory::{EACH_DESTINATION_ONCE, Memory};

/// An update with the memories that a decision about it needs. Made by
/// [`MemoryKeys::recall`](crate::MemoryKeys::recall), so that no memory can be taken for another's.
#[derive(Clone, Debug)]
#[must_use = "decide with it"]
pub struct Recalled<'a> {
    pub(super) update: &'a ProfileUpdate,
    pub(super) own: Kept,
    /// By profile id.
    pub(super) others: Vec<Other<'a>>,
}

/// A memory as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) key: MemoryKey,
    pub(super) memory: Memory,
    pub(super) changed: bool,
}

/// A profile beside the update's own that a merge states.
#[derive(Clone, Debug)]
pub(super) struct Other<'a> {
    pub(super) profile: &'a MergedProfile,
    pub(super) kept: Kept,
}

/// The updates whose messages a memory knows no more, by digest.
pub(super) type Forgotten = SmallVec<[NameDigest; 2]>;

impl<'a> Recalled<'a> {
    /// The update.
    pub fn update(&self) -> &'a ProfileUpdate {
        self.update
    }

    /// The memory of the update's own profile.
    pub fn own(&self) -> &Memory {
        &self.own.memory
    }
}

impl Other<'_> {
    pub(super) fn was_member(&self) -> bool {
        self.profile.membership() == Membership::In
    }
}

impl Kept {
    pub(super) fn new(key: MemoryKey, memory: Memory) -> Self {
        Self { key, memory, changed: false }
    }

    /// The profile is in, since whenever it was known to be.
    pub(super) fn is_in(&mut self) {
        self.changed |= self.memory.membership != Some(Membership::In);
        self.memory.membership = Some(Membership::In);
    }

    /// The profile's standing changed.
    pub(super) fn stands(&mut self, membership: Membership, since: Timestamp) {
        let standing = (Some(membership), Some(since));
        self.changed |= (self.memory.membership, self.memory.since) != standing;
        (self.memory.membership, self.memory.since) = standing;
    }

    /// What is settled stays so only where its time is one that `stays`.
    pub(super) fn settled_stays_where(
        &mut self,
        stays: impl Fn(Timestamp) -> bool,
        forgotten: &mut Forgotten,
    ) {
        let before = self.memory.settled.len();
        self.memory.settled.retain(|settled| {
            let stays = stays(settled.at);
            if let (false, Some(message)) = (stays, settled.message()) {
                forgotten.push(message.update);
            }
            stays
        });
        self.changed |= self.memory.settled.len() != before;
    }

    /// Settles those of these destinations, each given once, that are not settled.
    pub(super) fn settle(&mut self, new: impl Iterator<Item = Settled>) {
        let known = self.memory.settled.len();
        for settled in new {
            let known = self.memory.settled.get(..known).unwrap_or_default();
            if known.binary_search_by_key(&settled.destination, |known| known.destination).is_err() {
                self.memory.settled.push(settled);
            }
        }
        self.sort_after(known);
    }

    /// Settles the destinations that are sent something for the first time, of which none is settled.
    pub(super) fn settle_first_messages(&mut self, settling: &Settling<'_, '_>, digests: &mut IdDigests<'_>) {
        let known = self.memory.settled.len();
        settling.add_to(&mut self.memory.settled, digests);
        self.sort_after(known);
    }

    fn sort_after(&mut self, known: usize) {
        if self.memory.settled.len() > known {
            self.memory.settled.sort_by_key(|settled| settled.destination);
            // Of two destinations with one digest the first stays.
            self.memory.settled.dedup_by_key(|settled| settled.destination);
            self.changed = true;
        }
        debug_assert!(
            self.memory.settled.is_sorted_by(|a, b| a.destination < b.destination),
            "{EACH_DESTINATION_ONCE}"
        );
    }
}
