//! The library decides and remembers what the oracle does, over random histories of few names and times.

use std::collections::BTreeMap;

use idgroup::{
    Completeness, Destinations, Membership, Memory, MemoryDecision, MemoryKey, NameDigest, SettledBy,
    Timestamp, memory,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::FileFailurePersistence;

use crate::oracle::memory::{By, Memories, Memory as Remembered, Time, Turn};
use crate::oracle::{Destination, Id, Key, Profile, TICKS, Tick, Trigger, USERS, Update, Verdict, build};

const PROFILES: [&str; 3] = ["use_1", "use_2", "use_3"];
const TYPES: [&str; 2] = ["email", "phone"];
const DESTINATIONS: [&str; 4] = ["dst_1", "dst_2", "dst_3", "dst_4"];

fn key() -> impl Strategy<Value = Key> {
    (select(&TYPES), select(&["a", "b"])).prop_map(|(kind, id)| Key { collection: USERS, kind, id })
}

fn external_id() -> impl Strategy<Value = Id> {
    let times = (option::of(0..TICKS), option::weighted(0.3, 0..TICKS));
    (key(), times, option::weighted(0.8, any::<bool>())).prop_map(
        |(key, (created_at, attached_at), subscribed)| Id {
            key,
            encoding: "none",
            created_at,
            attached_at,
            subscribed,
        },
    )
}

fn trigger(own: &'static str) -> impl Strategy<Value = Trigger> {
    let stated = (any::<bool>(), option::of(vec(key(), 0..3)));
    let others: Vec<_> = PROFILES.into_iter().filter(|profile| *profile != own).collect();
    let merge = (subsequence(others, 0..=2), vec(stated, 3)).prop_map(move |(others, stated)| {
        let profiles = others.into_iter().chain([own]).zip(stated);
        let profile = |(profile_id, (is_in, external_ids))| Profile { profile_id, is_in, external_ids };
        Trigger::ProfileMerge(profiles.map(profile).collect())
    });
    prop_oneof![
        3 => Just(Trigger::ValueChanged),
        3 => vec(key(), 1..3).prop_map(Trigger::NewExternalId),
        3 => merge,
        1 => vec(key(), 1..3).prop_map(Trigger::ExternalIdRemoved),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    let names = (select(&["u_1", "u_2", "u_3", "u_4"]), select(&PROFILES));
    names.prop_flat_map(|(id, profile_id)| {
        let rest = (prop::bool::weighted(0.75), option::weighted(0.8, 0..TICKS), vec(external_id(), 0..4));
        (rest, trigger(profile_id)).prop_map(move |((is_in, computed_at, external_ids), trigger)| Update {
            id,
            space_id: "spa_1",
            profile_id,
            class: "audience",
            computation_id: "aud_1",
            computation_key: "vip",
            is_in,
            computed_at,
            trigger,
            external_ids,
        })
    })
}

/// The destinations before some update and from it on, with settings that several share: some are added and
/// some removed, and some are set differently.
fn destinations() -> impl Strategy<Value = [Vec<Destination>; 2]> {
    let named = (subsequence(DESTINATIONS.to_vec(), 1..=4), vec(any::<Index>(), 4));
    (vec(setting(), 1..=3), [named.clone(), named]).prop_map(|(settings, lists)| {
        lists.map(|(ids, chosen)| {
            let set = |(id, chosen): (_, Index)| Destination { id, ..chosen.get(&settings).clone() };
            ids.into_iter().zip(chosen).map(set).collect()
        })
    })
}

/// Half of them ask for nothing more than types.
fn setting() -> impl Strategy<Value = Destination> {
    let types = option::weighted(0.8, subsequence(TYPES.to_vec(), 1..=2));
    let strategy = option::weighted(0.25, select(&["latest", "first", "all"]));
    let consent = option::weighted(0.35, select(&["required", "not_refused"]));
    (types, strategy, consent).prop_map(|(dedupes_on, strategy, consent)| {
        // Of one type; of each type that is deduped on one ID is sent.
        let of = dedupes_on.as_ref().map_or(TYPES[0], |types| types[0]);
        let strategy = strategy.filter(|strategy| dedupes_on.is_none() || *strategy != "all");
        let id_strategies = strategy.map(|strategy| vec![(of, strategy)]);
        Destination { dedupes_on, id_strategies, consent, ..Destination::named("unnamed") }
    })
}

fn nanoseconds(tick: Tick) -> Time {
    build::timestamp(tick).unix_nanoseconds()
}

fn assert_same(memory: &Memory, expected: &Remembered) {
    let is_in = memory.membership().map(|membership| membership == Membership::In);
    assert_eq!((is_in, memory.since().map(Timestamp::unix_nanoseconds)), (expected.is_in, expected.since));
    assert_eq!(memory.settled().len(), expected.settled.len(), "{memory:?} {expected:?}");
    for (destination, (at, by)) in &expected.settled {
        let settled = memory.settled_for(destination).unwrap();
        assert_eq!(settled.at().unix_nanoseconds(), *at);
        match (settled.by(), by) {
            (SettledBy::Message(message), By::Message { update, ids }) => {
                assert_eq!(message.update(), NameDigest::of_update(update));
                let mut ids: Vec<_> =
                    ids.iter().map(|id| NameDigest::of_external_id(&build::key(*id))).collect();
                ids.sort_unstable();
                assert_eq!(message.external_ids(), ids);
            }
            (SettledBy::HandOver { profile }, By::HandOver { to }) => {
                assert_eq!(*profile, NameDigest::of_profile(to));
            }
            (SettledBy::Assumption, By::Assumption) => {}
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }
}

fn assert_judged(decision: &MemoryDecision<'_>, to: &Destination, expected: &(Verdict, bool)) {
    let explanation = decision.explanation();
    let verdict = explanation.of(to.id).unwrap();
    assert_eq!(verdict.is_repeat(), expected.1);
    let sent = |ids: &mut dyn Iterator<Item = Key>| ids.map(build::key).collect::<Vec<_>>();
    let expected_ids = match &expected.0 {
        Verdict::Send(ids) => {
            assert_ne!(verdict.verdict().as_str(), "drop", "{to:?}");
            sent(&mut ids.iter().map(|id| id.key))
        }
        Verdict::Drop(reason) => {
            assert_eq!(
                verdict.verdict().drop_reason().map(idgroup::DropReason::as_str),
                Some(*reason),
                "{to:?}"
            );
            Vec::new()
        }
    };
    assert_eq!(verdict.external_ids().iter().map(|id| id.key().clone()).collect::<Vec<_>>(), expected_ids);
    // The events say the same as the explanation.
    let events: Vec<_> = decision
        .events()
        .iter()
        .filter(|event| event.destinations().iter().any(|d| d.id() == to.id))
        .collect();
    let of_events: Vec<_> = events
        .iter()
        .flat_map(|event| event.id_group().external_ids().iter())
        .map(|id| id.key().clone())
        .collect();
    assert_eq!(of_events, expected_ids);
    assert_eq!(events.len(), usize::from(verdict.verdict().drop_reason().is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4 * ProptestConfig::default().cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn decides_and_remembers_what_the_oracle_does(
        updates in vec(update(), 1..12), lists in destinations(), before in 0..12_usize,
        is_partial in any::<bool>(),
    ) {
        let built: [Destinations; 2] = [build::destinations(&lists[0]), build::destinations(&lists[1])];
        let completeness = if is_partial { Completeness::Partial } else { Completeness::Complete };
        let earliest = "0000-01-01T00:00:00Z".parse::<Timestamp>().unwrap().unix_nanoseconds();
        let mut store: BTreeMap<MemoryKey, Memory> = BTreeMap::new();
        let mut memories = Memories::new();
        for (number, update) in updates.iter().enumerate() {
            let (destinations, built) = match number < before {
                true => (&lists[0], &built[0]),
                false => (&lists[1], &built[1]),
            };
            let turn = Turn { update, destinations, is_partial, nanoseconds, earliest };
            let expected = turn.take(&mut memories);
            let update = build::update(update);
            let recalled = memory::keys(&update, 0).recall(|key| store.get(key).cloned().unwrap_or_default());
            let decision = memory::decide(recalled, built, completeness);
            for (to, expected) in destinations.iter().zip(&expected) {
                assert_judged(&decision, to, expected);
            }
            let (mut changed, mut unchanged) = (0, 0);
            for (key, memory) in decision.memories() {
                match store.get(key).cloned().unwrap_or_default() == *memory {
                    true => unchanged += 1,
                    false => changed += 1,
                }
            }
            prop_assert_eq!(decision.changed().count(), changed, "{} are unchanged", unchanged);
            let kept: Vec<_> = decision.changed().map(|(key, memory)| (*key, memory.clone())).collect();
            store.extend(kept);
        }
        for (profile, expected) in &memories {
            let key = MemoryKey::new("spa_1", "aud_1", profile, 0);
            assert_same(&store.get(&key).cloned().unwrap_or_default(), expected);
        }
    }
}
