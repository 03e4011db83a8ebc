//! Generated worlds that are small enough to be full of ties: few types, few IDs, few times.
//!
//! A world is an update and the destinations of its computation, either as the oracle knows them or as
//! the library's own values.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use idgroup::{Destinations, ProfileUpdate};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::FileFailurePersistence;

use crate::oracle::{
    ACCOUNTS, Destination, Id, Key, Profile, TICKS, Tick, Trigger, USERS, Update, build,
    wire::destinations_json,
};

// Prefixes of each other, and bytes that sort differently from characters' usual order.
const TYPES: [&str; 4] = ["email", "em", "phone", "Émail"];
pub const NAMES: [&str; 5] = ["x", "xy", "y", "ü", "\u{0}"];
const VALUES: [&str; 4] = ["a", "ab", "B", "ß"];
const DESTINATIONS: [&str; 7] = ["dst_1", "dst_10", "dst_2", "DST", "dst", "ä", "z"];

/// A world as the library has it.
#[derive(Clone, Debug)]
pub struct World {
    pub update: ProfileUpdate,
    pub destinations: Destinations,
}

/// A world as the oracle has it.
#[derive(Clone, Debug)]
pub struct NaiveWorld {
    pub update: Update,
    pub destinations: Vec<Destination>,
}

impl NaiveWorld {
    pub fn built(&self) -> World {
        World { update: build::update(&self.update), destinations: build::destinations(&self.destinations) }
    }

    /// Read from JSON as it goes over the wire.
    pub fn read(&self) -> World {
        World {
            update: serde_json::from_str(&self.update.to_json().to_string()).unwrap(),
            destinations: serde_json::from_str(&destinations_json(&self.destinations).to_string()).unwrap(),
        }
    }
}

/// Of so few IDs that an event has few messages, and those can be multiplied out.
pub fn any_world() -> impl Strategy<Value = World> {
    world_of(vec(any_id(), 0..7)).prop_map(|world| world.built())
}

pub fn any_naive_world() -> impl Strategy<Value = NaiveWorld> {
    world_of(prop_oneof![2 => vec(any_id(), 1..3), 7 => vec(any_id(), 0..6), 1 => vec(any_id(), 0..30)])
}

/// Of so many IDs that most times they can't have a bit of a machine word each.
pub fn any_naive_world_of_many_ids() -> impl Strategy<Value = NaiveWorld> {
    world_of(vec(id_with_key(key_with_value_of(&MANY_VALUES)), 60..140))
}

static MANY_VALUES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| (0..100).map(|number| &*format!("{number}").leak()).collect());

/// A world, and IDs of which its profile has none yet, which came after the update was computed.
pub fn any_naive_world_and_later_ids() -> impl Strategy<Value = (NaiveWorld, Vec<Id>)> {
    (any_naive_world(), 0..TICKS - 1).prop_flat_map(|(mut world, computed_at)| {
        world.update.computed_at = Some(computed_at);
        let listed: BTreeSet<Key> = world.update.external_ids.iter().map(|id| id.key).collect();
        let later = (any_id(), computed_at + 1..TICKS, any::<bool>()).prop_map(
            move |(id, later, is_brought): (Id, Tick, bool)| match is_brought {
                true => Id { attached_at: Some(later), ..id },
                false => Id { created_at: Some(later), attached_at: None, ..id },
            },
        );
        let later = later.prop_filter("an ID that is listed already", move |id| !listed.contains(&id.key));
        (Just(world), vec(later, 1..6))
    })
}

/// Four times as many cases as otherwise, and those that fail are kept beside the test.
pub fn many_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: 4 * default.cases, // 1024, unless PROPTEST_CASES says otherwise
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..default
    }
}

/// Makes one profile of a merge the update's own, and leaves each of the others once.
pub fn state_own_profile(update: &mut Update) {
    let Trigger::ProfileMerge(profiles) = &mut update.trigger else { return };
    let own = profiles.len() / 2;
    profiles[own].profile_id = update.profile_id;
    let own = profiles.remove(own);
    let mut stated = BTreeSet::from([own.profile_id]);
    profiles.retain(|profile| stated.insert(profile.profile_id));
    profiles.insert(profiles.len().div_ceil(2), own);
}

fn world_of(external_ids: impl Strategy<Value = Vec<Id>>) -> impl Strategy<Value = NaiveWorld> {
    (any_update(external_ids), any_destinations())
        .prop_map(|(update, destinations)| NaiveWorld { update, destinations })
}

fn any_update(external_ids: impl Strategy<Value = Vec<Id>>) -> impl Strategy<Value = Update> {
    external_ids.prop_flat_map(|external_ids| {
        let listed = external_ids.iter().map(|id| id.key).collect();
        let strings = [(); 6].map(|()| select(&NAMES));
        (strings, prop::bool::weighted(0.8), option::of(0..TICKS), any_trigger(listed), Just(external_ids))
            .prop_map(|(strings, is_in, computed_at, trigger, external_ids)| {
                let [id, space_id, profile_id, class, computation_id, computation_key] = strings;
                let mut update = Update {
                    id,
                    space_id,
                    profile_id,
                    class,
                    computation_id,
                    computation_key,
                    is_in,
                    computed_at,
                    trigger,
                    external_ids,
                };
                state_own_profile(&mut update);
                update
            })
    })
}

