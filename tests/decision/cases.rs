//! Runs the cases of `fixtures/cases` and the refusals of `fixtures/refused.json`, whose format is
//! described in `fixtures/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use idgroup::{Destinations, DropReason, IdGroupEvent, ProfileUpdate, TriggerReason, decide, explain};
use serde_json::{Value, json};

#[test]
fn every_case_is_decided_as_expected() {
    for case in cases() {
        case.assert_decided(&case.update, &case.destinations, "as given");
    }
}

#[test]
fn every_verdict_is_the_one_that_was_written_by_hand() {
    for case in cases() {
        case.assert_by_hand();
    }
}

#[test]
fn the_order_of_the_input_lists_says_nothing() {
    for case in cases() {
        for (order, reorder) in ORDERS {
            let mut update = case.update.clone();
            for list in ["/trigger/added", "/trigger/removed", "/trigger/profiles"] {
                reorder_at(&mut update, list, *reorder);
            }
            reorder_at(&mut update, "/external_ids", *reorder);
            let mut destinations = case.destinations.clone();
            reorder_at(&mut destinations, "", *reorder);
            for destination in destinations.as_array_mut().unwrap() {
                reorder_at(destination, "/dedupes_on", *reorder);
            }
            case.assert_decided(&update, &destinations, order);
        }
    }
}

#[test]
fn every_delivery_has_its_key() {
    for case in cases() {
        let (update, destinations) = case.read(&case.update, &case.destinations);
        let events = decide(&update, &destinations);
        let expected = case.deliveries.as_array().unwrap();
        assert_eq!(events.len(), expected.len(), "{}", case.name);
        for (event, expected) in events.iter().zip(expected) {
            let messages = event.outbound_messages();
            let mut keys = Vec::new();
            for message in [messages.get(0), messages.get(messages.count() - 1)].map(Option::unwrap) {
                let ids: Vec<&str> = message.external_ids().map(idgroup::ExternalId::id).collect();
                for destination in [message.destination_ids().next(), message.destination_ids().last()] {
                    let key = message.delivery_key(destination.unwrap());
                    let key = json!({"destination": destination, "external_ids": ids, "key": key});
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
            assert_eq!(&json!(keys), expected, "{}", case.name);
        }
    }
}

#[test]
fn owned_events_serialise_alike() {
    for case in cases() {
        let (update, destinations) = case.read(&case.update, &case.destinations);
        for event in decide(&update, &destinations) {
            let borrowed = serde_json::to_string(&event).unwrap();
            let owned = serde_json::to_string(&event.into_owned()).unwrap();
            assert_eq!(owned, borrowed, "{}", case.name);
        }
    }
}

#[test]
fn inputs_survive_a_round_trip() {
    for case in cases() {
        let (update, destinations) = case.read(&case.update, &case.destinations);
        let again: ProfileUpdate = serde_json::from_str(&serde_json::to_string(&update).unwrap()).unwrap();
        assert_eq!(again, update, "{}", case.name);
        let again: Destinations =
            serde_json::from_str(&serde_json::to_string(&destinations).unwrap()).unwrap();
        assert_eq!(again, destinations, "{}", case.name);
        // Read as one text, as users do, and not from a parsed value.
        let from_text: ProfileUpdate = serde_json::from_str(&case.update.to_string()).unwrap();
        assert_eq!(from_text, update, "{}", case.name);
    }
}

#[test]
fn events_are_written_in_this_order_of_fields() {
    let case = cases().into_iter().find(|case| case.name == "entered_sends_to_the_latest_email").unwrap();
    let (update, destinations) = case.read(&case.update, &case.destinations);
    let event = &case.events[0];
    let expected = format!(
        concat!(
            r#"[{{"message_id":{},"update_id":"upd_1","space_id":"spa_1","profile_id":"use_1","#,
            r#""computation":{{"class":"audience","id":"aud_1","key":"first_time_shopper"}},"#,
            r#""membership":"in","reason":"value_changed","computed_at":"2026-01-05T12:00:00Z","#,
            r#""id_group":{{"hash":{},"external_ids":["#,
            r#"{{"type":"email","id":"b@example.com","collection":"users","encoding":"none"}}]}},"#,
            r#""destinations":["dst_1"]}}]"#,
        ),
        event["message_id"], event["id_group"]["hash"],
    );
    assert_eq!(serde_json::to_string(&decide(&update, &destinations)).unwrap(), expected);
}

#[test]
fn the_cases_cover_the_decision() {
    let cases = cases();
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(&*case.name), "{} is named twice", case.name);
        assert!(is_snake_case(&case.name), "{} is not snake_case", case.name);
        assert!(!case.why.is_empty(), "{} says no why", case.name);
    }
    assert!(cases.len() >= 80, "only {} cases", cases.len());

    let verdicts = || cases.iter().flat_map(|case| case.verdicts.as_array().unwrap());
    for verdict in ["send_all", "send_some", "drop"] {
        assert!(verdicts().any(|found| found["verdict"] == verdict), "no case of {verdict}");
    }
    // Only decisions with a memory say that an update is superseded.
    for reason in DropReason::ALL.into_iter().filter(|reason| *reason != DropReason::Superseded) {
        assert!(verdicts().any(|found| found["drop_reason"] == reason.as_str()), "no case of {reason}");
    }
    for reason in TriggerReason::ALL {
        let occurs = |case: &Case| case.update["trigger"]["reason"] == reason.as_str();
        assert!(cases.iter().any(occurs), "no case of {reason}");
    }
}

