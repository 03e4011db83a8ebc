//! Both flows side by side: what the legacy flow sends, that the dedupe flow sends the same to
//! destinations that do not dedupe, and that a dedupe flow with a bug is found, and the bug named.

use std::collections::BTreeMap;

use idgroup::compare::{
    Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Extent, OutboundSample, compare,
    compare_events, compare_with,
};
use idgroup::{
    Amplification, Collection, Destination, Destinations, ExternalId, Flow, IdGroupEvent, ProfileUpdate,
    decide, decide_legacy,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::build::{self, plain};
use crate::product::combinations;
use crate::worlds::{World, any_world};

const KEY: ComparisonKey = ComparisonKey::new([9; 16]);

fn everything() -> ComparisonBudget {
    ComparisonBudget::default().samples(usize::MAX).sample_bytes(usize::MAX)
}

/// A combination of external IDs with all that goes out of each, and the destinations that do not
/// dedupe: in full, by looking at every ID of every event.
type Plain = (Vec<Value>, Vec<String>);

fn multiplied_out(events: &[IdGroupEvent<'_>]) -> Vec<Plain> {
    let mut messages = Vec::new();
    for event in events {
        let ids: Vec<Value> =
            serde_json::to_value(event).unwrap()["id_group"]["external_ids"].as_array().unwrap().clone();
        let destinations: Vec<String> = event
            .destinations()
            .iter()
            .filter(|destination| destination.dedupes_on().is_none())
            .map(|destination| destination.id().to_owned())
            .collect();
        if destinations.is_empty() {
            continue;
        }
        let combinations = combinations(&ids, |id| id["type"].as_str().unwrap());
        messages.extend(combinations.into_iter().map(|ids| (ids, destinations.clone())));
    }
    messages
}

/// By its text, how often each flow has each message that they do not have equally often.
fn differing(legacy: &[Plain], dedupe: &[Plain]) -> BTreeMap<String, Copies> {
    let mut differing = BTreeMap::<String, Copies>::new();
    for (ids, destinations) in legacy {
        differing.entry(json!([ids, destinations]).to_string()).or_default().legacy += 1;
    }
    for (ids, destinations) in dedupe {
        differing.entry(json!([ids, destinations]).to_string()).or_default().dedupe += 1;
    }
    differing.retain(|_, copies| copies.legacy != copies.dedupe);
    differing
}

fn sampled(difference: &Difference<OutboundSample>) -> BTreeMap<String, Copies> {
    let samples = difference.samples.iter().map(|sample| {
        let message = serde_json::to_value(&sample.message).unwrap();
        assert_eq!(message["is_cut"], json!(false));
        (json!([message["external_ids"], message["destinations"]]).to_string(), sample.copies)
    });
    let named: BTreeMap<_, _> = samples.collect();
    assert_eq!(named.len(), difference.samples.len());
    named
}

/// What the comparison says of these events is what multiplying them out says.
#[track_caller]
fn assert_as_multiplied_out(
    legacy: &[IdGroupEvent<'_>],
    dedupe: &[IdGroupEvent<'_>],
    budget: &ComparisonBudget,
) -> Comparison<OutboundSample> {
    let (all_legacy, all_dedupe) = (multiplied_out(legacy), multiplied_out(dedupe));
    let differing = differing(&all_legacy, &all_dedupe);
    let comparison = compare_events(legacy, dedupe, &KEY, budget, &mut ());
    match &comparison {
        Comparison::Identical { messages } => {
            assert!(differing.is_empty(), "{differing:?}");
            assert_eq!(*messages, all_legacy.len() as u64);
        }
        Comparison::Different(difference) => {
            assert_eq!(
                (difference.legacy, difference.dedupe),
                (all_legacy.len() as u64, all_dedupe.len() as u64)
            );
            assert_eq!(sampled(difference), differing);
            assert_eq!(difference.messages(), differing.len() as u64);
            assert_eq!(difference.extent, Extent::Whole);
            for (number, kind) in [
                (difference.only_in_legacy, "only_in_legacy"),
                (difference.only_in_dedupe, "only_in_dedupe"),
                (difference.in_different_numbers, "in_different_numbers"),
            ] {
                let of_kind = differing.values().filter(|copies| copies.as_str() == kind).count();
                assert_eq!(number, of_kind as u64, "{kind}");
            }
        }
        other => panic!("nothing limits it: {other:?}"),
    }
    comparison
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_flows_send_the_same_to_destinations_that_do_not_dedupe(
        World { update, destinations } in any_world(),
        key: [u8; 16],
        differing_messages in 0_usize..3,
    ) {
        let budget = ComparisonBudget::default().differing_messages(differing_messages).passes(1);
        let comparison = compare(&update, &destinations, &ComparisonKey::new(key), &budget);
        let has_plain = destinations.as_slice().iter().any(|destination| destination.dedupes_on().is_none());
        let messages = match has_plain {
            true => Amplification::of(&decide_legacy(&update, &destinations)).outbound_messages(),
            false => 0,
        };
        prop_assert_eq!(comparison, Comparison::Identical { messages });
    }

    #[test]
    fn events_of_two_worlds_differ_as_their_messages_do(
        worlds in [any_world(), any_world()],
        differing_messages in prop_oneof![1_usize..4, Just(1_000)],
    ) {
        let [of_legacy, of_dedupe] = &worlds;
        let legacy = decide_legacy(&of_legacy.update, &of_legacy.destinations);
        let dedupe = decide(&of_dedupe.update, &of_dedupe.destinations);
        let budget = everything().differing_messages(differing_messages).passes(u32::MAX);
        let _ = assert_as_multiplied_out(&legacy, &dedupe, &budget);
    }

    #[test]
    fn the_legacy_flow_sends_everything_to_everybody(World { update, destinations } in any_world()) {
        let events = decide_legacy(&update, &destinations);
        if update.external_ids().is_empty() || destinations.is_empty() {
            prop_assert_eq!(events, []);
        } else {
            prop_assert_eq!(events.len(), 1);
            prop_assert!(events[0].id_group().external_ids().iter().eq(update.external_ids()));
            prop_assert!(events[0].destinations().iter().eq(destinations.as_slice()));
            // To destinations that do not dedupe the dedupe flow sends just this event.
            let plain = destinations.as_slice().iter().map(|destination| Destination::new(destination.id()).unwrap());
            let plain = Destinations::new(plain).unwrap();
            let plain = decide(&update, &plain);
            prop_assert_eq!(serde_json::to_value(&events).unwrap(), serde_json::to_value(&plain).unwrap());
        }
    }
}

/// A world to plant bugs in: 2 phones × 3 emails for two destinations that do not dedupe, and for
/// two that do.
struct Shop {
    emails: Vec<ExternalId>,
    phones: Vec<ExternalId>,
    id: &'static str,
    destinations: Vec<Destination>,
}

fn email(id: &str) -> ExternalId {
    build::id("email", id).with_created_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn phone(id: &str) -> ExternalId {
    build::id("phone", id)
}

fn shop() -> Shop {
    Shop {
        emails: vec![email("a"), email("b"), email("c")],
        phones: vec![phone("1"), phone("2")],
        id: "upd_1",
        destinations: vec![
            plain("ads_1"),
            plain("ads_2"),
            plain("sendgrid").deduping_on(["email"]).unwrap(),
            plain("twilio").deduping_on(["phone"]).unwrap(),
        ],
    }
}

impl Shop {
    fn update(&self) -> ProfileUpdate {
        let ids = self.emails.iter().chain(&self.phones).cloned();
        build::entry().id(self.id).external_ids(ids).build().unwrap()
    }

    fn destinations(&self) -> Destinations {
        Destinations::new(self.destinations.iter().cloned()).unwrap()
    }
}

/// Compares the legacy flow for the shop with what the dedupe flow would send for these: for one
/// shop with a bug, or for several, one after the other.
#[track_caller]
fn with_bug(shops: &[Shop]) -> Comparison<OutboundSample> {
    let (update, destinations) = (shop().update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let inputs: Vec<_> = shops.iter().map(|shop| (shop.update(), shop.destinations())).collect();
    let dedupe: Vec<_> =
        inputs.iter().flat_map(|(update, destinations)| decide(update, destinations)).collect();
    assert_as_multiplied_out(&legacy, &dedupe, &everything())
}

/// Asserts how many messages differ in which way, and that the first sample is named so.
#[track_caller]
fn assert_found(shops: &[Shop], only_in_legacy: u64, only_in_dedupe: u64, in_different_numbers: u64) {
    let Comparison::Different(found) = with_bug(shops) else { panic!("the bug is not found") };
    assert_eq!(
        (found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers),
        (only_in_legacy, only_in_dedupe, in_different_numbers),
    );
}

#[test]
fn no_bug_is_found_where_there_is_none() {
    assert_eq!(with_bug(&[shop()]), Comparison::Identical { messages: 6 });
}

#[test]
fn a_missing_id_is_found() {
    assert_found(&[Shop { emails: vec![email("a"), email("c")], ..shop() }], 2, 0, 0);
    assert_found(&[Shop { phones: vec![phone("1")], ..shop() }], 3, 0, 0);
}

#[test]
fn a_missing_type_is_found() {
    assert_found(&[Shop { phones: vec![], ..shop() }], 6, 3, 0);
}

#[test]
fn an_id_too_many_is_found() {
    let emails = vec![email("a"), email("b"), email("c"), email("d")];
    assert_found(&[Shop { emails, ..shop() }], 0, 2, 0);
}

#[test]
fn only_the_latest_ids_where_all_belong_are_found() {
    assert_found(&[Shop { emails: vec![email("c")], phones: vec![phone("2")], ..shop() }], 5, 0, 0);
}

/// Right numbers everywhere, and one byte wrong.
#[test]
fn a_wrong_value_type_collection_or_encoding_is_found() {
    let replaced = |c: ExternalId| Shop { emails: vec![email("a"), email("b"), c], ..shop() };
    assert_found(&[replaced(email("C"))], 2, 2, 0);
    assert_found(&[replaced(email("c").with_encoding("sha256"))], 2, 2, 0);
    assert_found(&[replaced(email("c").with_collection(Collection::Accounts))], 2, 2, 0);
    let phones = ["1", "2"].map(|id| ExternalId::new("Phone", id).unwrap()).into();
    assert_found(&[Shop { phones, ..shop() }], 6, 6, 0);
}

#[test]
fn a_value_that_moved_to_another_type_is_found() {
    assert_found(&[Shop { emails: vec![email("a"), email("b"), email("1")], ..shop() }], 2, 2, 0);
}

#[test]
fn a_missing_destination_is_found() {
    let destinations = shop().destinations.into_iter().filter(|d| d.id() != "ads_2").collect();
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn a_destination_too_many_is_found() {
    let destinations = shop().destinations.into_iter().chain([plain("ads_3")]).collect();
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn another_destination_is_found() {
    let destinations = vec![plain("ads_1"), plain("ads_3")];
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
    let destinations = vec![plain("ads_1a"), plain("ds_2")];
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

/// The bug that this library must not have: a destination that does not dedupe, deduped.
#[test]
fn a_destination_that_dedupes_and_should_not_is_found() {
    let [mut one, mut both] = [shop().destinations, shop().destinations];
    one[1] = plain("ads_2").deduping_on(["email"]).unwrap();
    assert_found(&[Shop { destinations: one, ..shop() }], 6, 6, 0);
    both[0] = plain("ads_1").deduping_on(["email"]).unwrap();
    both[1] = plain("ads_2").deduping_on(["email"]).unwrap();
    assert_found(&[Shop { destinations: both, ..shop() }], 6, 0, 0);
}

#[test]
fn a_destination_that_does_not_dedupe_and_should_is_found() {
    let mut destinations = shop().destinations;
    destinations[2] = plain("sendgrid");
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn an_event_that_is_made_twice_is_found() {
    assert_found(&[shop(), shop()], 0, 0, 6);
}

#[test]
fn an_event_that_is_not_made_is_found() {
    assert_found(&[], 6, 0, 0);
    let nobody = Shop { emails: vec![], phones: vec![], ..shop() };
    assert_found(&[nobody], 6, 0, 0);
}

#[test]
fn an_event_too_many_is_found() {
    let other = Shop { emails: vec![email("x")], phones: vec![], ..shop() };
    assert_found(&[shop(), other], 0, 1, 0);
}

/// One event instead of another: as many messages, and other ones.
#[test]
fn the_event_of_another_profile_is_found() {
    let emails = vec![email("x"), email("y"), email("z")];
    assert_found(&[Shop { emails, ..shop() }], 6, 6, 0);
}

/// Half of the combinations twice, and half not at all: the count alone would agree.
#[test]
fn one_half_twice_and_the_other_not_at_all_is_found() {
    let half = || Shop { phones: vec![phone("1")], ..shop() };
    assert_found(&[half(), half()], 3, 0, 3);
}

/// One event for each destination, where there was one event for both.
#[test]
fn destinations_of_one_event_that_come_apart_are_found() {
    let [one, other] = ["ads_1", "ads_2"].map(|id| Shop { destinations: vec![plain(id)], ..shop() });
    assert_found(&[one, other], 6, 12, 0);
}

/// What destinations that dedupe are sent is not compared: there the flows differ on purpose.
#[test]
fn what_deduping_destinations_are_sent_is_not_compared() {
    let mut destinations = shop().destinations;
    destinations[2] = plain("sendgrid").deduping_on(["phone", "email"]).unwrap();
    destinations.pop();
    destinations.push(plain("another").deduping_on(["user_id"]).unwrap());
    assert_eq!(with_bug(&[Shop { destinations, ..shop() }]), Comparison::Identical { messages: 6 });
}

/// Neither the update's id nor the order of a type's IDs is a part of a message.
#[test]
fn only_content_is_compared() {
    let emails =
        vec![email("c").with_created_at("2020-01-01T00:00:00Z".parse().unwrap()), email("b"), email("a")];
    assert_eq!(with_bug(&[Shop { id: "upd_2", emails, ..shop() }]), Comparison::Identical { messages: 6 });
}

/// A plain destination shares its event with one that dedupes, and is compared all the same.
#[test]
fn an_event_that_is_shared_is_compared_for_the_destinations_that_do_not_dedupe() {
    let only_email = |id| Shop { emails: vec![email(id)], phones: vec![], ..shop() };
    let (update, destinations) = (only_email("a").update(), shop().destinations());
    let events = decide(&update, &destinations);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].destinations().len(), 3, "Twilio has no phone to send to");
    let legacy = decide_legacy(&update, &destinations);
    assert_eq!(
        assert_as_multiplied_out(&legacy, &events, &everything()),
        Comparison::Identical { messages: 1 }
    );
}

#[test]
fn a_difference_names_ids_and_destinations() {
    let Comparison::Different(found) =
        with_bug(&[Shop { phones: vec![], emails: vec![email("a")], ..shop() }])
    else {
        panic!("the bug is not found")
    };
    let sample = found.samples.iter().find(|sample| sample.copies.legacy == 0).unwrap();
    assert_eq!(sample.copies, Copies { legacy: 0, dedupe: 1 });
    assert_eq!(
        serde_json::to_value(&sample.message).unwrap(),
        json!({
            "external_ids": [{"type": "email", "id": "a", "collection": "users", "encoding": "none"}],
            "destinations": ["ads_1", "ads_2"],
            "is_cut": false,
        }),
    );
    assert_eq!(sample.message.external_ids().len(), 1);
    assert_eq!(sample.message.destinations(), ["ads_1", "ads_2"]);
    assert!(!format!("{found:?}").contains("\"a\""), "IDs are personal data: {found:?}");
}

/// Room for so many bytes, beside the fixed size of an ID or a destination.
#[test]
fn samples_are_cut_where_the_budget_ends() {
    let ids = size_of::<ExternalId>() + "email".len() + "a".len() + "none".len();
    let destination = size_of::<String>() + "ads_1".len();
    let of_both = ids + size_of::<ExternalId>() + "phone".len() + "1".len() + "none".len();
    for (bytes, expected) in [
        (0, (0, 0, true)),
        (ids - 1, (0, 0, true)),
        (ids, (1, 0, true)),
        (of_both - 1, (1, 0, true)),
        (of_both, (2, 0, true)),
        (of_both + destination - 1, (2, 0, true)),
        (of_both + destination, (2, 1, true)),
        (of_both + 2 * destination - 1, (2, 1, true)),
        (of_both + 2 * destination, (2, 2, false)),
        (usize::MAX, (2, 2, false)),
    ] {
        let (update, destinations) = (shop().update(), shop().destinations());
        let legacy = decide_legacy(&update, &destinations);
        let budget = ComparisonBudget::default().sample_bytes(bytes);
        let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget, &mut ()) else {
            panic!()
        };
        assert_eq!(found.samples.len(), 6);
        for sample in found.samples {
            let message = sample.message;
            let lengths = (message.external_ids().len(), message.destinations().len(), message.is_cut());
            assert_eq!(lengths, expected, "{bytes} bytes");
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(json["is_cut"], json!(expected.2));
        }
    }
}

#[test]
fn the_default_keeps_sixteen_samples() {
    let emails: Vec<_> = (0..40).map(|number| email(&number.to_string())).collect();
    let (update, destinations) = (Shop { emails, ..shop() }.update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let budget = ComparisonBudget::default();
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget, &mut ()) else { panic!() };
    assert_eq!((found.only_in_legacy, found.samples.len(), found.extent), (80, 16, Extent::Whole));
    let none = budget.samples(0);
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &none, &mut ()) else { panic!() };
    assert_eq!((found.only_in_legacy, found.samples.len(), found.extent), (80, 0, Extent::Whole));
}

/// Refused before a message is made: one of these flows has 2^70 messages.
#[test]
fn an_amplification_above_the_limit_is_refused_at_once() {
    let ids = (0..70)
        .flat_map(|number| ["a", "b"].map(|id| ExternalId::new(format!("type_{number}"), id).unwrap()));
    let monster = Shop { emails: ids.collect(), phones: vec![], ..shop() }.update();
    let (small, destinations) = (shop().update(), shop().destinations());
    let budget = ComparisonBudget::default().messages(u64::MAX - 1);
    let compared = |legacy, dedupe| {
        let (legacy, dedupe) = (decide_legacy(legacy, &destinations), decide(dedupe, &destinations));
        compare_events(&legacy, &dedupe, &KEY, &budget, &mut ())
    };
    let refused = |flow| Comparison::Refused { flow, most: u64::MAX - 1 };
    assert_eq!(compared(&monster, &small), refused(Flow::Legacy));
    assert_eq!(compared(&small, &monster), refused(Flow::Dedupe));
    assert_eq!(compared(&monster, &monster), refused(Flow::Legacy));
    assert_eq!(compared(&small, &small), Comparison::Identical { messages: 6 });
    assert_eq!(compare(&monster, &destinations, &KEY, &budget), refused(Flow::Legacy));
}

#[test]
fn the_limit_itself_is_allowed() {
    let (update, destinations) = (shop().update(), shop().destinations());
    let compared = |most| {
        compare_with(&update, &destinations, &KEY, &ComparisonBudget::default().messages(most), &mut ())
    };
    assert_eq!(compared(6), Comparison::Identical { messages: 6 });
    assert_eq!(compared(5), Comparison::Refused { flow: Flow::Legacy, most: 5 });
}

/// A comparison that ran out of passes says what it found, and that this is not all.
#[test]
fn a_comparison_that_ran_out_of_passes_names_a_part() {
    let (update, destinations) = (shop().update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let budget = everything().differing_messages(2).passes(2);
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget, &mut ()) else { panic!() };
    assert_eq!((found.legacy, found.dedupe, found.only_in_legacy), (6, 0, 2));
    assert_eq!((found.samples.len(), found.extent), (2, Extent::Part));
}
