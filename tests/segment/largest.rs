//! The largest call of an event, against a look at each.

use std::collections::BTreeMap;

use idgroup::segment::{CallSettings, Routes, Supplied};
use idgroup::{Destinations, ExternalId, ProfileUpdate, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{entry, read};

/// By the destinations that the calls go to.
type Sizes = BTreeMap<Vec<String>, usize>;

#[track_caller]
fn sizes(external_ids: &[Value]) -> Sizes {
    let update: ProfileUpdate = read(&entry(&json!(external_ids)));
    let destinations: Destinations = read(&json!([
        { "id": "dst_1", "name": "A" },
        { "id": "dst_2", "name": "B" },
        { "id": "dst_email", "name": "C", "dedupes_on": ["email", "phone"] },
        { "id": "dst_list", "name": "D" },
        { "id": "dst_sender", "name": "E", "dedupes_on": ["email", "other"] },
    ]));
    let settings: CallSettings = read(&json!({
        "dst_1": { "call": "identify" }, "dst_2": { "call": "identify" }, "dst_email": { "call": "track" },
        "dst_list": { "call": "track", "external_audience_id": "\u{1}", "audience_settings": { "a": 1 } },
        "dst_sender": { "call": "track", "engage": true },
    }));
    let routes = Routes::new(&destinations, &settings);
    let mut all = Sizes::new();
    for event in decide(&update, &destinations) {
        let calls = routes.calls(&event, Supplied::default());
        let mut expected = Sizes::new();
        for call in calls.iter().flatten() {
            let names = call.destinations().iter().map(|to| to.id().to_owned()).collect();
            let size = serde_json::to_vec(&call).unwrap().len();
            let largest = expected.entry(names).or_default();
            *largest = size.max(*largest);
        }
        let names = |to: &[&idgroup::Destination]| to.iter().map(|to| to.id().to_owned()).collect();
        let found: Sizes = calls.largest_sizes().map(|(to, size)| (names(to), size)).collect();
        assert_eq!(found, expected, "{external_ids:?}");
        all.extend(found);
    }
    all
}

const TYPES: [&str; 11] = [
    "email",
    "Email",
    "EMAIL",
    "phone",
    "Phone",
    "user_id",
    "USER_ID",
    "anonymous_id",
    "Anonymous_ID",
    "other",
    "Other",
];
const IDS: [&str; 9] = [
    "1",
    "  ",
    "a@example.com",
    "   b@example.com ",
    "+14155550101",
    "+12",
    "14155550101234567",
    "\"\u{1}\u{20AC}",
    "the longest of all of them",
];

fn any_id() -> impl Strategy<Value = Value> {
    let encodings = prop_oneof![3 => Just("none"), 1 => Just("sha256"), 1 => Just("a longer encoding")];
    let parts = (prop::sample::select(&TYPES[..]), prop::sample::select(&IDS[..]), encodings, any::<bool>());
    parts.prop_map(|(id_type, id, encoding, is_account)| {
        let collection = if is_account { "accounts" } else { "users" };
        json!({ "type": id_type, "id": id, "encoding": encoding, "collection": collection })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_largest_call_is_found_without_a_look_at_each(ids in prop::collection::vec(any_id(), 0..10)) {
        let ids: Vec<Value> =
            ids.into_iter().filter(|id| serde_json::from_value::<ExternalId>(id.clone()).is_ok()).collect();
        sizes(&ids);
    }
}

#[test]
fn what_makes_the_largest_call_may_be_its_person() {
    let id = |id_type: &str, id: &str| json!({ "type": id_type, "id": id });
    let encoded = |id_type: &str, id: &str| json!({ "type": id_type, "id": id, "encoding": "sha256" });
    let base = [id("email", "a"), id("other", "1")];
    let shared =
        |more: &[Value]| sizes(&[&base, more].concat())[&vec!["dst_1".to_owned(), "dst_2".to_owned()]];
    let one = shared(&[]);
    // Three times in a call, with a comma in `traits` and none in `context.traits`.
    assert_eq!(shared(&[id("email", "bc")]), one + 3);
    assert_eq!(shared(&[encoded("email", "bc")]), one, "it would be in the call once, without an address");
    // Longer by itself, and no address.
    assert_eq!(shared(&[id("email", "   d   ")]), one + 6);
    assert_eq!(shared(&[encoded("other", "1")]), one + 2);
}

#[test]
fn an_event_of_more_calls_than_can_be_looked_at_is_one_look() {
    let ids: Vec<Value> =
        (0..12_000).map(|n| json!({ "type": format!("type_{}", n % 40), "id": n.to_string() })).collect();
    let update: ProfileUpdate = read(&entry(&json!(ids)));
    let destinations: Destinations = read(&json!([{ "id": "dst_1", "name": "A" }]));
    let settings: CallSettings = read(&json!({ "dst_1": { "call": "track" } }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default());
    assert_eq!(calls.count(), u64::MAX);
    let last = calls.iter().next().unwrap().unwrap();
    let longest: usize = last.external_ids().map(|id| 5 - id.id().len()).sum();
    let [(_, size)] = calls.largest_sizes().collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!(size, last.json_size() + longest);
}
