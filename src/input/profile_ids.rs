//! The external IDs of a profile, each once, in the two orders that decisions need.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use crate::input::external_id::ExternalId;

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

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::input::external_id::Collection;
    use crate::input::timestamp::Timestamp;

    fn id(id_type: &str, id: &str) -> ExternalId {
        ExternalId::new(id_type, id).unwrap()
    }

    fn at(second: i128) -> Timestamp {
        Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap()
    }

    #[track_caller]
    fn assert_order(ids: &[ExternalId], latest_first: &str, by_identity: &str) {
        let join = |ids: &mut dyn Iterator<Item = &ExternalId>| {
            ids.map(ExternalId::id).collect::<Vec<_>>().join(" ")
        };
        let forwards = ExternalIds::new(ids.to_vec());
        let backwards = ExternalIds::new(ids.iter().rev().cloned().collect());
        for ids in [forwards, backwards] {
            assert_eq!(join(&mut ids.as_slice().iter()), latest_first);
            assert_eq!(join(&mut ids.by_identity()), by_identity);
        }
    }

    #[test]
    fn are_by_type_and_from_latest_to_earliest() {
        let early = id("email", "early").with_created_at(at(1));
        let late = id("email", "late").with_created_at(at(2));
        let unknown = id("email", "unknown");
        assert_order(&[early.clone(), late, unknown], "late early unknown", "early late unknown");
        let phone = id("phone", "1").with_created_at(at(9));
        assert_order(&[phone, early], "early 1", "early 1");
    }

    #[test]
    fn ties_go_to_the_greatest_identity() {
        assert_order(&[id("email", "a"), id("email", "b")], "b a", "a b");
        let account = id("email", "z").with_collection(Collection::Accounts);
        assert_order(&[account, id("email", "a")], "a z", "z a");
    }

    #[test]
    fn when_an_id_came_does_not_make_it_later() {
        let brought = id("email", "a").with_created_at(at(1)).with_attached_at(at(9));
        assert_order(&[brought, id("email", "b").with_created_at(at(2))], "b a", "a b");
    }

    #[test]
    fn repeats_count_once_with_the_earliest_known_times_and_the_first_encoding() {
        let merged = |ids: &[ExternalId]| {
            let ids = ExternalIds::new(ids.to_vec());
            assert_eq!(ids.as_slice().len(), 1);
            let id = &ids.as_slice()[0];
            (String::from(id.encoding()), id.created_at(), id.attached_at())
        };
        let plain = id("email", "a");
        let seen = |second| plain.clone().with_created_at(at(second));
        assert_eq!(
            merged(&[plain.clone().with_encoding("sha256"), seen(3), seen(2).with_encoding("md5"), seen(4)]),
            ("sha256".into(), Some(at(2)), Some(at(2))),
        );
        // The default of one repeat does not beat what another knows.
        let came = plain.clone().with_attached_at(at(5));
        assert_eq!(merged(&[seen(1), came]), ("none".into(), Some(at(1)), Some(at(5))));
    }

    #[test]
    fn each_type_is_one_run() {
        let ids = ExternalIds::new(Vec::from([id("phone", "1"), id("email", "a"), id("email", "b")]));
        let runs: Vec<usize> = ids.by_type().map(<[_]>::len).collect();
        assert_eq!(runs, [2, 1]);
    }
}
