//! Labels, texts and `Debug` forms.

use std::collections::BTreeMap;
use std::fmt::Write;

use idgroup::segment::{CallSettings, CallType, RefusalReason, Routes, Supplied};
use idgroup::{Destinations, ExternalId, ProfileUpdate, decide};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::support::{entry, read};

/// An input for each reason but the one that needs a value that is no JSON.
fn refused() -> Vec<(RefusalReason, Value, Value, Value)> {
    let update = |path: &str, value: Value| {
        let mut update = entry(&json!([{ "type": "email", "id": "secret@example.com" }]));
        *update.pointer_mut(path).unwrap() = value;
        update
    };
    let fine = || update("/id", "upd_1".into());
    let of_trait = || update("/computation/class", "trait".into());
    let named = |name: &str| json!([{ "id": "dst_1", "name": name }]);
    let track = || json!({ "dst_1": { "call": "track" } });
    let list = json!({ "dst_1": { "call": "track", "external_audience_id": "4711" } });
    let encoded = update("/external_ids/0", json!({ "type": "email", "id": "secret", "encoding": "sha256" }));
    let engage = json!({ "dst_1": { "call": "track", "engage": true } });
    let long = update("/computation/key", "x".repeat(32_768).into());
    vec![
        (RefusalReason::ClassMissing, update("/computation/class", Value::Null), named("A"), track()),
        (RefusalReason::UnknownClass, update("/computation/class", "cohort".into()), named("A"), track()),
        (RefusalReason::KeyMissing, update("/computation/key", Value::Null), named("A"), track()),
        (RefusalReason::ForbiddenKey, update("/computation/key", "email".into()), named("A"), track()),
        (RefusalReason::TimeMissing, update("/computed_at", Value::Null), named("A"), track()),
        (RefusalReason::ValueMissing, of_trait(), named("A"), track()),
        (RefusalReason::SettingsMissing, fine(), named("A"), json!({})),
        (RefusalReason::NameMissing, fine(), json!([{ "id": "dst_1" }]), track()),
        (RefusalReason::ForbiddenName, fine(), named("all"), track()),
        (
            RefusalReason::NameNotUnique,
            fine(),
            json!([{ "id": "dst_1", "name": "A" }, { "id": "dst`2", "name": "A" }]),
            json!({ "dst_1": { "call": "track" }, "dst`2": { "call": "track" } }),
        ),
        (RefusalReason::TraitForList, of_trait(), named("A"), list),
        (RefusalReason::OnlyEncodedIds, encoded, named("A"), engage),
        (RefusalReason::TooLarge, long, named("A"), track()),
    ]
}

#[test]
fn reasons_have_labels_and_say_what_is_missing() {
    let mut texts = String::new();
    for (reason, update, destinations, settings) in refused() {
        let update: ProfileUpdate = read(&update);
        let destinations: Destinations = read(&destinations);
        let settings: CallSettings = read(&settings);
        let routes = Routes::new(&destinations, &settings);
        let events = decide(&update, &destinations);
        let value = (reason == RefusalReason::TraitForList).then_some("much");
        let calls = routes.calls(&events[0], Supplied::default().with_value(value));
        let refusal = calls.iter().find_map(Result::err).unwrap();
        assert_eq!(refusal.reason(), reason);
        assert_eq!(reason.to_string(), reason.as_str());
        assert_eq!(json!(reason), reason.as_str());
        assert_eq!(json!(refusal), json!({ "destinations": ["dst_1"], "reason": reason.as_str() }));
        writeln!(texts, "{reason:>16}: {refusal}").unwrap();
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "." }, {
        insta::assert_snapshot!("refusals", texts);
    });
}

#[test]
fn a_refusal_names_all_its_destinations() {
    let mut update = entry(&json!([{ "type": "email", "id": "secret@example.com" }]));
    update["computed_at"] = Value::Null;
    let update: ProfileUpdate = read(&update);
    let destinations: Destinations = read(&json!([{ "id": "b\n" }, { "id": "a" }]));
    let settings = CallSettings::default();
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default());
    let refusals: Vec<_> = calls.refusals().collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        refusals[0].to_string(),
        r"no call to `a`, `b\n`: `computed_at` is missing, and no other time was given",
    );
    assert_eq!(refusals[0].destinations().iter().map(|to| to.id()).collect::<Vec<_>>(), ["a", "b\n"]);
    assert_eq!(calls.count(), 0);
}

fn assert_unwritable<P: Serialize>(value: &P) {
    assert!(serde_json::to_string(value).is_err());
    let update: ProfileUpdate = read(&entry(&json!([{ "type": "email", "id": "a" }])));
    let destinations: Destinations = read(&json!([{ "id": "dst_1", "name": "A" }]));
    let settings: CallSettings = read(&json!({ "dst_1": { "call": "track" } }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let personas = [("journey_metadata", value)];
    let calls = routes.calls(&events[0], Supplied::default().with_personas(&personas));
    let refusals: Vec<_> = calls.iter().filter_map(Result::err).collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].reason(), RefusalReason::UnwritableValue);
    assert_eq!(
        refusals[0].to_string(),
        "no call to `dst_1`: what was given to be written can't be written as JSON",
    );
    // An audience has no value, whatever is given.
    let calls = routes.calls(&events[0], Supplied::default().with_value(Some(value)));
    assert_eq!(calls.iter().filter_map(Result::ok).count(), 1);
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Key {
    Tuple(u8, u8),
    Struct { name: u8 },
}

struct Refusing;

impl Serialize for Refusing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("not today"))
    }
}

struct FloatKeyed(f64);

impl Serialize for FloatKeyed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, 1)])
    }
}

