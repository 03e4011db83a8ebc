//! The external IDs of a profile, each once, in the two orders that decisions need.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use crate::ExternalId;

/// IDs sorted by type and, within a type, from latest to earliest, with the order of their
/// identities beside it: sorted once, when the update comes in, and not once per destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExternalIds {
    latest_first: Box<[ExternalId]>,
    /// Positions in `latest_first`, by collection, type and id.
    by_identity: Box<[usize]>,
}

impl ExternalIds {
    /// An identity that is listed twice counts once. Costs a sort of the IDs.
    pub(crate) fn new(mut ids: Vec<ExternalId>) -> Self {
        // Stable, so that the first of two repeats, whose encoding stays, comes first.
        ids.sort_by(|a, b| a.key().cmp(b.key()));
        ids.dedup_by(|repeat, first| {
            let same = repeat.key() == first.key();
            if same {
                first.merge_repeat(repeat);
            }
            same
        });
        let mut ranked: Vec<(usize, ExternalId)> = ids.into_iter().enumerate().collect();
        ranked.sort_unstable_by(|(_, a), (_, b)| a.id_type().cmp(b.id_type()).then_with(|| b.cmp_latest(a)));
        let mut by_identity: Box<[usize]> = ranked.iter().map(|_| 0).collect();
        for (position, (identity_rank, _)) in ranked.iter().enumerate() {
            if let Some(slot) = by_identity.get_mut(*identity_rank) {
                *slot = position;
            }
        }
        Self { latest_first: ranked.into_iter().map(|(_, id)| id).collect(), by_identity }
    }

    /// By type and, within a type, from latest to earliest.
    pub(crate) fn as_slice(&self) -> &[ExternalId] {
        &self.latest_first
    }

    /// The IDs of each type, from latest to earliest, by type.
    pub(crate) fn by_type(&self) -> impl Iterator<Item = &[ExternalId]> {
        self.latest_first.chunk_by(|a, b| a.id_type() == b.id_type())
    }

    /// By collection, type and id.
    pub(crate) fn by_identity(&self) -> impl Iterator<Item = &ExternalId> {
        self.by_identity.iter().filter_map(|&position| self.latest_first.get(position))
    }
}

impl Serialize for ExternalIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}
