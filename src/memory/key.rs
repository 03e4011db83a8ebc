//! Keys: under what memories are kept, and which of them an update needs.

use core::convert::Infallible;
use core::iter::FusedIterator;
use core::slice;

use smallvec::SmallVec;

use crate::digest::{Digest, hex_id};
use crate::input::trigger::{MergedProfile, Trigger};
use crate::input::update::ProfileUpdate;
use crate::memory::Memory;
use crate::memory::recalled::{Kept, Other, Recalled};

/// The key of a memory: 16 bytes, fit for any store of keys and values.
///
/// The first 16 bytes of the SHA-256 of a fixed prefix, the space's, the computation's and the profile's
/// id, each length-prefixed, and the epoch. Its text form is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryKey([u8; 16]);

hex_id!(MemoryKey, "", u128);

impl MemoryKey {
    /// The key of a profile's memory in a computation, by their ids: to find it where no update is at
    /// hand, as for erasing it.
    pub fn new(space_id: &str, computation_id: &str, profile_id: &str, epoch: u64) -> Self {
        Self(Digest::first_half_of("idgroup/memory/1", |digest| {
            digest.text(space_id).text(computation_id).text(profile_id).bytes(&epoch.to_be_bytes());
        }))
    }
}

/// The keys of the memories that a decision about this update needs: that of its own profile, and for a
/// merge those of the other profiles that it states. Costs a hash for each.
///
/// The epoch is the caller's: memories of another one are not found, as if there were none. It has to rise
/// whenever memories have missed updates, as when a rollout's share is lowered; those of a new epoch are
/// [partial](crate::Completeness::Partial).
pub fn keys(update: &ProfileUpdate, epoch: u64) -> MemoryKeys<'_> {
    let key_of = |profile_id| MemoryKey::new(update.space_id(), update.computation().id(), profile_id, epoch);
    let others = others(update).map(|profile| (profile, key_of(profile.profile_id()))).collect();
    MemoryKeys { update, own: key_of(update.profile_id()), others }
}

/// The profiles beside the update's own that a merge states, by id.
fn others(update: &ProfileUpdate) -> impl Iterator<Item = &MergedProfile> {
    let profiles = match update.trigger() {
        Trigger::ProfileMerge(profiles) => profiles.as_slice(),
        _ => &[],
    };
    profiles.iter().filter(|profile| profile.profile_id() != update.profile_id())
}

/// The keys of the memories that a decision about an update needs. Made by [`keys`].
#[derive(Clone, Debug)]
#[must_use = "recall their memories"]
pub struct MemoryKeys<'a> {
    update: &'a ProfileUpdate,
    own: MemoryKey,
    others: SmallVec<[(&'a MergedProfile, MemoryKey); 1]>,
}

/// The keys of [`MemoryKeys`], one after the other.
#[derive(Clone, Debug)]
pub struct MemoryKeysIter<'k, 'a> {
    own: Option<MemoryKey>,
    others: slice::Iter<'k, (&'a MergedProfile, MemoryKey)>,
}

impl<'a> MemoryKeys<'a> {
    /// The keys, at least one: that of the update's own profile, then those of the other profiles of a
    /// merge, by profile id.
    pub fn iter(&self) -> MemoryKeysIter<'_, 'a> {
        MemoryKeysIter { own: Some(self.own), others: self.others.iter() }
    }

    /// The update with its memories: `memory_of` is asked for each key once, in order, and answers with
    /// [`Memory::default`] where none is kept.
    pub fn recall(self, mut memory_of: impl FnMut(&MemoryKey) -> Memory) -> Recalled<'a> {
        match self.try_recall(|key| Ok::<_, Infallible>(memory_of(key))) {
            Ok(recalled) => recalled,
            Err(never) => match never {},
        }
    }

    /// The update with its memories, where asking for one can fail.
    ///
    /// # Errors
    ///
    /// The first error of `memory_of`.
    pub fn try_recall<E>(
        self,
        mut memory_of: impl FnMut(&MemoryKey) -> Result<Memory, E>,
    ) -> Result<Recalled<'a>, E> {
        let own = Kept::new(self.own, memory_of(&self.own)?);
        let others = self
            .others
            .into_iter()
            .map(|(profile, key)| Ok(Other { profile, kept: Kept::new(key, memory_of(&key)?) }));
        Ok(Recalled { update: self.update, own, others: others.collect::<Result<_, E>>()? })
    }
}

impl Iterator for MemoryKeysIter<'_, '_> {
    type Item = MemoryKey;

    fn next(&mut self) -> Option<MemoryKey> {
        self.own.take().or_else(|| self.others.next().map(|&(_, key)| key))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.others.len().saturating_add(usize::from(self.own.is_some()));
        (left, Some(left))
    }
}

impl ExactSizeIterator for MemoryKeysIter<'_, '_> {}

impl FusedIterator for MemoryKeysIter<'_, '_> {}

impl<'k, 'a> IntoIterator for &'k MemoryKeys<'a> {
    type Item = MemoryKey;
    type IntoIter = MemoryKeysIter<'k, 'a>;

    fn into_iter(self) -> MemoryKeysIter<'k, 'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;
    use crate::input::membership::Membership;
    use crate::input::update::Computation;

    fn update(trigger: Trigger) -> ProfileUpdate {
        let update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_2");
        let computation = Computation::new("aud_1").unwrap();
        update.computation(computation).membership(Membership::In).trigger(trigger).build().unwrap()
    }

    #[test]
    fn keys_are_those_of_sha256sum() {
        // printf 'idgroup/memory/1\0\0\0\5spa_1\0\0\0\5aud_1\0\0\0\5use_1\0\0\0\0\0\0\1\2' | sha256sum
        assert_eq!(
            MemoryKey::new("spa_1", "aud_1", "use_1", 258).to_string(),
            "51db098352a39e92b7c9fd27d991775a"
        );
    }

    #[test]
    fn an_update_needs_its_own_memory_and_those_of_merged_profiles() {
        let of = |profile_id| MemoryKey::new("spa_1", "aud_1", profile_id, 7);
        let keys_of = |trigger| keys(&update(trigger), 7).iter().collect::<Vec<_>>();
        assert_eq!(keys_of(Trigger::ValueChanged), [of("use_2")]);
        let stated = |id| MergedProfile::new(id, Membership::Out).unwrap();
        let merge = Trigger::profile_merge(["use_3", "use_2", "use_1"].map(stated)).unwrap();
        assert_eq!(keys_of(merge.clone()), [of("use_2"), of("use_1"), of("use_3")]);

        let merge = update(merge);
        let keys = keys(&merge, 7);
        let mut left = keys.iter();
        for (gone, key) in (&keys).into_iter().enumerate() {
            assert_eq!(left.len(), 3 - gone);
            assert_eq!(left.next(), Some(key));
        }
        assert_eq!((left.len(), left.next()), (0, None));
    }

    #[test]
    fn another_epoch_has_other_keys() {
        let update = update(Trigger::ValueChanged);
        assert_ne!(keys(&update, 0).iter().next(), keys(&update, 1).iter().next());
    }

    #[test]
    fn the_first_error_of_asking_is_handed_on() {
        let update = update(Trigger::ValueChanged);
        assert_eq!(keys(&update, 0).try_recall(|_| Err::<Memory, _>("no store")).unwrap_err(), "no store");
    }
}
