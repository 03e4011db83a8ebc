//! What holds for every update and all destinations, over generated worlds that are small enough to
//! be full of ties: few types, few IDs, few times.
//!
//! The first property is the one that counts: the library decides what the [`oracle`](crate::oracle)
//! decides. The others say what follows from it, each in a way that the oracle takes no part in.

use std::collections::{BTreeMap, BTreeSet};

use idgroup::{
    DeliveryKey, Destinations, OutboundMessages, OwnedIdGroupEvent, ProfileUpdate, Verdict as Decided,
    decide, decide_legacy, explain,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::oracle::{self, Destination, Trigger, Update, Verdict, build};
use crate::worlds::{
    NaiveWorld, World, any_naive_world, any_naive_world_and_later_ids, any_naive_world_of_many_ids,
    any_setting, many_cases, state_own_profile,
};

fn decided(world: &NaiveWorld) -> Value {
    let World { update, destinations } = world.built();
    events(&update, &destinations)
}

/// The messages of an event, each with its keys.
fn messages(messages: &OutboundMessages<'_>) -> Vec<(Vec<String>, Vec<DeliveryKey>)> {
    let first = messages.iter().take(20);
    first
        .map(|message| {
            let ids = message.external_ids().map(|id| format!("{} {}", id.id_type(), id.id()));
            (ids.collect(), message.destination_ids().map(|id| message.delivery_key(id)).collect())
        })
        .collect()
}

fn events(update: &ProfileUpdate, destinations: &Destinations) -> Value {
    serde_json::to_value(decide(update, destinations)).unwrap()
}

fn explanation(World { update, destinations }: &World) -> Value {
    explain(update, destinations).iter().map(|verdict| serde_json::to_value(verdict).unwrap()).collect()
}

/// What is sent to each destination that is sent something: the message id and the IDs.
fn received(events: &Value) -> BTreeMap<String, (Value, Value)> {
    let mut received = BTreeMap::new();
    for event in events.as_array().unwrap() {
        for destination in event["destinations"].as_array().unwrap() {
            let content = (event["message_id"].clone(), event["id_group"].clone());
            let twice = received.insert(destination.as_str().unwrap().to_owned(), content);
            assert!(twice.is_none(), "{destination} is in two events");
        }
    }
    received
}

// ---------------------------------------------------------------------------------------------
// The oracle
// ---------------------------------------------------------------------------------------------

fn assert_decided_as_by_oracle(world: &NaiveWorld) {
    let NaiveWorld { update: plain_update, destinations: plain_destinations } = world;
    let World { update, destinations } = world.read();

    assert_eq!(events(&update, &destinations), oracle::events(plain_update, plain_destinations));

    let explanation = explain(&update, &destinations);
    let expected = oracle::verdicts(plain_update, plain_destinations);
    assert_eq!(explanation.iter().count(), expected.len());
    for (destination, verdict) in expected {
        let explained = explanation.of(destination).unwrap();
        assert_eq!(explained.destination().id(), destination);
        assert_eq!(explained.update_id(), plain_update.id);
        let takes_all = explained.destination().takes_all();
        match (explained.verdict(), &verdict) {
            (Decided::SendAll, Verdict::Send(_)) => assert!(takes_all),
            (Decided::SendSome, Verdict::Send(_)) => assert!(!takes_all),
            (Decided::Drop(reason), Verdict::Drop(expected)) => assert_eq!(reason.as_str(), *expected),
            (explained, _) => panic!("{destination}: {explained:?} is not {verdict:?}"),
        }
        let sent = match &verdict {
            Verdict::Send(ids) => ids.as_slice(),
            Verdict::Drop(_) => &[],
        };
        let explained: Vec<_> = explained.external_ids().iter().cloned().collect();
        let listed: Vec<_> = sent.iter().map(build::external_id).collect();
        assert_eq!(
            explained
                .iter()
                .map(|id| (id.key(), id.encoding(), id.created_at(), id.attached_at(), id.subscribed()))
                .collect::<Vec<_>>(),
            listed
                .iter()
                .map(|id| (id.key(), id.encoding(), id.created_at(), id.attached_at(), id.subscribed()))
                .collect::<Vec<_>>(),
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decides_about_many_ids_what_the_oracle_does(world in any_naive_world_of_many_ids()) {
        assert_decided_as_by_oracle(&world);
    }
}

proptest! {
    #![proptest_config(many_cases())]

    #[test]
    fn decides_and_explains_what_the_oracle_does(world in any_naive_world()) {
        assert_decided_as_by_oracle(&world);
    }

    #[test]
    fn the_legacy_flow_sends_what_it_sends_by_the_oracle(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        let events = serde_json::to_value(decide_legacy(&update, &destinations)).unwrap();
        prop_assert_eq!(events, oracle::legacy_events(&world.update, &world.destinations));
    }

    #[test]
    fn explanations_and_events_say_the_same(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        let received = received(&events(&update, &destinations));
        let explained = explain(&update, &destinations);
        for verdict in &explained {
            let said = serde_json::to_value(&verdict).unwrap();
            match received.get(verdict.destination().id()) {
                None => {
                    prop_assert!(verdict.verdict().drop_reason().is_some());
                    prop_assert!(verdict.external_ids().is_empty());
                }
                Some((_, group)) => {
                    prop_assert_eq!(verdict.verdict().drop_reason(), None);
                    prop_assert_eq!(&said["external_ids"], &group["external_ids"]);
                    prop_assert!(!verdict.external_ids().is_empty());
                }
            }
        }
        prop_assert_eq!(explained.iter().count(), world.destinations.len());
        let verdicts: Vec<_> = explained.iter().collect();
        prop_assert_eq!(serde_json::to_value(&explained).unwrap(), serde_json::to_value(verdicts).unwrap());
    }

    /// The order of all lists: of IDs, of added IDs, of merged profiles, of destinations, of types.
    #[test]
    fn the_order_of_the_input_is_irrelevant(world in any_naive_world(), seed in any::<u64>()) {
        let mut other = world.clone();
        let mut shuffle = Shuffle(seed);
        shuffle.list(&mut other.update.external_ids);
        shuffle.list(&mut other.destinations);
        for types in other.destinations.iter_mut().filter_map(|to| to.dedupes_on.as_mut()) {
            shuffle.list(types);
        }
        for strategies in other.destinations.iter_mut().filter_map(|to| to.id_strategies.as_mut()) {
            shuffle.list(strategies);
        }
        match &mut other.update.trigger {
            Trigger::ValueChanged => {}
            Trigger::NewExternalId(keys) | Trigger::ExternalIdRemoved(keys) => shuffle.list(keys),
            Trigger::ProfileMerge(profiles) => {
                shuffle.list(profiles);
                profiles.iter_mut().filter_map(|one| one.external_ids.as_mut()).for_each(|ids| shuffle.list(ids));
            }
        }
        prop_assert_eq!(decided(&world), decided(&other));
        prop_assert_eq!(
            explanation(&world.read()),
            explanation(&other.read()),
        );
    }

    /// A redelivery may see IDs that came after the update was computed. Nobody is messaged for them.
    #[test]
    fn later_ids_change_nothing_for_deduping_destinations((world, later) in any_naive_world_and_later_ids()) {
        let mut redelivered = world.clone();
        redelivered.update.external_ids.extend(later);
        let deduping = |world: &NaiveWorld| {
            let mut received = received(&decided(world));
            for plain in world.destinations.iter().filter(|to| to.dedupes_on.is_none()) {
                received.remove(plain.id);
            }
            received
        };
        prop_assert_eq!(deduping(&world), deduping(&redelivered));
    }

    #[test]
    fn an_unrelated_destination_changes_nothing_for_the_others(
        world in any_naive_world(),
        setting in any_setting(),
    ) {
        let mut more = world.clone();
        more.destinations.push(Destination { id: "dst_1_new", ..setting });
        let mut with_more = received(&decided(&more));
        with_more.remove("dst_1_new");
        prop_assert_eq!(with_more, received(&decided(&world)));
    }

    #[test]
    fn input_written_as_json_reads_as_the_same(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        let written = serde_json::to_string(&update).unwrap();
        let read: ProfileUpdate = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read, &update);
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), written);
        let written = serde_json::to_string(&destinations).unwrap();
        let read_destinations: Destinations = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read_destinations, &destinations);
        prop_assert_eq!(events(&read, &read_destinations), events(&update, &destinations));
    }

    #[test]
    fn input_from_code_equals_input_from_json(world in any_naive_world()) {
        let from_code = build::update(&world.update);
        prop_assert_eq!(&from_code, &world.read().update);
        prop_assert_eq!(&build::destinations(&world.destinations), &world.read().destinations);
        // from a reader and from a value nothing can be borrowed
        let json = world.update.to_json();
        prop_assert_eq!(&from_code, &serde_json::from_reader(json.to_string().as_bytes()).unwrap());
        prop_assert_eq!(&from_code, &serde_json::from_value(json).unwrap());
    }

    /// Fields that nobody knows are nothing to stumble over, wherever in an update they are.
    #[test]
    fn unknown_fields_of_updates_are_ignored(world in any_naive_world()) {
        let mut json = world.update.to_json();
        add_unknown_fields(&mut json);
        let read: ProfileUpdate = serde_json::from_value(json).unwrap();
        prop_assert_eq!(read, build::update(&world.update));
    }

    #[test]
    fn an_owned_event_is_the_same_event(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        for event in decide(&update, &destinations) {
            let owned = event.clone().into_owned();
            prop_assert_eq!(serde_json::to_string(&owned).unwrap(), serde_json::to_string(&event).unwrap());
            prop_assert_eq!(owned.message_id(), event.message_id());
            prop_assert_eq!(owned.update_id(), event.update_id());
            prop_assert_eq!(owned.space_id(), event.space_id());
            prop_assert_eq!(owned.profile_id(), event.profile_id());
            prop_assert_eq!(owned.computation(), event.computation());
            prop_assert_eq!(owned.membership(), event.membership());
            prop_assert_eq!(owned.reason(), event.reason());
            prop_assert_eq!(owned.computed_at(), event.computed_at());
            prop_assert_eq!(owned.id_group().hash(), event.id_group().hash());
            prop_assert!(owned.destination_ids().eq(event.destinations().iter().map(idgroup::Destination::id)));
            prop_assert_eq!(owned.amplification(), event.amplification());
            prop_assert!(
                messages(&owned.outbound_messages()) == messages(&event.outbound_messages()),
                "the same messages"
            );
            let read_back: OwnedIdGroupEvent =
                serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
            prop_assert_eq!(read_back, owned);
        }
    }

    /// Events are equal if they are written alike, and so are the IDs and destinations in them.
    #[test]
    fn equal_is_what_is_written_alike(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        let events = decide(&update, &destinations);
        for one in &events {
            for other in &events {
                let are_same = std::ptr::eq(one, other);
                prop_assert_eq!(one == other, are_same);
                prop_assert_eq!(one.destinations() == other.destinations(), are_same);
                prop_assert_eq!(one.id_group() == other.id_group(), are_same);
            }
        }
    }

    /// Of two updates, or two groups, never the same message id.
    #[test]
    fn message_ids_tell_everything_apart(world in any_naive_world(), other in any_naive_world()) {
        let mut seen = BTreeMap::new();
        for (of, world) in [("one", &world), ("other", &other)] {
            for event in decided(world).as_array().unwrap() {
                let update = &world.update;
                let hash = event["id_group"]["hash"].to_string();
                let source = (update.space_id, update.computation_id, update.profile_id, update.id, hash);
                let earlier = seen.insert(event["message_id"].to_string(), source.clone());
                prop_assert!(earlier.is_none_or(|earlier| earlier == source), "{}", of);
            }
        }
        let ids_of = |world: &NaiveWorld| -> BTreeSet<String> {
            decided(world).as_array().unwrap().iter().map(|event| event["message_id"].to_string()).collect()
        };
        let own = ids_of(&world);
        let fields: [fn(&mut Update); 4] = [
            |update| update.space_id = "other",
            |update| update.computation_id = "other",
            |update| {
                update.profile_id = "other";
                state_own_profile(update);
            },
            |update| update.id = "other",
        ];
        for change in fields {
            let mut changed = world.clone();
            change(&mut changed.update);
            prop_assert!(own.is_disjoint(&ids_of(&changed)));
        }
        // what is not part of the key
        let mut changed = world.clone();
        changed.update.class = "other";
        changed.update.computation_key = "other";
        prop_assert_eq!(own, ids_of(&changed));
    }
}