#[test]
fn refused_inputs_are_refused_for_their_field() {
    let mut names = BTreeSet::new();
    for refused in read_json(&fixtures().join("refused.json")).as_array().unwrap() {
        let name = refused["name"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is named twice");
        assert_refused(name, refused);
    }
}

#[track_caller]
fn assert_refused(name: &str, refused: &Value) {
    let error = match (refused.get("update"), refused.get("destinations")) {
        (Some(update), None) => serde_json::from_value::<ProfileUpdate>(update.clone()).err(),
        (None, Some(list)) => serde_json::from_value::<Destinations>(list.clone()).err(),
        _ => panic!("{name}: either an update or destinations"),
    };
    let Some(error) = error else { panic!("{name}: not refused") };
    let error = error.to_string();
    let field = match refused["field"].as_str().unwrap() {
        "" => "the input ".to_owned(),
        path => format!("`{path}` "),
    };
    assert!(error.starts_with(&field), "{name}: `{error}` does not begin with {field}");
    if let Some(shown) = refused.get("shown").and_then(Value::as_str) {
        assert!(error.contains(&format!("`{shown}`")), "{name}: `{error}` does not show {shown}");
    }
    if let Some(hidden) = refused.get("hidden").and_then(Value::as_str) {
        assert!(!error.contains(hidden), "{name}: `{error}` shows {hidden}");
    }
}

struct Case {
    name: String,
    why: String,
    update: Value,
    destinations: Value,
    expect: Value,
    groups: Option<Value>,
    events: Value,
    verdicts: Value,
    deliveries: Value,
}

impl Case {
    #[track_caller]
    fn read(&self, update: &Value, destinations: &Value) -> (ProfileUpdate, Destinations) {
        let update = serde_json::from_value(update.clone());
        let destinations = serde_json::from_value(destinations.clone());
        match (update, destinations) {
            (Ok(update), Ok(destinations)) => (update, destinations),
            (Err(error), _) | (_, Err(error)) => panic!("{}: {error}", self.name),
        }
    }

    #[track_caller]
    fn assert_decided(&self, update: &Value, destinations: &Value, order: &str) {
        let (update, destinations) = self.read(update, destinations);
        let events = decide(&update, &destinations);
        assert_eq!(json!(events), self.events, "events of {} {order}", self.name);

        let mut verdicts: Vec<Value> =
            explain(&update, &destinations).iter().map(|verdict| json!(verdict)).collect();
        for verdict in &mut verdicts {
            let update_id = verdict.as_object_mut().unwrap().remove("update_id");
            assert_eq!(update_id, Some(json!(update.id())), "verdict of {} {order}", self.name);
        }
        assert_eq!(json!(verdicts), self.verdicts, "verdicts of {} {order}", self.name);
    }

    #[track_caller]
    fn assert_by_hand(&self) {
        let (update, destinations) = self.read(&self.update, &self.destinations);
        let explanation = explain(&update, &destinations);
        let expected = self.expect.as_object().unwrap();
        assert_eq!(expected.len(), destinations.len(), "{}: one expectation each", self.name);
        for (destination, expected) in expected {
            let Some(verdict) = explanation.of(destination) else {
                panic!("{}: no verdict about {destination}", self.name)
            };
            let found = match (verdict.verdict().drop_reason(), expected) {
                (Some(reason), _) => json!(reason),
                (None, Value::Number(_)) => json!(verdict.external_ids().len()),
                (None, _) => verdict.external_ids().iter().map(shorthand).collect(),
            };
            assert_eq!(&found, expected, "{}: {destination}", self.name);
        }
        if let Some(expected) = &self.groups {
            let groups: Value = decide(&update, &destinations).iter().map(destination_ids).collect();
            assert_eq!(&groups, expected, "groups of {}", self.name);
        }
    }
}

fn shorthand(external_id: &idgroup::ExternalId) -> String {
    let prefix = match external_id.collection() {
        idgroup::Collection::Users => "",
        idgroup::Collection::Accounts => "accounts ",
    };
    format!("{prefix}{} {}", external_id.id_type(), external_id.id())
}

fn destination_ids(event: &IdGroupEvent<'_>) -> Value {
    event.destinations().iter().map(|destination| json!(destination.id())).collect()
}

type Reorder = fn(&mut Vec<Value>);

/// Ways to put a list into another order.
const ORDERS: &[(&str, Reorder)] = &[
    ("reversed", |list| list.reverse()),
    ("rotated", |list| {
        let half = list.len().div_ceil(2);
        list.rotate_left(half);
    }),
    ("odd ones first", |list| {
        let (odd, even): (Vec<_>, Vec<_>) = list.drain(..).enumerate().partition(|(index, _)| index % 2 == 1);
        list.extend(odd.into_iter().chain(even).map(|(_, value)| value));
    }),
];

/// Does nothing where there is no list.
fn reorder_at(value: &mut Value, pointer: &str, reorder: Reorder) {
    if let Some(list) = value.pointer_mut(pointer).and_then(Value::as_array_mut) {
        reorder(list);
    }
}

fn is_snake_case(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(fixtures().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().flat_map(|path| cases_of(path)).collect()
}

#[track_caller]
fn cases_of(path: &Path) -> Vec<Case> {
    let Value::Array(cases) = read_json(path) else { panic!("{} is not a list", path.display()) };
    let of_value = |mut case: Value| {
        let name = case["name"].as_str().unwrap_or("a case without a name").to_owned();
        let why = case["why"].as_str().unwrap_or_default().to_owned();
        let mut field = |field: &str| match case.get_mut(field) {
            Some(value) => value.take(),
            None => panic!("{}: {name} has no {field}", path.display()),
        };
        Case {
            update: field("update"),
            destinations: field("destinations"),
            expect: field("expect"),
            events: field("events"),
            verdicts: field("verdicts"),
            deliveries: field("deliveries"),
            groups: case.get("groups").cloned(),
            why,
            name,
        }
    };
    cases.into_iter().map(of_value).collect()
}

#[track_caller]
fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}
