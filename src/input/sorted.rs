//! Sorts many external IDs without looking at their texts again and again.
//!
//! Each ID is sorted as a small entry: a number that compares as a text or a time does, beside the ID's
//! position. Numbers are compared without a branch, and tell nearly all IDs apart; where they do not, the IDs
//! are compared.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

use crate::input::external_id::ExternalId;
use crate::input::timestamp::Timestamp;
use crate::invariant;

/// Fewer IDs than these are sorted sooner than their entries are made.
pub(super) const MANY_IDS: usize = 24;

/// Puts the IDs in the order in which an update lists them.
pub(super) fn sort_listed(ids: &mut [ExternalId]) {
    let mut entries = entries(ids);
    sort_by_text(&mut entries, ids, ExternalId::id_type);
    for of_type in entries.chunk_by_mut(|a, b| is_same_type(ids, a, b)) {
        set_keys(of_type, ids, |id| age(id.created_at()));
        of_type.sort_unstable_by_key(|entry| entry.key);
        let of_same_age = of_type.chunk_by_mut(|a, b| a.key == b.key).filter(|entries| entries.len() > 1);
        of_same_age.for_each(|entries| sort_by(entries, ids, ExternalId::cmp_listed));
    }
    arrange(ids, &mut positions(&entries));
}

/// The positions of listed IDs in the order of their identities.
pub(super) fn positions_by_identity(ids: &[ExternalId]) -> Box<[usize]> {
    let mut entries = entries(ids);
    // Types stand in their order already, and only the collection goes before them.
    for of_type in entries.chunk_by_mut(|a, b| is_same_type(ids, a, b)) {
        sort_by_text(of_type, ids, ExternalId::id);
    }
    entries.sort_by_key(|entry| entry.of(ids).map(ExternalId::collection));
    positions(&entries).into()
}

/// What is sorted in an ID's place.
struct Entry {
    key: u128,
    position: usize,
}

impl Entry {
    fn of<'i>(&self, ids: &'i [ExternalId]) -> Option<&'i ExternalId> {
        invariant::at(ids, self.position, "an entry has the position of its ID")
    }
}

fn entries(ids: &[ExternalId]) -> Vec<Entry> {
    (0..ids.len()).map(|position| Entry { key: 0, position }).collect()
}

fn positions(entries: &[Entry]) -> Vec<usize> {
    entries.iter().map(|entry| entry.position).collect()
}

fn set_keys(entries: &mut [Entry], ids: &[ExternalId], key: impl Fn(&ExternalId) -> u128) {
    for entry in entries {
        entry.key = entry.of(ids).map_or(0, &key);
    }
}

fn sort_by_text(entries: &mut [Entry], ids: &[ExternalId], text: impl Fn(&ExternalId) -> &str) {
    set_keys(entries, ids, |id| start(text(id)));
    entries.sort_unstable_by_key(|entry| entry.key);
    let of_same_start = entries.chunk_by_mut(|a, b| a.key == b.key);
    for entries in of_same_start.filter(|entries| entries.len() > 1) {
        if entries.first().is_some_and(|entry| !is_whole(entry.key)) {
            sort_by(entries, ids, |a, b| text(a).cmp(text(b)));
        }
    }
}

fn sort_by(
    entries: &mut [Entry],
    ids: &[ExternalId],
    compare: impl Fn(&ExternalId, &ExternalId) -> Ordering,
) {
    entries.sort_unstable_by(|a, b| match (a.of(ids), b.of(ids)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
}

fn is_same_type(ids: &[ExternalId], a: &Entry, b: &Entry) -> bool {
    a.of(ids).map(ExternalId::id_type) == b.of(ids).map(ExternalId::id_type)
}

const START_BYTES: usize = 15;

/// A text's first bytes, and its length as far as that is known from them: compared as the text is, or
/// the same for texts that are longer.
#[inline]
fn start(text: &str) -> u128 {
    let text = text.as_bytes();
    let mut start = [0; 16];
    match (text.first_chunk(), start.get_mut(..text.len())) {
        (Some(chunk), _) => start = *chunk,
        (None, Some(whole)) => whole.copy_from_slice(text),
        (None, None) => {}
    }
    let [.., length] = &mut start;
    *length = text.len().min(START_BYTES.saturating_add(1)).try_into().unwrap_or_default();
    u128::from_be_bytes(start)
}

/// Whether the start is all of its text.
fn is_whole(start: u128) -> bool {
    start & 0xff <= START_BYTES as u128
}

/// The time, the latest first and an unknown one last.
#[inline]
fn age(time: Option<Timestamp>) -> u128 {
    let Some((seconds, nanoseconds)) = time.map(Timestamp::seconds_and_nanoseconds) else { return u128::MAX };
    u128::from(i64::MAX.abs_diff(seconds)) << 32 | u128::from(u32::MAX.abs_diff(nanoseconds))
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
    use crate::input::external_id::Collection;

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
            match start(a).cmp(&start(b)) {
                Ordering::Equal if is_whole(start(a)) => assert_eq!(a, b),
                Ordering::Equal => assert!(a.len() > START_BYTES && b.len() > START_BYTES, "{a:?} {b:?}"),
                by_start => assert_eq!(by_start, a.cmp(b), "{a:?} {b:?}"),
            }
        }
        assert!(is_whole(start("fifteen bytes a")) && !is_whole(start("sixteen bytes ab")));
    }

    #[test]
    fn the_latest_is_the_youngest() {
        let times =
            ["9999-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00Z"];
        let times = times.into_iter().chain(["1969-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00Z"]);
        let ages: Vec<u128> = times.map(|time| age(Some(time.parse().unwrap()))).chain([age(None)]).collect();
        assert!(ages.is_sorted_by(|a, b| a < b), "{ages:?}");
    }

    #[test]
    fn many_ids_are_sorted_as_few_are() {
        let ids = |count: usize| -> Vec<ExternalId> {
            let id = |number: usize| {
                // The last hundred have the types and ids of the first, in the other collection.
                let scattered = number % 400 * 7_919 % 1_009;
                let types = ["email", "phone", "a type of some length", "a type of some length too", "e"];
                let id = match scattered % 3 {
                    0 => format!("{scattered}"),
                    1 => format!("a person@example.com {scattered}"),
                    _ => format!("{scattered}@example.com, a person"),
                };
                let collection = match (scattered / 7).is_multiple_of(3) == (number < 400) {
                    true => Collection::Users,
                    false => Collection::Accounts,
                };
                ExternalId::new(types[scattered % types.len()], id)
                    .unwrap()
                    .with_collection(collection)
                    .maybe_created_at((!scattered.is_multiple_of(4)).then(|| at((scattered % 90) as i128)))
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
