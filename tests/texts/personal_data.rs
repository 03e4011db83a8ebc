//! External IDs are personal data: no text shows one.

use std::fmt::Write as _;

use idgroup::{ExternalId, ProfileUpdate, decide, explain};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sample::{SECRET, destinations, read, replaced, triggers, with_trigger};

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
    fn no_id_shows_whatever_is_wrong(
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
