//! Explanations, as text and as JSON, and events as JSON.

use std::fmt::Write as _;

use idgroup::{Destinations, decide, explain};
use serde_json::{Value, json};

use crate::sample::{SECRET, destinations, email, read, replaced, triggers, update, with, with_trigger};

#[test]
fn explanations_say_why_in_full() {
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
fn explanations_say_which_ids_were_chosen() {
    let destinations: Destinations = serde_json::from_value(json!([
        {"id": "dst_1", "id_strategies": {"email": "latest"}},
        {"id": "dst_2", "id_strategies": {"email": "all", "phone": "first", "user_id": "first"}},
        {"id": "dst_3", "id_strategies": {"fax": "all"}},
        {"id": "dst_4", "consent": "required"},
        {"id": "dst_5", "consent": "not_refused", "id_strategies": {"email": "latest", "phone": "latest"}},
        {"id": "dst_6", "dedupes_on": ["email", "phone"], "id_strategies": {"phone": "first"}},
        {"id": "dst_7", "dedupes_on": ["email"], "consent": "required"},
        {"id": "dst_8", "dedupes_on": ["phone"], "consent": "not_refused"},
    ]))
    .unwrap();
    let id = |id_type: &str, last: u8, subscribed: Value| {
        json!({"type": id_type, "id": format!("{SECRET}{last}"), "subscribed": subscribed,
            "created_at": format!("2025-12-0{last}T00:00:00Z")})
    };
    let ids = json!([
        id("email", 1, json!(true)),
        id("email", 2, json!(null)),
        id("phone", 3, json!(false)),
        id("phone", 4, json!(false)),
    ]);
    let entry = with("/external_ids", ids);
    let [_, _, merge, _] = triggers();
    let mut explanations = String::new();
    for update in [
        entry.clone(),
        replaced(entry.clone(), "/membership", json!("out")),
        replaced(entry.clone(), "/external_ids/0/subscribed", json!(false)),
        replaced(entry.clone(), "/external_ids", json!([])),
        replaced(
            entry.clone(),
            "/trigger",
            json!({"reason": "new_external_id", "added": [{"type": "phone", "id": format!("{SECRET}4")}]}),
        ),
        replaced(entry, "/trigger", merge),
    ] {
        let update = read(&update);
        writeln!(explanations, "{}", explain(&update, &destinations)).unwrap();
    }
    assert!(!explanations.contains(SECRET));
    insta::assert_snapshot!(explanations);
}

#[test]
fn explanations_have_a_json_form() {
    let update = read(&update());
    let destinations = destinations();
    let verdicts: Vec<String> = explain(&update, &destinations)
        .iter()
        .map(|verdict| serde_json::to_string(&verdict).unwrap())
        .collect();
    insta::assert_snapshot!(verdicts.join("\n"));
}

#[test]
fn events_have_a_json_form() {
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
