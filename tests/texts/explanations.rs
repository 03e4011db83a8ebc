//! Explanations, as text and as JSON, and events as JSON.

use std::fmt::Write as _;

use idgroup::{decide, explain};
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
