//! Sorts many external IDs without looking at their texts again and again.
//!
//! Each ID is sorted as a small entry that holds the start of a text beside its position. A start is
//! compared as a number, and tells nearly all texts apart; where it does not, the texts are compared.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

use crate::input::external_id::{Collection, ExternalId};
use crate::input::timestamp::Timestamp;

/// Fewer IDs than these are sorted sooner than their entries are made.
pub(super) const MANY_IDS: usize = 24;

/// Puts the IDs in the order in which an update lists them.
pub(super) fn sort_listed(ids: &mut [ExternalId]) {
    let mut order: Vec<Listed<'_>> = ids.iter().zip(0..).map(Listed::of).collect();
    order.sort_unstable_by(Listed::cmp);
    let mut order: Vec<usize> = order.into_iter().map(|entry| entry.position).collect();
    arrange(ids, &mut order);
}

/// The positions of listed IDs in the order of their identities.
pub(super) fn positions_by_identity(ids: &[ExternalId]) -> Box<[usize]> {
    let mut order: Vec<Identity<'_>> = ids.iter().zip(0..).map(Identity::of).collect();
    // Types stand in their order already, and only the collection goes before them.
    order.chunk_by_mut(|a, b| a.of.id_type() == b.of.id_type()).for_each(|of_type| {
        of_type.sort_unstable_by(Identity::cmp_within_type);
    });
    order.sort_by_key(|entry| entry.collection);
    order.iter().map(|entry| entry.position).collect()
}

/// A text's first bytes, and its length as far as that is known from them: compared as the text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    first: u64,
    rest: u64,
}

/// What is sorted in an ID's place to list it.
struct Listed<'i> {
    id_type: Start,
    age: Age,
    position: usize,
    of: &'i ExternalId,
}

/// A time, the latest first and an unknown one last: seconds before the end of time, and nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Age(u64, u32);

/// What is sorted in an ID's place to find its identity.
struct Identity<'i> {
    id: Start,
    collection: Collection,
    position: usize,
    of: &'i ExternalId,
}

impl Start {
    const BYTES: usize = 15;

    #[inline]
    fn of(text: &str) -> Self {
        let text = text.as_bytes();
        let mut start = [0; 16];
        match (text.first_chunk(), start.get_mut(..text.len())) {
            (Some(chunk), _) => start = *chunk,
            (None, Some(whole)) => whole.copy_from_slice(text),
            (None, None) => {}
        }
        let [.., length] = &mut start;
        *length = text.len().min(Self::BYTES.saturating_add(1)).try_into().unwrap_or_default();
        let number = u128::from_be_bytes(start);
        let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
        Self { first: half(number >> 64), rest: half(number) }
    }

    /// Compares the texts where their starts are the same and may be less than all of them.
    #[inline]
    fn cmp_texts(self, other: Self, texts: impl FnOnce() -> Ordering) -> Ordering {
        let is_whole = (self.rest & 0xff) <= Self::BYTES as u64;
        self.cmp(&other).then_with(|| if is_whole { Ordering::Equal } else { texts() })
    }
}

impl Age {
    fn of(time: Option<Timestamp>) -> Self {
        let Some((seconds, nanoseconds)) = time.map(Timestamp::seconds_and_nanoseconds) else {
            return Self(u64::MAX, 0);
        };
        Self(i64::MAX.abs_diff(seconds), u32::MAX.abs_diff(nanoseconds))
    }
}

impl<'i> Listed<'i> {
    fn of((id, position): (&'i ExternalId, usize)) -> Self {
        Self { id_type: Start::of(id.id_type()), age: Age::of(id.created_at()), position, of: id }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let by_type = self.id_type.cmp_texts(other.id_type, || self.of.id_type().cmp(other.of.id_type()));
        by_type.then_with(|| self.age.cmp(&other.age)).then_with(|| self.of.cmp_listed(other.of))
    }
}

impl<'i> Identity<'i> {
    fn of((id, position): (&'i ExternalId, usize)) -> Self {
        Self { id: Start::of(id.id()), collection: id.collection(), position, of: id }
    }

    fn cmp_within_type(&self, other: &Self) -> Ordering {
        let by_id = || self.id.cmp_texts(other.id, || self.of.id().cmp(other.of.id()));
        self.collection.cmp(&other.collection).then_with(by_id)
    }
}

/// Moves to each place the ID whose position stands there, with one swap per ID that moves.
fn arrange(ids: &mut [ExternalId], order: &mut [usize]) {
    for start in 0..order.len() {
        let mut place = start;
        while let Some(position) = order.get_mut(place) {
            let from = mem::replace(position, place);
            if from == start {
                break;
            }
            ids.swap(place, from);
            place = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::build::at;

    /// Around the length that a start holds, and with every kind of byte at its end.
    #[test]
    fn starts_are_compared_as_texts_are() {
        let mut texts = Vec::from([String::new()]);
        for length in [1, 2, 7, 8, 9, 14, 15, 16, 17, 40] {
            for last in ['\0', '\u{1}', 'a', 'b', '\u{7f}', 'ß', '\u{10ffff}'] {
                texts.push(format!("{}{last}", "a".repeat(length - 1)));
                texts.push(format!("{}{last}", "\0".repeat(length - 1)));
                texts.push(format!("{last}{}", "\0".repeat(length)));
            }
        }
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
            let by_start = Start::of(a).cmp_texts(Start::of(b), || a.cmp(b));
            assert_eq!(by_start, a.cmp(b), "{a:?} {b:?}");
        }
        // Most are told apart by their starts.
        assert_eq!(
            Start::of("twenty bytes or more").cmp(&Start::of("twenty bytes or less")),
            Ordering::Equal
        );
        assert_eq!(
            Start::of("fifteen bytes a").cmp_texts(Start::of("fifteen bytes a"), || panic!()),
            Ordering::Equal
        );
    }

    #[test]
    fn many_ids_are_sorted_as_few_are() {
        let ids = |count: usize| -> Vec<ExternalId> {
            let id = |number: usize| {
                let scattered = number * 7_919 % 1_009;
                let types = ["email", "phone", "a type of some length", "a type of some length too", "e"];
                let id = match scattered % 3 {
                    0 => format!("{scattered}"),
                    1 => format!("a person@example.com {scattered}"),
                    _ => format!("{scattered}@example.com, a person"),
                };
                let collection = [Collection::Users, Collection::Users, Collection::Accounts];
                ExternalId::new(types[scattered % types.len()], id)
                    .unwrap()
                    .with_collection(collection[scattered / 7 % 3])
                    .maybe_created_at((scattered % 4 != 0).then(|| at((scattered % 90) as i128)))
            };
            (0..count).map(id).collect()
        };
        for count in [0, 1, 2, 3, 24, 25, 500] {
            let (mut sorted, mut expected) = (ids(count), ids(count));
            sort_listed(&mut sorted);
            expected.sort_by(ExternalId::cmp_listed);
            assert_eq!(sorted, expected, "{count}");
            let mut positions: Vec<usize> = (0..count).collect();
            positions.sort_by_key(|&position| sorted[position].key());
            assert_eq!(*positions_by_identity(&sorted), *positions, "{count}");
        }
    }
}
