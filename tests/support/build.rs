//! Updates and destinations in few words, for tests to which most of their fields do not matter.
#![allow(dead_code, reason = "each test binary uses its own part")]

// Unit tests have no prelude of the standard library.
use std::format;
use std::string::String;

use idgroup::{
    Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, ProfileUpdateBuilder,
    Timestamp, Trigger,
};

/// `upd_1`: profile `use_1` of space `spa_1` entered `aud_1`. A test goes on with what matters to it,
/// which takes the place of what is set here.
pub fn entry() -> ProfileUpdateBuilder {
    ProfileUpdate::builder()
        .id("upd_1")
        .space_id("spa_1")
        .profile_id("use_1")
        .computation(Computation::new("aud_1").unwrap())
        .membership(Membership::In)
        .trigger(Trigger::ValueChanged)
}

/// The entry of a profile with these IDs.
pub fn entry_of(ids: impl IntoIterator<Item = ExternalId>) -> ProfileUpdate {
    entry().external_ids(ids).build().unwrap()
}

/// So many seconds after 1970 began.
pub fn at(second: i128) -> Timestamp {
    Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap()
}

pub fn id(id_type: &str, id: &str) -> ExternalId {
    ExternalId::new(id_type, id).unwrap()
}

/// So many IDs of each type, with a value for each number from 0 on.
pub fn ids(
    counts: &[(&str, usize)],
    value: impl Fn(usize) -> String + Copy,
) -> impl Iterator<Item = ExternalId> {
    counts.iter().flat_map(move |&(id_type, count)| (0..count).map(move |number| id(id_type, &value(number))))
}

pub fn plain(id: &str) -> Destination {
    Destination::new(id).unwrap()
}

pub fn deduping<T: AsRef<str>>(id: &str, types: &[T]) -> Destination {
    plain(id).deduping_on(types.iter().map(AsRef::as_ref)).unwrap()
}

/// `dst_00000` and so on: each dedupes on its types, and one without any does not dedupe.
pub fn destinations<S: AsRef<[T]>, T: AsRef<str>>(settings: impl IntoIterator<Item = S>) -> Destinations {
    let destinations = settings.into_iter().enumerate().map(|(number, types)| {
        let id = format!("dst_{number:05}");
        match types.as_ref() {
            [] => plain(&id),
            types => deduping(&id, types),
        }
    });
    Destinations::new(destinations).unwrap()
}
