//! Generated updates and destinations, from so few types, values and times that they meet often.
#![allow(dead_code, reason = "each test crate uses its own part")]

use idgroup::{
    Collection, Computation, Destination, Destinations, ExternalId, ExternalIdKey, Membership, MergedProfile,
    ProfileUpdate, ProfileUpdateBuilder, Timestamp, Trigger,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const TYPES: [&str; 3] = ["email", "phone", "user_id"];

/// An update, and the destinations of its computation.
#[derive(Clone, Debug)]
pub struct World {
    pub update: ProfileUpdate,
    pub destinations: Destinations,
}

pub fn any_world() -> impl Strategy<Value = World> {
    (any_update(), any_destinations()).prop_map(|(update, destinations)| World { update, destinations })
}

pub fn any_update() -> impl Strategy<Value = ProfileUpdate> {
    let ids = vec(any_external_id(), 0..7);
    let space_id = select(&["spa_1", "spa_2", "spa_3", "spa_4"]);
    (space_id, any_membership(), option::of(any_time()), any_trigger(), ids).prop_map(
        |(space_id, membership, computed_at, trigger, ids)| {
            let update = ProfileUpdate::builder()
                .id("upd_1")
                .space_id(space_id)
                .profile_id("use_1")
                .computation(Computation::new("aud_1").unwrap())
                .membership(membership)
                .trigger(trigger)
                .external_ids(ids);
            computed_at.into_iter().fold(update, ProfileUpdateBuilder::computed_at).build().unwrap()
        },
    )
}

pub fn any_destinations() -> impl Strategy<Value = Destinations> {
    let dedupes_on = option::of(subsequence(&TYPES, 1..=TYPES.len()));
    vec(dedupes_on, 0..7).prop_map(|dedupes_on| {
        let destinations = dedupes_on.into_iter().enumerate().map(|(number, types)| {
            let destination = Destination::new(format!("dst_{number}")).unwrap();
            match types {
                Some(types) => destination.deduping_on(types).unwrap(),
                None => destination,
            }
        });
        Destinations::new(destinations).unwrap()
    })
}

fn any_membership() -> impl Strategy<Value = Membership> {
    prop_oneof![3 => Just(Membership::In), 1 => Just(Membership::Out)]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0_i128..4).prop_map(|second| Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap())
}

fn any_key() -> impl Strategy<Value = ExternalIdKey> {
    let collection = prop_oneof![4 => Just(Collection::Users), 1 => Just(Collection::Accounts)];
    (select(&TYPES), select(&["a", "b", "c"]), collection).prop_map(|(id_type, id, collection)| {
        ExternalIdKey::new(id_type, id).unwrap().with_collection(collection)
    })
}

fn any_external_id() -> impl Strategy<Value = ExternalId> {
    let encoding = prop_oneof![4 => Just("none"), 1 => Just("sha256")];
    (any_key(), encoding, option::of(any_time()), option::weighted(0.2, any_time())).prop_map(
        |(key, encoding, created_at, attached_at)| {
            let id = ExternalId::from(key).with_encoding(encoding);
            let id = created_at.into_iter().fold(id, ExternalId::with_created_at);
            attached_at.into_iter().fold(id, ExternalId::with_attached_at)
        },
    )
}

fn any_trigger() -> impl Strategy<Value = Trigger> {
    let profile = (any_membership(), option::of(vec(any_key(), 0..3)));
    // The update's own profile, and up to two others.
    let merge = vec(profile, 1..4).prop_map(|profiles| {
        Trigger::profile_merge((1..).zip(profiles).map(|(number, (membership, ids))| {
            let profile = MergedProfile::new(format!("use_{number}"), membership).unwrap();
            ids.into_iter().fold(profile, MergedProfile::holding)
        }))
        .unwrap()
    });
    prop_oneof![
        Just(Trigger::ValueChanged),
        vec(any_key(), 1..4).prop_map(|added| Trigger::new_external_id(added).unwrap()),
        merge,
        vec(any_key(), 1..3).prop_map(|removed| Trigger::external_id_removed(removed).unwrap()),
    ]
}