fn add_unknown_fields(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(add_unknown_fields),
        Value::Object(fields) => {
            fields.values_mut().for_each(add_unknown_fields);
            fields.insert("$more".into(), json!([1.5, {"more": null}, true, "and more"]));
        }
        _ => {}
    }
}

/// A shuffle that depends on its seed alone.
struct Shuffle(u64);

impl Shuffle {
    fn list<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            // the generator of Knuth's MMIX
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from(self.0 >> 33).unwrap() % (index + 1);
            list.swap(index, other);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What the worlds are worth
// ---------------------------------------------------------------------------------------------

fn types_of(to: &Destination) -> Option<BTreeSet<&str>> {
    to.dedupes_on.as_ref().map(|types| types.iter().copied().collect())
}

type Choice<'a> = (Option<BTreeSet<&'a str>>, Option<BTreeSet<(&'a str, &'a str)>>, Option<&'a str>);

fn choice_of(to: &Destination) -> Choice<'_> {
    let strategies = to.id_strategies.as_ref().map(|strategies| strategies.iter().copied().collect());
    (types_of(to), strategies, to.consent)
}

/// A property proves what its cases reach: all verdicts, for all reasons, in all interesting ways.
#[test]
#[allow(clippy::too_many_lines, reason = "a row each of what is reached")]
fn generated_worlds_reach_everything() {
    const WORLDS: usize = 8000;
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *reached.entry(what).or_default() += 1;
    for _ in 0..WORLDS {
        let NaiveWorld { update, destinations } = any_naive_world().new_tree(&mut runner).unwrap().current();
        let reason = update.trigger.reason();
        let verdicts = oracle::verdicts(&update, &destinations);
        for ((_, verdict), destination) in verdicts.iter().zip(&destinations) {
            match destination.dedupes_on {
                Some(_) => count(format!("{reason}: {}", verdict.name())),
                None => count(format!("plain: {}", verdict.name())),
            }
        }
        let listed_once = oracle::listed_once(&update.external_ids);
        if listed_once.len() < update.external_ids.len() {
            count("an ID listed twice".into());
        }
        if let Some(computed_at) = update.computed_at
            && listed_once.iter().any(|id| id.attached_at.is_some_and(|at| at > computed_at))
        {
            count("an ID that came later".into());
            if listed_once.iter().any(|id| id.attached_at == Some(computed_at)) {
                count("an ID that came at the last moment".into());
            }
        }
        for (index, one) in listed_once.iter().enumerate() {
            for other in &listed_once[..index] {
                if one.key.kind == other.key.kind && one.created_at == other.created_at {
                    count("a tie for the latest ID".into());
                }
                if one.attached_at == other.attached_at {
                    count("a tie for the first ID".into());
                }
                if (one.created_at < other.created_at) != (one.attached_at < other.attached_at) {
                    count("two orders that differ".into());
                }
            }
        }
        for group in oracle::groups(&verdicts) {
            let members = || destinations.iter().filter(|to| group.destinations.contains(&to.id));
            let types: BTreeSet<Option<BTreeSet<&str>>> = members().map(types_of).collect();
            let choices: BTreeSet<_> = members().map(choice_of).collect();
            if types.len() > 1 {
                count("a group shared by several settings".into());
                if types.contains(&None) {
                    count("a group shared by plain and deduping destinations".into());
                }
            }
            if choices.len() > types.len() {
                count("a group shared by several ways to choose of the same types".into());
            }
            if group.destinations.len() > choices.len() {
                count("a setting shared by several destinations".into());
            }
            if group.external_ids.len() > 1 && types.iter().all(Option::is_some) {
                count("a deduping group of several IDs".into());
            }
        }
        for ((_, verdict), to) in verdicts.iter().zip(&destinations) {
            let without = |change: fn(&mut Destination)| {
                let mut changed = to.clone();
                change(&mut changed);
                oracle::verdict(&update, &changed)
            };
            if let (Verdict::Send(_), Verdict::Send(others)) = (verdict, without(|to| to.consent = None))
                && *verdict != Verdict::Send(others)
            {
                count("other IDs because of consent".into());
            }
            if to.consent.is_some() && *verdict == Verdict::Drop("already_messaged") {
                count("already messaged, with consent".into());
            }
            if without(|to| to.consent = None) == Verdict::Drop("already_messaged")
                && matches!(verdict, Verdict::Send(_))
            {
                count("messaged although an ID without consent came earlier".into());
            }
            if let (Verdict::Send(ids), Verdict::Send(others)) =
                (verdict, without(|to| to.id_strategies = None))
                && ids.len() == others.len()
                && *ids != others
            {
                count("other IDs because of a strategy".into());
            }
        }
    }
    for (what, times) in &reached {
        println!("{times:6} {what}");
    }
    for (what, least) in [
        ("value_changed: send", 300),
        ("value_changed: exited", 100),
        ("value_changed: no_relevant_external_id", 300),
        ("new_external_id: send", 300),
        ("new_external_id: not_a_member", 300),
        ("new_external_id: added_id_not_relevant", 300),
        ("new_external_id: already_messaged", 200),
        ("profile_merge: send", 100),
        ("profile_merge: not_a_member", 100),
        ("profile_merge: already_messaged", 100),
        ("profile_merge: may_have_been_messaged", 100),
        ("profile_merge: no_relevant_external_id", 100),
        ("external_id_removed: external_id_removed", 300),
        ("plain: send", 1000),
        ("plain: no_external_ids", 100),
        ("value_changed: no_consent", 100),
        ("new_external_id: no_consent", 100),
        ("profile_merge: no_consent", 50),
        ("plain: no_consent", 100),
        ("other IDs because of consent", 300),
        ("other IDs because of a strategy", 100),
        ("already messaged, with consent", 50),
        ("messaged although an ID without consent came earlier", 15),
        ("a group shared by several ways to choose of the same types", 300),
        ("an ID listed twice", 300),
        ("an ID that came later", 300),
        ("an ID that came at the last moment", 100),
        ("a tie for the latest ID", 300),
        ("a tie for the first ID", 300),
        ("two orders that differ", 300),
        ("a group shared by several settings", 300),
        ("a group shared by plain and deduping destinations", 100),
        ("a setting shared by several destinations", 300),
        ("a deduping group of several IDs", 300),
    ] {
        let times = reached.get(what).copied().unwrap_or_default();
        assert!(times >= least, "{what}: {times} times in {WORLDS} worlds");
    }
}
