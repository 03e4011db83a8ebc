//! The texts that people read: explanations, `Debug` forms and every error message, in full.
//!
//! After a change that is meant, `INSTA_UPDATE=always cargo test --test texts` rewrites them.

use std::fmt::Write as _;

use idgroup::{
    Checked, Computation, Destination, Destinations, ExternalId, ExternalIdKey, MalformedTimestamp,
    Membership, MergedProfile, ProfileUpdate, Timestamp, Trigger, decide, explain,
};
use proptest::prelude::*;
use serde::de::value::{self, BytesDeserializer, UnitDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde_json::{Value, json};

/// The value of every external ID here: no text may contain it.
const SECRET: &str = "s3cret@example.com";

fn update() -> Value {
    json!({
        "id": "upd_1",
        "space_id": "spa_1",
        "profile_id": "use_1",
        "computation": {"class": "audience", "id": "aud_1", "key": "first_time_shopper"},
        "membership": "in",
        "computed_at": "2026-01-05T10:00:00Z",
        "trigger": {"reason": "value_changed"},
        "external_ids": [email()],
    })
}

fn email() -> Value {
    json!({
        "type": "email",
        "id": SECRET,
        "collection": "users",
        "encoding": "none",
        "created_at": "2025-12-01T08:00:00.125Z",
        "attached_at": "2025-12-02T08:00:00+02:00",
    })
}

fn key() -> Value {
    json!({"type": "email", "id": SECRET})
}

fn triggers() -> [Value; 4] {
    [
        json!({"reason": "value_changed"}),
        json!({"reason": "new_external_id", "added": [key()]}),
        json!({"reason": "profile_merge", "profiles": [
            {"profile_id": "use_1", "membership": "out", "external_ids": [key()]},
        ]}),
        json!({"reason": "external_id_removed", "removed": [key()]}),
    ]
}

fn with_trigger(trigger: &Value) -> Value {
    with("/trigger", trigger.clone())
}

/// The update with another value at a path.
fn with(path: &str, value: Value) -> Value {
    replaced(update(), path, value)
}

fn replaced(mut json: Value, path: &str, value: Value) -> Value {
    if path.is_empty() {
        return value;
    }
    let (parent, name) = path.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    json
}

fn without(mut json: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    json
}

fn read(json: &Value) -> ProfileUpdate {
    serde_json::from_value(json.clone()).unwrap()
}

/// The message, without where in the text the reader stood: that is the reader's business.
#[track_caller]
fn refused<T: for<'de> Deserialize<'de>>(text: &str) -> String {
    let message = match serde_json::from_str::<T>(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    };
    assert!(!message.contains(SECRET), "{message}");
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

fn refused_update(json: &Value) -> String {
    refused::<ProfileUpdate>(&json.to_string())
}

fn refused_destinations(json: &Value) -> String {
    refused::<Destinations>(&json.to_string())
}

/// A line for each case: what was done, and the message.
#[derive(Default)]
struct Messages(String);

impl Messages {
    fn add(&mut self, what: impl std::fmt::Display, message: impl std::fmt::Display) {
        writeln!(self.0, "{what}\n    {message}").unwrap();
    }
}

// ---------------------------------------------------------------------------------------------
// Explanations
// ---------------------------------------------------------------------------------------------

fn destinations() -> Destinations {
    serde_json::from_value(json!([
        {"id": "dst_1", "name": "SendGrid", "dedupes_on": ["email"]},
        {"id": "dst_2", "dedupes_on": ["phone", "email"]},
        {"id": "dst_3", "name": "Google Ads"},
        {"id": "dst_4", "dedupes_on": ["user_id"]},
    ]))
    .unwrap()
}

#[test]
fn explanations() {
    let phone = json!({"type": "phone", "id": "s3cret@example.com+1", "created_at": "2025-11-01T00:00:00Z"});
    let [entry, added, merge, removed] = triggers();
    let out = |trigger: Value| replaced(with_trigger(&trigger), "/membership", json!("out"));
    let mut explanations = String::new();
    for update in [
        with("/external_ids", json!([email(), phone])),
        out(entry),
        with("/external_ids", json!([])),
        with_trigger(&added),
        replaced(with_trigger(&added), "/external_ids", json!([email(), phone])),
        out(added),
        with_trigger(&merge),
        with_trigger(&replaced(merge.clone(), "/profiles/0/membership", json!("in"))),
        out(merge),
        with_trigger(&removed),
    ] {
        let update = read(&update);
        let destinations = destinations();
        let explanation = explain(&update, &destinations);
        writeln!(explanations, "{explanation}").unwrap();
    }
    assert!(!explanations.contains(SECRET));
    insta::assert_snapshot!(explanations);
}

#[test]
fn explanation_as_json() {
    let update = read(&update());
    let destinations = destinations();
    let verdicts: Vec<String> = explain(&update, &destinations)
        .iter()
        .map(|verdict| serde_json::to_string(&verdict).unwrap())
        .collect();
    insta::assert_snapshot!(verdicts.join("\n"));
}

#[test]
fn event_as_json() {
    let update = read(&update());
    let destinations = destinations();
    insta::assert_snapshot!(serde_json::to_string_pretty(&decide(&update, &destinations)).unwrap());
}

#[test]
fn an_unknown_destination_has_no_explanation() {
    let update = read(&update());
    let destinations = destinations();
    assert!(explain(&update, &destinations).of("dst_5").is_none());
}

// ---------------------------------------------------------------------------------------------
// Debug and Display
// ---------------------------------------------------------------------------------------------

#[test]
fn debug_forms_have_no_id_in_them() {
    let destinations = destinations();
    let mut forms = String::new();
    for trigger in triggers() {
        let update = read(&with_trigger(&trigger));
        writeln!(forms, "{update:#?}").unwrap();
        let events = decide(&update, &destinations);
        writeln!(forms, "{events:#?}").unwrap();
        let owned: Vec<_> = events.into_iter().map(idgroup::IdGroupEvent::into_owned).collect();
        writeln!(forms, "{owned:#?}").unwrap();
        writeln!(forms, "{:#?}", explain(&update, &destinations)).unwrap();
        writeln!(forms, "{:?}", update.trigger()).unwrap();
    }
    let id = ExternalId::new("email", SECRET).unwrap();
    writeln!(forms, "{:?}", ProfileUpdate::builder().external_id(id.clone())).unwrap();
    writeln!(forms, "{id:?} {:?}", id.key()).unwrap();
    assert!(!forms.contains(SECRET), "{forms}");
    assert!(!forms.contains("s3cret"));
}

#[test]
fn debug_forms() {
    let mut forms = Messages::default();
    let id: ExternalId = serde_json::from_value(email()).unwrap();
    forms.add("external ID", format!("{id:?}"));
    for trigger in triggers() {
        forms.add(&trigger["reason"], format!("{:?}", read(&with_trigger(&trigger)).trigger()));
    }
    let update = read(&update());
    let destinations = destinations();
    forms.add("update", format!("{update:?}"));
    forms.add("event", format!("{:?}", decide(&update, &destinations)));
    let empty = read(&with("/external_ids", json!([])));
    let one = Destinations::new([Destination::new("dst_1").unwrap()]).unwrap();
    let explanation = explain(&empty, &one);
    forms.add("explanation", format!("{explanation:?}"));
    forms.add("verdict", format!("{:?}", explain(&update, &destinations).of("dst_3").unwrap().verdict()));
    insta::assert_snapshot!(forms.0);
}

#[test]
fn labels_and_names() {
    let mut labels = Messages::default();
    for reason in idgroup::DropReason::ALL {
        labels.add(format!("{reason:>24}"), reason.meaning());
    }
    for reason in idgroup::TriggerReason::ALL {
        labels.add(format!("{reason:>24}"), reason.as_str());
    }
    labels.add(format!("{:>8}", Membership::In), Membership::Out);
    labels.add(format!("{:>8}", idgroup::Collection::Users), idgroup::Collection::Accounts);
    labels.add(format!("{:>8}", idgroup::Verdict::SendAll), idgroup::Verdict::SendSome);
    labels.add("drop", idgroup::Verdict::Drop(idgroup::DropReason::Exited));
    for destination in destinations().as_slice() {
        labels.add(destination.id(), destination);
    }
    insta::assert_snapshot!(labels.0);
}

// ---------------------------------------------------------------------------------------------
// Error messages
// ---------------------------------------------------------------------------------------------

/// Every field of an update with what it takes.
const FIELDS: [(&str, &str); 23] = [
    ("", "object"),
    ("/id", "string"),
    ("/space_id", "string"),
    ("/profile_id", "string"),
    ("/computation", "object"),
    ("/computation/class", "string"),
    ("/computation/id", "string"),
    ("/computation/key", "string"),
    ("/membership", "string"),
    ("/computed_at", "string"),
    ("/trigger", "object"),
    ("/trigger/reason", "string"),
    ("/external_ids", "array"),
    ("/external_ids/0", "object"),
    ("/external_ids/0/type", "string"),
    ("/external_ids/0/id", "string"),
    ("/external_ids/0/collection", "string"),
    ("/external_ids/0/encoding", "string"),
    ("/external_ids/0/created_at", "string"),
    ("/external_ids/0/attached_at", "string"),
    ("/external_ids/1", "object"),
    ("/external_ids/1/type", "string"),
    ("/external_ids/1/id", "string"),
];

/// The fields that only some triggers have, with the trigger's position.
const TRIGGER_FIELDS: [(usize, &str, &str); 16] = [
    (1, "/trigger/added", "array"),
    (1, "/trigger/added/0", "object"),
    (1, "/trigger/added/0/type", "string"),
    (1, "/trigger/added/0/id", "string"),
    (1, "/trigger/added/0/collection", "string"),
    (2, "/trigger/profiles", "array"),
    (2, "/trigger/profiles/0", "object"),
    (2, "/trigger/profiles/0/profile_id", "string"),
    (2, "/trigger/profiles/0/membership", "string"),
    (2, "/trigger/profiles/0/external_ids", "array"),
    (2, "/trigger/profiles/0/external_ids/0", "object"),
    (2, "/trigger/profiles/0/external_ids/0/type", "string"),
    (2, "/trigger/profiles/0/external_ids/0/id", "string"),
    (3, "/trigger/removed", "array"),
    (3, "/trigger/removed/0", "object"),
    (3, "/trigger/removed/0/id", "string"),
];

fn all_fields() -> Vec<(Value, &'static str, &'static str)> {
    let two = |json: Value| replaced(json, "/external_ids", json!([email(), email()]));
    let common = FIELDS.map(|(path, kind)| (two(update()), path, kind));
    let of_triggers =
        TRIGGER_FIELDS.map(|(trigger, path, kind)| (with_trigger(&triggers()[trigger]), path, kind));
    common.into_iter().chain(of_triggers).collect()
}

/// A value of each kind that JSON has, which is an ID where it can be.
fn kinds() -> [(&'static str, Value); 7] {
    [
        ("string", json!(SECRET)),
        ("array", json!([SECRET])),
        ("object", json!({ SECRET: SECRET })),
        ("number", json!(-1)),
        ("number", json!(1.5)),
        ("boolean", json!(true)),
        ("null", Value::Null),
    ]
}

#[test]
fn mistyped_fields_of_updates() {
    let mut messages = Messages::default();
    for (json, path, kind) in all_fields() {
        for (other, value) in kinds() {
            // An optional field may be null, and a required one is then missing: see there.
            if other == kind || (other == "null" && !path.ends_with('0') && !path.is_empty()) {
                continue;
            }
            messages.add(
                format!("{path} {value}").replace(SECRET, "…"),
                refused_update(&replaced(json.clone(), path, value)),
            );
        }
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn missing_fields_of_updates() {
    let mut messages = Messages::default();
    let optional = [
        "class",
        "key",
        "computed_at",
        "collection",
        "encoding",
        "created_at",
        "attached_at",
        "profiles/0/external_ids",
    ];
    for (json, path, _) in all_fields() {
        if path.is_empty() || path.ends_with(|last: char| last.is_ascii_digit()) {
            continue;
        }
        let absent = without(json.clone(), path);
        let null = replaced(json, path, Value::Null);
        if optional.iter().any(|name| path.ends_with(name)) {
            assert_eq!(read(&absent), read(&null), "{path}");
        } else {
            let message = refused_update(&absent);
            assert_eq!(message, refused_update(&null));
            messages.add(path, message);
        }
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn empty_fields_of_updates() {
    let mut messages = Messages::default();
    let may_be_empty = ["class", "key", "encoding", "external_ids"];
    for (json, path, kind) in all_fields() {
        if kind == "object" {
            continue;
        }
        let empty = replaced(json, path, if kind == "string" { json!("") } else { json!([]) });
        if may_be_empty.iter().any(|name| path.ends_with(name)) {
            read(&empty);
        } else {
            messages.add(path, refused_update(&empty));
        }
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn values_that_updates_do_not_know() {
    let mut messages = Messages::default();
    let long = "ß".repeat(65);
    let just_fits = "ß".repeat(64);
    let controls = "in\n\u{1b}[31m`\"\\\u{202e}";
    for path in [
        "/membership",
        "/computed_at",
        "/trigger/reason",
        "/external_ids/0/collection",
        "/external_ids/0/created_at",
        "/external_ids/0/attached_at",
    ] {
        for value in ["In", "2026-01-05", &long, &just_fits, controls] {
            messages.add(path, refused_update(&with(path, json!(value))));
        }
    }
    for (trigger, path) in [
        (1, "/trigger/added/0/collection"),
        (2, "/trigger/profiles/0/membership"),
        (2, "/trigger/profiles/0/external_ids/0/collection"),
        (3, "/trigger/removed/0/collection"),
    ] {
        let json = replaced(with_trigger(&triggers()[trigger]), path, json!("User"));
        messages.add(path, refused_update(&json));
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn refused_destinations_name_field_and_destination() {
    let mut messages = Messages::default();
    let long = "x".repeat(80);
    let mut add = |json: Value| {
        let message = refused_destinations(&json);
        messages.add(json, message);
    };
    add(json!({}));
    add(json!(null));
    add(json!("dst_1"));
    add(json!([7]));
    add(json!([null]));
    add(json!([["dst_1"]]));
    add(json!([{}]));
    add(json!([{"id": null}]));
    add(json!([{"id": 1}]));
    add(json!([{"id": ""}]));
    add(json!([{"name": "SendGrid"}]));
    add(json!([{"id": "dst_1", "name": 1}]));
    add(json!([{"id": "dst_1", "name": {}}]));
    add(json!([{"id": "dst_1", "dedupes_on": []}]));
    add(json!([{"id": "dst_1", "dedupes_on": "email"}]));
    add(json!([{"id": "dst_1", "dedupes_on": {"email": true}}]));
    add(json!([{"id": "dst_1", "dedupes_on": false}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", ""]}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", null]}]));
    add(json!([{"id": "dst_1", "dedupes_on": [7, "email"]}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", ["phone"]]}]));
    add(json!([{"id": "dst_1"}, {"id": "dst_2", "dedupe_on": ["email"]}]));
    add(json!([{"dedupesOn": ["email"], "id": "dst_1", "name": 1}]));
    add(json!([{"dedupesOn": ["email"]}]));
    add(json!([{"id": "dst_1", "": 1}]));
    add(json!([{"id": "dst_1", "two\nlines": 1}]));
    add(json!([{"id": "dst_1", (long.clone()): 1}]));
    add(json!([{"id": (long.clone()), "dedupes_on": []}]));
    add(json!([{"id": "dst\t1", "dedupes_on": []}]));
    add(json!([{"id": "dst_1"}, {"id": "dst_2"}, {"id": "dst_1"}]));
    add(json!([{"id": "b"}, {"id": "b"}, {"id": "a"}, {"id": "a"}]));
    add(json!([{"id": (long.clone())}, {"id": long}]));
    add(json!([{"id": "two\nlines"}, {"id": "two\nlines"}]));
    insta::assert_snapshot!(messages.0);
}

/// Which of two values counts would be a guess.
#[test]
fn the_same_field_twice_is_refused() {
    let mut messages = Messages::default();
    let text = update().to_string();
    for (once, twice) in [
        (r#""id":"upd_1""#, r#""id":"upd_1","id":"upd_2""#),
        (r#""membership":"in""#, r#""membership":"in","membership":"out""#),
        (r#""reason":"value_changed""#, r#""reason":"value_changed","reason":"value_changed""#),
        (r#""type":"email""#, r#""type":"email","type":"email""#),
        (r#""class":"audience""#, r#""class":"audience","class":null"#),
    ] {
        assert!(text.contains(once), "{text}");
        messages.add(twice, refused::<ProfileUpdate>(&text.replacen(once, twice, 1)));
    }
    let id = format!("\"id\":\"{SECRET}\"");
    messages.add("the ID", refused::<ProfileUpdate>(&text.replacen(&id, &format!("{id},{id}"), 1)));
    for destination in [
        r#"{"id":"dst_1","id":"dst_2"}"#,
        r#"{"id":"dst_1","name":"a","name":"a"}"#,
        r#"{"id":"dst_1","dedupes_on":["email"],"dedupes_on":null}"#,
        r#"{"id":null,"id":"dst_1"}"#,
    ] {
        messages.add(destination, refused::<Destination>(destination));
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn parts_are_refused_on_their_own() {
    let mut messages = Messages::default();
    messages.add("trigger", refused::<Trigger>(r#"{"reason":"profile_split"}"#));
    messages.add("trigger", refused::<Trigger>(r#""value_changed""#));
    messages.add("merged profile", refused::<MergedProfile>(r#"{"membership":"in"}"#));
    messages.add("external ID", refused::<ExternalId>(&format!("{{\"id\":\"{SECRET}\"}}")));
    messages.add("external ID", refused::<ExternalId>(&format!("\"{SECRET}\"")));
    messages.add("key", refused::<ExternalIdKey>(&format!("[\"{SECRET}\"]")));
    messages.add("computation", refused::<Computation>("{}"));
    messages.add("destination", refused::<Destination>("[]"));
    messages.add("cut short", refused::<ProfileUpdate>(&update().to_string()[..100]));
    insta::assert_snapshot!(messages.0);
}

/// Formats other than JSON have more kinds of values.
#[test]
fn values_of_other_formats_are_refused() {
    /// As formats give it that know options.
    struct Optional(Option<u64>);

    impl<'de> Deserializer<'de> for Optional {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.0 {
                Some(number) => {
                    visitor.visit_some(IntoDeserializer::<value::Error>::into_deserializer(number))
                }
                None => visitor.visit_none(),
            }
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    fn refused<'de>(value: impl Deserializer<'de, Error = value::Error>) -> String {
        ExternalId::deserialize(value).unwrap_err().to_string()
    }

    fn plain<'de, T: IntoDeserializer<'de, value::Error>>(value: T) -> String {
        refused(value.into_deserializer())
    }

    let mut messages = Messages::default();
    messages.add("i64", plain(-1_i64));
    messages.add("i128", plain(-1_i128));
    messages.add("u64", plain(1_u64));
    messages.add("u128", plain(1_u128));
    messages.add("f32", plain(1_f32));
    messages.add("bool", plain(true));
    messages.add("char", plain('c'));
    messages.add("string", plain(SECRET.to_owned()));
    messages.add("bytes", refused(BytesDeserializer::new(SECRET.as_bytes())));
    messages.add("unit", refused(UnitDeserializer::new()));
    messages.add("none", refused(Optional(None)));
    messages.add("some", refused(Optional(Some(1))));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn constructors_refuse_the_same() {
    fn error<T: std::fmt::Debug>(result: Result<T, impl std::error::Error>) -> String {
        result.unwrap_err().to_string()
    }
    let mut messages = Messages::default();
    messages.add("ExternalId::new", error(ExternalId::new("", SECRET)));
    messages.add("ExternalId::new", error(ExternalId::new("email", "")));
    messages.add("ExternalIdKey::new", error(ExternalIdKey::new("", SECRET)));
    messages.add("ExternalIdKey::new", error(ExternalIdKey::new("email", "")));
    messages.add("Computation::new", error(Computation::new("")));
    messages.add("MergedProfile::new", error(MergedProfile::new("", Membership::In)));
    messages.add("Trigger::new_external_id", error(Trigger::new_external_id([])));
    messages.add("Trigger::profile_merge", error(Trigger::profile_merge([])));
    let merged = |id| MergedProfile::new(id, Membership::In).unwrap();
    messages.add("Trigger::profile_merge", error(Trigger::profile_merge(["a", "b", "a"].map(merged))));
    messages.add("Trigger::external_id_removed", error(Trigger::external_id_removed([])));
    messages.add("Destination::new", error(Destination::new("")));
    let destination = || Destination::new("dst_1").unwrap();
    messages.add("deduping_on", error(destination().deduping_on([""; 0])));
    messages.add("deduping_on", error(destination().deduping_on(["email", ""])));
    messages.add("Destinations::new", error(Destinations::new([destination(), destination()])));
    messages.add("Timestamp", error("2026-01-05".parse::<Timestamp>()));
    messages.add("Timestamp", error(Timestamp::from_unix_nanoseconds(i128::MIN)));
    assert_eq!("".parse::<Timestamp>(), Err(MalformedTimestamp));

    let complete = || {
        ProfileUpdate::builder()
            .id("upd_1")
            .space_id("spa_1")
            .profile_id("use_1")
            .computation(Computation::new("aud_1").unwrap())
            .membership(Membership::In)
            .trigger(Trigger::ValueChanged)
    };
    complete().build().unwrap();
    messages.add("builder", error(complete().id("").build()));
    messages.add("builder", error(complete().space_id("").build()));
    messages.add("builder", error(complete().profile_id("").build()));
    let merge = Trigger::profile_merge([merged("use_2")]).unwrap();
    messages.add("builder", error(complete().trigger(merge).build()));
    let builder = ProfileUpdate::builder();
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.id("upd_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.space_id("spa_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.profile_id("use_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.computation(Computation::new("aud_1").unwrap());
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.membership(Membership::Out);
    messages.add("builder", error(builder.build()));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn an_error_can_be_asked_for_its_parts() {
    let error = Destination::new("dst_1").unwrap().deduping_on(["email", ""]).unwrap_err();
    assert_eq!(error.field(), "dedupes_on[1]");
    assert_eq!(*error.problem(), idgroup::Problem::Empty);
    assert_eq!(error.destination(), Some("dst_1"));
    let Checked(update) = serde_json::from_str::<Checked<ProfileUpdate>>("{}").unwrap();
    assert_eq!(update.as_ref().unwrap_err().destination(), None);
    assert_eq!(update.unwrap_err().field(), "id");
    let Checked(destination) =
        serde_json::from_str::<Checked<Destination>>(r#"{"id":"dst_1","dedupes_on":["email",""]}"#).unwrap();
    assert_eq!(destination.unwrap_err(), error);
    let destination = || Destination::new("dst_1").unwrap();
    let error = Destinations::new([destination(), destination()]).unwrap_err();
    assert_eq!(error.field(), "[1].id");
    assert_eq!(*error.problem(), idgroup::Problem::Duplicate { value: "dst_1".into() });
}

// ---------------------------------------------------------------------------------------------
// External IDs are personal data
// ---------------------------------------------------------------------------------------------

/// Values with which to spoil an update: other kinds, IDs where they do not belong, and texts.
fn spoilt() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(7)),
        Just(json!(1e300)),
        Just(json!(false)),
        Just(json!([SECRET])),
        Just(json!([[SECRET], null])),
        Just(json!({"id": SECRET})),
        Just(json!([{"id": SECRET}, SECRET, {"type": "", "id": SECRET}])),
        Just(json!([{"type": "email", "id": SECRET, "collection": "people"}])),
        Just(json!([{"type": "email", "id": SECRET, "created_at": "yesterday"}])),
        "[a-z0-9:]{0,80}".prop_map(|text| json!(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is wrong, and wherever: neither the error nor the accepted input shows an ID.
    #[test]
    fn no_id_shows(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), spoilt()), 1..4),
        trigger in 0_usize..4,
    ) {
        let mut json = with_trigger(&triggers()[trigger]);
        for (index, value) in spoils {
            let paths = paths(&json, "");
            let path = index.get(&paths).clone();
            // There, the field `id` is the computation's, which may be shown.
            let value = if path == "/computation" { json!([value]) } else { value };
            json = replaced(json, &path, value);
        }
        let text = json.to_string();
        let shown = match serde_json::from_str::<ProfileUpdate>(&text) {
            Ok(update) => {
                let destinations = destinations();
                format!("{update:?} {:?} {}", decide(&update, &destinations), explain(&update, &destinations))
            }
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains("s3cret"), "{}", shown);
        if let Err(error) = serde_json::from_value::<ProfileUpdate>(json) {
            prop_assert!(!error.to_string().contains("s3cret"), "{}", error);
        }
    }
}

/// The paths of all values, in the syntax of JSON pointers.
fn paths(json: &Value, path: &str) -> Vec<String> {
    let mut all = vec![path.to_owned()];
    match json {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                all.extend(paths(item, &format!("{path}/{index}")));
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                all.extend(paths(value, &format!("{path}/{name}")));
            }
        }
        _ => {}
    }
    all
}