fn any_trigger(listed: Vec<Key>) -> impl Strategy<Value = Trigger> {
    prop_oneof![
        2 => Just(Trigger::ValueChanged),
        4 => mentioned(listed.clone()).prop_map(Trigger::NewExternalId),
        2 => vec(any_profile(), 1..4).prop_map(Trigger::ProfileMerge),
        1 => mentioned(listed).prop_map(Trigger::ExternalIdRemoved),
    ]
}

/// IDs that the profile has, mostly, and others.
fn mentioned(listed: Vec<Key>) -> impl Strategy<Value = Vec<Key>> {
    (vec(any::<Index>(), 0..3), vec(any_key(), 0..2), any_key()).prop_map(
        move |(of_listed, others, fallback)| {
            let of_listed = of_listed.iter().filter(|_| !listed.is_empty()).map(|index| *index.get(&listed));
            let mentioned: Vec<Key> = of_listed.chain(others).collect();
            if mentioned.is_empty() { vec![fallback] } else { mentioned }
        },
    )
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let external_ids = option::weighted(0.7, vec(any_key(), 0..3));
    (select(&NAMES), any::<bool>(), external_ids).prop_map(|(profile_id, is_in, external_ids)| Profile {
        profile_id,
        is_in,
        external_ids,
    })
}

fn any_id() -> impl Strategy<Value = Id> {
    id_with_key(any_key())
}

fn id_with_key(key: impl Strategy<Value = Key>) -> impl Strategy<Value = Id> {
    let created_at = option::weighted(0.7, 0..TICKS);
    let attached_at = option::weighted(0.3, 0..TICKS);
    let subscribed = option::weighted(0.7, any::<bool>());
    let encoding = select(&["none", "sha256", "md5", ""]);
    (key, encoding, created_at, attached_at, subscribed).prop_map(
        |(key, encoding, created_at, attached_at, subscribed)| Id {
            key,
            encoding,
            created_at,
            attached_at,
            subscribed,
        },
    )
}

fn any_key() -> impl Strategy<Value = Key> {
    key_with_value_of(&VALUES)
}

fn key_with_value_of(values: &'static [&'static str]) -> impl Strategy<Value = Key> {
    let collection = prop_oneof![4 => Just(USERS), 1 => Just(ACCOUNTS)];
    (collection, select(&TYPES), select(values)).prop_map(|(collection, kind, id)| Key {
        collection,
        kind,
        id,
    })
}

fn any_destinations() -> impl Strategy<Value = Vec<Destination>> {
    let ids = subsequence(DESTINATIONS.to_vec(), 0..=6).prop_shuffle();
    let settings = vec(any_setting(), 3).prop_flat_map(|settings| vec(one_of(settings), 6));
    (ids, vec(option::of(select(&NAMES)), 6), settings).prop_map(|(ids, names, settings)| {
        let with_name = |((id, name), setting)| Destination { id, name, ..setting };
        ids.into_iter().zip(names).zip(settings).map(with_name).collect()
    })
}

/// One of these settings as it is, or without a part of it, so that destinations have much in common.
fn one_of(settings: Vec<Destination>) -> impl Strategy<Value = Destination> {
    (select(settings), 0..4).prop_map(|(setting, part)| match part {
        0 => Destination { consent: None, ..setting },
        1 => Destination { id_strategies: None, ..setting },
        _ => setting,
    })
}

/// What a destination says of which IDs it is sent, or nothing: one without a name.
pub fn any_setting() -> impl Strategy<Value = Destination> {
    let types = option::weighted(0.8, vec(select(&TYPES), 1..4));
    let strategies = option::weighted(0.5, any_strategies());
    let consent = option::weighted(0.4, select(&["required", "not_refused"]));
    (types, strategies, consent).prop_map(|(dedupes_on, mut id_strategies, consent)| {
        if let (Some(types), Some(strategies)) = (&dedupes_on, &mut id_strategies) {
            // About types that it dedupes on, of each of which one is sent.
            strategies.retain(|(kind, strategy)| types.contains(kind) && *strategy != "all");
        }
        let id_strategies = id_strategies.filter(|strategies| !strategies.is_empty());
        Destination { dedupes_on, id_strategies, consent, ..Destination::named("unnamed") }
    })
}

fn any_strategies() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let types = subsequence(TYPES.to_vec(), 2..=TYPES.len()).prop_shuffle();
    (types, vec(select(&["latest", "first", "first", "all"]), TYPES.len()))
        .prop_map(|(types, strategies)| types.into_iter().zip(strategies).collect())
}