#[test]
fn what_a_caller_gives_must_be_json() {
    assert_unwritable(&BTreeMap::from([(vec![1], 1)]));
    assert_unwritable(&BTreeMap::from([(BTreeMap::from([(1, 1)]), 1)]));
    assert_unwritable(&BTreeMap::from([((), 1)]));
    assert_unwritable(&BTreeMap::from([(None::<u8>, 1)]));
    assert_unwritable(&BTreeMap::from([(Key::Tuple(1, 2), 1)]));
    assert_unwritable(&BTreeMap::from([(Key::Struct { name: 1 }, 1)]));
    assert_unwritable(&[FloatKeyed(f64::NAN)]);
    assert_unwritable(&(1, [Refusing]));
}

/// It would remove the trait that the update sets.
#[test]
fn a_value_that_is_written_as_null_is_missing() {
    let mut update = entry(&json!([{ "type": "email", "id": "a" }]));
    update["computation"]["class"] = "trait".into();
    let update: ProfileUpdate = read(&update);
    let destinations: Destinations = read(&json!([{ "id": "dst_1", "name": "A" }]));
    let settings: CallSettings = read(&json!({ "dst_1": { "call": "track" } }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    for (value, is_missing) in [
        (json!(null), true),
        (json!([null]), false),
        (json!({ "a": null }), false),
        (json!(true), false),
        (json!(1234), false),
        (json!("ab"), false),
        (json!(""), false),
    ] {
        let calls = routes.calls(&events[0], Supplied::default().with_value(Some(&value)));
        let reasons: Vec<_> = calls.refusals().map(|refusal| refusal.reason()).collect();
        let expected = if is_missing { vec![RefusalReason::ValueMissing] } else { vec![] };
        assert_eq!(reasons, expected, "{value}");
    }
    let calls = routes.calls(&events[0], Supplied::default().with_value(Some(&f64::NAN)));
    assert_eq!(calls.refusals().count(), 1);
}

#[test]
fn debug_forms_hold_no_external_id() {
    let update: ProfileUpdate = read(&entry(&json!([
        { "type": "email", "id": "secret@example.com" }, { "type": "user_id", "id": "secret" },
    ])));
    let destinations: Destinations = read(&json!([{ "id": "dst_1", "name": "A" }, { "id": "dst_2" }]));
    let settings: CallSettings =
        read(&json!({ "dst_1": { "call": "track", "audience_settings": { "secret": "secret" } } }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let personas = [("journey_metadata", "secret")];
    let supplied = Supplied::default().with_personas(&personas).with_value(Some("secret"));
    let calls = routes.calls(&events[0], supplied);
    let call = calls.iter().find_map(Result::ok).unwrap();
    let texts = format!("{routes:?}\n{supplied:?}\n{calls:?}\n{call:?}\n{:?}", call.message_id());
    assert!(!texts.contains("secret"), "{texts}");
    assert!(
        texts.contains("dst_2") && texts.contains("SettingsMissing") && texts.contains("journey_metadata")
    );
    assert!(texts.contains(&call.message_id().to_string()), "{texts}");
    assert!(texts.contains("count: 1") && texts.contains("has_value: true"), "{texts}");
}

#[test]
fn a_call_says_what_it_is() {
    let update: ProfileUpdate = read(&entry(&json!([
        { "type": "email", "id": "a" }, { "type": "email", "id": "b" }, { "type": "user_id", "id": "1" },
    ])));
    let destinations: Destinations = read(
        &json!([{ "id": "dst_1", "name": "A" }, { "id": "dst_2", "name": "B" }, { "id": "dst_3", "name": "C" }]),
    );
    let settings: CallSettings = read(&json!({
        "dst_1": { "call": "identify" }, "dst_2": { "call": "track", "engage": true }, "dst_3": { "call": "identify" },
    }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default());
    assert_eq!((calls.count(), calls.event().message_id()), (3, events[0].message_id()));
    let said: Vec<_> = calls
        .iter()
        .map(Result::unwrap)
        .map(|call| {
            let to: Vec<&str> = call.destinations().iter().map(|to| to.id()).collect();
            let ids: Vec<&str> = call.external_ids().map(ExternalId::id).collect();
            (to, call.call_type(), call.is_engage(), ids)
        })
        .collect();
    assert_eq!(
        said,
        [
            (vec!["dst_1", "dst_3"], CallType::Identify, false, vec!["a", "1"]),
            (vec!["dst_1", "dst_3"], CallType::Identify, false, vec!["b", "1"]),
            (vec!["dst_2"], CallType::Track, true, vec!["b", "1"]),
        ],
    );
    assert_eq!(
        (CallType::Identify.to_string(), CallType::Track.to_string()),
        ("identify".into(), "track".into())
    );
}

#[test]
fn fields_are_written_in_this_order() {
    let update: ProfileUpdate = read(&entry(&json!([
        { "type": "email", "id": "a@example.com" }, { "type": "phone", "id": "+14155550101" }, { "type": "user_id", "id": "1" },
    ])));
    let destinations: Destinations = read(
        &json!([{ "id": "dst_1", "name": "A" }, { "id": "dst_2", "name": "B", "dedupes_on": ["email"] }]),
    );
    let settings: CallSettings = read(
        &json!({ "dst_1": { "call": "identify", "audience_settings": {} }, "dst_2": { "call": "track", "engage": true } }),
    );
    let routes = Routes::new(&destinations, &settings);
    let personas = [("event_emitter_id", "emi_1")];
    let mut texts = String::new();
    for event in decide(&update, &destinations) {
        for call in routes.calls(&event, Supplied::default().with_personas(&personas)).iter() {
            writeln!(texts, "{}", serde_json::to_string(&call.unwrap()).unwrap()).unwrap();
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "." }, {
        insta::assert_snapshot!("calls", texts);
    });
}
