//! The errors about each field of an update, in full.

use idgroup::{Destination, ProfileUpdate};
use serde_json::{Value, json};

use crate::sample::{
    Messages, SECRET, email, read, refused, refused_update, replaced, triggers, update, with, with_trigger,
    without,
};

/// Every field of an update with what it takes.
const FIELDS: [(&str, &str); 24] = [
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
    ("/external_ids/0/subscribed", "boolean"),
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
fn mistyped_fields_of_updates_are_refused() {
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
fn missing_fields_of_updates_are_refused() {
    let mut messages = Messages::default();
    let optional = [
        "class",
        "key",
        "computed_at",
        "collection",
        "encoding",
        "created_at",
        "attached_at",
        "subscribed",
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
fn empty_fields_of_updates_are_refused() {
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
fn values_that_updates_do_not_know_are_refused() {
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

/// Read as it is built: a decision about it could not know whether that profile has been messaged.
#[test]
fn a_merge_that_does_not_state_the_updates_own_profile_is_refused() {
    let merge = with_trigger(&triggers()[2]);
    assert!(serde_json::from_value::<ProfileUpdate>(merge.clone()).is_ok());
    let refused = refused_update(&replaced(merge, "/profile_id", json!("use_9")));
    let expected = "`trigger.profiles` lack the update's own profile `use_9`, ";
    assert!(refused.starts_with(expected), "{refused}");
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
