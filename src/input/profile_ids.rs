//! The external IDs of a profile, each once, in the two orders that decisions need.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::input::external_id::{ExternalId, ExternalIdKey};
use crate::input::sorted::{self, MANY_IDS};
use crate::invariant;

/// IDs sorted by type and, within a type, from latest to earliest, with the order of their
/// identities beside it: sorted once, when the update comes in, and not once per destination.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct ExternalIds {
    latest_first: Vec<ExternalId>,
    /// Positions in `latest_first`, by collection, type and id; none where the two orders are the same,
    /// as they are where each type has one ID.
    by_identity: Box<[usize]>,
}

/// A list that has grown may hold room for so many IDs more, rather than be moved to be rid of it.
const SPARE_IDS: usize = 8;

impl ExternalIds {
    /// An identity that is listed twice counts once. Costs a sort of the IDs, in their place.
    pub(crate) fn new(mut ids: Vec<ExternalId>) -> Self {
        if !is_latest_first(&ids) {
            sort_listed(&mut ids);
        }
        let mut by_identity = positions_by_identity(&ids);
        if has_repeats(&ids, &by_identity) {
            ids = each_once(ids);
            sort_listed(&mut ids);
            by_identity = positions_by_identity(&ids);
        }
        if ids.capacity().saturating_sub(ids.len()) > SPARE_IDS {
            ids.shrink_to_fit();
        }
        let ids = Self { latest_first: ids, by_identity };
        debug_assert!(ids.by_identity().is_sorted_by(|a, b| a.key() < b.key()), "{EACH_ONCE}");
        ids
    }

    /// By type and, within a type, from latest to earliest.
    pub(crate) fn as_slice(&self) -> &[ExternalId] {
        &self.latest_first
    }

    /// By collection, type and id.
    pub(crate) fn by_identity(&self) -> impl Iterator<Item = &ExternalId> {
        let as_listed = if self.by_identity.is_empty() { self.as_slice() } else { &[] };
        debug_assert!(self.by_identity.len().max(as_listed.len()) == self.latest_first.len(), "{EACH_ONCE}");
        let others = self.by_identity.iter();
        as_listed
            .iter()
            .chain(others.filter_map(|&position| invariant::at(&self.latest_first, position, EACH_ONCE)))
    }
}

/// The invariant that events, hashes and decisions rely on.
const EACH_ONCE: &str = "each ID is listed once, and has one position in each of the two orders";

fn is_latest_first(ids: &[ExternalId]) -> bool {
    ids.is_sorted_by(|a, b| a.cmp_listed(b).is_le())
}

fn sort_listed(ids: &mut [ExternalId]) {
    match ids.len() {
        ..MANY_IDS => ids.sort_unstable_by(ExternalId::cmp_listed),
        _ => sorted::sort_listed(ids),
    }
}

/// None where this is the order in which the IDs stand, each once.
fn positions_by_identity(ids: &[ExternalId]) -> Box<[usize]> {
    if ids.is_sorted_by(|a, b| a.key() < b.key()) {
        return Box::default();
    }
    if ids.len() >= MANY_IDS {
        return sorted::positions_by_identity(ids);
    }
    let mut ranked: SmallVec<[(&ExternalIdKey, usize); 8]> =
        ids.iter().map(ExternalId::key).zip(0..).collect();
    ranked.sort_unstable();
    ranked.iter().map(|(_, position)| *position).collect()
}

fn has_repeats(ids: &[ExternalId], by_identity: &[usize]) -> bool {
    let at = |position: usize| invariant::at(ids, position, EACH_ONCE);
    // Most differ in the id, which is looked at first.
    let is_repeat = |(a, b): (&ExternalId, &ExternalId)| a.id() == b.id() && a.key() == b.key();
    by_identity.windows(2).any(|pair| matches!(pair, [a, b] if at(*a).zip(at(*b)).is_some_and(is_repeat)))
}

/// A sort that is unstable will do, because it makes no difference which repeat is merged into which.
fn each_once(mut ids: Vec<ExternalId>) -> Vec<ExternalId> {
    ids.sort_unstable_by(|a, b| a.key().cmp(b.key()));
    let mut each_once: Vec<ExternalId> = Vec::with_capacity(ids.len());
    for id in ids {
        match each_once.last_mut() {
            Some(last) if last.key() == id.key() => last.merge_repeat(id),
            _ => each_once.push(id),
        }
    }
    each_once
}

impl fmt::Debug for ExternalIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
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
    use crate::build::{at, id};
    use crate::input::external_id::Collection;
    use crate::input::timestamp::Timestamp;

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

    type Known = (String, Option<Timestamp>, Option<Timestamp>);

    /// What is known of the only ID, in whatever order its repeats are listed.
    #[track_caller]
    fn merged(repeats: &[ExternalId]) -> Known {
        let known = |ids: Vec<ExternalId>| {
            let ids = ExternalIds::new(ids);
            assert_eq!(ids.as_slice().len(), 1);
            let id = &ids.as_slice()[0];
            (String::from(id.encoding()), id.created_at(), id.attached_at())
        };
        let as_given = known(repeats.to_vec());
        assert_eq!(known(repeats.iter().rev().cloned().collect()), as_given);
        for shift in 1..repeats.len() {
            let mut shifted = repeats.to_vec();
            shifted.rotate_left(shift);
            assert_eq!(known(shifted), as_given, "shifted by {shift}");
        }
        as_given
    }

    #[test]
    fn repeats_count_once_with_the_earliest_known_times() {
        let seen = |second| id("email", "a").with_created_at(at(second));
        assert_eq!(merged(&[seen(3), seen(2), seen(4)]), ("none".into(), Some(at(2)), Some(at(2))));
        assert_eq!(merged(&[id("email", "a"), seen(4)]), ("none".into(), Some(at(4)), Some(at(4))));
        // The default of one repeat does not beat what another knows.
        let came = id("email", "a").with_attached_at(at(5));
        assert_eq!(merged(&[seen(1), came.clone()]), ("none".into(), Some(at(1)), Some(at(5))));
        let later = id("email", "a").with_attached_at(at(6));
        assert_eq!(merged(&[later, seen(9), came]), ("none".into(), Some(at(9)), Some(at(5))));
    }

    #[test]
    fn an_encoding_beats_none_and_of_two_the_smaller_wins() {
        let encoded = |encoding| id("email", "a").with_encoding(encoding);
        let encoding = |repeats: &[ExternalId]| merged(repeats).0;
        assert_eq!(encoding(&[id("email", "a"), encoded("sha256")]), "sha256");
        assert_eq!(encoding(&[encoded("sha256"), encoded("md5"), encoded("none")]), "md5");
        // By bytes, in which capitals come first, also where `none` would be the smaller.
        assert_eq!(encoding(&[encoded("md5"), encoded("SHA256")]), "SHA256");
        assert_eq!(encoding(&[encoded("sha256"), encoded("none")]), "sha256");
        // The winner need not be the repeat whose time wins.
        let late = encoded("md5").with_created_at(at(2));
        let early = encoded("sha256").with_created_at(at(1));
        assert_eq!(merged(&[late, early]), ("md5".into(), Some(at(1)), Some(at(1))));
    }

    /// So many repeats that a sort takes its path for long lists, each with another time and another
    /// encoding: whichever repeat comes first, nothing of another may be lost.
    #[test]
    fn many_repeats_in_any_order_are_the_same_ids() {
        const IDS: usize = 7;
        const REPEATS: usize = 1_001; // of each ID, and with no divisor in common with the steps below
        let repeat = |number: usize| {
            let (identity, repeat) = (number % IDS, number / IDS);
            let plain = id("email", &alloc::format!("{identity}"));
            let time = at(10 + (repeat as i128 * 17) % 1_001);
            match repeat % 4 {
                0 => plain.with_created_at(time),
                1 => plain.with_attached_at(time),
                2 => plain.with_encoding(alloc::format!("encoding {:04}", (repeat * 29) % 1_001)),
                _ => plain,
            }
        };
        let in_steps_of = |step: usize| {
            let count = IDS * REPEATS;
            ExternalIds::new((0..count).map(|number| repeat(number * step % count)).collect())
        };
        let in_order = in_steps_of(1);
        assert_eq!(in_order.as_slice().len(), IDS);
        for id in in_order.as_slice() {
            let expected = |remainder: usize, step: usize| {
                (0..REPEATS)
                    .filter(|repeat| repeat % 4 == remainder)
                    .map(|repeat| repeat * step % 1_001)
                    .min()
                    .unwrap()
            };
            assert_eq!(id.created_at(), Some(at(10 + expected(0, 17) as i128)));
            assert_eq!(id.attached_at(), Some(at(10 + expected(1, 17) as i128)));
            assert_eq!(id.encoding(), alloc::format!("encoding {:04}", expected(2, 29)));
        }
        for step in [2, 3, 5, 1_000, 4_999, 7_006] {
            assert_eq!(in_steps_of(step), in_order, "in steps of {step}");
        }
    }
}
